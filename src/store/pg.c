/* pg.c - the history store in PostgreSQL: requests of the contract as queries on one connection.
 *
 * Whatever fails makes the store unusable: its owner closes it, opens it anew and asks for the position. So a
 * transaction whose end was not heard of is never guessed about.
 */
#include "pg_room.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "mem.h"
#include "store_room.h"

#define CLAIMED "OP002" /* of journal_take: by a copy of our state directory */

void
pg_failed(struct store *s, int error, const char *why)
{
	if (s->step == PG_FAILED)
		return;
	s->step = PG_FAILED;
	s->setup->hooks->failed(error, why, s->setup->owner);
}

void
pg_late(struct store *s)
{
	if (s->step == PG_COPY && s->setup->hooks->late != NULL)
		s->setup->hooks->late(s->setup->owner);
}

static void
pg_down(const char *why, void *owner)
{
	struct store *s = owner;

	if (s->link.late)
		pg_late(s);
	pg_failed(s, E_STORE, why);
}

/* The name of the journal is in the text of the query, where journal_free looks for it. */
static void
position_ask(struct store *s)
{
	char numbers[2][24], sql[256];
	const char *const values[] = { numbers[0], numbers[1] };

	(void)snprintf(numbers[0], sizeof(numbers[0]), "%" PRIu64, s->setup->claim_known);
	(void)snprintf(numbers[1], sizeof(numbers[1]), "%" PRIu64, s->setup->claim);
	(void)snprintf(sql, sizeof(sql),
	    s->setup->claim == 0
		? "SELECT journal_sequence FROM journal_position WHERE journal_source = %s"
		: "SELECT journal_take(%s, $1, $2)",
	    s->source);
	s->step = PG_POSITION;
	pg_link_query_params(&s->link, sql, s->setup->claim == 0 ? 0 : 2, values);
}

/* A transaction of ours that waits for rows which never come would keep the position locked. There is mostly none: a
 * server that lets nobody look, or end a session, is no reason not to store. */
static void
free_done(struct store *s, const struct pg_answer *a)
{
	if (!a->ok)
		log_warn("store postgres: sessions of a writer of %s that is gone cannot be looked "
			 "for: %s; one that waits for rows keeps the journal until the server "
			 "gives it up: see journal_free in doc/stores.md",
		    s->source, a->why);
	else if (a->has_value && strcmp(a->value, "0") != 0)
		log_warn("store postgres: %s session(s) on the server still waited for rows of %s "
			 "from a writer that is gone, and were ended",
		    a->value, s->source);
	position_ask(s);
}

static void
position_done(struct store *s, const struct pg_answer *a)
{
	s->step = PG_IDLE;
	s->setup->hooks->positioned(
	    a->has_value ? strtoull(a->value, NULL, 10) : 0, s->setup->owner);
}

#define TRIM_MS	     1500 /* that commits wait for letting go of old rows, at most */
#define TRIM_LOCK_MS 500  /* of these for somebody who reads the table */

/* One rule a call and a short time each: what is to be stored goes between them. */
static void
trim_done(struct store *s, const struct pg_answer *a)
{
	struct trim_rule rules[TRIM_RULES];
	bool more;

	s->trim_more = s->trim_more || (a->has_value && a->value[0] == 't');
	more = s->trim_more;
	if (++s->trim < trim_rules(s->setup->conf, rules)) {
		more = true;
	} else {
		s->trim = 0;
		s->trim_more = false;
	}
	s->step = PG_IDLE;
	s->setup->hooks->trimmed(more, s->setup->owner);
}

