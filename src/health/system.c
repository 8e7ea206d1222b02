/* system.c - what the kernel says of this machine and of the gateway's processes. */
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "clock.h"
#include "health_room.h"
#include "text.h"

#define SMALL_FILE    4096
#define PROCESSES_MAX 64 /* whose memory is told */

/* Files of /proc and /sys are made when they are read: no disk is waited for. False when there
 * is none. */
static bool
file_read(const char *path, char out[SMALL_FILE])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, out, SMALL_FILE - 1);
	close(fd);
	if (n <= 0)
		return false;
	out[n] = '\0';
	return true;
}

/* The number behind `name` in a file of lines like "MemTotal:  16 kB"; NaN when it is not there. */
static double
file_number_after(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at != NULL ? strtod(at + strlen(name), NULL) : NAN;
}

static double
process_rss(int pid)
{
	char path[64], text[SMALL_FILE];
	uint64_t size, resident;

	(void)snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	if (!file_read(path, text) || sscanf(text, "%" SCNu64 " %" SCNu64, &size, &resident) != 2)
		return NAN;
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

/* A number of a cgroup's file; "max" and no file are NaN. */
static double
cgroup_number(const char *path)
{
	char text[SMALL_FILE];

	if (!file_read(path, text) || text[0] < '0' || text[0] > '9')
		return NAN;
	return strtod(text, NULL);
}

/* Every process is a file to read: of the first ones only, so that whoever asks does not hold the loop up. */
static void
render_processes(struct json *j, const struct board *b)
{
	unsigned left = PROCESSES_MAX;
	const struct slot_page *p;

	json_object_open(j, "workers_rss_bytes");
	for (uint32_t i = 0; i < b->slot_count && i < BOARD_SLOTS && left > 0; i++) {
		p = &b->slots[i];
		if (p->in_use == 0 || p->pid <= 0)
			continue;
		json_f64(j, b->seats[i].seat, process_rss(p->pid));
		left--;
	}
	json_object_close(j);
}

static void
render_memory(struct json *j, const struct board *b)
{
	char text[SMALL_FILE] = "";

	(void)file_read("/proc/meminfo", text);
	json_object_open(j, "memory");
	render_processes(j, b);
	json_f64(j, "machine_total_bytes", file_number_after(text, "MemTotal:") * 1024);
	json_f64(j, "machine_available_bytes", file_number_after(text, "MemAvailable:") * 1024);
	json_f64(j, "cgroup_used_bytes", cgroup_number("/sys/fs/cgroup/memory.current"));
	json_f64(j, "cgroup_limit_bytes", cgroup_number("/sys/fs/cgroup/memory.max"));
	json_object_close(j);
}

static double
seconds_of(const struct timeval *tv)
{
	return (double)(tv->tv_sec * 1000 + tv->tv_usec / 1000) / 1000;
}

static void
render_cpu(struct json *j)
{
	double load[3] = { NAN, NAN, NAN };
	struct rusage use;

	(void)!getloadavg(load, 3);
	json_object_open(j, "cpu");
	json_f64(j, "cores_online", (double)sysconf(_SC_NPROCESSORS_ONLN));
	json_array_open(j, "load_average");
	for (int i = 0; i < 3; i++)
		json_f64(j, NULL, load[i]);
	json_array_close(j);
	if (getrusage(RUSAGE_SELF, &use) == 0) {
		json_f64(j, "process_user_seconds", seconds_of(&use.ru_utime));
		json_f64(j, "process_system_seconds", seconds_of(&use.ru_stime));
	}
	json_object_close(j);
}

static void
render_disk(struct json *j, const char *state_dir)
{
	struct statvfs v;
	bool is_known = statvfs(state_dir, &v) == 0;

	json_object_open(j, "disk");
	json_text(j, "state_dir", state_dir);
	json_f64(j, "total_bytes", is_known ? (double)v.f_blocks * (double)v.f_frsize : NAN);
	json_f64(j, "available_bytes", is_known ? (double)v.f_bavail * (double)v.f_frsize : NAN);
	json_object_close(j);
}

void
system_render(struct json *j, const struct board *b, const char *state_dir, int64_t now)
{
	json_object_open(j, "system");
	json_f64(j, "uptime_seconds", (double)((now - b->started_ns) / CLOCK_MS) / 1000);
	json_text_or_null(j, "environment", b->environment);
	render_memory(j, b);
	render_cpu(j);
	render_disk(j, state_dir);
	json_object_close(j);
}
