/* system.c - machine, control group and disk, as they were seen last by whoever looks at them in the background. */
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "health_room.h"

bool
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

static double
percent(double part, double whole)
{
	return whole > 0 ? round(part / whole * 1000) / 10 : NAN;
}

/* Of a gauge that is 0 where nothing is known. */
static double
gauge(const struct slot_view *v, enum metric m)
{
	uint64_t n = v != NULL ? metric_read(v->current, m, 0, 0) : 0;

	return n > 0 ? (double)n : NAN;
}

/* Of each process that runs, as it saw itself at its last heartbeat. */
static void
render_processes(struct json *j, const struct board *b)
{
	const struct slot_page *p;

	json_object_open(j, "workers_rss_bytes");
	for (uint32_t i = 0; i < b->slot_count && i < BOARD_SLOTS; i++) {
		p = &b->slots[i];
		if (p->in_use != 0 && p->pid > 0)
			json_f64(j, b->seats[i].seat, (double)metric_read(p, M_PROCESS_RSS, 0, 0));
	}
	json_object_close(j);
}

/* Of what may be used: the control group's limit where it has one, else the machine's. */
static double
memory_percent(const struct slot_view *master)
{
	double limit = gauge(master, M_CGROUP_MEMORY_LIMIT), used = gauge(master, M_CGROUP_MEMORY);
	double all = gauge(master, M_MACHINE_MEMORY), left = gauge(master, M_MACHINE_MEMORY_LEFT);

	if (!isnan(limit) && !isnan(used) && !(limit > all))
		return percent(used, limit);
	return percent(all - left, all);
}

static void
render_memory(struct json *j, const struct board *b, const struct slot_view *master)
{
	json_object_open(j, "memory");
	render_processes(j, b);
	json_f64(j, "machine_total_bytes", gauge(master, M_MACHINE_MEMORY));
	json_f64(j, "machine_available_bytes", gauge(master, M_MACHINE_MEMORY_LEFT));
	json_f64(j, "cgroup_used_bytes", gauge(master, M_CGROUP_MEMORY));
	json_f64(j, "cgroup_limit_bytes", gauge(master, M_CGROUP_MEMORY_LIMIT));
	json_f64(j, "usage_percent", memory_percent(master));
	json_object_close(j);
}

static double
seconds_of(const struct timeval *tv)
{
	return (double)(tv->tv_sec * 1000 + tv->tv_usec / 1000) / 1000;
}

static void
render_cpu(struct json *j, const struct slot_view *master)
{
	double load[3] = { NAN, NAN, NAN };
	struct rusage use;

	(void)!getloadavg(load, 3);
	json_object_open(j, "cpu");
	json_f64(j, "cores_online", (double)sysconf(_SC_NPROCESSORS_ONLN));
	json_f64(j, "cores_usable", gauge(master, M_CPUS));
	json_f64(j, "cgroup_limit_cores", gauge(master, M_CGROUP_CPU_LIMIT) / 1000);
	json_f64(j, "cgroup_throttled_seconds",
	    master != NULL
		? (double)(metric_total(master->current, M_CGROUP_THROTTLED) / CLOCK_MS) / 1000
		: NAN);
	json_f64(j, "usage_percent",
	    master != NULL ? (double)metric_read(master->current, M_MACHINE_BUSY, 0, 0) / 10 : NAN);
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
render_disk(struct json *j, const char *state_dir, const struct slot_view *writer)
{
	double all = gauge(writer, M_STATE_DISK);
	double left =
	    isnan(all) ? NAN : (double)metric_read(writer->current, M_STATE_DISK_LEFT, 0, 0);

	json_object_open(j, "disk");
	json_text(j, "state_dir", state_dir);
	json_f64(j, "total_bytes", all);
	json_f64(j, "available_bytes", left);
	json_f64(j, "usage_percent", percent(all - left, all));
	json_object_close(j);
}

void
system_render(struct json *j, const struct board *b, const struct health_slots *slots,
    const char *state_dir, int64_t now)
{
	const struct slot_view *master = slots_first(slots, ROLE_MASTER);
	const struct slot_view *writer = slots_first(slots, ROLE_CACHE_WRITER);

	json_object_open(j, "system");
	json_f64(j, "uptime_seconds", (double)((now - b->started_ns) / CLOCK_MS) / 1000);
	json_f64(j, "age_seconds",
	    master != NULL ? page_seconds(master->current->heartbeat_ns, now) : NAN);
	json_text_or_null(j, "environment", b->environment);
	render_memory(j, b, master);
	render_cpu(j, master);
	render_disk(j, state_dir, writer);
	json_object_close(j);
}
