/* test_board.c - the shared memory: who maps what, and what outlives whom. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "label.h"
#include "metric.h"

static struct board *board;
static int rw, ro;

static void
set_up(void)
{
	board = board_create(&rw, &ro);
}

TestSuite(board, .init = set_up);

Test(board, a_new_one_is_empty_and_its_size_is_sealed)
{
	cr_expect_eq(board->slot_count, 0);
	cr_expect_gt(board->started_ns, 0);
	cr_expect_eq(lseek(rw, 0, SEEK_END), (off_t)sizeof(*board));
	cr_expect_eq(ftruncate(rw, 0), -1);
	cr_expect_eq(ftruncate(rw, 1 << 28), -1);
}

Test(board, the_read_only_descriptor_cannot_write)
{
	cr_expect_eq(write(ro, "x", 1), -1);
	cr_expect_eq(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0), MAP_FAILED);
}

Test(board, a_slot_keeps_its_page)
{
	struct slot_page *a = board_slot(board, "http-0", ROLE_HTTP);
	struct slot_page *b = board_slot(board, "fetcher-rest", ROLE_FETCHER);

	cr_assert(a != NULL && b != NULL && a != b);
	cr_expect_eq(board_slot(board, "http-0", ROLE_HTTP), a);
	cr_expect_eq(board->slot_count, 2);
	cr_expect_str_eq(b->slot, "fetcher-rest");
	cr_expect_eq(b->role, ROLE_FETCHER);
	cr_expect_eq((uintptr_t)a % 4096, 0);
}

Test(board, there_is_an_end_of_pages)
{
	char name[SLOT_NAME];

	for (int i = 0; i < BOARD_SLOTS; i++) {
		snprintf(name, sizeof(name), "http-%d", i);
		cr_assert_not_null(board_slot(board, name, ROLE_HTTP));
	}
	cr_expect_null(board_slot(board, "http-one-more", ROLE_HTTP));
	cr_expect_not_null(board_slot(board, "http-7", ROLE_HTTP));
}

Test(board, a_worker_writes_its_own_page_and_reads_all)
{
	struct slot_page *page = board_slot(board, "http-0", ROLE_HTTP);
	struct stats s = { .mine = NULL };

	board_slot(board, "http-1", ROLE_HTTP);
	cr_assert_eq(board_attach(rw, ro, "http-1", &s), E_OK);
	metric_add(&s, M_HTTP_ACCEPTED, 0, 0, 5);
	cr_expect_eq(metric_read(&board->slots[1], M_HTTP_ACCEPTED, 0, 0), 5);
	cr_expect_eq(metric_read(page, M_HTTP_ACCEPTED, 0, 0), 0);
	page->cells[0] = 77;
	cr_expect_eq(s.all->slots[0].cells[0], 77);
	cr_expect_eq(fcntl(rw, F_GETFD), -1, "both descriptors are closed");
	cr_expect_eq(fcntl(ro, F_GETFD), -1);
}

/* The kernel refuses what would kill the process if it did it itself. */
Test(board, the_whole_cannot_be_written)
{
	struct stats s;
	int zero = open("/dev/zero", O_RDONLY);

	board_slot(board, "http-0", ROLE_HTTP);
	board_slot(board, "http-1", ROLE_HTTP);
	cr_assert_eq(board_attach(rw, ro, "http-1", &s), E_OK);
	cr_expect_eq(read(zero, (void *)(uintptr_t)&s.all->slots[0].cells[0], 8), -1);
	cr_expect_eq(errno, EFAULT);
	cr_expect_eq(read(zero, (void *)(uintptr_t)&s.all->slots[1].cells[0], 8), -1,
	    "not even its own there");
	cr_expect_eq(read(zero, &s.mine->cells[0], 8), 8);
}

Test(board, a_slot_without_a_page_is_not_attached)
{
	struct stats s = { .mine = (void *)1 };

	cr_expect_eq(board_attach(rw, ro, "http-9", &s), E_ABSENT);
	cr_expect_eq(s.mine, (void *)1, "untouched on failure");
	cr_expect_eq(fcntl(rw, F_GETFD), -1, "closed all the same");
}

Test(board, a_stranger_is_refused)
{
	struct stats s;

	board_slot(board, "http-0", ROLE_HTTP);
	board->layout ^= 1;
	cr_expect_eq(board_attach(dup(rw), dup(ro), "http-0", &s), E_VERSION);
	board->layout ^= 1;
	board->magic++;
	cr_expect_eq(board_attach(dup(rw), dup(ro), "http-0", &s), E_VERSION);
	board->magic--;
	cr_expect_eq(board_attach(dup(rw), open("/dev/null", O_RDONLY), "http-0", &s), E_VERSION);
	cr_expect_eq(board_attach(dup(rw), -1, "http-0", &s), E_SYSTEM);
	cr_expect_eq(board_attach(rw, ro, "http-0", &s), E_OK);
}

Test(board, counters_outlive_their_process_and_gauges_do_not)
{
	struct slot_page *page = board_slot(board, "http-0", ROLE_HTTP);
	pid_t child = fork();
	int status;

	cr_assert_geq(child, 0);
	if (child == 0) {
		struct stats s;

		if (board_attach(rw, ro, "http-0", &s) != E_OK)
			_exit(1);
		metric_add(&s, M_HTTP_ACCEPTED, 0, 0, 3);
		metric_observe(&s, M_HTTP_DURATION, 0, 5);
		metric_set(&s, M_HTTP_CONNECTIONS, 0, 0, 9);
		metric_set(&s, M_CACHE_BYTES, LABEL(layer, L1), 0, 9);
		s.mine->heartbeat_ns = 5;
		strcpy(s.mine->note, "busy");
		raise(SIGKILL);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFSIGNALED(status));
	cr_expect_eq(metric_read(page, M_HTTP_CONNECTIONS, 0, 0), 9, "a dead one can be read");
	board_slot_clear(page);
	cr_expect_eq(metric_read(page, M_HTTP_ACCEPTED, 0, 0), 3);
	cr_expect_eq(metric_read(page, M_HTTP_DURATION, 0, 0), 1);
	cr_expect_eq(metric_read(page, M_HTTP_CONNECTIONS, 0, 0), 0);
	cr_expect_eq(metric_read(page, M_CACHE_BYTES, LABEL(layer, L1), 0), 0);
	cr_expect_eq(page->heartbeat_ns, 0);
	cr_expect_eq(page->note[0], '\0');
}
