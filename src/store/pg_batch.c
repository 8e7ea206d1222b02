/* pg_batch.c - a batch on its way: one transaction of COPYs, and what when the server takes a row never.
 *
 * Records are kept as they came until they are stored, and encoded while they are sent. When the server refuses a row,
 * the batch is tried again in halves, each a transaction of its own which moves the position to its end, until the row
 * stands alone: then it goes to dead_letters. A batch of n takes at most 2n transactions, if all of it is refused.
 */
#include "pg_room.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "mem.h"
#include "store_room.h"
#include "text.h"

#define BATCH_BYTES (32u << 20)
#define BATCH_FULL  (31u << 20)
#define SQL_MAX	    (64 * 1024)
#define CHUNK	    (64 * 1024)
#define ALIGN	    8u
#define CANCELED    "57014" /* by statement_timeout */
#define LOCK_SHARE  2	    /* of postgres.timeout that a commit waits for a lock, as a fraction */

/* A server that waits for rows looks at no time limit, and of a machine that lost its power nobody hears: without these
 * it would hold the row of the position for hours, and whoever comes after us would wait for it. */
#define KEEPALIVE                                                                                  \
	"SET LOCAL tcp_keepalives_idle = 10; SET LOCAL tcp_keepalives_interval = 5; "              \
	"SET LOCAL tcp_keepalives_count = 3;\n"

void
pg_batch_init(struct pg_batch *b)
{
	memset(b, 0, sizeof(*b));
	buf_init(&b->values, BATCH_BYTES);
}

void
pg_batch_fini(struct pg_batch *b)
{
	mem_free(&b->records);
	buf_fini(&b->values);
}

void
pg_batch_begin(struct pg_batch *b, const char *source, uint64_t expected)
{
	if (text_copy(b->source, sizeof(b->source), source) != E_OK)
		panic("store postgres: %s: the name of a source is too long", source);
	b->expected = b->last = expected;
	b->count = 0;
	buf_reset(&b->values);
}

int
pg_batch_add(struct pg_batch *b, const struct journal_record *record)
{
	size_t size = (record->desc->size + ALIGN - 1) / ALIGN * ALIGN;
	size_t capacity = b->capacity == 0 ? 256 : b->capacity * 2;

	if (b->count == b->capacity) {
		b->records = mem_grow(
		    b->records, b->capacity * sizeof(*b->records), capacity * sizeof(*b->records));
		b->capacity = capacity;
	}
	if (buf_reserve(&b->values, size) != E_OK)
		panic("store postgres: a batch went on beyond its end");
	b->records[b->count++] = (struct pg_record){
		.sequence = record->sequence, .desc = record->desc, .at = buf_len(&b->values)
	};
	memcpy(buf_tail(&b->values), &record->value, record->desc->size);
	buf_commit(&b->values, size);
	return buf_len(&b->values) >= BATCH_FULL ? E_FULL : E_OK;
}

const void *
pg_batch_value(const struct pg_batch *b, size_t at)
{
	return buf_data(&b->values) + b->records[at].at;
}

bool
pg_row_is_refused(const char *state)
{
	static const char *const classes[] = { "22", "23", "44", "54", "P0" };

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (strncmp(state, classes[i], 2) == 0)
			return true;
	return false;
}

/* Appends some rows of the copy's type to `out`; false when they were the last. */
bool
pg_feed(unsigned copy, struct buf *out, void *owner)
{
	struct store *s = owner;
	const struct pg_batch *b = &s->flying;
	size_t end = s->from + s->count;
	int r = E_OK;

	if (!s->fed_head) {
		s->fed = s->from;
		s->fed_head = true;
		r = pg_row_head(out);
	}
	for (; r == E_OK && s->fed < end && buf_len(out) < CHUNK; s->fed++)
		if (b->records[s->fed].desc->type == s->copies[copy])
			r = pg_row_add(out, b->records[s->fed].desc, pg_batch_value(b, s->fed),
			    b->source, b->records[s->fed].sequence);
	if (r == E_OK && s->fed < end)
		return true;
	s->fed_head = false;
	if (r != E_OK || pg_row_tail(out) != E_OK)
		panic("store postgres: a row is larger than its room");
	return false;
}

/* The types among the records being tried, in order of their first. */
static void
copies_list(struct store *s)
{
	bool seen[MSG_TYPE_MAX] = { false };

	s->copy_count = 0;
	for (size_t i = s->from; i < s->from + s->count; i++) {
		enum msg_type type = s->flying.records[i].desc->type;

		if (seen[type])
			continue;
		seen[type] = true;
		s->copies[s->copy_count++] = type;
	}
}

/* Where the position is once the records being tried are stored: behind the last of a batch there may be more that was
 * passed over. */
static uint64_t
try_end(const struct store *s)
{
	return s->from + s->count == s->flying.count
		   ? s->last
		   : s->flying.records[s->from + s->count - 1].sequence;
}

static uint64_t
try_begin(const struct store *s)
{
	return s->from == 0 ? s->flying.expected : s->flying.records[s->from - 1].sequence;
}

