/* request.h - one HTTP request as it was understood, and the answer to it. */
#ifndef REQUEST_H
#define REQUEST_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "json_write.h"

#define HEAD_BYTES     (24 * 1024)	/* request line and headers together */
#define TARGET_BYTES   (16 * 1024)
#define BODY_BYTES     (8 * 1024 * 1024) /* of a control request: nothing else reads its body */
#define BODY_IDLE_BYTES (16 * 1024)	/* of any other request: taken and ignored */
#define SEGMENTS_MAX   10
#define PARAMS_MAX     32
#define CREDENTIAL     128
#define ANSWER_BYTES   (64u * 1024 * 1024)
#define LINE_BYTES     512
#define PATH_BYTES_MAX 1024

struct param {
	const char *name, *value;
};

struct request {		/* pointers lead into the connection's head: do not copy */
	const char	*method;
	const char	*path;			/* as sent, without the query */
	char		 parts[PATH_BYTES_MAX];	/* the path cut up: what the segments point into */
	char		*segments[SEGMENTS_MAX]; /* unescaped; empty ones left out */
	size_t		 segment_count;
	struct param	 params[PARAMS_MAX];
	size_t		 param_count;
	char		 line[LINE_BYTES];	/* request line, cut: for logs and statistics */
	char		 key[CREDENTIAL], secret[CREDENTIAL];
	uint64_t	 body_length;
	bool		 keeps_alive, expects_continue;
	const uint8_t	*body;			/* `body_length` bytes once they are there */
};

/* How the answer goes out; anything but PLAIN is a fault. */
enum manner { MANNER_PLAIN, MANNER_CUT, MANNER_DROP, MANNER_HANG };

struct answer {			/* the connection owns the body */
	int		 status;
	const char	*type;
	struct buf	 body;
	enum manner	 manner;
	int64_t		 delay_ms;
	bool		 shows_budget;	/* the X-RateLimit headers */
	double		 budget_limit, budget_left;
	int64_t		 budget_reset;	/* unix seconds */
	bool		 closes;
};

/* `head` holds `len` bytes up to and with the empty line, and is cut up. Returns 0, or the HTTP
 * status to refuse with. */
int	request_parse(struct request *, char *head, size_t len);
/* "" when it was not given. */
const char *request_param(const struct request *, const char *name);

void	answer_init(struct answer *);
void	answer_fini(struct answer *);
/* Empties it for the next request. */
void	answer_reset(struct answer *);
/* {"message": ...} as Alpaca words its refusals. The text is cut at 400 bytes. */
void	answer_refuse(struct answer *, int status, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same with the number that the trading API puts in front. */
void	answer_refuse_code(struct answer *, int status, int code, const char *fmt, ...)
	    PRINTF_LIKE(4, 5);
/* These bytes; a static type. */
void	answer_bytes(struct answer *, int status, const char *type, const void *, size_t);
/* nginx's own page, as it stands before Alpaca's services. */
void	answer_page(struct answer *, int status, const char *title);
/* json_begin at the front, json_end behind: what did not fit becomes a 500. */
void	answer_json_begin(struct answer *, struct json *);
void	answer_json_end(struct answer *, struct json *);
const char *answer_reason(int status);

#endif /* REQUEST_H */
