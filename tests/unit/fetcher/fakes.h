/* fakes.h - an upstream, a journal and peers that the tests of the fetcher hold in their hands. */
#ifndef FAKES_H
#define FAKES_H
#include "fetcher.h"

#define FAKE_CALLS 512
#define FAKE_SENT  4096

struct fake_call {		/* one that left; answered by fake_answer */
	struct exchange	 exchange;
	enum endpoint_host host;
	char		 path[8192];
	char		 traceparent[56];	/* "" without one */
	bool		 answered;
};

struct fake_sent {		/* one message to a peer */
	const struct peer *to;
	enum msg_type	 type;
	union msg_any	 data;
	unsigned	 appended;	/* records the journal held by then */
	unsigned	 flushed;
};

struct fake {
	struct proc	 proc;
	struct fetcher	 fetcher;
	struct peer	 http[2], writer;
	struct fake_call *calls[FAKE_CALLS];
	unsigned	 call_count;
	struct fake_sent *sent[FAKE_SENT];
	unsigned	 sent_count;
	unsigned	 appended, flushed, flushes;
	unsigned	 kinds[MSG_TYPE_MAX];
	struct coverage	 covered[32];
	unsigned	 covered_count;
	int64_t		 kept_events[256];	/* of bars and trades, in the order of the journal */
	unsigned	 kept_count;
	bool		 journal_is_full;
	int		 journal_refuses;	/* each record, with this error */
	int64_t		 ahead_ns;	/* our clock of upstream's */
	bool		 says_no_date;
	bool		 loading;	/* the upstream cannot be called yet */
	size_t		 room;		/* of every channel */
	unsigned	 finished;
};

struct fake	*fake_new(void);	/* clocks stand still at a fixed time until moved */
void		 fake_free(struct fake **);
void		 fake_pass(struct fake *, int64_t ms);	/* time passes, the fetcher looks what it can do */
void		 fake_ask(struct fake *, unsigned http, uint64_t ticket, enum endpoint, const char *symbol);
void		 fake_fetch(struct fake *, unsigned http, const struct msg_fetch *);
struct msg_fetch fake_a_fetch(enum endpoint, const char *symbol);
/* The newest unanswered call; null when there is none. */
struct fake_call *fake_open(struct fake *);
unsigned	 fake_open_count(const struct fake *);
void		 fake_answer(struct fake *, struct fake_call *, long status, const char *body);
void		 fake_break(struct fake *, struct fake_call *, enum exchange_end);
/* The result_end with this ticket, null when none came. *values: what came before it. */
const struct msg_result_end *fake_end(const struct fake *, unsigned http, uint64_t ticket, unsigned *first_value);

#endif /* FAKES_H */
