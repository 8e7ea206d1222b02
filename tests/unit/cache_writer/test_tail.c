/* test_tail.c - one journal into a store that fails: every record once, in order. */
#include "writer_help.h"

TestSuite(tail, .init = help_setup, .fini = help_teardown, .timeout = 60);

static const struct tail_bound roomy = { .rows = 100000, .until_ns = INT64_MAX };

static int last_error;
static uint64_t last_position;

static void
nothing(void *owner)
{
	(void)owner;
}

static void
positioned(uint64_t sequence, void *owner)
{
	(void)owner;
	last_position = sequence;
}

static void
committed(const struct store_commit *done, void *owner)
{
	(void)owner;
	last_position = done->sequence;
}

static void
failed(int error, const char *why, void *owner)
{
	(void)owner;
	(void)why;
	last_error = error;
}

static const struct store_hooks hooks = {
	.opened = nothing, .positioned = positioned, .committed = committed, .failed = failed
};
static const struct store_setup setup = { .where = "", .hooks = &hooks };

/* Where are we? */
static void
place(struct tail *t, struct store *store)
{
	fake_store.position(store, t->name);
	tail_place(t, last_position);
}

/* A store, open, and a tail that knows its place. */
static struct store *
begin(struct tail *t)
{
	struct store *store;

	tail_init(t, SOURCE, "", help_dir);
	store = fake_store.open(&setup);
	place(t, store);
	return store;
}

static void
end(struct tail *t, struct store *store)
{
	tail_fini(t);
	fake_store.close(&store);
}

/* Fills and commits one batch, as the writer does. */
static int
turn(struct tail *t, struct store *store, const struct tail_bound *bound, struct tail_batch *done)
{
	int r;

	last_error = E_OK;
	if ((r = tail_fill(t, &fake_store, store, bound, done)) == E_OK && done->rows > 0)
		fake_store.commit(store, done->last);
	if (r == E_OK)
		r = last_error;
	if (r == E_OK && done->rows > 0)
		tail_committed(t, done);
	if (r != E_OK) {
		tail_rewind(t);
		done->rows = 0;
	}
	return r;
}

static void
expect_behind(struct tail *t, uint64_t wanted)
{
	uint64_t behind = 0;

	cr_expect_eq(tail_behind(t, &behind), E_OK);
	cr_expect_eq(behind, wanted);
}

Test(tail, without_a_position_all_of_the_journal_is_behind)
{
	struct journal *j = help_journal(SOURCE);
	struct tail t;

	help_append(j, 1, 100);
	tail_init(&t, SOURCE, "", help_dir);
	expect_behind(&t, 100);
	tail_fini(&t);
	journal_close(&j);
}

Test(tail, stores_what_is_there_and_then_what_comes)
{
	struct journal *j = help_journal(SOURCE);
	struct tail_batch done;
	struct tail t;
	struct store *store = begin(&t);
	uint64_t last = help_append(j, 1, 100);

	expect_behind(&t, 100);
	cr_expect_eq(turn(&t, store, &roomy, &done), E_OK);
	cr_expect_eq(done.rows, 100);
	cr_expect_not(done.more);
	cr_expect_eq(t.position, last);
	expect_behind(&t, 0);
	cr_expect_eq(turn(&t, store, &roomy, &done), E_OK);
	cr_expect_eq(done.rows, 0);
	help_append(j, 101, 103);
	cr_expect_eq(turn(&t, store, &roomy, &done), E_OK);
	cr_expect_eq(done.rows, 3);
	help_expect_rows(0, 1, 103);
	end(&t, store);
	journal_close(&j);
}

