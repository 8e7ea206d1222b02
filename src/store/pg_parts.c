/* pg_parts.c - which partition takes a record, and which are known to be there.
 *
 * Partitions are made in a transaction of their own before the one that needs them: it is short, so that its lock of
 * the whole table is, and two writers cannot lock one another out.
 */
#include "pg_room.h"

#include <inttypes.h>
#include <string.h>

#include "clock.h"

#define WEEK	   (7 * CLOCK_DAY)
#define FIRST_DAY  (10957 * CLOCK_DAY) /* 2000-01-01: nothing older gets a partition */
#define AHEAD	   (366 * CLOCK_DAY)   /* nor what is further ahead */
#define WANTED_MAX 64		       /* partitions made for one batch */

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

	if ((r = buf_printf(sql, "SELECT partition_ensure('%s', %" PRId64 ", %" PRId64 ");\n",
		 table, from, to)) != E_OK)
		return r;
	if (p->count == PG_PARTS)
		p->count = 0;
	p->known[p->count].table = table;
	p->known[p->count].from = from;
	p->known[p->count].to = to;
	p->last = p->count++;
	return E_OK;
}

int
pg_parts_want(struct pg_parts *p, const struct pg_batch *b, size_t from, size_t count,
    struct buf *sql, bool *wanted)
{
	int64_t now = clock_wall(), begin, end;
	unsigned want = 0;
	const char *table;
	int r;

	for (size_t i = from; i < from + count && want < WANTED_MAX; i++) {
		if (!pg_part_of(
			b->records[i].desc, pg_batch_value(b, i), now, &table, &begin, &end) ||
		    part_is_known(p, table, begin))
			continue;
		if ((r = part_want(p, table, begin, end, sql)) != E_OK)
			return r;
		want++;
	}
	*wanted = want > 0;
	return E_OK;
}

int
pg_parts_want_now(struct pg_parts *p, struct buf *sql, bool *wanted)
{
	int64_t from, to;
	int r;

	*wanted = true;
	for (size_t i = 0; i < PART_RULES; i++) {
		const char *table = msg_desc(part_rules[i].type)->table;

		span_of(&part_rules[i], clock_wall(), &from, &to);
		if ((r = part_want(p, table, from, to, sql)) != E_OK)
			return r;
		span_of(&part_rules[i], to, &from, &to);
		if ((r = part_want(p, table, from, to, sql)) != E_OK)
			return r;
	}
	return E_OK;
}
