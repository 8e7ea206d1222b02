/* ctl_status.c - `status`: the gateway as a whole. */
#include "ctl.h"

#include <unistd.h>

#include "clock.h"
#include "label.h"
#include "revision.h"

static void
status_slots(struct json *j, const struct master *m)
{
	unsigned in[SLOT_STATES] = { 0 }, failed = 0, total = 0;
	const struct slot *s;
	size_t i;

	for (i = 0; i < m->slot_count; i++) {
		if ((s = ctl_slot_shown(&m->slots[i])) == NULL)
			continue;
		in[s->state]++;
		failed += s->failed;
		total++;
	}
	json_object_open(j, "slots");
	json_u64(j, "total", total);
	for (i = 0; i < SLOT_STATES; i++)
		if (in[i] > 0)
			json_u64(j, slot_state_name((enum slot_state)i), in[i]);
	json_u64(j, "failed", failed);
	json_object_close(j);
}

static void
status_identity(struct json *j, const struct master *m)
{
	int64_t now = clock_wall();

	json_text(j, "version", m->board->version);
	json_text(j, "revision", REVISION);
	json_text_or_null(j, "environment", m->board->environment);
	json_i64(j, "pid", (int64_t)getpid());
	json_time_ms(j, "started_at", m->board->started_ns);
	json_f64(j, "uptime_seconds", (double)((now - m->board->started_ns) / CLOCK_MS) / 1000);
	json_time_ms(j, "now", now);
	json_u64(j, "generation", m->generation);
	json_text(j, "config_file", m->options != NULL ? m->options->file : NULL);
	json_text(j, "state_dir", m->conf.state_dir);
	json_text(j, "log_level", m->conf.log_level);
	json_text_or_null(j, "http_address", m->board->http_address);
	json_text_or_null(j, "admin_address", m->board->admin_address);
	json_text_or_null(j, "upstream", m->board->upstream);
}

/* Gauges of one role; null while no process of it can know. */
static void
status_gauge(struct json *j, const char *name, const struct master *m, enum role role,
    enum metric metric, double unit)
{
	const struct slot *s;
	uint64_t sum = 0;
	bool known = false;

	for (size_t i = 0; i < m->slot_count; i++) {
		if ((s = ctl_slot_shown(&m->slots[i])) == NULL || s->role != role ||
		    s->state != SLOT_READY)
			continue;
		sum += ctl_slot_sum(s, metric);
		known = true;
	}
	if (known)
		json_f64(j, name, (double)sum / unit);
	else
		json_absent(j, name);
}

static void
status_own_counters(struct json *j, const struct master *m)
{
	const struct slot_page *page = m->stats.mine;

	json_object_open(j, "reloads");
	for (unsigned i = 0; i < label_count(LABELS_result); i++)
		json_u64(j, label_text(LABELS_result, i),
		    page != NULL ? metric_read(page, M_RELOADS, i, 0) : 0);
	json_object_close(j);
	json_object_open(j, "upgrades");
	for (unsigned i = 0; i < label_count(LABELS_result); i++)
		json_u64(j, label_text(LABELS_result, i),
		    page != NULL ? metric_read(page, M_UPGRADES, i, 0) : 0);
	json_object_close(j);
}

void
ctl_status(struct ctl_answer *a, const struct ctl_request *q)
{
	const struct master *m = a->master;
	struct json *j = a->json;
	unsigned newest, count = ctl_crashes_count(m, &newest);

	(void)q;
	status_identity(j, m);
	ctl_health(m, j);
	json_bool(j, "stopping", m->board->stopping != 0);
	status_slots(j, m);
	status_gauge(j, "budget_remaining", m, ROLE_FETCHER, M_UPSTREAM_BUDGET, 1000);
	json_i64(j, "budget_limit", m->conf.upstream_budget_per_minute);
	status_gauge(j, "journal_lag", m, ROLE_CACHE_WRITER, M_JOURNAL_LAG, 1);
	json_object_open(j, "crashes");
	json_u64(j, "kept", count);
	json_u64(j, "newest", newest);
	json_object_close(j);
	status_own_counters(j, m);
	json_object_open(j, "control");
	json_u64(j, "connections", m->ctl->conn_count);
	json_u64(j, "refused", m->ctl->refused);
	json_object_close(j);
}
