/* usage.c - what a process used, as it sees itself: processor time, memory, descriptors. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "metric.h"

/* Where the kernel does not tell their number, descriptors are counted one by one: thousands, now and then. */
#define COUNT_TURNS 10

static uint64_t
usage_rss(void)
{
	uint64_t size, resident = 0;
	char text[64] = "";
	ssize_t n;
	int fd;

	if ((fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)) < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	if (n <= 0 || sscanf(text, "%" SCNu64 " %" SCNu64, &size, &resident) != 2)
		return 0;
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t
usage_count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	uint64_t n = 0;

	if (d == NULL)
		return 0;
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n > 3 ? n - 3 : 0; /* ".", ".." and the folder's own */
}

/* Since Linux 6.2 the size of the folder is the number. */
static void
usage_look_fds(struct usage *u, struct stats *s)
{
	struct stat st;
	struct rlimit most;

	if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
		metric_set(s, M_PROCESS_FDS, 0, 0, (uint64_t)st.st_size);
	else if (u->turn++ % COUNT_TURNS == 0)
		metric_set(s, M_PROCESS_FDS, 0, 0, usage_count_fds());
	if (getrlimit(RLIMIT_NOFILE, &most) == 0)
		metric_set(s, M_PROCESS_FDS_MAX, 0, 0, (uint64_t)most.rlim_cur);
}

void
usage_look(struct usage *u, struct stats *s)
{
	struct timespec t;
	uint64_t cpu_ns;

	if (s->mine == NULL)
		return;
	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0) {
		cpu_ns = (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
		if (cpu_ns > u->cpu_ns)
			metric_add(s, M_PROCESS_CPU, 0, 0, cpu_ns - u->cpu_ns);
		u->cpu_ns = cpu_ns > u->cpu_ns ? cpu_ns : u->cpu_ns;
	}
	metric_set(s, M_PROCESS_RSS, 0, 0, usage_rss());
	usage_look_fds(u, s);
}
