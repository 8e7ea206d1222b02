/* http_fault.h - errors of errors.def as clients read them, and the ids of requests; for every server of ours. */
#ifndef HTTP_FAULT_H
#define HTTP_FAULT_H
#include <stdint.h>

#include "buf.h"
#include "err.h"

#define REQUEST_ID_MAX	64

struct http_request;

/* What went wrong with a request and what helps its sender; strings are borrowed, null where
 * unknown. */
struct fault {
	int		 code;
	const char	*symbol;
	const char	*parameter;
	const char	*reason;
	uint64_t	 retry_ms;	/* 0: nothing said */
};

/* Seconds, at least 1; -1: asking again cannot help. */
int64_t	fault_retry_after(const struct fault *);
/* Each appends to the buffer, E_FULL at its limit. What stands behind `"error":`; then the whole body. */
int	fault_write_error(struct buf *, const struct fault *) MUST_CHECK;
int	fault_write(struct buf *, const struct fault *, const char *request_id, const char *time, const char *path)
	    MUST_CHECK;
/* Where ids come from: a number of this process behind a random prefix. */
struct request_ids {
	char		 prefix[16];
	uint64_t	 count;
};
void	request_ids_init(struct request_ids *);
/* The client's X-Request-Id if it is a sane one, else a new one. */
void	request_id(struct request_ids *, const struct http_request *, char out[REQUEST_ID_MAX + 1]);

#endif /* HTTP_FAULT_H */
