/* look.c - the master's look at machine and control group, once a second, onto its own page.
 *
 * Files of /proc and /sys are made when they are read: no disk is waited for. How full the disk of the state directory is
 * the cache-writer tells, which waits for that disk anyway.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "health_room.h"
#include "label.h"

#define TICKS_MAX 8 /* user nice system idle iowait irq softirq steal; guest is in user */

static uint64_t
kib_after(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at != NULL ? strtoull(at + strlen(name), NULL, 10) * 1024 : 0;
}

static void
look_memory(struct stats *s)
{
	char text[SMALL_FILE] = "";

	(void)file_read("/proc/meminfo", text);
	metric_set(s, M_MACHINE_MEMORY, 0, 0, kib_after(text, "MemTotal:"));
	metric_set(s, M_MACHINE_MEMORY_LEFT, 0, 0, kib_after(text, "MemAvailable:"));
}

/* Ticks of all processors since the machine started: "cpu  user nice system idle iowait ...". */
static bool
ticks_read(uint64_t *busy, uint64_t *all)
{
	char text[SMALL_FILE], *at;
	uint64_t ticks;

	*busy = *all = 0;
	if (!file_read("/proc/stat", text) || strncmp(text, "cpu ", 4) != 0)
		return false;
	at = text + 4;
	for (int i = 0; i < TICKS_MAX; i++) {
		ticks = strtoull(at, &at, 10);
		*all += ticks;
		*busy += i == 3 || i == 4 ? 0 : ticks;
	}
	return true;
}

static void
look_processors(struct system_look *l, struct stats *s)
{
	uint64_t busy, all;
	double load;

	if (ticks_read(&busy, &all) && all > l->all && busy >= l->busy) {
		if (l->all > 0)
			metric_set(
			    s, M_MACHINE_BUSY, 0, 0, (busy - l->busy) * 1000 / (all - l->all));
		l->busy = busy;
		l->all = all;
	}
	if (getloadavg(&load, 1) == 1)
		metric_set(s, M_MACHINE_LOAD, 0, 0, (uint64_t)(load * 1000));
}

/* Journal and store fill what is free with pages of their files, and what was read twice stays: a group at its limit by
 * these alone is well, the kernel gives them back before it refuses anybody. */
void
cgroup_note(struct stats *s, const struct cgroup_limits *l)
{
	uint64_t used = l->memory_used_bytes;

	used -= l->memory_file_bytes < used ? l->memory_file_bytes : used;
	if (trouble_is_near(used, l->memory_bytes))
		trouble_note(s, LABEL(trouble, MEMORY),
		    "control group: %" PRIu64 " of %" PRIu64 " bytes of memory in use", used,
		    l->memory_bytes);
}

static void
look_group(struct system_look *l, struct stats *s)
{
	struct cgroup_limits limits;

	cgroup_read("/proc/self/cgroup", "/sys/fs/cgroup", &limits);
	metric_set(s, M_CGROUP_MEMORY, 0, 0, limits.memory_used_bytes);
	metric_set(s, M_CGROUP_MEMORY_LIMIT, 0, 0, limits.memory_bytes);
	cgroup_note(s, &limits);
	metric_set(s, M_CGROUP_CPU_LIMIT, 0, 0, limits.cpu_milli);
	if (limits.throttled_ns > l->throttled_ns && l->all > 0)
		metric_add(s, M_CGROUP_THROTTLED, 0, 0, limits.throttled_ns - l->throttled_ns);
	l->throttled_ns = limits.throttled_ns;
}

void
system_look(struct system_look *l, struct stats *s)
{
	look_memory(s);
	look_group(l, s);
	look_processors(l, s);
}
