/* test_kill.c - a writer killed at any instant, again and again, while a reader reads. */
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "journal_help.h"

TestSuite(kill, .init = help_setup_disk, .fini = help_teardown, .timeout = 120);

enum { KILLS = 200, BATCH_MAX = 100, LOOK = 500 };

struct shared {		       /* between the test and its writers */
	atomic_ullong flushed; /* sequence of the last record a writer was told is in the journal */
	atomic_ullong stored;  /* read by the test: segments below may go */
	atomic_ullong flushes;
};

/* Appends trades whose id is the sequence they must get, until killed. */
static void
write_until_killed(struct shared *shared, unsigned seed)
{
	const struct journal_limits limits = { .segment_bytes = 100000, .max_bytes = 1 << 30 };
	struct journal *j = NULL;
	uint64_t last, next;

	if (journal_open(&j, help_dir, HELP_SOURCE, &limits) != E_OK)
		_exit(1);
	/* The very first writer does not know where a new journal begins: one record tells it. */
	if ((last = journal_last(j)) == 0) {
		struct trade t = help_trade(0);

		if (journal_append(j, MSG_TRADE, &t) != E_OK ||
		    journal_flush(j, &last, NULL) != E_OK)
			_exit(1);
	}
	for (;;) {
		int count = 1 + rand_r(&seed) % BATCH_MAX;

		next = last + 1;
		for (int i = 0; i < count; i++) {
			struct trade t = help_trade(next + (uint64_t)i);

			if (journal_append(j, MSG_TRADE, &t) != E_OK)
				_exit(1);
		}
		if (journal_flush(j, &last, NULL) != E_OK || last != next + (uint64_t)count - 1)
			_exit(1);
		atomic_store(&shared->flushed, last);
		atomic_fetch_add(&shared->flushes, 1);
		journal_passed(j, atomic_load(&shared->stored));
	}
}

/* At most `count`: a living writer may be faster than we are. */
static void
read_on(struct journal_reader *reader, uint64_t *last, uint64_t count)
{
	struct journal_record record;
	int r = E_OK;

	while (count-- > 0 && (r = journal_read(reader, &record)) == E_OK) {
		cr_assert(help_is_intact(&record));
		if (*last == 0) {
			cr_assert_eq(record.value.trade.trade_id, 0);
		} else {
			cr_assert_eq(record.sequence, *last + 1, "without gap or repetition");
			cr_assert_eq(record.value.trade.trade_id, record.sequence);
		}
		*last = record.sequence;
	}
	cr_assert(r == E_OK || r == E_PARTIAL,
	    "%s after %" PRIu64 " of the reader, %" PRIu64 " of ours; %" PRIu64 " skipped",
	    err_name(r), journal_reader_after(reader), *last, journal_reader_skipped(reader));
}

Test(kill, two_hundred_kills_of_the_writer_leave_every_flushed_record_to_be_read_once)
{
	struct shared *shared =
	    mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct journal_reader *reader = help_reader(0);
	uint64_t last = 0, flushes;
	unsigned seed = 1;
	int status;

	cr_assert_neq(shared, MAP_FAILED);
	for (int i = 0; i < KILLS; i++) {
		int wanted = 1 + rand_r(&seed) % 4;
		pid_t pid;

		flushes = atomic_load(&shared->flushes) + (uint64_t)wanted;
		if ((pid = fork()) == 0)
			write_until_killed(shared, seed);
		while (
		    atomic_load(&shared->flushes) < flushes && waitpid(pid, &status, WNOHANG) == 0)
			read_on(reader, &last, LOOK);
		/* A moment that has nothing to do with where the writer is. */
		usleep((useconds_t)rand_r(&seed) % 1000);
		cr_assert_eq(kill(pid, SIGKILL), 0);
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		cr_assert(WIFSIGNALED(status), "the writer ended by itself");
		atomic_store(&shared->stored, last);
		/* Every fifth time a new reader goes on where the old one stopped. */
		if (i % 5 == 4) {
			journal_reader_close(&reader);
			reader = help_reader(last);
		}
	}
	read_on(reader, &last, UINT64_MAX);
	cr_expect_geq(last, atomic_load(&shared->flushed), "what a flush promised is there");
	cr_expect_eq(journal_reader_skipped(reader), 0);
	journal_reader_close(&reader);
}
