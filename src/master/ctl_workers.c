/* ctl_workers.c - `workers`: every slot, with what its processes count and what the kernel says of them.
 *
 * A worker gone mad can write anything into its page: texts are bounded here, and states are the master's own. Of
 * /proc one short file a process is read, which the kernel makes without waiting for that process.
 */
#include "ctl.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "health.h"
#include "label.h"
#include "text.h"

const struct slot *
ctl_slot_shown(const struct slot *s)
{
	if (s->twin != NULL && !s->current)
		return NULL;
	/* Scaled away, and gone. */
	if (s->state == SLOT_IDLE && !s->wanted && (s->twin == NULL || s->twin->pid == 0) &&
	    s->page->spawned_ns != 0 && s->master->stop.phase == STOP_NOT)
		return NULL;
	return s;
}

uint64_t
ctl_slot_sum(const struct slot *s, enum metric metric)
{
	return metric_total(s->page, metric) +
	       (s->twin != NULL ? metric_total(s->twin->page, metric) : 0);
}

static double
seconds_since(int64_t then, int64_t now)
{
	return then > 0 ? (double)((now - then) / CLOCK_MS) / 1000 : NAN;
}

/* A text of the page, whatever a worker made of it. */
static void
put_page_text(struct json *j, const char *name, const char *text, size_t size)
{
	char copy[256];

	(void)text_copy_n(copy, sizeof(copy), text, strnlen(text, size));
	json_text_or_null(j, name, copy);
}

static void
put_process(struct json *j, const struct slot *s, int64_t now)
{
	const struct slot_page *p = s->page;
	double cpu, rss;

	process_read(s->pid, &cpu, &rss);
	json_text(j, "seat", s->name);
	json_text(j, "state", slot_state_name(s->state));
	if (s->pid > 0)
		json_i64(j, "pid", (int64_t)s->pid);
	else
		json_absent(j, "pid");
	json_f64(j, "uptime_seconds", s->pid > 0 ? seconds_since(p->spawned_ns, now) : NAN);
	json_u64(j, "generation", p->generation);
	json_f64(j, "heartbeat_age_seconds",
	    s->pid > 0 ? seconds_since(__atomic_load_n(&p->heartbeat_ns, __ATOMIC_RELAXED), now)
		       : NAN);
	json_f64(j, "cpu_seconds", cpu);
	json_f64(j, "rss_bytes", rss);
	put_page_text(j, "doing", p->doing, sizeof(p->doing));
	json_bool(j, "doing_now", s->pid > 0 && p->doing_on == 1);
	json_f64(j, "doing_seconds",
	    s->pid > 0 && p->doing_on == 1 ? seconds_since(p->doing_ns, now) : NAN);
	put_page_text(j, "note", p->note, sizeof(p->note));
}

/* Processes that were replaced: unasked, or because somebody or a setting wanted it. */
static uint64_t
slot_replaced(const struct slot *s, bool asked)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < label_count(LABELS_cause); i++) {
		if ((i >= LABEL(cause, RELOAD)) != asked)
			continue;
		sum += metric_read(s->page, M_WORKER_RESTARTS, i, 0);
		if (s->twin != NULL)
			sum += metric_read(s->twin->page, M_WORKER_RESTARTS, i, 0);
	}
	return sum;
}

static void
put_history(struct json *j, const struct slot *s, int64_t now)
{
	const struct slot_page *p = s->page;

	/* The newest end is the predecessor's when this seat never had one. */
	if (s->twin != NULL && s->twin->page->last_exit_ns > p->last_exit_ns)
		p = s->twin->page;
	json_u64(j, "restarts", slot_replaced(s, false));
	json_u64(j, "replaced", slot_replaced(s, true));
	json_bool(j, "failed", s->failed);
	json_f64(j, "failed_seconds", s->failed ? seconds_since(s->failed_ns, clock_mono()) : NAN);
	put_page_text(j, "last_exit", p->last_exit, sizeof(p->last_exit));
	json_time_ms(j, "last_exit_at", p->last_exit_ns);
	json_f64(j, "last_exit_seconds", seconds_since(p->last_exit_ns, now));
}

static void
put_http(struct json *j, const struct slot *s)
{
	uint64_t buckets[METRIC_BUCKETS_MAX] = { 0 };

	json_u64(j, "requests_total", ctl_slot_sum(s, M_HTTP_REQUESTS));
	metric_buckets_add(s->page, M_HTTP_DURATION, buckets);
	if (s->twin != NULL)
		metric_buckets_add(s->twin->page, M_HTTP_DURATION, buckets);
	json_array_open(j, "duration_buckets");
	for (size_t i = 0; i < metric_bucket_count(M_HTTP_DURATION); i++)
		json_u64(j, NULL, buckets[i]);
	json_array_close(j);
	json_u64(j, "in_flight", ctl_slot_sum(s, M_HTTP_IN_FLIGHT));
	json_u64(j, "connections", ctl_slot_sum(s, M_HTTP_CONNECTIONS));
	json_u64(j, "fetch_waiting", ctl_slot_sum(s, M_FETCH_WAITING));
}

static void
put_fetcher(struct json *j, const struct slot *s)
{
	json_u64(j, "requests_total", ctl_slot_sum(s, M_UPSTREAM_REQUESTS));
	json_f64(j, "budget_remaining", (double)ctl_slot_sum(s, M_UPSTREAM_BUDGET) / 1000);
	json_object_open(j, "fetch_queue");
	for (unsigned i = 0; i < label_count(LABELS_lane); i++)
		json_u64(j, label_text(LABELS_lane, i), metric_read(s->page, M_FETCH_QUEUE, i, 0));
	json_object_close(j);
}

static void
put_slot(struct json *j, const struct slot *s, int64_t now)
{
	char label[SLOT_NAME];

	role_slot_label(s->name, label);
	json_object_open(j, NULL);
	json_text(j, "slot", s->label[0] != '\0' ? s->label : label);
	json_text(j, "role", role_name(s->role));
	put_process(j, s, now);
	put_history(j, s, now);
	if (s->role == ROLE_HTTP)
		put_http(j, s);
	else if (s->role == ROLE_FETCHER)
		put_fetcher(j, s);
	else if (s->role == ROLE_CACHE_WRITER)
		json_u64(j, "journal_lag", ctl_slot_sum(s, M_JOURNAL_LAG));
	/* A successor that starts, or a predecessor that drains. */
	if (s->twin != NULL && s->twin->pid > 0) {
		json_object_open(j, "other");
		put_process(j, s->twin, now);
		json_object_close(j);
	} else {
		json_absent(j, "other");
	}
	json_object_close(j);
}

void
ctl_workers(struct ctl_answer *a, const struct ctl_request *q)
{
	const struct master *m = a->master;
	struct json *j = a->json;
	int64_t now = clock_wall();
	const struct slot *s;

	(void)q;
	json_f64(j, "monotonic_seconds", (double)(clock_mono() / 1000) / 1e6);
	json_i64(j, "master_pid", (int64_t)getpid());
	json_array_open(j, "bucket_seconds"); /* upper bounds; the last bucket has none */
	for (unsigned i = 0; i < metric_bucket_count(M_HTTP_DURATION) - 1; i++)
		json_f64(j, NULL, (double)metric_bucket_bound(M_HTTP_DURATION, i) / 1e9);
	json_array_close(j);
	json_array_open(j, "workers");
	for (size_t i = 0; i < m->slot_count; i++)
		if ((s = ctl_slot_shown(&m->slots[i])) != NULL)
			put_slot(j, s, now);
	json_array_close(j);
}
