/* buf.h - bytes that grow at the end and are consumed at the start, up to a limit. */
#ifndef BUF_H
#define BUF_H
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct buf {			/* embedded by its owner; owns `base` */
	uint8_t	*base;
	size_t	 start;		/* first unconsumed byte */
	size_t	 end;		/* behind the last byte */
	size_t	 capacity;
	size_t	 limit;		/* end - start never passes it */
};

void	 buf_init(struct buf *, size_t limit);		/* no memory is taken yet */
void	 buf_fini(struct buf *);			/* usable again afterwards, empty */
void	 buf_reset(struct buf *);			/* empty, memory kept */
void	 buf_shrink(struct buf *);			/* gives memory back when empty */
size_t	 buf_len(const struct buf *);
void	*buf_take(struct buf *);			/* all of it, to be freed with mem_free; empty afterwards */
uint8_t	*buf_data(const struct buf *);			/* borrowed until the next change */
void	 buf_consume(struct buf *, size_t);		/* at most buf_len */

/* E_FULL when it would pass the limit; then nothing changed. */
int	 buf_reserve(struct buf *, size_t) MUST_CHECK;	/* room for so many more bytes at buf_tail() */
uint8_t	*buf_tail(const struct buf *);
void	 buf_commit(struct buf *, size_t);		/* so many bytes were written at the tail */
int	 buf_add(struct buf *, const void *, size_t) MUST_CHECK;
int	 buf_add_text(struct buf *, const char *) MUST_CHECK;
int	 buf_printf(struct buf *, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_CHECK;

#endif /* BUF_H */
