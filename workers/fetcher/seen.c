/* seen.c - how new what arrives is, and what is odd about it: for the statistics only. */
#include "clock.h"
#include "fetcher.h"
#include "label.h"

/* Bit n of enum quality is value n of the label set. */
_Static_assert(
    QUALITY_CROSSED == 1 << LABEL_flag_CROSSED && QUALITY_LOCKED == 1 << LABEL_flag_LOCKED &&
	QUALITY_ONE_SIDED == 1 << LABEL_flag_ONE_SIDED && QUALITY_WIDE == 1 << LABEL_flag_WIDE &&
	QUALITY_OUT_OF_SESSION == 1 << LABEL_flag_OUT_OF_SESSION &&
	QUALITY_LATE == 1 << LABEL_flag_LATE && QUALITY_REVISED == 1 << LABEL_flag_REVISED,
    "one order of flags");

static unsigned
seen_family(uint64_t asset)
{
	if (asset == ASSET_OPTION)
		return LABEL(family, OPTION);
	return asset == ASSET_CRYPTO ? LABEL(family, CRYPTO) : LABEL(family, STOCK);
}

static void
seen_newest(struct stats *s, enum metric m, unsigned family, int64_t at)
{
	if (s->mine != NULL && at > (int64_t)metric_read(s->mine, m, family, 0))
		metric_set(s, m, family, 0, (uint64_t)at);
}

static void
seen_flags(struct stats *s, unsigned flags)
{
	for (unsigned i = 0; i < LABEL_flag_COUNT; i++)
		if ((flags & 1u << i) != 0)
			metric_add(s, M_QUALITY, i, 0, 1);
}

void
seen_record(struct stats *s, const struct record *record)
{
	const struct quote *q = &record->v.quote;
	const struct trade *t = &record->v.trade;

	if (record->type == MSG_QUOTE) {
		seen_newest(s, M_DATA_RECEIVED, seen_family(q->asset), q->received);
		seen_newest(s, M_DATA_EVENT, seen_family(q->asset), q->event);
		seen_flags(s, quote_quality(q));
	} else if (record->type == MSG_TRADE) {
		seen_newest(s, M_DATA_RECEIVED, seen_family(t->asset), t->received);
		seen_newest(s, M_DATA_EVENT, seen_family(t->asset), t->event);
		seen_flags(s, t->update[0] != '\0' ? QUALITY_REVISED : 0);
	} else if (record->type == MSG_BAR) {
		seen_newest(
		    s, M_DATA_RECEIVED, seen_family(record->v.bar.asset), record->v.bar.received);
	} else if (record->type == MSG_GREEKS) {
		seen_newest(s, M_DATA_RECEIVED, seen_family(record->v.greeks.asset),
		    record->v.greeks.received);
	}
}
