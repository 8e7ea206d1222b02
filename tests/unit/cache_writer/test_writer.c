/* test_writer.c - several journals, a store that comes and goes, fetchers that want to know. */
#include <math.h>

#include "label.h"
#include "writer_help.h"

struct scene {
	struct loop *loop;
	struct conf conf;
	struct slot_page *page;
	struct stats stats;
	struct writer *writer;
	uint64_t told; /* to the listener */
	int tells;     /* how often it was told */
	int refusals;  /* how often telling fails first */
	bool drained;
};

static struct scene scene;

static int
scene_stored(void *listener, uint64_t sequence)
{
	struct scene *s = listener;

	if (s->refusals > 0) {
		s->refusals--;
		return E_FULL;
	}
	cr_expect_leq(sequence, fake_disk.durable, "told before it was synced");
	s->told = sequence;
	s->tells++;
	return E_OK;
}

static void
scene_drained(void *owner)
{
	struct scene *s = owner;

	s->drained = true;
}

static const struct writer_hooks scene_hooks = { .stored = scene_stored, .drained = scene_drained };

static void
scene_begin(void)
{
	help_setup();
	scene.loop = loop_new();
	conf_defaults(&scene.conf);
	snprintf(scene.conf.state_dir, sizeof(scene.conf.state_dir), "%s", help_dir);
	scene.conf.store_poll_interval = 5;
	scene.page = aligned_alloc(4096, sizeof(*scene.page));
	memset(scene.page, 0, sizeof(*scene.page));
	scene.stats.mine = scene.page;
}

static void
scene_end(void)
{
	writer_close(&scene.writer);
	loop_free(&scene.loop);
	free(scene.page);
	help_teardown();
}

TestSuite(writer, .init = scene_begin, .fini = scene_end, .timeout = 60);

static void
scene_open(void)
{
	char why[STORE_WHY] = "";

	cr_assert_eq(writer_open(&scene.writer, scene.loop, &scene.conf, &scene.stats, &fake_store,
			 &scene_hooks, &scene, why),
	    E_OK, "%s", why);
}

/* Turns the loop until the condition holds; the suite's timeout is the bound. */
#define UNTIL(condition)                                                                           \
	do {                                                                                       \
		while (!(condition))                                                               \
			loop_turn(scene.loop, 20);                                                 \
	} while (0)

static uint64_t
rows_metric(void)
{
	return metric_read(scene.page, M_STORE_ROWS, LABEL(store, SQLITE), 0);
}

Test(writer, stores_a_journal_found_by_its_folder_without_any_fetcher)
{
	struct journal *j = help_journal(SOURCE);

	help_append(j, 1, 10);
	scene_open();
	UNTIL(fake_disk.row_count == 10);
	help_append(j, 11, 20);
	UNTIL(fake_disk.row_count == 20);
	help_expect_rows(0, 1, 20);
	cr_expect_eq(rows_metric(), 20);
	journal_close(&j);
}

Test(writer, finds_journals_that_appear_later)
{
	struct journal *j;

	scene_open();
	j = help_journal(SOURCE);
	help_append(j, 1, 3);
	UNTIL(fake_disk.row_count == 3);
	journal_close(&j);
}

/* Its records are stored already, under the name they came by. */
Test(writer, a_copy_of_a_journal_is_not_stored_again)
{
	static const char *const names[] = { "fetcher-rest.bak", "fetcher-rest-old", "fetcher",
		"fetcher-rest2", "fetcher-", "operator's" };
	struct journal *j = help_journal(SOURCE);
	char command[256];

	help_append(j, 1, 10);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(command, sizeof(command), "cp -a %s/journal/" SOURCE " \"%s/journal/%s\"",
		    help_dir, help_dir, names[i]);
		cr_assert_eq(system(command), 0);
	}
	scene_open();
	UNTIL(fake_disk.row_count >= 10);
	help_append(j, 11, 20);
	UNTIL(fake_disk.row_count >= 20 && metric_read(scene.page, M_JOURNAL_LAG, 0, 0) == 0);
	cr_expect_eq(fake_disk.row_count, 20);
	cr_expect_str_eq(fake_disk.positions[1].source, "", "nobody else was asked for");
	journal_close(&j);
}