Test(tail, stops_at_its_bounds_and_says_there_is_more)
{
	const struct tail_bound rows = { .rows = 10, .until_ns = INT64_MAX };
	const struct tail_bound late = { .rows = 100000, .until_ns = 0 };
	struct journal *j = help_journal(SOURCE);
	struct tail_batch done;
	struct tail t;
	struct store *store = begin(&t);

	help_append(j, 1, 1000);
	cr_expect_eq(turn(&t, store, &rows, &done), E_OK);
	cr_expect_eq(done.rows, 10);
	cr_expect(done.more);
	cr_expect_eq(turn(&t, store, &late, &done), E_OK);
	cr_expect_gt(done.rows, 0, "even a late turn gets on");
	cr_expect_lt(done.rows, 100);
	cr_expect(done.more);
	end(&t, store);
	journal_close(&j);
}

Test(tail, a_failure_anywhere_in_the_transaction_stores_nothing_and_the_next_turn_everything_once)
{
	struct journal *j = help_journal(SOURCE);
	struct tail_batch done;
	struct tail t;
	struct store *store = begin(&t);

	help_append(j, 1, 50);
	fake_disk.fail_begin = true;
	cr_expect_eq(turn(&t, store, &roomy, &done), E_STORE);
	fake_disk.fail_begin = false;
	for (uint64_t n = 1; n <= 50; n += 7) {
		fake_disk.fail_add = n;
		cr_expect_eq(turn(&t, store, &roomy, &done), E_STORE);
		cr_expect_eq(done.rows, 0);
	}
	fake_disk.fail_add = 0;
	fake_disk.fail_commit = true;
	cr_expect_eq(turn(&t, store, &roomy, &done), E_STORE);
	fake_disk.fail_commit = false;
	cr_expect_eq(fake_disk.row_count, 0);
	cr_expect_eq(t.position, 0);
	cr_expect_eq(turn(&t, store, &roomy, &done), E_OK);
	cr_expect_eq(fake_disk.row_count, 50);
	help_expect_rows(0, 1, 50);
	end(&t, store);
	journal_close(&j);
}

Test(tail, a_new_process_goes_on_where_the_store_stands)
{
	const struct tail_bound few = { .rows = 33, .until_ns = INT64_MAX };
	struct journal *j = help_journal(SOURCE);
	struct tail_batch done;

	help_append(j, 1, 100);
	for (int i = 0; i < 4; i++) {
		struct tail t;
		struct store *store = begin(&t);

		cr_expect_eq(turn(&t, store, &few, &done), E_OK);
		end(&t, store);
	}
	cr_expect_eq(fake_disk.row_count, 100);
	help_expect_rows(0, 1, 100);
	journal_close(&j);
}

Test(tail, a_corrupt_record_is_counted_once_however_often_the_store_fails)
{
	struct journal *j = help_journal(SOURCE);
	struct tail_batch done;
	uint64_t corrupt = 0;
	struct tail t;
	struct store *store = begin(&t);

	help_append(j, 1, 10);
	help_spoil(4, 10);
	for (int i = 0; i < 3; i++) {
		fake_disk.fail_commit = i < 2;
		cr_expect_eq(turn(&t, store, &roomy, &done), i < 2 ? E_STORE : E_OK);
		corrupt += done.corrupt;
	}
	cr_expect_eq(corrupt, 1);
	cr_expect_eq(fake_disk.row_count, 9);
	help_expect_rows(0, 1, 3);
	help_expect_rows(3, 5, 10);
	help_append(j, 11, 12);
	cr_expect_eq(turn(&t, store, &roomy, &done), E_OK);
	cr_expect_eq(done.corrupt, 0);
	cr_expect_eq(fake_disk.row_count, 11);
	end(&t, store);
	journal_close(&j);
}

Test(tail, the_place_is_found_anew_in_a_store_that_was_replaced)
{
	struct journal *j = help_journal(SOURCE);
	struct tail_batch done;
	struct tail t;
	struct store *store = begin(&t);

	help_append(j, 1, 20);
	cr_expect_eq(turn(&t, store, &roomy, &done), E_OK);
	memset(&fake_disk, 0, sizeof(fake_disk));
	place(&t, store);
	cr_expect_eq(turn(&t, store, &roomy, &done), E_OK);
	cr_expect_eq(done.rows, 20);
	help_expect_rows(0, 1, 20);
	end(&t, store);
	journal_close(&j);
}
