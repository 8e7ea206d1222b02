/* json_write.h - JSON text into a buffer, bounded by the buffer's limit. */
#ifndef JSON_WRITE_H
#define JSON_WRITE_H
#include <stdint.h>

#include "buf.h"

#define JSON_DEPTH 16

struct json {			/* embedded by its owner; borrows the buffer */
	struct buf	*out;
	int		 error;	/* first error; everything after is ignored */
	int		 depth;
	uint32_t	 filled; /* bit per depth: a member was written */
};

void	json_begin(struct json *, struct buf *);
int	json_end(struct json *) MUST_CHECK;		/* E_OK, or E_FULL */
/* `name` is null inside arrays and at the top. Names are written as they are. */
void	json_object_open(struct json *, const char *name);
void	json_object_close(struct json *);
void	json_array_open(struct json *, const char *name);
void	json_array_close(struct json *);
void	json_text(struct json *, const char *name, const char *);	/* null pointer: null */
void	json_text_or_null(struct json *, const char *name, const char *); /* "" as well: null */
void	json_f64(struct json *, const char *name, double);		/* NaN: null */
void	json_i64(struct json *, const char *name, int64_t);
void	json_u64(struct json *, const char *name, uint64_t);
void	json_bool(struct json *, const char *name, int);
void	json_absent(struct json *, const char *name);
void	json_time(struct json *, const char *name, int64_t ns);		/* 0: null */
void	json_time_ms(struct json *, const char *name, int64_t ns);	/* three digits; 0: null */
void	json_raw(struct json *, const char *name, const void *, size_t); /* already JSON */

#endif /* JSON_WRITE_H */
