/* test_cgroup.c - limits of control groups, read from folders made to look like them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health.h"

static char root[] = "/tmp/opitios-cgroup-XXXXXX", self[64], mount[64];

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

static struct cgroup_limits
limits(void)
{
	struct cgroup_limits l;

	memset(&l, 0x55, sizeof(l));
	cgroup_read(self, mount, &l);
	return l;
}

TestSuite(cgroup, .init = setup, .fini = teardown, .timeout = 60);

Test(cgroup, without_any_group_nothing_is_limited)
{
	struct cgroup_limits l = limits();

	cr_expect_eq(l.memory_bytes, 0);
	put("self", "0::/\n");
	l = limits();
	cr_expect_eq(l.memory_bytes + l.memory_used_bytes + l.cpu_milli + l.throttled_ns, 0);
}

Test(cgroup, version_2_tells_memory_processors_and_how_long_it_was_throttled)
{
	struct cgroup_limits l;

	put("self", "0::/a\n");
	put("fs/a/cgroup.procs", "1\n");
	put("fs/a/memory.max", "536870912\n");
	put("fs/a/memory.current", "1048576\n");
	put("fs/a/cpu.max", "150000 100000\n");
	put("fs/a/cpu.stat", "usage_usec 1\nnr_throttled 2\nthrottled_usec 2500\n");
	l = limits();
	cr_expect_eq(l.memory_bytes, 536870912);
	cr_expect_eq(l.memory_used_bytes, 1048576);
	cr_expect_eq(l.cpu_milli, 1500);
	cr_expect_eq(l.throttled_ns, 2500000);
}

Test(cgroup, max_is_no_limit)
{
	struct cgroup_limits l;

	put("self", "0::/a\n");
	put("fs/a/memory.max", "max\n");
	put("fs/a/cpu.max", "max 100000\n");
	l = limits();
	cr_expect_eq(l.memory_bytes, 0);
	cr_expect_eq(l.cpu_milli, 0);
}

Test(cgroup, the_tightest_ancestor_decides_and_use_is_of_the_group_itself)
{
	struct cgroup_limits l;

	put("self", "0::/pod/box\n");
	put("fs/pod/box/cgroup.procs", "1\n");
	put("fs/pod/box/memory.max", "9000\n");
	put("fs/pod/box/memory.current", "11\n");
	put("fs/pod/box/cpu.max", "max 100000\n");
	put("fs/pod/memory.max", "4000\n");
	put("fs/pod/memory.current", "2222\n");
	put("fs/pod/cpu.max", "50000 100000\n");
	l = limits();
	cr_expect_eq(l.memory_bytes, 4000);
	cr_expect_eq(l.memory_used_bytes, 11);
	cr_expect_eq(l.cpu_milli, 500);
}

Test(cgroup, inside_a_container_the_mount_is_the_group)
{
	struct cgroup_limits l;

	put("self", "0::/kubepods/pod1/abc\n");
	put("fs/cgroup.controllers", "cpu memory\n");
	put("fs/memory.max", "1073741824\n");
	put("fs/memory.current", "5\n");
	l = limits();
	cr_expect_eq(l.memory_bytes, 1073741824);
	cr_expect_eq(l.memory_used_bytes, 5);
}

Test(cgroup, version_1_has_a_folder_for_each_controller)
{
	struct cgroup_limits l;

	put("self", "5:memory:/a\n4:cpu,cpuacct:/b\n3:pids:/c\n");
	put("fs/memory/a/cgroup.procs", "1\n");
	put("fs/memory/a/memory.limit_in_bytes", "2097152\n");
	put("fs/memory/a/memory.usage_in_bytes", "77\n");
	put("fs/cpu/b/cgroup.procs", "1\n");
	put("fs/cpu/b/cpu.cfs_quota_us", "25000\n");
	put("fs/cpu/b/cpu.cfs_period_us", "100000\n");
	put("fs/cpu/b/cpu.stat", "nr_periods 1\nthrottled_time 123\n");
	l = limits();
	cr_expect_eq(l.memory_bytes, 2097152);
	cr_expect_eq(l.memory_used_bytes, 77);
	cr_expect_eq(l.cpu_milli, 250);
	cr_expect_eq(l.throttled_ns, 123);
}

Test(cgroup, version_1_says_no_limit_with_a_number_nobody_has)
{
	struct cgroup_limits l;

	put("self", "5:memory:/\n4:cpu:/\n");
	put("fs/memory/memory.limit_in_bytes", "9223372036854771712\n");
	put("fs/cpu/cpu.cfs_quota_us", "-1\n");
	put("fs/cpu/cpu.cfs_period_us", "100000\n");
	l = limits();
	cr_expect_eq(l.memory_bytes, 0);
	cr_expect_eq(l.cpu_milli, 0);
}

Test(cgroup, nonsense_is_no_limit)
{
	struct cgroup_limits l;

	put("self", "garbage\n:::\n0::\n0:memory\n5:memory:../../etc\n0::/a\n");
	put("fs/a/memory.max", "lots\n");
	put("fs/a/cpu.max", "1 0\n");
	put("fs/a/cpu.stat", "");
	l = limits();
	cr_expect_eq(l.memory_bytes + l.memory_used_bytes + l.cpu_milli + l.throttled_ns, 0);
}

Test(cgroup, pages_of_files_are_no_use_and_the_kernel_slows_it_down_before_the_limit)
{
	struct cgroup_limits l;

	put("self", "0::/a\n");
	put("fs/a/cgroup.procs", "1\n");
	put("fs/a/memory.max", "4000\n");
	put("fs/a/memory.high", "3000\n");
	put("fs/a/memory.current", "2900\n");
	put("fs/a/memory.stat", "anon 900\nfile 2000\ninactive_file 1900\nactive_file 100\n");
	l = limits();
	cr_expect_eq(l.memory_bytes, 3000);
	cr_expect_eq(l.memory_used_bytes, 1000);
	cr_expect_eq(l.memory_file_bytes, 100);
	put("fs/a/memory.high", "max\n");
	put("fs/a/memory.stat", "anon 900\ninactive_file 5000\n");
	l = limits();
	cr_expect_eq(l.memory_bytes, 4000);
	cr_expect_eq(l.memory_used_bytes, 2900, "two looks that do not fit say nothing");
	put("self", "5:memory:/b\n");
	put("fs/memory/b/cgroup.procs", "1\n");
	put("fs/memory/b/memory.usage_in_bytes", "700\n");
	put("fs/memory/b/memory.stat", "cache 1\ninactive_file 1\nactive_file "
				       "2\ntotal_inactive_file 300\ntotal_active_file 70\n");
	l = limits();
	cr_expect_eq(l.memory_used_bytes, 400);
	cr_expect_eq(l.memory_file_bytes, 70);
}
