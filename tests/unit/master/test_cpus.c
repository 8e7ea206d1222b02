/* test_cpus.c - the quota of control groups, read from folders made to look like them. */
#include <criterion/criterion.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "master_room.h"
#include "stage.h"

static char root[] = "/tmp/opitios-cpus-XXXXXX", self[64], mount[64];

static void
setup(void)
{
	cr_assert_not_null(mkdtemp(root));
	snprintf(self, sizeof(self), "%s/self", root);
	snprintf(mount, sizeof(mount), "%s/fs", root);
}

static void
teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	cr_assert_eq(system(command), 0);
}

static void
put(const char *path, const char *text)
{
	char full[256], command[300], *slash;
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", root, path);
	slash = strrchr(full, '/');
	snprintf(command, sizeof(command), "mkdir -p '%.*s'", (int)(slash - full), full);
	cr_assert_eq(system(command), 0);
	f = fopen(full, "w");
	fputs(text, f);
	fclose(f);
}

TestSuite(cpus, .init = setup, .fini = teardown, .timeout = 60);

Test(cpus, without_any_group_there_is_no_quota)
{
	cr_expect_eq(cpus_quota(self, mount), 0);
	put("self", "0::/\n");
	cr_expect_eq(cpus_quota(self, mount), 0);
}

Test(cpus, max_of_version_2_is_no_quota)
{
	put("self", "0::/a\n");
	put("fs/a/cpu.max", "max 100000\n");
	cr_expect_eq(cpus_quota(self, mount), 0);
}

Test(cpus, a_quota_of_version_2_is_rounded_up)
{
	put("self", "0::/a/b\n");
	put("fs/a/b/cpu.max", "150000 100000\n");
	cr_expect_eq(cpus_quota(self, mount), 2);
}

Test(cpus, less_than_one_processor_counts_as_one)
{
	put("self", "0::/a\n");
	put("fs/a/cpu.max", "10000 100000\n");
	cr_expect_eq(cpus_quota(self, mount), 1);
}

Test(cpus, the_tightest_ancestor_decides)
{
	put("self", "0::/a/b/c\n");
	put("fs/a/cpu.max", "300000 100000\n");
	put("fs/a/b/cpu.max", "700000 100000\n");
	put("fs/a/b/c/cpu.max", "max 100000\n");
	cr_expect_eq(cpus_quota(self, mount), 3);
}

Test(cpus, inside_a_container_the_mount_is_the_group)
{
	put("self", "0::/docker/0123456789\n");
	put("fs/cpu.max", "400000 100000\n");
	cr_expect_eq(cpus_quota(self, mount), 4);
}

Test(cpus, version_1_has_quota_and_period_apart)
{
	put("self", "5:memory:/m\n3:cpu,cpuacct:/x\n");
	put("fs/cpu,cpuacct/x/cpu.cfs_quota_us", "250000\n");
	put("fs/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n");
	cr_expect_eq(cpus_quota(self, mount), 3);
}

Test(cpus, version_1_may_mount_cpu_alone)
{
	put("self", "3:cpuacct,cpu:/x\n");
	put("fs/cpu/x/cpu.cfs_quota_us", "500000\n");
	put("fs/cpu/x/cpu.cfs_period_us", "250000\n");
	cr_expect_eq(cpus_quota(self, mount), 2);
}

Test(cpus, minus_one_of_version_1_is_no_quota)
{
	put("self", "1:cpu:/\n");
	put("fs/cpu/cpu.cfs_quota_us", "-1\n");
	put("fs/cpu/cpu.cfs_period_us", "100000\n");
	cr_expect_eq(cpus_quota(self, mount), 0);
}

Test(cpus, a_mix_of_both_takes_the_lesser)
{
	put("self", "1:cpu:/x\n0::/y\n");
	put("fs/cpu/x/cpu.cfs_quota_us", "600000\n");
	put("fs/cpu/x/cpu.cfs_period_us", "100000\n");
	put("fs/unified/y/cpu.max", "200000 100000\n");
	cr_expect_eq(cpus_quota(self, mount), 2);
}

