/* fake_history.h - the store as range.c knows it: it keeps the questions, the test answers them. */
#ifndef FAKE_HISTORY_H
#define FAKE_HISTORY_H
#include "history.h"

#define FAKE_QUESTIONS 64

struct fake_history {
	struct history_question asked[FAKE_QUESTIONS];
	size_t count;	  /* questions so far */
	bool is_refusing; /* the queue is full, or the breaker open */
	bool is_waiting;  /* the last one was neither answered nor cancelled */
	size_t cancelled;
};

extern struct fake_history fake_history;

/* Answers the last question. */
void	fake_history_answer(struct history_answer *);

#endif /* FAKE_HISTORY_H */
