/* test_cpus.c - the quota of control groups, read from folders made to look like them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "master_room.h"

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

TestSuite(cpus, .init = setup, .fini = teardown);

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
