/* test_troubles.c - what a process met, on its page, until health has forgotten it. */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/resource.h>

#include "clock.h"
#include "health.h"
#include "label.h"

#define CHANNEL LABEL(trouble, CHANNEL)

static struct board *board;
static struct stats master, http, twin;
static const struct health_own own = { .state_dir = "/" };
static struct health_facts facts;

static void
setup(void)
{
	int rw, ro;

	board = board_create(&rw, &ro);
	master.mine = board_slot(board, "master", ROLE_MASTER);
	http.mine = board_slot(board, "http-0", ROLE_HTTP);
	twin.mine = board_slot(board, "http-0.1", ROLE_HTTP);
	http.mine->twin = 3;
	twin.mine->twin = 2;
	master.mine->current = http.mine->current = 1;
	master.all = http.all = twin.all = board;
}

TestSuite(troubles, .init = setup);

static const struct health_trouble *
told_at(unsigned kind, int64_t now)
{
	health_gather(board, &own, now, &facts);
	return facts.troubles[kind].slot[0] != '\0' ? &facts.troubles[kind] : NULL;
}

/* Whether health gives this reason at that time, by the rules. */
static bool
reason_at(const char *code, int64_t now)
{
	const struct health_reason *reasons[HEALTH_REASONS_MAX];
	size_t count;

	health_gather(board, &own, now, &facts);
	(void)health_judge(&facts, reasons, &count);
	for (size_t i = 0; i < count; i++)
		if (strcmp(reasons[i]->code, code) == 0)
			return true;
	return false;
}

Test(troubles, each_is_a_reason_for_a_minute_and_then_no_more)
{
	static const char *const codes[] = { "descriptors_short", "memory_short", "process_refused",
		"channel_broken", "stood_still", "journal_dropped" };
	int64_t at;

	cr_assert_eq(sizeof(codes) / sizeof(codes[0]), LABEL_trouble_COUNT);
	for (unsigned kind = 0; kind < LABEL_trouble_COUNT; kind++) {
		cr_expect_not(reason_at(codes[kind], clock_wall()), "%s", codes[kind]);
		trouble_note(&http, kind, "met number %u", kind);
		at = http.mine->troubles[kind].at_ns;
		cr_expect(reason_at(codes[kind], at), "%s", codes[kind]);
		cr_expect(reason_at(codes[kind], at + TROUBLE_RECENT_NS - 1), "%s", codes[kind]);
		cr_expect_not(reason_at(codes[kind], at + TROUBLE_RECENT_NS), "%s", codes[kind]);
		cr_expect_eq(metric_read(http.mine, M_TROUBLES, kind, 0), 1);
	}
}

Test(troubles, it_is_told_with_the_slot_and_the_newest_of_several)
{
	const struct health_trouble *t;
	int64_t now;

	trouble_note(&master, CHANNEL, "older");
	trouble_note(&http, CHANNEL, "channel to %s: refused", "fetcher-rest");
	now = master.mine->troubles[CHANNEL].at_ns + CLOCK_SEC;
	http.mine->troubles[CHANNEL].at_ns = now;
	t = told_at(CHANNEL, now);
	cr_assert_not_null(t);
	cr_expect_str_eq(t->slot, "http-0");
	cr_expect_str_eq(t->text, "channel to fetcher-rest: refused");
	cr_expect_eq(t->others, 1);
	http.mine->troubles[CHANNEL].at_ns = now - 2 * CLOCK_SEC;
	cr_assert_not_null(t = told_at(CHANNEL, now));
	cr_expect_str_eq(t->slot, "master");
	cr_expect_eq(t->others, 1);
}

