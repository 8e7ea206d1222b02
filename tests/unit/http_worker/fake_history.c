/* fake_history.c - the store as range.c knows it: it keeps the questions, the test answers them. */
#include "fake_history.h"

#include <criterion/criterion.h>
#include <string.h>

#include "mem.h"

struct history {
	int nothing;
};
struct history_ticket {
	history_hook *hook;
	void *owner;
};

struct fake_history fake_history;
static struct history_ticket the_ticket;

struct history *
history_open(struct loop *loop, const struct conf *conf)
{
	(void)loop, (void)conf;
	memset(&fake_history, 0, sizeof(fake_history));
	return mem_alloc(sizeof(struct history));
}

void
history_close(struct history **hp)
{
	mem_free(hp);
}

const char *
history_store(const struct history *h)
{
	(void)h;
	return "sqlite";
}

int
history_ask(struct history *h, const struct history_question *q, history_hook *hook, void *owner,
    struct history_ticket **out)
{
	(void)h;
	if (fake_history.is_refusing)
		return E_OVERLOADED;
	cr_assert_not(fake_history.is_waiting, "one question at a time");
	cr_assert_lt(fake_history.count, FAKE_QUESTIONS);
	fake_history.asked[fake_history.count++] = *q;
	fake_history.is_waiting = true;
	the_ticket = (struct history_ticket){ .hook = hook, .owner = owner };
	*out = &the_ticket;
	return E_OK;
}

void
history_cancel(struct history_ticket *t)
{
	cr_assert_eq(t, &the_ticket);
	fake_history.is_waiting = false;
	fake_history.cancelled++;
}

void
history_give_back(struct history *h, struct history_row **rows, size_t room)
{
	(void)h;
	(void)room;
	mem_free(rows);
}

void
fake_history_answer(struct history_answer *a)
{
	cr_assert(fake_history.is_waiting);
	fake_history.is_waiting = false;
	the_ticket.hook(a, the_ticket.owner);
}
