/* pg_open.c - from a connection to a store: the schema brought up to date, whoever else does the same.
 *
 * A migration is one transaction: an advisory lock that ends with it, a row in schema_version, its statements. Of several
 * nodes the first one applies it; the others wait for the lock, find the row, undo and look again. It takes as long as it
 * takes, hours for an index over years: whoever hung up would begin anew, and leave the server with the one begun before.
 * Who waits for the lock gives it up before the end of a transaction, so that no session is left waiting for it.
 */
#include "pg_room.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "migration.h"

#define SQL_MAX	    (256 * 1024)
#define LOCK_NUMBER "7815690244331" /* of the migrations, within this database */
#define APPLIED	    "23505"	    /* the row is there */
#define LOCKED	    "55P03"	    /* by somebody for longer than we wait */
#define MIGRATE_MS  (12 * 3600000)  /* a server that is gone is found by TCP */

static int
version_known(void)
{
	return pg_migrations[pg_migration_count - 1].number;
}

void
pg_open_begin(struct store *s)
{
	s->step = PG_CONNECTING;
	pg_link_open(&s->link, s->setup->where, s->setup->attempt, s->setup->conf, s->setup->stats);
}

/* Without schema_version the answer is 0; asked of the catalog, as a missing table is an error. */
static void
look(struct store *s)
{
	s->step = PG_LOOKING;
	pg_link_query(&s->link, "SELECT 1 WHERE to_regclass('schema_version') IS NOT NULL");
}

void
pg_open_up(int error, const char *why, void *owner)
{
	struct store *s = owner;

	if (error != E_OK)
		pg_failed(s, error, why);
	else
		look(s);
}

static void
version_ask(struct store *s)
{
	char sql[160];

	s->step = PG_VERSION;
	/* Newest of all, or 0 when this one is missing. */
	(void)snprintf(sql, sizeof(sql),
	    "SELECT greatest(max(version), 0) * (CASE WHEN max(version) > %d OR bool_or(version = "
	    "%d) "
	    "THEN 1 ELSE 0 END) FROM schema_version",
	    version_known(), pg_migrations[s->migration].number);
	pg_link_query(&s->link, sql);
}

static void
migration_apply(struct store *s)
{
	const struct migration *m = &pg_migrations[s->migration];
	struct buf sql;
	int r;

	s->step = PG_MIGRATING;
	buf_init(&sql, SQL_MAX);
	r = buf_printf(&sql,
	    "SET LOCAL lock_timeout = %" PRId64 ";\n"
	    "SELECT pg_advisory_xact_lock(" LOCK_NUMBER ");\n"
	    "SET LOCAL statement_timeout = 0;\n"
	    "SET LOCAL client_min_messages = warning;\n"
	    "CREATE TABLE IF NOT EXISTS schema_version (version integer PRIMARY KEY, name text NOT "
	    "NULL, "
	    "applied_ns bigint NOT NULL);\n"
	    "INSERT INTO schema_version VALUES (%d, '%s', %" PRId64 ");\n",
	    s->setup->conf->postgres_timeout / 2, m->number, m->name, clock_wall());
	if (r == E_OK)
		r = buf_add_text(&sql, m->sql);
	if (r == E_OK)
		r = buf_add(&sql, "", 1);
	if (r != E_OK)
		panic("store postgres: migration %d is too long", m->number);
	log_info("store postgres: schema: bringing it to version %d", m->number);
	s->link.timeout_ms = MIGRATE_MS;
	pg_link_query(&s->link, (const char *)buf_data(&sql));
	buf_fini(&sql);
}

/* The partitions of now and of next week, so that hardly a batch waits for one. */
static void
parts_make(struct store *s)
{
	struct buf sql;
	bool wanted;

	s->step = PG_PARTS_NOW;
	buf_init(&sql, SQL_MAX);
	if (pg_parts_patience(s, &sql) != E_OK ||
	    pg_parts_want_now(&s->parts, &sql, &wanted) != E_OK || buf_add(&sql, "", 1) != E_OK)
		panic("store postgres: more partitions than a query takes");
	pg_link_query(&s->link, (const char *)buf_data(&sql));
	buf_fini(&sql);
}

static void
version_found(struct store *s, int version)
{
	char why[STORE_WHY];

	if (version > version_known()) {
		(void)snprintf(why, sizeof(why),
		    "its schema has version %d, this program knows up to %d: run the newer program",
		    version, version_known());
		pg_failed(s, E_VERSION, why);
	} else if (version == 0) {
		migration_apply(s);
	} else if (++s->migration < pg_migration_count) {
		version_ask(s);
	} else {
		parts_make(s);
	}
}

static void
open_over(struct store *s)
{
	s->step = PG_IDLE;
	s->setup->hooks->opened(s->setup->owner);
}

/* What an operator has to mend: privileges, objects that are missing or in the way. */
static int
error_of(const struct pg_answer *a)
{
	return a->state[0] == '4' && a->state[1] == '2' ? E_SYSTEM : E_STORE;
}

void
pg_open_done(struct store *s, const struct pg_answer *a)
{
	bool migrating = s->step == PG_MIGRATING;
	char why[STORE_WHY];

	s->link.timeout_ms = s->setup->conf->postgres_timeout;
	if (migrating && strcmp(a->state, LOCKED) == 0) {
		pg_failed(s, E_STORE,
		    "schema: a newer version waits for another node, or for somebody who uses the "
		    "tables");
	} else if (s->step == PG_PARTS_NOW && !a->ok && pg_parts_are_held_up(s, a)) {
		open_over(s);
	} else if (migrating && (a->ok || strcmp(a->state, APPLIED) == 0)) {
		version_ask(s);
	} else if (!a->ok) {
		(void)snprintf(why, sizeof(why), "schema: %.230s", a->why);
		pg_failed(s, error_of(a), why);
	} else if (s->step == PG_LOOKING) {
		if (a->has_value)
			version_ask(s);
		else
			migration_apply(s);
	} else if (s->step == PG_VERSION) {
		version_found(s, a->has_value ? atoi(a->value) : 0);
	} else {
		open_over(s);
	}
}
