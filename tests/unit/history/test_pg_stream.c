/* test_pg_stream.c - rows out of the bytes of a COPY: well made, cut anywhere, and made up. libpq is played. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "mem.h"
#include "pg_reading.h"
#include "text.h"

#define HEAD	 "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"
#define MESSAGES 4

static struct {
	const char *at;
	size_t len;
} messages[MESSAGES];
static unsigned message_count, message_at, waits;
static int64_t taken[8];
static unsigned taken_count, wanted;

int
PQgetCopyData(PGconn *conn, char **out, int async)
{
	(void)conn;
	cr_assert_eq(async, 1);
	if (message_at == message_count)
		return -1;
	if (message_at > waits)
		return 0; /* not yet */
	*out = malloc(messages[message_at].len + 1);
	memcpy(*out, messages[message_at].at, messages[message_at].len);
	(*out)[messages[message_at].len] = '\0';
	return (int)messages[message_at++].len;
}

void
PQfreemem(void *memory)
{
	free(memory);
}

int
PQconsumeInput(PGconn *conn)
{
	(void)conn;
	return 1;
}

char *
PQerrorMessage(const PGconn *conn)
{
	static char none[] = "";

	(void)conn;
	return none;
}

int
pg_say(struct pg_reading *s, const char *why)
{
	(void)text_copy(s->base.why, sizeof(s->base.why), why);
	return E_STORE;
}

int
pg_wait_for_answer(struct pg_reading *s, bool to_write)
{
	(void)s;
	(void)to_write;
	waits++;
	return E_OK;
}

int
pg_receive(struct pg_reading *s, ExecStatusType status)
{
	(void)s;
	(void)status;
	return E_OK;
}

static bool
take(struct reading *base, void *owner)
{
	struct pg_reading *s = (struct pg_reading *)base;

	(void)owner;
	cr_assert_eq(s->cell_count, 2);
	cr_assert_eq(s->cells[0].len, 8);
	cr_expect(s->cells[1].len == -1 || memcmp(s->cells[1].at, "abc", 3) == 0);
	taken[taken_count++] = s->cells[0].at[7];
	return taken_count < wanted;
}

static int
stream(struct pg_reading *s)
{
	message_at = waits = taken_count = 0;
	return pg_stream(s, take, NULL);
}

#define ROW(n)	    "\0\2\0\0\0\10\0\0\0\0\0\0\0" n "\0\0\0\3abc"
#define ROW_NULL(n) "\0\2\0\0\0\10\0\0\0\0\0\0\0" n "\377\377\377\377"
#define END	    "\377\377"
#define GIVE(i, text)                                                                              \
	(messages[i].at = (text), messages[i].len = sizeof(text) - 1, message_count = (i) + 1)

Test(pg_stream, rows_come_in_one_message_or_in_many)
{
	struct pg_reading s = { .conn = NULL };

	wanted = 8;
	GIVE(0, HEAD ROW("\1"));
	GIVE(1, ROW_NULL("\2") ROW("\3"));
	GIVE(2, END);
	cr_expect_eq(stream(&s), E_OK, "%s", s.base.why);
	cr_expect(taken_count == 3 && taken[0] == 1 && taken[1] == 2 && taken[2] == 3);
	cr_expect_eq(waits, 2u, "for what had not come yet");
	wanted = 2;
	cr_expect_eq(stream(&s), E_OK);
	cr_expect_eq(taken_count, 2u, "the others are let by");
	cr_expect_eq(message_at, 3u, "so that the connection is at rest");
	wanted = 8;
	GIVE(0, HEAD END);
	cr_expect_eq(stream(&s), E_OK);
	cr_expect_eq(taken_count, 0u);
	GIVE(0, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\2xx" END);
	cr_expect_eq(stream(&s), E_OK, "a head with more in it");
}

Test(pg_stream, what_is_cut_or_made_up_is_an_error)
{
	static const char whole[] = HEAD ROW("\1") ROW_NULL("\2") END;
	struct pg_reading s = { .conn = NULL };

	wanted = 8;
	for (size_t n = 1; n < sizeof(whole) - 1; n++) {
		messages[0].at = whole;
		messages[0].len = n;
		message_count = 1;
		cr_expect_eq(stream(&s), E_STORE, "%zu bytes", n);
	}
	GIVE(0, HEAD "\0\2\0\0\0\10\0\0\0\0\0\0\0\1\0\0\0\4abc" END);
	cr_expect_eq(stream(&s), E_STORE, "a field ends behind the message");
	GIVE(0, HEAD "\0\2\200\0\0\0");
	cr_expect_eq(stream(&s), E_STORE, "a length below null's");
	GIVE(0, HEAD "\177\377\0\0\0\0");
	cr_expect_eq(stream(&s), E_STORE, "more fields than any row has");
	GIVE(0, HEAD "\200\0");
	cr_expect_eq(stream(&s), E_STORE, "fewer than none");
	GIVE(0, HEAD END ROW("\1"));
	cr_expect_eq(stream(&s), E_STORE, "a row behind the end");
	GIVE(0, "PGCOPY\n\377\r\n\0\0\1\0\0\0\0\0\0" END);
	cr_expect_eq(stream(&s), E_STORE, "a flag");
	GIVE(0, "PGCOPY\n\377\r\n\0\0\0\0\0\177\377\377\377" END);
	cr_expect_eq(stream(&s), E_STORE, "a head without an end");
	GIVE(0, "event,received\n1,2\n");
	cr_expect_eq(stream(&s), E_STORE, "text");
}
