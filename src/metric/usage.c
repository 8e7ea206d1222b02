/* usage.c - what a process used, as it sees itself: processor time, memory, descriptors. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "label.h"
#include "log.h"
#include "metric.h"

/* Where the kernel does not tell their number, descriptors are counted one by one: thousands, now and then. Who has none
 * left to count with has all there may be. */
#define COUNT_TURNS 10

/* Noted at each look, logged when it begins. */
static bool
usage_near(
    struct stats *s, unsigned trouble, const char *what, uint64_t used, uint64_t limit, bool was)
{
	if (!trouble_is_near(used, limit))
		return false;
	if (!was)
		log_warn("%s: %" PRIu64 " of the %" PRIu64 " this process may have are in use",
		    what, used, limit);
	trouble_note(s, trouble, "%" PRIu64 " of %" PRIu64 " %s in use", used, limit, what);
	return true;
}

/* What is mapped counts against a limit of address space, resident or not. */
static uint64_t
usage_rss(struct usage *u, struct stats *s)
{
	uint64_t size, resident = 0, page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct rlimit most;
	char text[64] = "";
	ssize_t n;
	int fd;

	if ((fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)) < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	if (n <= 0 || sscanf(text, "%" SCNu64 " %" SCNu64, &size, &resident) != 2)
		return 0;
	if (getrlimit(RLIMIT_AS, &most) == 0)
		u->near_memory = most.rlim_cur != RLIM_INFINITY &&
				 usage_near(s, LABEL(trouble, MEMORY), "bytes of address space",
				     size * page, (uint64_t)most.rlim_cur, u->near_memory);
	return resident * page;
}

static uint64_t
usage_count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	uint64_t n = 0;

	if (d == NULL)
		return errno == EMFILE ? UINT64_MAX : 0;
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
	uint64_t fds = metric_read(s->mine, M_PROCESS_FDS, 0, 0);

	if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
		fds = (uint64_t)st.st_size;
	else if (u->turn++ % COUNT_TURNS == 0)
		fds = usage_count_fds();
	if (getrlimit(RLIMIT_NOFILE, &most) == 0) {
		fds = fds < (uint64_t)most.rlim_cur ? fds : (uint64_t)most.rlim_cur;
		metric_set(s, M_PROCESS_FDS_MAX, 0, 0, (uint64_t)most.rlim_cur);
		u->near_fds = usage_near(s, LABEL(trouble, DESCRIPTORS), "descriptors", fds,
		    (uint64_t)most.rlim_cur, u->near_fds);
	}
	metric_set(s, M_PROCESS_FDS, 0, 0, fds);
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
	metric_set(s, M_PROCESS_RSS, 0, 0, usage_rss(u, s));
	usage_look_fds(u, s);
}