Test(troubles, a_master_that_stands_still_is_told_of_before_it_goes_on)
{
	const unsigned stall = LABEL(trouble, STALL);
	const struct health_trouble *t;
	int64_t beat = clock_wall();

	cr_expect_null(told_at(stall, beat), "of one that never beat nothing is known");
	master.mine->heartbeat_ns = beat;
	cr_expect_null(told_at(stall, beat + 5 * CLOCK_SEC - 1));
	cr_assert_not_null(t = told_at(stall, beat + 7 * CLOCK_SEC + CLOCK_SEC / 2));
	cr_expect_str_eq(t->slot, "master");
	cr_expect_str_eq(t->text, "its loop stands still, for 7.5 s by now");
	cr_expect(reason_at("stood_still", beat + 24 * 3600 * CLOCK_SEC), "however long");
	master.mine->heartbeat_ns = beat + 8 * CLOCK_SEC;
	cr_expect_null(told_at(stall, beat + 8 * CLOCK_SEC));
	cr_expect_null(told_at(stall, beat), "nor where the clock was set back");
}

Test(troubles, the_seat_that_drains_counts_for_its_slot)
{
	const struct health_trouble *t;

	trouble_note(&twin, CHANNEL, "of the twin");
	cr_assert_not_null(t = told_at(CHANNEL, twin.mine->troubles[CHANNEL].at_ns));
	cr_expect_str_eq(t->slot, "http-0");
	cr_expect_str_eq(t->text, "of the twin");
	cr_expect_eq(t->others, 0);
}

Test(troubles, it_outlives_the_process_that_met_it)
{
	trouble_note(&http, LABEL(trouble, MEMORY), "refused");
	board_slot_clear(http.mine);
	cr_expect_not_null(told_at(LABEL(trouble, MEMORY), clock_wall()));
	cr_expect_eq(metric_read(http.mine, M_TROUBLES, LABEL(trouble, MEMORY), 0), 1);
}

Test(troubles, a_worker_gone_mad_can_write_no_trouble_that_stays_or_has_no_end)
{
	struct trouble *t = &http.mine->troubles[CHANNEL];
	int64_t now = clock_wall();

	memset(t, 0x7f, sizeof(*t));
	cr_expect_null(told_at(CHANNEL, now), "a time far ahead is none");
	t->at_ns = -1;
	cr_expect_null(told_at(CHANNEL, now));
	t->at_ns = INT64_MIN;
	cr_expect_null(told_at(CHANNEL, now));
	t->at_ns = now;
	cr_assert_not_null(told_at(CHANNEL, now));
	cr_expect_eq(strlen(facts.troubles[CHANNEL].text), sizeof(t->text) - 1);
}

Test(troubles, a_clock_set_back_a_little_hides_nothing)
{
	trouble_note(&http, CHANNEL, "now");
	cr_expect_not_null(told_at(CHANNEL, http.mine->troubles[CHANNEL].at_ns - CLOCK_SEC));
	cr_expect_null(told_at(CHANNEL, http.mine->troubles[CHANNEL].at_ns - TROUBLE_RECENT_NS));
}

Test(troubles, a_slot_that_was_scaled_away_tells_none)
{
	trouble_note(&http, CHANNEL, "gone");
	board->seats[1].retired = board->seats[2].retired = 1;
	cr_expect_null(told_at(CHANNEL, clock_wall()));
}

Test(troubles, neither_liveness_nor_readiness_asks_for_them)
{
	const struct health_reason *reasons[HEALTH_REASONS_MAX];
	size_t count, told = 0;
	struct buf out;

	for (unsigned kind = 0; kind < LABEL_trouble_COUNT; kind++)
		trouble_note(&http, kind, "met");
	health_gather(board, &own, clock_wall(), &facts);
	(void)health_judge(&facts, reasons, &count);
	for (size_t i = 0; i < count; i++) {
		told += reasons[i]->trouble >= 0;
		cr_expect(reasons[i]->trouble < 0 || !reasons[i]->unready, "%s", reasons[i]->code);
	}
	cr_expect_eq(told, LABEL_trouble_COUNT);
	buf_init(&out, 1 << 20);
	cr_expect_eq(health_answer(HEALTH_LIVE, board, &own, &out), 200);
	buf_fini(&out);
}