static void
batch_copy(struct store *s)
{
	/* A query of several statements takes no parameters. */
	char *source = PQescapeLiteral(s->link.conn, s->flying.source, strlen(s->flying.source));
	struct buf sql;
	int r;

	if (source == NULL) {
		pg_failed(s, E_STORE, "the name of a journal cannot be put into a query");
		return;
	}
	copies_list(s);
	buf_init(&sql, SQL_MAX);
	r = buf_printf(&sql,
	    KEEPALIVE "SET LOCAL statement_timeout = %" PRId64 "; SET LOCAL lock_timeout = %" PRId64
		      ";\n"
		      "SELECT journal_move(%s, %" PRIu64 ", %" PRIu64 ", %" PRIu64 ");\n",
	    s->setup->conf->postgres_timeout, s->setup->conf->postgres_timeout / LOCK_SHARE, source,
	    try_begin(s), try_end(s), s->setup->claim);
	PQfreemem(source);
	for (unsigned i = 0; r == E_OK && i < s->copy_count; i++)
		r = pg_row_copy_text(&sql, msg_desc(s->copies[i]));
	if (r == E_OK)
		r = buf_add(&sql, "", 1);
	if (r != E_OK)
		panic("store postgres: the tables have more columns than a query takes");
	s->fed_head = false;
	s->step = PG_COPY;
	pg_link_query(&s->link, (const char *)buf_data(&sql));
	buf_fini(&sql);
}

/* Asks for partitions that are missing: those of now and next, or of the rows being tried. False: none is. */
static bool
batch_parts(struct store *s, enum pg_step step)
{
	struct buf sql;
	bool wanted;
	int r;

	buf_init(&sql, SQL_MAX);
	r = pg_parts_patience(s, &sql);
	if (r == E_OK)
		r = step == PG_PARTS_AHEAD
			? pg_parts_want_now(&s->parts, &sql, &wanted)
			: pg_parts_want(&s->parts, &s->flying, s->from, s->count, &sql, &wanted);
	if (r == E_OK)
		r = buf_add(&sql, "", 1);
	if (r != E_OK)
		panic("store postgres: more partitions than a query takes");
	if (wanted) {
		s->step = step;
		pg_link_query(&s->link, (const char *)buf_data(&sql));
	}
	buf_fini(&sql);
	return wanted;
}

/* Tries what is next: its partitions first, if one is missing. */
static void
batch_try(struct store *s)
{
	if (clock_mono() < s->missing_at || !batch_parts(s, PG_PARTS_BATCH))
		batch_copy(s);
}

/* A letter that is refused as well goes bare: without its record, and with nothing but a code as the reason. */
static void
batch_letter(struct store *s, const char *reason, bool bare)
{
	const struct pg_record *p = &s->flying.records[s->from];
	struct journal_record record = { .sequence = p->sequence, .desc = p->desc };
	char numbers[4][24];
	struct buf text;

	s->letter_bare = bare;
	(void)text_copy(s->refusal, sizeof(s->refusal), reason);
	memcpy(&record.value, pg_batch_value(&s->flying, s->from), p->desc->size);
	buf_init(&text, RECORD_TEXT);
	if ((!bare && record_text(&record, &text) != E_OK) || buf_add(&text, "", 1) != E_OK)
		panic("store postgres: a record is longer than a dead letter");
	(void)snprintf(numbers[0], sizeof(numbers[0]), "%" PRIu64, try_begin(s));
	(void)snprintf(numbers[1], sizeof(numbers[1]), "%" PRIu64, try_end(s));
	(void)snprintf(numbers[2], sizeof(numbers[2]), "%" PRIu64, p->sequence);
	(void)snprintf(numbers[3], sizeof(numbers[3]), "%" PRIu64, s->setup->claim);
	const char *const values[] = { s->flying.source, numbers[0], numbers[1], numbers[2],
		p->desc->name, s->refusal, (const char *)buf_data(&text), numbers[3] };

	s->step = PG_LETTER;
	pg_link_query_params(
	    &s->link, "SELECT dead_letter($1, $2, $3, $4, $5, $6, $7, $8)", 8, values);
	buf_fini(&text);
}

static void
batch_over(struct store *s)
{
	struct store_commit done = { .sequence = s->last,
		.rows = s->rows,
		.refused = s->refused,
		.took_ns = clock_mono() - s->began_ns,
		.why = s->refusal };

	s->step = PG_IDLE;
	s->setup->hooks->committed(&done, s->setup->owner);
}

/* Goes on behind what was stored, with twice as much at once: behind a row that was refused there is mostly none. */
static void
batch_advance(struct store *s)
{
	size_t left;

	s->from += s->count;
	left = s->flying.count - s->from;
	s->count = s->count * 2 < left ? s->count * 2 : left;
	if (left == 0)
		batch_over(s);
	else
		batch_try(s);
}

void
pg_batch_fly(struct store *s)
{
	s->from = 0;
	s->count = s->flying.count;
	s->rows = s->refused = 0;
	s->refusal[0] = '\0';
	s->began_ns = clock_mono();
	if (s->began_ns < s->ahead_at || !batch_parts(s, PG_PARTS_AHEAD))
		batch_try(s);
}

void
pg_batch_done(struct store *s, const struct pg_answer *a)
{
	bool parts = s->step == PG_PARTS_AHEAD || s->step == PG_PARTS_BATCH;

	if (parts && !a->ok && pg_parts_are_held_up(s, a)) {
		batch_try(s);
	} else if (s->step == PG_LETTER && !a->ok && !s->letter_bare &&
		   pg_row_is_refused(a->state)) {
		batch_letter(s, a->state, true);
	} else if (!a->ok && (s->step != PG_COPY || !pg_row_is_refused(a->state))) {
		if (strcmp(a->state, CANCELED) == 0)
			pg_late(s);
		pg_failed(s, E_STORE, a->why);
	} else if (parts) {
		batch_try(s);
	} else if (s->step == PG_LETTER) {
		s->refused++;
		batch_advance(s);
	} else if (a->ok) {
		s->rows += s->count;
		batch_advance(s);
	} else if (s->count > 1) {
		s->count /= 2;
		batch_try(s);
	} else {
		batch_letter(s, a->why, false);
	}
}
