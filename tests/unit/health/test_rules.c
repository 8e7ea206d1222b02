/* test_rules.c - the table of health.def: for each row, facts of which it is the first that holds. */
#include <criterion/criterion.h>
#include <string.h>

#include "health.h"
#include "label.h"

static const struct health_facts well = {
	.fetcher_ever_ready = true, .fetcher_ready = true, .all_ready = true
};

/* What has to be wrong for a row to be the first. */
struct wrong {
	const char *code;
	void (*make)(struct health_facts *);
	enum health word;
	bool unready;
};

#define WRONG(code, member, value)                                                                 \
	static void make_##code(struct health_facts *f)                                            \
	{                                                                                          \
		f->member = (value);                                                               \
	}
WRONG(stopping, stopping, true)
WRONG(starting, fetcher_ever_ready, false)
WRONG(fetcher_failed, fetcher_failed, true)
WRONG(cache_writer_failed, writer_failed, true)
WRONG(http_not_ready, http_down, true)
WRONG(fetcher_not_ready, fetcher_ready, false)
WRONG(worker_failed, any_failed, true)
WRONG(worker_not_ready, all_ready, false)
WRONG(upstream_fails, external_api, CHECK_STATE_UNHEALTHY)
WRONG(upstream_breaker_open, breaker_open, true)
WRONG(upstream_unknown, external_api, CHECK_STATE_UNKNOWN)
WRONG(store_fails, database, CHECK_STATE_UNHEALTHY)
WRONG(store_unknown, database, CHECK_STATE_UNKNOWN)
WRONG(cache_fails, cache, CHECK_STATE_UNHEALTHY)
WRONG(journal_blocked, journal_blocked, true)
WRONG(disk_low, disk_low, true)

#define MET(code, kind)                                                                            \
	static void make_##code(struct health_facts *f)                                            \
	{                                                                                          \
		strcpy(f->troubles[LABEL_trouble_##kind].slot, "http-0");                          \
		strcpy(f->troubles[LABEL_trouble_##kind].text, "what it met");                     \
	}
MET(descriptors_short, DESCRIPTORS)
MET(memory_short, MEMORY)
MET(process_refused, PROCESSES)
MET(channel_broken, CHANNEL)
MET(stood_still, STALL)
MET(journal_dropped, JOURNAL)

static const struct wrong wrongs[] = {
#define UNREADY				       true
#define READY				       false
#define HEALTH(code, WORD, ready, holds, text) { #code, make_##code, WORD, ready },
#include "tables/health.def"
};
#define WRONGS (sizeof(wrongs) / sizeof(wrongs[0]))

Test(rules, when_all_is_well_there_is_no_reason)
{
	const struct health_reason *reasons[HEALTH_REASONS_MAX];
	size_t count = 9;

	cr_expect_eq(health_judge(&well, reasons, &count), HEALTHY);
	cr_expect_eq(count, 0);
}

Test(rules, each_row_holds_by_itself_and_gives_its_word)
{
	const struct health_reason *reasons[HEALTH_REASONS_MAX];
	struct health_facts f;
	size_t count;

	for (size_t i = 0; i < WRONGS; i++) {
		f = well;
		wrongs[i].make(&f);
		cr_expect_eq(
		    health_judge(&f, reasons, &count), wrongs[i].word, "%s", wrongs[i].code);
		cr_assert_eq(count, 1, "%s: %zu reasons", wrongs[i].code, count);
		cr_expect_str_eq(reasons[0]->code, wrongs[i].code);
		cr_expect_eq(reasons[0]->unready, wrongs[i].unready, "%s", wrongs[i].code);
	}
}

Test(rules, of_two_the_earlier_row_gives_the_word_and_both_are_told)
{
	const struct health_reason *reasons[HEALTH_REASONS_MAX];
	struct health_facts f;
	size_t count;

	for (size_t i = 0; i < WRONGS; i++) {
		for (size_t k = i + 1; k < WRONGS; k++) {
			f = well;
			wrongs[k].make(&f);
			wrongs[i].make(&f); /* of two about one check this one is so */
			cr_expect_eq(health_judge(&f, reasons, &count), wrongs[i].word);
			cr_expect_str_eq(reasons[0]->code, wrongs[i].code);
			cr_expect_leq(count, 2);
		}
	}
}

Test(rules, a_reason_of_a_trouble_names_the_slot_and_what_it_met)
{
	const struct health_reason *reasons[HEALTH_REASONS_MAX];
	struct health_facts f = well;
	char text[HEALTH_REASON_TEXT];
	size_t count;

	make_channel_broken(&f);
	(void)health_judge(&f, reasons, &count);
	cr_assert_eq(count, 1);
	cr_expect_str_eq(health_reason_text(&f, reasons[0], text), text);
	cr_expect_not_null(strstr(text, reasons[0]->text));
	cr_expect_not_null(strstr(text, "(http-0: what it met)"), "%s", text);
	f.troubles[LABEL_trouble_CHANNEL].others = 2;
	cr_expect_not_null(
	    strstr(health_reason_text(&f, reasons[0], text), "(http-0: what it met; 2 more)"), "%s",
	    text);
	make_disk_low(&f);
	(void)health_judge(&f, reasons, &count);
	cr_expect_str_eq(health_reason_text(&f, reasons[0], text), reasons[0]->text);
}

Test(rules, the_longest_reason_is_told_whole)
{
	const struct health_reason *reasons[HEALTH_REASONS_MAX];
	struct health_facts f = well;
	char text[HEALTH_REASON_TEXT];
	size_t count;

	for (unsigned kind = 0; kind < LABEL_trouble_COUNT; kind++) {
		memset(f.troubles[kind].slot, 's', sizeof(f.troubles[kind].slot) - 1);
		memset(f.troubles[kind].text, 't', sizeof(f.troubles[kind].text) - 1);
		f.troubles[kind].others = BOARD_SLOTS;
	}
	(void)health_judge(&f, reasons, &count);
	cr_assert_eq(count, LABEL_trouble_COUNT);
	for (size_t i = 0; i < count; i++) {
		health_reason_text(&f, reasons[i], text);
		cr_expect_eq(text[strlen(text) - 1], ')', "%s", text);
	}
}

/* What is not this gateway's own never makes it unready: a store, a cache, an upstream, a disk. */
Test(rules, no_dependency_makes_it_unready)
{
	const struct health_reason *reasons[HEALTH_REASONS_MAX];
	struct health_facts f = well;
	size_t count;

	f.external_api = f.database = f.cache = CHECK_STATE_UNHEALTHY;
	f.disk_low = f.journal_blocked = f.breaker_open = true;
	for (unsigned kind = 0; kind < LABEL_trouble_COUNT; kind++)
		strcpy(f.troubles[kind].slot, "master");
	cr_expect_eq(health_judge(&f, reasons, &count), DEGRADED);
	cr_expect_eq(count, 6 + LABEL_trouble_COUNT);
	for (size_t i = 0; i < count; i++)
		cr_expect_not(reasons[i]->unready, "%s", reasons[i]->code);
}