Test(cpus, another_controller_whose_name_holds_cpu_is_not_cpu)
{
	put("self", "2:cpuset:/x\n");
	put("fs/cpuset/x/cpu.cfs_quota_us", "100000\n");
	put("fs/cpuset/x/cpu.cfs_period_us", "100000\n");
	cr_expect_eq(cpus_quota(self, mount), 0);
}

Test(cpus, nonsense_is_no_quota)
{
	put("self", "0::/a\nnonsense\n:::\n");
	put("fs/a/cpu.max", "nonsense\n");
	cr_expect_eq(cpus_quota(self, mount), 0);
	put("fs/a/cpu.max", "100000 0\n");
	cr_expect_eq(cpus_quota(self, mount), 0);
}

Test(cpus, at_least_one_is_usable)
{
	cr_expect_geq(cpus_usable(), 1);
}

/* Affinity: this process may run on the first n of those it may run on now; how many that are. */
static unsigned
narrow(unsigned n)
{
	cpu_set_t now, less;
	unsigned kept = 0;
	int i;

	CPU_ZERO(&less);
	cr_assert_eq(sched_getaffinity(0, sizeof(now), &now), 0);
	for (i = 0; i < CPU_SETSIZE && kept < n; i++) {
		if (!CPU_ISSET(i, &now))
			continue;
		CPU_SET(i, &less);
		kept++;
	}
	cr_assert_eq(sched_setaffinity(0, sizeof(less), &less), 0);
	return kept;
}

static void
put_quota_v1(const char *quota)
{
	put("self", "4:cpu,cpuacct:/x\n");
	put("fs/cpu,cpuacct/x/cpu.cfs_quota_us", quota);
	put("fs/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n");
}

Test(cpus, affinity_decides_where_there_is_no_quota)
{
	unsigned kept = narrow(2);

	cr_expect_eq(cpus_within(self, mount), kept);
	put("self", "0::/a\n");
	put("fs/a/cpu.max", "max 100000\n");
	cr_expect_eq(cpus_within(self, mount), kept);
	cr_expect_eq(narrow(1), 1);
	cr_expect_eq(cpus_within(self, mount), 1);
}

Test(cpus, affinity_below_the_quota_decides)
{
	unsigned kept = narrow(2);

	put("self", "0::/a\n");
	put("fs/a/cpu.max", "6400000 100000\n");
	cr_expect_eq(cpus_within(self, mount), kept);
	put_quota_v1("6400000\n");
	cr_expect_eq(cpus_within(self, mount), kept);
}

Test(cpus, a_quota_below_affinity_decides)
{
	put("self", "0::/a\n");
	put("fs/a/cpu.max", "90000 100000\n");
	cr_expect_eq(cpus_within(self, mount), 1);
	put_quota_v1("50000\n");
	cr_expect_eq(cpus_within(self, mount), 1);
}

Test(cpus, a_nested_quota_of_version_1_counts_against_affinity)
{
	put("self", "4:cpu,cpuacct:/pod/container\n");
	put("fs/cpu,cpuacct/pod/cpu.cfs_quota_us", "100000\n");
	put("fs/cpu,cpuacct/pod/cpu.cfs_period_us", "100000\n");
	put("fs/cpu,cpuacct/pod/container/cpu.cfs_quota_us", "-1\n");
	put("fs/cpu,cpuacct/pod/container/cpu.cfs_period_us", "100000\n");
	cr_expect_eq(cpus_within(self, mount), 1);
}

static unsigned
http_workers(const char *setting)
{
	struct stage st;
	unsigned n = 0, i;

	stage_open(&st);
	stage_start(&st, (const char *[]){ setting, NULL });
	stage_ready(&st);
	for (i = 0; i < st.board->slot_count; i++)
		n += st.board->slots[i].role == ROLE_HTTP && st.board->slots[i].ready_ns != 0;
	stage_close(&st);
	return n;
}

Test(cpus, the_master_starts_as_many_http_workers_and_a_number_that_is_set_wins)
{
	cr_assert_eq(narrow(1), 1);
	cr_expect_eq(http_workers("--http.workers=0"), 1);
	cr_expect_eq(http_workers("--http.workers=3"), 3);
}