Test(writer, tells_the_fetcher_of_the_journal_how_far_it_is_stored)
{
	struct journal *j = help_journal(SOURCE);
	uint64_t last = help_append(j, 1, 10);

	scene_open();
	writer_listen(scene.writer, SOURCE, &scene);
	UNTIL(scene.told == last);
	scene.refusals = 2;
	last = help_append(j, 11, 12);
	writer_ring(scene.writer);
	UNTIL(scene.told == last);
	writer_unlisten(scene.writer, &scene);
	help_append(j, 13, 13);
	UNTIL(fake_disk.row_count == 13);
	cr_expect_eq(scene.told, last, "nobody listens");
	scene.told = 0;
	UNTIL(fake_disk.durable == last + 1);
	writer_listen(scene.writer, SOURCE, &scene);
	cr_expect_eq(scene.told, last + 1, "a new channel is told at once");
	journal_close(&j);
}

Test(writer, repeats_what_it_told_as_long_as_the_store_answers)
{
	struct journal *j = help_journal(SOURCE);
	uint64_t last = help_append(j, 1, 10);
	int tells;

	scene_open();
	writer_listen(scene.writer, SOURCE, &scene);
	UNTIL(scene.told == last);
	tells = scene.tells;
	UNTIL(scene.tells >= tells + 2);
	cr_expect_eq(scene.told, last);
	fake_disk.fail_check = true;
	fake_disk.open_error = E_STORE;
	UNTIL(metric_read(scene.page, M_STORE_ERRORS, LABEL(store, SQLITE), 0) >= 1);
	tells = scene.tells;
	UNTIL(metric_read(scene.page, M_STORE_ERRORS, LABEL(store, SQLITE), 0) >= 3);
	cr_expect_eq(scene.tells, tells, "the store says nothing");
	journal_close(&j);
}

/* The fetcher may know better from the store before it. */
Test(writer, an_empty_store_is_told_as_such)
{
	struct journal *j = help_journal(SOURCE);

	help_append(j, 1, 10);
	fake_disk.fail_commit = true;
	scene.told = 4711;
	scene_open();
	writer_listen(scene.writer, SOURCE, &scene);
	UNTIL(scene.tells > 0);
	cr_expect_eq(scene.told, 0);
	journal_close(&j);
}

Test(writer, tells_nothing_that_a_power_cut_could_take)
{
	struct journal *j = help_journal(SOURCE);
	uint64_t last = help_append(j, 1, 10);

	fake_disk.fail_sync = true;
	scene_open();
	writer_listen(scene.writer, SOURCE, &scene);
	UNTIL(fake_disk.row_count == 10);
	UNTIL(metric_read(scene.page, M_STORE_ERRORS, LABEL(store, SQLITE), 0) >= 1);
	for (int i = 0; i < 10; i++)
		loop_turn(scene.loop, 10);
	cr_expect_eq(scene.told, 0, "committed, and not synced");
	fake_disk.fail_sync = false;
	UNTIL(scene.told == last);
	cr_expect_eq(fake_disk.row_count, 10);
	journal_close(&j);
}

Test(writer, a_position_found_in_the_store_is_synced_before_it_is_told)
{
	struct journal *j = help_journal(SOURCE);
	uint64_t last = help_append(j, 1, 10);

	scene_open();
	UNTIL(fake_disk.row_count == 10);
	writer_close(&scene.writer);
	fake_disk.durable = 0;
	scene_open();
	writer_listen(scene.writer, SOURCE, &scene);
	UNTIL(scene.told == last);
	cr_expect_eq(fake_disk.durable, last);
	journal_close(&j);
}

Test(writer, is_red_while_the_store_fails_and_stores_everything_once_it_is_back)
{
	const struct check_result *check = &scene.page->checks[CHECK_DATABASE];
	struct journal *j = help_journal(SOURCE);

	scene_open();
	cr_expect_eq(check->error, E_OK);
	cr_expect_gt(check->ok_ns, 0, "a round trip was made before ready");
	fake_disk.fail_commit = true;
	help_append(j, 1, 50);
	writer_ring(scene.writer);
	UNTIL(check->error == E_STORE);
	cr_expect_str_eq(check->text, "told to fail");
	help_append(j, 51, 100);
	writer_ring(scene.writer);
	UNTIL(metric_read(scene.page, M_STORE_ERRORS, LABEL(store, SQLITE), 0) >= 3);
	cr_expect_eq(check->error, E_STORE);
	fake_disk.fail_commit = false;
	UNTIL(fake_disk.row_count == 100);
	UNTIL(check->error == E_OK);
	help_expect_rows(0, 1, 100);
	cr_expect_eq(rows_metric(), 100);
	journal_close(&j);
}