Test(troubles, ninety_five_of_a_hundred_are_near_a_limit)
{
	cr_expect(trouble_is_near(95, 100));
	cr_expect_not(trouble_is_near(94, 100));
	cr_expect(trouble_is_near(100, 100));
	cr_expect_not(trouble_is_near(1000, 0), "none is no limit");
	cr_expect(trouble_is_near(UINT64_MAX, UINT64_MAX));
	cr_expect_not(trouble_is_near(UINT64_MAX / 2, UINT64_MAX));
}

/* Sets a soft limit for one look, so that nothing else of the test meets it. */
static void
look_within(int what, rlim_t limit)
{
	struct rlimit before, during;
	struct usage u = { 0 };

	cr_assert_eq(getrlimit(what, &before), 0);
	during = before;
	during.rlim_cur = limit;
	cr_assert_eq(setrlimit(what, &during), 0);
	usage_look(&u, &http);
	cr_assert_eq(setrlimit(what, &before), 0);
}

Test(troubles, a_process_near_its_limit_of_descriptors_says_so)
{
	uint64_t fds;

	look_within(RLIMIT_NOFILE, 1000);
	fds = metric_read(http.mine, M_PROCESS_FDS, 0, 0);
	cr_expect_eq(metric_read(http.mine, M_TROUBLES, LABEL(trouble, DESCRIPTORS), 0), 0);
	look_within(RLIMIT_NOFILE, fds * 2);
	cr_expect_null(told_at(LABEL(trouble, DESCRIPTORS), clock_wall()));
	look_within(RLIMIT_NOFILE, fds);
	cr_assert_not_null(told_at(LABEL(trouble, DESCRIPTORS), clock_wall()));
	cr_expect_not_null(strstr(facts.troubles[LABEL(trouble, DESCRIPTORS)].text, "descriptors"));
	look_within(RLIMIT_NOFILE, fds);
	cr_expect_eq(metric_read(http.mine, M_TROUBLES, LABEL(trouble, DESCRIPTORS), 0), 2);
}

Test(troubles, a_process_near_its_limit_of_memory_says_so)
{
	look_within(RLIMIT_AS, RLIM_INFINITY);
	look_within(RLIMIT_AS, (rlim_t)1 << 46);
	cr_expect_null(told_at(LABEL(trouble, MEMORY), clock_wall()));
	look_within(RLIMIT_AS, 1 << 20); /* less than is mapped already */
	cr_assert_not_null(told_at(LABEL(trouble, MEMORY), clock_wall()));
	cr_expect_not_null(strstr(facts.troubles[LABEL(trouble, MEMORY)].text, "address space"));
}

Test(troubles, a_control_group_near_its_limit_of_memory_is_the_masters_trouble)
{
	struct cgroup_limits l = { .memory_used_bytes = 950 };

	cgroup_note(&master, &l);
	l.memory_bytes = 1001;
	cgroup_note(&master, &l);
	cr_expect_null(told_at(LABEL(trouble, MEMORY), clock_wall()));
	l.memory_bytes = 1000;
	cgroup_note(&master, &l);
	cr_assert_not_null(told_at(LABEL(trouble, MEMORY), clock_wall()));
	cr_expect_str_eq(facts.troubles[LABEL(trouble, MEMORY)].slot, "master");
	cr_expect_str_eq(facts.troubles[LABEL(trouble, MEMORY)].text,
	    "control group: 950 of 1000 bytes of memory in use");
}

Test(troubles, a_control_group_full_of_pages_of_files_is_no_trouble)
{
	struct cgroup_limits l = {
		.memory_bytes = 1000, .memory_used_bytes = 990, .memory_file_bytes = 50
	};

	cgroup_note(&master, &l);
	l.memory_file_bytes = 2000; /* looked at later */
	cgroup_note(&master, &l);
	cr_expect_null(told_at(LABEL(trouble, MEMORY), clock_wall()));
	l.memory_file_bytes = 30;
	cgroup_note(&master, &l);
	cr_assert_not_null(told_at(LABEL(trouble, MEMORY), clock_wall()));
	cr_expect_str_eq(facts.troubles[LABEL(trouble, MEMORY)].text,
	    "control group: 960 of 1000 bytes of memory in use");
}
