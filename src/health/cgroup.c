/* cgroup.c - what the control group lets this gateway use, of version 2 and 1.
 *
 * A limit may stand at the group itself or at any above it: the least counts. Inside a container the group's path may be
 * the host's, which is not visible there; then the mount's own root is the group.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "health_room.h"
#include "text.h"

#define PATH_ROOM 1024
#define LINE_ROOM 1024
#define NO_LIMIT  (UINT64_C(1) << 60) /* v1 says so with a number near 2^63 */
#define CPU_ONE	  1000		      /* a processor, in thousandths */

struct group_kind {
	const char *memory_max, *memory_high, *memory_used, *file_pages, *file_in_use;
	bool is_v2;
};

static const struct group_kind kind_v2 = { "memory.max", "memory.high", "memory.current",
	"\ninactive_file ", "\nactive_file ", true };
static const struct group_kind kind_v1 = { "memory.limit_in_bytes", NULL, "memory.usage_in_bytes",
	"\ntotal_inactive_file ", "\ntotal_active_file ", false };

static bool
group_text(const char *dir, const char *name, char text[SMALL_FILE])
{
	char path[PATH_ROOM + 64];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return file_read(path, text);
}

/* 0 for "max", a negative number, and where there is no such file. */
static uint64_t
group_number(const char *dir, const char *name)
{
	char text[SMALL_FILE];
	uint64_t n;

	if (!group_text(dir, name, text) || text[0] < '0' || text[0] > '9')
		return 0;
	n = strtoull(text, NULL, 10);
	return n < NO_LIMIT ? n : 0;
}

/* The number behind `name` in lines of "name number". */
static uint64_t
group_stat(const char *dir, const char *file, const char *name)
{
	char text[SMALL_FILE];
	const char *at;

	if (!group_text(dir, file, text) || (at = strstr(text, name)) == NULL)
		return 0;
	return strtoull(at + strlen(name), NULL, 10);
}

static void
least(uint64_t *have, uint64_t n)
{
	if (n > 0 && (*have == 0 || n < *have))
		*have = n;
}

static void
limits_cpu(struct cgroup_limits *l, const char *dir, bool is_v2)
{
	unsigned long long quota = 0, period = 0;
	char text[SMALL_FILE];

	if (is_v2) {
		if (!group_text(dir, "cpu.max", text) ||
		    sscanf(text, "%llu %llu", &quota, &period) != 2)
			return;
	} else {
		quota = group_number(dir, "cpu.cfs_quota_us");
		period = group_number(dir, "cpu.cfs_period_us");
	}
	if (quota > 0 && period > 0 && quota / period < 1000000)
		least(&l->cpu_milli, quota * CPU_ONE / period);
}

/* Pages of files that nobody touched lately are given back before anybody is killed: the kubelet does not count them either. */
static uint64_t
memory_used(const char *dir, const struct group_kind *kind)
{
	uint64_t used = group_number(dir, kind->memory_used);
	uint64_t file = group_stat(dir, "memory.stat", kind->file_pages);

	return file < used ? used - file : used;
}

/* What of these is not there is 0, so that one function does for every controller. */
static void
limits_of_group(
    struct cgroup_limits *l, const char *dir, const struct group_kind *kind, bool is_own)
{
	least(&l->memory_bytes, group_number(dir, kind->memory_max));
	if (kind->memory_high != NULL) /* from there on the kernel slows it down */
		least(&l->memory_bytes, group_number(dir, kind->memory_high));
	limits_cpu(l, dir, kind->is_v2);
	if (!is_own)
		return;
	if (l->memory_used_bytes == 0) {
		l->memory_used_bytes = memory_used(dir, kind);
		l->memory_file_bytes = group_stat(dir, "memory.stat", kind->file_in_use);
	}
	if (l->throttled_ns == 0)
		l->throttled_ns =
		    kind->is_v2 ? group_stat(dir, "cpu.stat", "throttled_usec ") * (CLOCK_MS / 1000)
				: group_stat(dir, "cpu.stat", "throttled_time ");
}

static bool
group_is_there(const char *dir)
{
	char text[SMALL_FILE];

	return group_text(dir, "cgroup.procs", text) || group_text(dir, "cgroup.controllers", text);
}

/* The group and all above it, up to the mount of its controller. The first that can be seen is its own. */
static void
limits_walk(struct cgroup_limits *l, const char *mount, const char *controller, const char *group,
    const struct group_kind *kind)
{
	char dir[PATH_ROOM], *slash;
	bool is_own = true;
	size_t root;
	int n;

	n = snprintf(
	    dir, sizeof(dir), "%s%s%s", mount, controller[0] != '\0' ? "/" : "", controller);
	root = (size_t)n;
	if (n < 0 || root >= sizeof(dir) ||
	    text_copy(dir + root, sizeof(dir) - root, group) != E_OK)
		return;
	for (;;) {
		limits_of_group(l, dir, kind, is_own);
		is_own = is_own && !group_is_there(dir);
		if ((slash = strrchr(dir + root, '/')) == NULL)
			return;
		*slash = '\0';
	}
}

static bool
list_names(const char *controllers, const char *name)
{
	char list[256], *rest = list, *one;

	(void)text_copy(list, sizeof(list), controllers);
	while (rest != NULL)
		if ((one = text_split(&rest, ',')) != NULL && strcmp(one, name) == 0)
			return true;
	return false;
}

/* A line is "number:controllers:path"; v2 has number 0 and no controllers. */
static void
limits_line(struct cgroup_limits *l, char *line, const char *mount)
{
	char *rest = line, *controllers;

	line[strcspn(line, "\n")] = '\0';
	(void)text_split(&rest, ':');
	controllers = rest != NULL ? text_split(&rest, ':') : NULL;
	if (controllers == NULL || rest == NULL || rest[0] != '/')
		return;
	if (controllers[0] == '\0') {
		limits_walk(l, mount, "", rest, &kind_v2);
		limits_walk(l, mount, "unified", rest, &kind_v2);
	} else if (list_names(controllers, "memory")) {
		limits_walk(l, mount, "memory", rest, &kind_v1);
	} else if (list_names(controllers, "cpu")) {
		limits_walk(l, mount, "cpu", rest, &kind_v1);
		limits_walk(l, mount, controllers, rest, &kind_v1);
	}
}

void
cgroup_read(const char *self_cgroup, const char *mount, struct cgroup_limits *l)
{
	FILE *f = fopen(self_cgroup, "re");
	char line[LINE_ROOM];

	*l = (struct cgroup_limits){ 0 };
	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL)
		limits_line(l, line, mount);
	(void)fclose(f);
}
