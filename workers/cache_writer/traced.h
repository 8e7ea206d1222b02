/* traced.h - commits in the traces of those whose records they hold. */
#ifndef TRACED_H
#define TRACED_H
#include "span.h"
#include "store.h"

#define TRACED_MAX 64		/* of a moment's; beyond it the oldest gets no span of its commit */

struct traced {			/* zeros, but for `tracing` and `store` */
	struct tracing	 tracing;
	const char	*store;
	struct traced_record {
		uint64_t sequence;	/* the last of its journal; 0: nothing is awaited here */
		char	 source[SLOT_NAME];
		struct trace_context context;
	} awaited[TRACED_MAX];
	unsigned	 next;
	struct traced_commit {	/* the last one: it may be over before its records are told of */
		uint64_t sequence, rows;
		char	 source[SLOT_NAME];
		int64_t	 start, end;
	} last;
};

void	traced_await(struct traced *, const char *source, const struct msg_appended *);
void	traced_committed(struct traced *, const char *source, uint64_t sequence, const struct store_commit *);

#endif /* TRACED_H */