static uint64_t
errors_metric(void)
{
	return metric_read(scene.page, M_STORE_ERRORS, LABEL(store, SQLITE), 0);
}

/* The server restarted, and comes back with a full disk. */
Test(writer, tells_each_reason_of_an_episode_once)
{
	struct journal *j = help_journal(SOURCE);
	static struct log_ring ring;
	uint64_t errors;

	scene_open();
	log_keep(&ring);
	fake_disk.fail_commit = true;
	fake_disk.why = "it restarts";
	help_append(j, 1, 5);
	writer_ring(scene.writer);
	UNTIL(errors_metric() >= 2);
	cr_expect_eq(ring.next, 1);
	fake_disk.why = "its disk is full";
	errors = errors_metric();
	UNTIL(errors_metric() >= errors + 2);
	cr_expect_eq(ring.next, 2, "the new reason, once");
	fake_disk.fail_commit = false;
	UNTIL(fake_disk.row_count == 5 && scene.page->checks[CHECK_DATABASE].error == E_OK);
	log_keep(NULL);
	journal_close(&j);
}

Test(writer, starts_with_a_store_that_is_down_and_counts_what_waits)
{
	struct journal *j = help_journal(SOURCE);

	help_append(j, 1, 30);
	scene_open();
	UNTIL(fake_disk.row_count == 30);
	fake_disk.fail_begin = true;
	help_append(j, 31, 37);
	UNTIL(metric_read(scene.page, M_JOURNAL_LAG, 0, 0) == 7);
	fake_disk.fail_begin = false;
	fake_disk.open_error = E_STORE;
	UNTIL(fake_disk.opens >= 3);
	fake_disk.open_error = E_OK;
	UNTIL(metric_read(scene.page, M_JOURNAL_LAG, 0, 0) == 0);
	cr_expect_eq(fake_disk.row_count, 37);
	journal_close(&j);
}

/* Its folder cannot be opened: a file is in its place. */
Test(writer, a_journal_that_cannot_be_read_does_not_hide_the_lag_of_another)
{
	struct journal *j = help_journal(SOURCE);
	char command[128];

	snprintf(command, sizeof(command), "touch %s/journal/fetcher-stocks", help_dir);
	cr_assert_eq(system(command), 0);
	help_append(j, 1, 30);
	scene_open();
	writer_listen(scene.writer, "fetcher-stocks", &scene);
	UNTIL(fake_disk.row_count == 30);
	fake_disk.fail_begin = true;
	help_append(j, 31, 37);
	UNTIL(metric_read(scene.page, M_JOURNAL_LAG, 0, 0) == 7);
	journal_close(&j);
}

Test(writer, a_round_trip_that_fails_is_told_and_the_store_opened_anew)
{
	const struct check_result *check = &scene.page->checks[CHECK_DATABASE];

	scene_open();
	fake_disk.fail_check = true;
	UNTIL(check->error == E_STORE);
	fake_disk.fail_check = false;
	UNTIL(check->error == E_OK);
	cr_expect_geq(fake_disk.opens, 2);
}

Test(writer, counts_records_that_the_journal_lost)
{
	struct journal *j = help_journal(SOURCE);

	help_append(j, 1, 10);
	help_spoil(5, 10);
	scene_open();
	UNTIL(fake_disk.row_count == 9);
	cr_expect_eq(metric_read(scene.page, M_JOURNAL_CORRUPT, 0, 0), 1);
	journal_close(&j);
}

Test(writer, drains_what_is_in_the_journals_and_says_so)
{
	struct journal *j = help_journal(SOURCE), *k;

	scene.conf.store_batch_rows = 100;
	scene_open();
	help_append(j, 1, 5000);
	k = help_journal("fetcher-stocks");
	writer_listen(scene.writer, "fetcher-stocks", &scene);
	help_append(k, 1, 500);
	writer_drain(scene.writer, 20000);
	UNTIL(scene.drained);
	cr_expect_eq(fake_disk.row_count, 5500);
	cr_expect_eq(fake_disk.durable,
	    journal_last(j) > journal_last(k) ? journal_last(j) : journal_last(k),
	    "and synced before the end");
	journal_close(&j);
	journal_close(&k);
}

Test(writer, goes_on_when_a_store_takes_no_more_in_one_batch)
{
	struct journal *j = help_journal(SOURCE);

	fake_disk.full_at = 7;
	help_append(j, 1, 100);
	scene_open();
	UNTIL(fake_disk.row_count == 100);
	help_expect_rows(0, 1, 100);
	journal_close(&j);
}

