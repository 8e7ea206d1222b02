/* export.h - rows of the history store as lines. */
#ifndef EXPORT_H
#define EXPORT_H
#include "buf.h"
#include "msg.h"
#include "shelf.h"

/* The columns are the fields of `desc`, in order, then the ones of journal. Each appends a whole line. E_FULL. */
int	export_line_head(const struct msg_desc *, struct buf *) MUST_CHECK;
int	export_line_csv(const struct msg_desc *, struct shelf *, struct buf *) MUST_CHECK;
int	export_line_json(const struct msg_desc *, struct shelf *, struct buf *) MUST_CHECK;

#endif /* EXPORT_H */
