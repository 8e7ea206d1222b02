/* pg_parts.c - which partition takes a record, and which are known to be there.
 *
 * Partitions are made in a transaction of their own before the one that needs them: it is short, so that its lock of
 * the whole table is, and two writers cannot lock one another out. Whoever reads the table, a dump for hours, holds
 * that lock up, and whoever waits for it holds up all later readers. So it is waited for shortly and seldom, those of
 * the next week are made a week ahead, and rows whose partition cannot be made now go where those of no partition are.
 * They are made by one statement, as its time is bounded: the server reads all of the default partition for each.
 */
#include "pg_room.h"

#include <inttypes.h>
#include <string.h>

#include "clock.h"
#include "log.h"

#define WEEK	   (7 * CLOCK_DAY)
#define FIRST_DAY  (10957 * CLOCK_DAY) /* 2000-01-01: nothing older gets a partition */
#define AHEAD	   (366 * CLOCK_DAY)   /* nor what is further ahead */
#define WANTED_MAX 64		       /* partitions made for one batch */
#define LOCK_MS	   2000		       /* a reader is waited for at most */
#define LOCK_SHARE 4		       /* of postgres.timeout at most, as a fraction */
#define WORK_TIMES 2		       /* as long as for a lock it may take altogether */
#define AHEAD_MS   600000	       /* until partitions of now and next are tried again */
#define MISSING_MS 60000	       /* until those of old rows are */

static const struct part_rule {
	enum msg_type type;
	bool by_year; /* else by week */
} part_rules[] = {
	{ MSG_QUOTE, false },
	{ MSG_TRADE, false },
	{ MSG_BAR, true },
};
#define PART_RULES (sizeof(part_rules) / sizeof(part_rules[0]))

static const struct part_rule *
rule_of(enum msg_type type)
{
	for (size_t i = 0; i < PART_RULES; i++)
		if (part_rules[i].type == type)
			return &part_rules[i];
	return NULL;
}

static void
span_of(const struct part_rule *rule, int64_t event, int64_t *from, int64_t *to)
{
	int year, month, day;

	if (!rule->by_year) {
		*from = event - event % WEEK;
		*to = *from + WEEK;
		return;
	}
	clock_civil(event / CLOCK_DAY, &year, &month, &day);
	*from = clock_days(year, 1, 1) * CLOCK_DAY;
	*to = clock_days(year + 1, 1, 1) * CLOCK_DAY;
}

static int64_t
event_of(const struct msg_desc *desc, const void *value)
{
	int64_t event = 0;

	for (size_t i = 0; i < desc->field_count; i++)
		if (strcmp(desc->fields[i].name, "event") == 0)
			memcpy(&event, (const char *)value + desc->fields[i].offset, sizeof(event));
	return event;
}

bool
pg_part_of(const struct msg_desc *desc, const void *value, int64_t now, const char **table,
    int64_t *from, int64_t *to)
{
	const struct part_rule *rule = rule_of(desc->type);
	int64_t event;

	if (rule == NULL)
		return false;
	event = event_of(desc, value);
	if (event < FIRST_DAY || event > now + AHEAD)
		return false;
	*table = desc->table;
	span_of(rule, event, from, to);
	return true;
}

static bool
part_is_known(struct pg_parts *p, const char *table, int64_t from)
{
	for (unsigned i = 0; i < p->count; i++) {
		unsigned at = (p->last + i) % p->count;

		if (p->known[at].from == from && strcmp(p->known[at].table, table) == 0) {
			p->last = at;
			return true;
		}
	}
	return false;
}

static int
part_want(struct pg_parts *p, const char *table, int64_t from, int64_t to, struct buf *sql)
{
	int r;

	if ((r = buf_printf(sql, "%s partition_ensure('%s', %" PRId64 ", %" PRId64 ")",
		 p->noted == 0 ? "SELECT" : ",\n", table, from, to)) != E_OK)
		return r;
	if (p->count == PG_PARTS)
		p->count = 0;
	p->known[p->count].table = table;
	p->known[p->count].from = from;
	p->known[p->count].to = to;
	p->last = p->count++;
	p->noted++;
	return E_OK;
}

void
pg_parts_forget(struct pg_parts *p)
{
	p->count -= p->noted < p->count ? p->noted : p->count;
	p->noted = p->last = 0;
}

int
pg_parts_want(struct pg_parts *p, const struct pg_batch *b, size_t from, size_t count,
    struct buf *sql, bool *wanted)
{
	int64_t now = clock_wall(), begin, end;
	const char *table;
	int r;

	p->noted = 0;
	for (size_t i = from; i < from + count && p->noted < WANTED_MAX; i++) {
		if (!pg_part_of(
			b->records[i].desc, pg_batch_value(b, i), now, &table, &begin, &end) ||
		    part_is_known(p, table, begin))
			continue;
		if ((r = part_want(p, table, begin, end, sql)) != E_OK)
			return r;
	}
	*wanted = p->noted > 0;
	return E_OK;
}

int
pg_parts_want_now(struct pg_parts *p, struct buf *sql, bool *wanted)
{
	int64_t now = clock_wall(), from, to;
	int r;

	p->noted = 0;
	for (size_t i = 0; i < 2 * PART_RULES; i++) {
		const struct part_rule *rule = &part_rules[i / 2];
		const char *table = msg_desc(rule->type)->table;

		span_of(rule, now, &from, &to);
		if (i % 2 == 1)
			span_of(rule, to, &from, &to);
		if (!part_is_known(p, table, from) &&
		    (r = part_want(p, table, from, to, sql)) != E_OK)
			return r;
	}
	*wanted = p->noted > 0;
	return E_OK;
}

int
pg_parts_patience(const struct store *s, struct buf *sql)
{
	int64_t timeout = s->setup->conf->postgres_timeout / LOCK_SHARE;
	int64_t lock_ms = timeout < LOCK_MS ? timeout : LOCK_MS;

	return buf_printf(sql,
	    "SET LOCAL lock_timeout = %" PRId64 "; SET LOCAL statement_timeout = %" PRId64 ";\n",
	    lock_ms, lock_ms * WORK_TIMES);
}

bool
pg_parts_are_held_up(struct store *s, const struct pg_answer *a)
{
	bool ahead = s->step != PG_PARTS_BATCH;

	/* lock_not_available, query_canceled (by statement_timeout), deadlock_detected */
	if (strcmp(a->state, "55P03") != 0 && strcmp(a->state, "57014") != 0 &&
	    strcmp(a->state, "40P01") != 0)
		return false;
	pg_parts_forget(&s->parts);
	*(ahead ? &s->ahead_at : &s->missing_at) =
	    clock_mono() + (ahead ? AHEAD_MS : MISSING_MS) * CLOCK_MS;
	log_warn("store postgres: partitions of %s cannot be made, as somebody reads the table "
		 "or much is in its default one: %s; %s, tried again in %d s",
	    ahead ? "this and the next week or year" : "rows to be stored", a->why,
	    ahead ? "there is time" : "these rows go into the default partition",
	    (ahead ? AHEAD_MS : MISSING_MS) / 1000);
	return true;
}
