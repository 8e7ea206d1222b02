/* test_sync.c - forcing to disk by a thread: who writes is never held up, and hears of failures. */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "journal_help.h"

/* In front of the C library's: a disk that can be made to stand still, or to refuse. */
static atomic_bool disk_stands, disk_refuses;
static atomic_int syncs_begun, syncs_done;

int
fsync(int fd)
{
	int r = 0;

	atomic_fetch_add(&syncs_begun, 1);
	while (atomic_load(&disk_stands))
		poll(NULL, 0, 1);
	if (atomic_load(&disk_refuses)) {
		errno = EIO;
		r = -1;
	} else {
		r = (int)syscall(SYS_fsync, fd);
	}
	atomic_fetch_add(&syncs_done, 1);
	return r;
}

static void
wait_for(atomic_int *what, int number)
{
	while (atomic_load(what) < number)
		poll(NULL, 0, 1);
}

TestSuite(sync, .init = help_setup, .fini = help_teardown, .timeout = 30);

static const struct journal_limits tiny = { .segment_bytes = 1024, .max_bytes = 1 << 20 };

Test(sync, a_disk_that_stands_still_holds_up_neither_syncs_nor_new_segments)
{
	struct journal *j = help_open(&tiny);
	int begun;

	help_append(j, 1, 1);
	atomic_store(&disk_stands, true);
	cr_expect_eq(journal_sync_begin(j), E_OK);
	wait_for(&syncs_begun, 1);
	begun = atomic_load(&syncs_begun);
	help_append(j, 2, 25); /* begins a few segments */
	cr_expect_gt(help_segment_count(), 1);
	cr_expect_lt(help_segment_count(), 6, "fewer than may wait");
	for (int i = 0; i < 100; i++)
		cr_expect_eq(journal_sync_begin(j), E_OK);
	cr_expect_eq(atomic_load(&syncs_begun), begun, "one at a time");
	atomic_store(&disk_stands, false);
	wait_for(&syncs_done, 2 + (int)help_segment_count() - 1);
	journal_close(&j);
}

Test(sync, a_failure_is_told_once_and_the_sync_repeated)
{
	struct journal *j = help_open(&help_roomy);
	int r = E_OK, done;

	help_append(j, 1, 1);
	atomic_store(&disk_refuses, true);
	cr_expect_eq(journal_sync_begin(j), E_OK);
	while ((r = journal_sync_begin(j)) == E_OK)
		poll(NULL, 0, 1);
	cr_expect_eq(r, E_SYSTEM);
	atomic_store(&disk_refuses, false);
	done = atomic_load(&syncs_done);
	while (journal_sync_begin(j) != E_OK) /* the folder's failure may be told apart */
		poll(NULL, 0, 1);
	wait_for(&syncs_done, done + 1);
	for (int i = 0; i < 20; i++, poll(NULL, 0, 1))
		cr_expect_eq(journal_sync_begin(j), E_OK);
	journal_close(&j);
}

Test(sync, closing_waits_for_the_thread_a_bounded_time_only)
{
	struct journal *j = help_open(&help_roomy);
	int64_t before = clock_mono();

	help_append(j, 1, 1);
	atomic_store(&disk_stands, true);
	cr_expect_eq(journal_sync_begin(j), E_OK);
	wait_for(&syncs_begun, 1);
	struct syncer *s = j->syncer;
	j->syncer = NULL;
	syncer_close(&s);
	cr_expect_lt(clock_mono() - before, 10 * CLOCK_SEC);
	atomic_store(&disk_stands, false);
	wait_for(&syncs_done, 2);
	journal_close(&j);
}

Test(sync, a_fork_without_the_thread_closes_at_once)
{
	struct journal *j = help_open(&help_roomy);
	int status;
	pid_t pid;

	help_append(j, 1, 1);
	cr_expect_eq(journal_sync_begin(j), E_OK);
	if ((pid = fork()) == 0) {
		journal_close(&j);
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	journal_close(&j);
}
