/* recycle.c - http workers that served long enough, or grew large, are replaced; their successors are ready first.
 *
 * Each process draws its own share of the limits, so that workers started together do not go together; never more
 * than a quarter of them, or one, is being replaced at once.
 */
#include "master_room.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

#define RECYCLE_JITTER	0.1
#define RECYCLE_LOOK_NS (500 * CLOCK_MS)
#define RECYCLE_AT_ONCE 4 /* one of so many */

static double
recycle_share(void)
{
	uint16_t n = 0;

	(void)!getrandom(&n, sizeof(n), GRND_NONBLOCK);
	return 1.0 - RECYCLE_JITTER * (double)n / UINT16_MAX;
}

static uint64_t
recycle_requests(const struct slot *s)
{
	uint64_t sum = 0;
	unsigned route, code;

	for (route = 0; route < ROUTE_COUNT; route++)
		for (code = 0; code < LABEL_code_COUNT; code++)
			sum += metric_read(s->page, M_HTTP_REQUESTS, route, code);
	return sum;
}

void
recycle_begin(struct slot *s)
{
	s->recycle_share = recycle_share();
	s->recycle_base = s->role == ROLE_HTTP ? recycle_requests(s) : 0;
}

static uint64_t
recycle_rss(pid_t pid)
{
	char path[40], text[64];
	uint64_t size, resident = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	if (sscanf(text, "%" SCNu64 " %" SCNu64, &size, &resident) != 2)
		return 0;
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Why this process has served its time; null when it has not. */
static const char *
recycle_reason(const struct slot *s, int64_t now)
{
	const struct conf *c = &s->master->conf;
	double share = s->recycle_share;

	if (c->http_recycle_requests > 0 && (double)(recycle_requests(s) - s->recycle_base) >=
						share * (double)c->http_recycle_requests)
		return "http.recycle_requests";
	if (c->http_recycle_age > 0 && (double)(now - s->spawned_mono_ns) >=
					   share * (double)c->http_recycle_age * (double)CLOCK_MS)
		return "http.recycle_age";
	if (c->http_recycle_rss > 0 &&
	    (double)recycle_rss(s->pid) >= share * (double)c->http_recycle_rss)
		return "http.recycle_rss";
	return NULL;
}

static void
recycle_done(void *arg, int error, const char *text)
{
	struct master *m = arg;

	if (error == E_OK)
		return;
	log_error("recycling: %s", text);
	/* The reason holds on, and the next successor would hardly do better at once. */
	m->recycled_ns = clock_mono() + m->conf.supervisor_restart_ceiling * CLOCK_MS;
}

void
recycle_look(struct master *m)
{
	static const size_t least = 1;
	size_t at_once = m->http_workers / RECYCLE_AT_ONCE, i;
	int64_t now = clock_mono();
	const char *reason;
	struct slot *s;

	if (m->reload != NULL || m->upgrade != NULL || m->strategy != NULL ||
	    m->stop.phase != STOP_NOT || now - m->recycled_ns < RECYCLE_LOOK_NS)
		return;
	m->recycled_ns = now;
	for (i = 0; i < m->slot_count; i++) {
		s = &m->slots[i];
		if (replace_count(m) >= (at_once > least ? at_once : least))
			return;
		if (s->role != ROLE_HTTP || !s->current || s->state != SLOT_READY ||
		    replace_is_due(s) || s->twin->state != SLOT_IDLE ||
		    (reason = recycle_reason(s, now)) == NULL)
			continue;
		log_info("%s: recycled: %s", s->label, reason);
		replace_begin(m, s, CAUSE_RECYCLE, recycle_done, m);
	}
}
