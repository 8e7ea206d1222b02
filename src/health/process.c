/* process.c - what the kernel counts of one process: a short file of /proc, made without waiting for that process. */
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "health.h"

void
process_read(pid_t pid, double *cpu, double *rss)
{
	char path[32], text[1024], *at;
	uint64_t user, system;
	int64_t pages;
	ssize_t n;
	int fd;

	*cpu = *rss = NAN;
	if (pid <= 0)
		return;
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	/* The name in brackets may hold anything: count from behind it, where the state is the third field. */
	if ((at = strrchr(text, ')')) == NULL ||
	    sscanf(at + 2,
		"%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
		" %*d %*d %*d %*d %*d %*d %*u %*u %" SCNd64,
		&user, &system, &pages) != 3)
		return;
	*cpu = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
	*rss = (double)pages * (double)sysconf(_SC_PAGESIZE);
}
