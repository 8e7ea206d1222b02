/* test_look.c - what is seen of machine and disk, on a board. */
#include <criterion/criterion.h>
#include <unistd.h>

#include "clock.h"
#include "health.h"

static struct board *board;
static struct stats master, writer;

static void
setup(void)
{
	int rw, ro;

	board = board_create(&rw, &ro);
	master.mine = board_slot(board, "master", ROLE_MASTER);
	writer.mine = board_slot(board, "cache-writer", ROLE_CACHE_WRITER);
	master.all = writer.all = board;
}

TestSuite(look, .init = setup);

Test(look, the_machine_is_seen)
{
	struct system_look l = { 0 };

	system_look(&l, &master);
	cr_expect_gt(metric_read(master.mine, M_MACHINE_MEMORY, 0, 0), 1 << 20);
	cr_expect_gt(metric_read(master.mine, M_MACHINE_MEMORY_LEFT, 0, 0), 0);
	cr_expect_leq(metric_read(master.mine, M_MACHINE_BUSY, 0, 0), 1000);
	cr_expect_gt(l.all, 0);
}

Test(look, a_process_sees_what_it_uses)
{
	struct usage u = { 0 };
	uint64_t first, fds;
	int fd;

	usage_look(&u, &master);
	first = metric_read(master.mine, M_PROCESS_CPU, 0, 0);
	fds = metric_read(master.mine, M_PROCESS_FDS, 0, 0);
	cr_expect_gt(first, 0);
	cr_expect_gt(metric_read(master.mine, M_PROCESS_RSS, 0, 0), 100 * 1024);
	cr_expect_geq(metric_read(master.mine, M_PROCESS_FDS_MAX, 0, 0), fds);
	fd = dup(1);
	cr_assert_geq(fd, 0);
	for (int i = 0; i < 10; i++)
		usage_look(&u, &master);
	cr_expect_eq(metric_read(master.mine, M_PROCESS_FDS, 0, 0), fds + 1);
	cr_expect_geq(metric_read(master.mine, M_PROCESS_CPU, 0, 0), first);
	close(fd);
}

static bool
is_low(uint64_t all, uint64_t left)
{
	struct health_own own = { .state_dir = "/" };
	struct health_facts f;

	metric_set(&writer, M_STATE_DISK, 0, 0, all);
	metric_set(&writer, M_STATE_DISK_LEFT, 0, 0, left);
	health_gather(board, &own, clock_wall(), &f);
	return f.disk_low;
}

Test(look, a_disk_is_low_when_little_is_left_by_share_and_by_size)
{
	const uint64_t gib = UINT64_C(1) << 30;

	cr_expect_not(is_low(0, 0), "nobody has looked");
	cr_expect(is_low(100 * gib, 0));
	cr_expect(is_low(100 * gib, gib - 1));
	cr_expect_not(is_low(100 * gib, gib), "a gigabyte is enough");
	cr_expect_not(is_low(gib, gib / 10), "a tenth of a small disk is enough");
	cr_expect(is_low(gib, gib / 21));
}
