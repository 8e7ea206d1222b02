/* fault.h - faults on demand: which requests they strike, and what they do to the answer. */
#ifndef FAULT_H
#define FAULT_H
#include "replay.h"

#define FAULTS_MAX	64
#define FAULT_PATH	256
#define FAULT_DELAY_MAX 600000

enum fault_kind {
	FAULT_429, FAULT_500, FAULT_504, FAULT_SLOW, FAULT_CUT, FAULT_HTML401, FAULT_MALFORMED,
	FAULT_SCHEMA, FAULT_NULL_TOKEN, FAULT_HANG, FAULT_403, FAULT_EMPTY, FAULT_DROP_CONNECTION,
	FAULT_BODY		/* these bytes instead: POST /_replay/body */
};

struct fault {
	enum fault_kind	 kind;
	int64_t		 count;		/* requests still to strike; -1: all */
	char		 path[FAULT_PATH]; /* prefix of the path with query; "" is any */
	char		 variant[24];
	int64_t		 delay_ms;	/* of slow, and before any other fault when given */
	int		 status;	/* of body */
	char		 type[64];
	char		*bytes;		/* of body; owned */
	size_t		 len;
};

struct faults *faults_new(void);
void	faults_free(struct faults **);
void	faults_clear(struct faults *);
size_t	faults_count(const struct faults *);
/* Takes over `bytes`. E_FULL when there are FAULTS_MAX; E_INVALID_PARAMETER for a variant the
 * kind has not: then the bytes stay the caller's. */
int	faults_add(struct faults *, const struct fault *takes) MUST_CHECK;
/* "500", "500:3", "500:-1:/v2/stocks". */
int	faults_add_text(struct faults *, const char *) MUST_CHECK;
/* False: there is no such kind. BODY has no name. */
bool	fault_kind_read(const char *, enum fault_kind *);

/* The fault that strikes this request, its count lowered; null when none does. Valid until the
 * next call. */
const struct fault *faults_strike(struct faults *, const struct request *);
/* Changes an answer that is made already. */
void	fault_apply(const struct fault *, struct answer *);

/* schema.c: breaks a good body in one named way. False: there is no such variant. A body that
 * has nothing of the kind is left as it is. */
bool	schema_variant_is_known(const char *);
void	schema_break(const char *variant, struct buf *body);
/* What becomes of next_page_token: "null" and "absent" end the walk early, "empty" is an end that
 * makes naive clients loop, "repeat" leads to the first page again, for ever. */
bool	token_variant_is_known(const char *);
void	token_break(const char *variant, struct buf *body);

#endif /* FAULT_H */