static void
pg_done(const struct pg_answer *a, void *owner)
{
	struct store *s = owner;

	switch (s->step) {
	case PG_LOOKING:
	case PG_VERSION:
	case PG_MIGRATING:
	case PG_PARTS_NOW:
		pg_open_done(s, a);
		return;
	case PG_PARTS_AHEAD:
	case PG_PARTS_BATCH:
	case PG_COPY:
	case PG_LETTER:
		pg_batch_done(s, a);
		return;
	case PG_FREE:
	case PG_POSITION:
	case PG_CHECK:
	case PG_TRIM:
		break;
	case PG_CONNECTING:
	case PG_IDLE:
	case PG_FAILED:
		return;
	}
	if (s->step == PG_TRIM && !a->ok && a->state[0] != '\0') {
		/* What is too old may wait, what is new may not. */
		log_warn("store postgres: letting go of old rows: %s; tried again later", a->why);
		trim_done(s, a);
	} else if (s->step == PG_FREE && (a->ok || a->state[0] != '\0')) {
		free_done(s, a);
	} else if (!a->ok) {
		pg_failed(s, strcmp(a->state, CLAIMED) == 0 ? E_SYSTEM : E_STORE, a->why);
	} else if (s->step == PG_POSITION) {
		position_done(s, a);
	} else if (s->step == PG_TRIM) {
		trim_done(s, a);
	} else {
		s->step = PG_IDLE;
		s->setup->hooks->checked(s->setup->owner);
	}
}

static struct store *
pg_open(const struct store_setup *setup)
{
	struct store *s = mem_alloc(sizeof(*s));

	s->setup = setup;
	s->link.loop = setup->loop;
	s->link.up = pg_open_up;
	s->link.done = pg_done;
	s->link.down = pg_down;
	s->link.feed = pg_feed;
	s->link.owner = s;
	pg_batch_init(&s->filling);
	pg_batch_init(&s->flying);
	pg_open_begin(s);
	return s;
}

static void
pg_close(struct store **store)
{
	struct store *s = *store;

	if (s == NULL)
		return;
	pg_link_close(&s->link);
	pg_batch_fini(&s->filling);
	pg_batch_fini(&s->flying);
	PQfreemem(s->source);
	mem_free(store);
}

static void
pg_position(struct store *s, const char *source)
{
	char sql[256];

	PQfreemem(s->source);
	s->source = PQescapeLiteral(s->link.conn, source, strlen(source));
	if (s->source == NULL) {
		pg_failed(s, E_STORE, "the name of a journal cannot be put into a query");
		return;
	}
	(void)snprintf(sql, sizeof(sql), "SELECT journal_free(%s, %" PRId64 ")", s->source,
	    s->setup->conf->postgres_timeout);
	s->step = PG_FREE;
	pg_link_query(&s->link, sql);
}

static int
pg_begin(struct store *s, const char *source, uint64_t expected)
{
	pg_batch_begin(&s->filling, source, expected);
	return E_OK;
}

static int
pg_add(struct store *s, const struct journal_record *record)
{
	return pg_batch_add(&s->filling, record);
}

static void
pg_commit(struct store *s, uint64_t sequence)
{
	struct pg_batch flown = s->flying;

	s->flying = s->filling;
	s->filling = flown;
	s->last = sequence;
	pg_batch_fly(s);
}

static void
pg_check(struct store *s)
{
	s->step = PG_CHECK;
	pg_link_query(&s->link, "SELECT 1");
}

static void
trim_ask(struct store *s)
{
	struct trim_rule rules[TRIM_RULES];
	char sql[256];

	if (trim_rules(s->setup->conf, rules) <= s->trim) {
		(void)snprintf(sql, sizeof(sql),
		    "SELECT false"); /* the configuration changed meanwhile, or no rule */
	} else {
		(void)snprintf(sql, sizeof(sql),
		    "SET LOCAL lock_timeout = %d; SET LOCAL statement_timeout = %d; "
		    "SELECT history_trim('%s', '%s', %" PRId64 ")",
		    TRIM_LOCK_MS, TRIM_MS, rules[s->trim].table, rules[s->trim].column,
		    trim_before(&rules[s->trim]));
	}
	s->step = PG_TRIM;
	pg_link_query(&s->link, sql);
}

static void
pg_trim(struct store *s)
{
	struct trim_rule rules[TRIM_RULES];

	if (trim_rules(s->setup->conf, rules) == 0)
		s->setup->hooks->trimmed(false, s->setup->owner);
	else
		trim_ask(s);
}

const struct store_kind store_postgres = {
	.name = "postgres",
	.ahead = true,
	.open = pg_open,
	.close = pg_close,
	.position = pg_position,
	.begin = pg_begin,
	.add = pg_add,
	.commit = pg_commit,
	.check = pg_check,
	.trim = pg_trim,
};
