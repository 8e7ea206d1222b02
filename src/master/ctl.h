/* ctl.h - the control socket: what its files share. Room header.
 *
 * A request is one line of JSON, {"command":"restart","args":["http-0"]}, an answer is one line:
 * {"ok":true,"command":"restart",...} or {"ok":false,"command":"restart","error":"...","code":11,"name":"NOT_FOUND"}.
 * A connection is kept for further requests; one is worked on at a time.
 */
#ifndef CTL_H
#define CTL_H
#include "buf.h"
#include "json_write.h"
#include "master_room.h"

#define CTL_SOCKET	"control.sock"
#define CTL_LINE_MAX	4096		/* bytes of a request, its newline included */
#define CTL_ARGS_MAX	8
#define CTL_ARG_MAX	64		/* bytes of one argument, its end included */
#define CTL_CONNS_MAX	16
#define CTL_WAITS_MAX	32		/* actions under way, also those whose client left */
#define CTL_IDLE_MS	60000
#define CTL_OUT_MAX	(8u << 20)	/* bytes of an answer: workers of 256 slots are some 300 KiB */
#define CTL_NEWEST_MAX	100		/* crash reports in one answer */

struct ctl_request {
	char		 command[CTL_ARG_MAX];
	size_t		 argc;
	char		 args[CTL_ARGS_MAX][CTL_ARG_MAX];
	unsigned	 limit;		/* 0: not given */
};

/* One answer, which begins as a good one. ctl_refuse throws away what was written. */
struct ctl_answer {
	struct master	*master;
	struct json	*json;
	struct ctl_wait	*wait;		/* of an action: the argument of its done_fn, ctl_done */
	bool		 refused;
	int		 error;
	char		 text[512];	/* why refused */
};

/* A handler writes members into the answer, or refuses. That of an action hands ctl_done and the answer's `wait`
 * to whoever does it. */
typedef void ctl_handler_fn(struct ctl_answer *, const struct ctl_request *);
void	ctl_refuse(struct ctl_answer *, int error, const char *fmt, ...) PRINTF_LIKE(3, 4);
done_fn	ctl_done;

enum ctl_kind { CTL_QUERY, CTL_ACTION, CTL_CLIENT, CTL_LOCAL };
struct ctl_command {
	const char	*name;
	enum ctl_kind	 kind;
	const char	*arguments;
	ctl_handler_fn	*handle;	/* null: CLIENT */
};
const struct ctl_command *ctl_command_find(const char *name);	/* null: none of the master's */
bool	ctl_command_takes(const struct ctl_command *, size_t argc);
/* ctl_request.c: E_MALFORMED_REQUEST or E_INVALID_PARAMETER with one line why. */
int	ctl_request_read(const char *line, size_t len, struct ctl_request *, char *why, size_t size) MUST_CHECK;

struct ctl_conn;
struct ctl_wait {		/* an action under way */
	bool		 used;
	struct ctl_conn	*conn;	/* null: its client left */
	char		 command[CTL_ARG_MAX];
};

struct ctl_conn {
	struct ctl_server *server;	/* null: not in use */
	int		 fd;
	bool		 ended;		/* the client will send no more */
	bool		 last;		/* what is written now is the last */
	struct event	*readable, *writable;
	struct loop_timer idle;
	struct ctl_wait	*wait;		/* an action it waits for; nothing is read meanwhile */
	size_t		 in_len;
	char		 in[CTL_LINE_MAX];
	struct buf	 out;
};

struct ctl_server {
	struct master	*master;
	int		 fd;
	struct event	*accepting;
	struct loop_timer retry;	/* descriptors had run out */
	struct limit	 talk;		/* lines in the log about strangers */
	uint64_t	 refused;	/* connections of strangers and beyond the bound */
	unsigned	 conn_count;
	struct ctl_conn	 conns[CTL_CONNS_MAX];
	struct ctl_wait	 waits[CTL_WAITS_MAX];
	struct buf	 text;		/* the answer being made */
};

/* ctl_conn.c. Takes fd; false when there are too many already. */
bool	ctl_conn_open(struct ctl_server *, int fd);
void	ctl_conn_close(struct ctl_conn *);

/* ctl_status.c, ctl_workers.c, ctl_crashes.c */
ctl_handler_fn ctl_status, ctl_workers, ctl_crashes;
/* Of the reports in <state.dir>/crashes: how many, and the number of the newest; 0: none. */
unsigned ctl_crashes_count(const struct master *, unsigned *newest);
/* One of them as it was written. E_INVALID_PARAMETER, E_ABSENT, E_FULL. */
int	 ctl_crash_report(const struct master *, const char *id, struct buf *) MUST_CHECK;
/* The newest of earlier runs, for the status page. */
void	 ctl_crashes_recall(const struct master *);
/* ctl_workers.c: the slots people see, each by its current seat. Null: the seat is not to be shown. */
const struct slot *ctl_slot_shown(const struct slot *seat);
/* One gauge or counter over its labels and both seats. */
uint64_t ctl_slot_sum(const struct slot *, enum metric);
/* ctl_health.c, members: "healthy", "degraded", "unhealthy"; whether it is ready; and why. */
void	 ctl_health(const struct master *, struct json *);

#endif /* CTL_H */