Test(writer, counts_dead_letters_and_how_long_records_waited)
{
	struct journal *j = help_journal(SOURCE);
	const unsigned label = LABEL(store, SQLITE);

	fake_disk.refused = 3;
	help_append(j, 1, 10);
	scene_open();
	UNTIL(fake_disk.row_count == 10);
	cr_expect_eq(metric_read(scene.page, M_STORE_DEAD_LETTERS, label, 0), 3);
	cr_expect_eq(
	    metric_read(scene.page, M_STORE_DELAY, label, 0), 10, "one observation a record");
	cr_expect_eq(scene.page->checks[CHECK_DATABASE].error, E_OK, "the store works");
	journal_close(&j);
}

Test(writer, lets_go_of_old_rows_until_there_are_none)
{
	scene_open();
	UNTIL(fake_disk.trims >= 3);
	for (int i = 0; i < 10; i++)
		loop_turn(scene.loop, 5);
	cr_expect_eq(fake_disk.trims, 3, "then not for a while");
}

Test(writer, drains_at_once_when_the_store_is_down)
{
	struct journal *j = help_journal(SOURCE);

	scene_open();
	fake_disk.fail_commit = true;
	fake_disk.open_error = E_STORE;
	help_append(j, 1, 10);
	writer_drain(scene.writer, 60000);
	UNTIL(scene.drained);
	cr_expect_eq(fake_disk.row_count, 0);
	journal_close(&j);
}

Test(writer, a_store_that_can_never_work_is_told_with_its_reason)
{
	char why[STORE_WHY] = "";

	fake_disk.open_error = E_VERSION;
	cr_expect_eq(writer_open(&scene.writer, scene.loop, &scene.conf, &scene.stats, &fake_store,
			 &scene_hooks, &scene, why),
	    E_VERSION);
	cr_expect_null(scene.writer);
	cr_expect_str_eq(why, "told to fail");
}

Test(writer, tries_less_at_once_where_a_batch_is_late_and_more_where_it_does_not)
{
	struct journal *j = help_journal(SOURCE);

	scene.conf.store_batch_rows = 64;
	fake_disk.slow_at = 10;
	help_append(j, 1, 100);
	scene_open();
	UNTIL(fake_disk.row_count == 100);
	cr_expect_leq(fake_disk.most, 10);
	fake_disk.slow_at = 0;
	help_append(j, 101, 1200);
	UNTIL(fake_disk.row_count == 1200);
	cr_expect_eq(fake_disk.most, 64);
	help_expect_rows(0, 1, 1200);
	journal_close(&j);
}

Test(writer, a_failure_that_has_nothing_to_do_with_the_rows_leaves_them_as_many)
{
	struct journal *j = help_journal(SOURCE);

	scene.conf.store_batch_rows = 64;
	fake_disk.fail_commit = true;
	help_append(j, 1, 3);
	scene_open();
	UNTIL(fake_disk.opens > 2);
	help_append(j, 4, 300);
	fake_disk.fail_commit = false;
	UNTIL(fake_disk.row_count == 300);
	cr_expect_eq(fake_disk.most, 64);
	journal_close(&j);
}

/* How many batches it takes from one row to as many as are allowed, each taking that part of the time. */
static unsigned
batches_up(uint64_t most, int64_t took, int64_t allowed)
{
	struct rows r = { .bound = 1 };
	unsigned count = 0;

	for (; r.bound != 0 && count < 100000; count++)
		rows_raise(&r, rows_allowed(&r, most), most, took, allowed);
	return count;
}

Test(writer, the_rows_of_a_batch_come_up_again_whatever_a_commit_takes)
{
	struct rows r = { 0 };

	cr_expect_eq(batches_up(1000, 10, 100), 160);
	cr_expect_lt(batches_up(1000, 30, 100), 1500);
	cr_expect_lt(batches_up(1000, 90, 100), 6000);
	rows_lower(&r, 1000);
	cr_expect_eq(rows_allowed(&r, 1000), 500);
	rows_raise(&r, 3, 1000, 1, 100);
	cr_expect_eq(r.easy, 0, "few rows tell nothing");
	for (int i = 0; i < 20; i++)
		rows_lower(&r, 1000);
	cr_expect_eq(rows_allowed(&r, 1000), 1);
}
