/* cpus.c - how many processors this gateway may use.
 *
 * The lesser of what the scheduler allows (affinity) and what the control group is given (quota, of v2 or
 * v1, its own or any ancestor's). Inside a container the group's path may be the host's, which is not
 * visible there; then the mount's own root is the group.
 */
#include "master_room.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define CPUS_PATH 1024

static bool
cpus_read(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");
	bool ok;

	if (f == NULL)
		return false;
	ok = fgets(line, (int)size, f) != NULL;
	fclose(f);
	return ok;
}

/* Keeps the lesser quota, rounded up; a period of nothing or a quota of "max" or -1 is none. */
static void
cpus_lower(unsigned *least, long long quota, long long period)
{
	unsigned n;

	if (quota <= 0 || period <= 0 || quota / period >= 1000000)
		return;
	n = (unsigned)((quota + period - 1) / period);
	if (*least == 0 || n < *least)
		*least = n;
}

static void
cpus_group_v2(const char *dir, unsigned *least)
{
	char path[CPUS_PATH + 32], line[64];
	long long quota, period;

	snprintf(path, sizeof(path), "%s/cpu.max", dir);
	if (cpus_read(path, line, sizeof(line)) && sscanf(line, "%lld %lld", &quota, &period) == 2)
		cpus_lower(least, quota, period);
}

static void
cpus_group_v1(const char *dir, unsigned *least)
{
	char path[CPUS_PATH + 32], quota[32], period[32];

	snprintf(path, sizeof(path), "%s/cpu.cfs_quota_us", dir);
	if (!cpus_read(path, quota, sizeof(quota)))
		return;
	snprintf(path, sizeof(path), "%s/cpu.cfs_period_us", dir);
	if (cpus_read(path, period, sizeof(period)))
		cpus_lower(least, strtoll(quota, NULL, 10), strtoll(period, NULL, 10));
}

/* The group and all above it, up to the mount. */
static void
cpus_walk(const char *mount, const char *controller, const char *group,
    void (*look)(const char *dir, unsigned *least), unsigned *least)
{
	char dir[CPUS_PATH], *slash;
	size_t root;
	int n;

	n = snprintf(
	    dir, sizeof(dir), "%s%s%s", mount, controller[0] != '\0' ? "/" : "", controller);
	root = (size_t)n;
	if (n < 0 || root >= sizeof(dir) ||
	    text_copy(dir + root, sizeof(dir) - root, group) != E_OK)
		return;
	for (;;) {
		look(dir, least);
		slash = strrchr(dir + root, '/');
		if (slash == NULL)
			return;
		*slash = '\0';
	}
}

static bool
cpus_names_cpu(const char *controllers)
{
	char list[256], *rest = list, *one;

	(void)text_copy(list, sizeof(list), controllers);
	while (rest != NULL)
		if ((one = text_split(&rest, ',')) != NULL && strcmp(one, "cpu") == 0)
			return true;
	return false;
}

/* A line is "number:controllers:path"; v2 has number 0 and no controllers. */
static void
cpus_line(char *line, const char *mount, unsigned *least)
{
	char *rest = line, *number, *controllers;

	line[strcspn(line, "\n")] = '\0';
	number = text_split(&rest, ':');
	controllers = rest != NULL ? text_split(&rest, ':') : NULL;
	if (number == NULL || controllers == NULL || rest == NULL || rest[0] != '/')
		return;
	if (controllers[0] == '\0') {
		cpus_walk(mount, "", rest, cpus_group_v2, least);
		cpus_walk(mount, "unified", rest, cpus_group_v2, least);
	} else if (cpus_names_cpu(controllers)) {
		cpus_walk(mount, controllers, rest, cpus_group_v1, least);
		cpus_walk(mount, "cpu", rest, cpus_group_v1, least);
	}
}

unsigned
cpus_quota(const char *self_cgroup, const char *mount)
{
	FILE *f = fopen(self_cgroup, "re");
	char line[CPUS_PATH];
	unsigned least = 0;

	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		cpus_line(line, mount, &least);
	fclose(f);
	return least;
}

unsigned
cpus_within(const char *self_cgroup, const char *mount)
{
	unsigned quota = cpus_quota(self_cgroup, mount), n = 1;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
		n = (unsigned)CPU_COUNT(&set);
	return quota > 0 && quota < n ? quota : n;
}

unsigned
cpus_usable(void)
{
	return cpus_within("/proc/self/cgroup", "/sys/fs/cgroup");
}
