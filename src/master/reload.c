/* reload.c - a new configuration, without a request lost.
 *
 * All layers are read anew and checked; what is wrong ends it there. Then, while everything serves on: a successor
 * of every http worker gets ready with the new configuration; the fetcher and the cache-writer are renewed if
 * anything they see has changed; only when all of that went well do the successors take over. Whatever fails
 * before leaves the old configuration and, of what it had replaced, brings the old one back.
 *
 * Keys that need a restart keep their value; the answer names them.
 */
#include "master_room.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "label.h"
#include "log.h"
#include "mem.h"
#include "proc.h"
#include "text.h"

#define RELOAD_TEXT	512
#define RELOAD_SPARE_MS 2000 /* beyond what a generation may take to end */

enum reload_stage { RELOAD_DRAINS, RELOAD_HTTP, RELOAD_SINGLE, RELOAD_BACK };

struct reload {
	struct conf conf; /* the candidate */
	enum reload_stage stage;
	int64_t begun_ns;
	unsigned http_workers;
	size_t pending; /* successors that are not ready yet */
	size_t single;	/* index of the slot being renewed */
	size_t replaced;
	bool renewing;
	bool everything; /* for the sake of the executables, not of the configuration */
	int error;
	char why[RELOAD_TEXT]; /* first failure */
	char kept[256];	       /* keys that need a restart */
	char stayed[128];      /* slots that run with what was before */
	done_fn *done;
	void *arg;
};

static void
reload_count(struct master *m, int error)
{
	metric_add(
	    &m->stats, M_RELOADS, error == E_OK ? LABEL(result, OK) : LABEL(result, FAILED), 0, 1);
}

static void
reload_refuse(struct master *m, int error, const char *why, done_fn *done, void *arg)
{
	log_error("reload: refused, nothing has changed: %s", why);
	reload_count(m, error);
	if (m->reload == NULL && m->upgrade == NULL)
		notify_reloaded(m);
	done(arg, error, why);
}

static void
reload_free(struct master *m)
{
	conf_wipe_secrets(&m->reload->conf);
	mem_free(&m->reload);
}

static void
reload_end(struct master *m, int error, const char *text)
{
	done_fn *done = m->reload->done;
	void *arg = m->reload->arg;

	if (m->reload->everything) {
		reload_free(m);
		done(arg, error, text);
		return;
	}
	reload_free(m);
	reload_count(m, error);
	if (error == E_OK)
		log_info("reload: %s", text);
	else
		log_error("reload: failed, the old configuration serves on: %s", text);
	done(arg, error, text);
}

static int
reload_read(struct master *m, struct reload *r, char why[CONF_ERROR])
{
	int error;

	if ((error = options_conf(m->options, m->environment, &r->conf, why)) != E_OK)
		return error;
	conf_keep(&r->conf, &m->conf, r->kept, sizeof(r->kept));
	return conf_check(&r->conf, why);
}

static const char *
reload_obstacle(const struct master *m)
{
	if (m->stop.phase != STOP_NOT)
		return "the gateway is stopping";
	if (m->reload != NULL)
		return "another reload is under way: try again when it has ended";
	if (m->upgrade != NULL)
		return "an upgrade is under way: try again when it has ended";
	if (m->strategy != NULL || m->scale != NULL)
		return "slots are being stopped and started together: try again when they are "
		       "ready";
	return NULL;
}

void
reload_begin(struct master *m, done_fn *done, void *arg)
{
	const char *obstacle = reload_obstacle(m);
	char why[CONF_ERROR];
	struct reload *r;
	int error;

	/* Whoever asked through systemd waits for both. What is under way has told the first and will tell the other. */
	if (m->reload == NULL && m->upgrade == NULL)
		notify_reloading(m);
	if (obstacle != NULL) {
		reload_refuse(m, E_FULL, obstacle, done, arg);
		return;
	}
	r = mem_alloc(sizeof(*r));
	r->begun_ns = clock_mono();
	r->done = done;
	r->arg = arg;
	if ((error = reload_read(m, r, why)) != E_OK) {
		conf_wipe_secrets(&r->conf);
		mem_free(&r);
		reload_refuse(m, error, why, done, arg);
		return;
	}
	m->reload = r;
	r->http_workers = m->conf.http_workers == r->conf.http_workers
			      ? m->http_workers
			      : slots_http_workers(&r->conf);
	log_info("reload: generation %llu, %u http workers", (unsigned long long)m->generation + 1,
	    r->http_workers);
	look_soon(m);
}

void
reload_everything(struct master *m, done_fn *done, void *arg)
{
	struct reload *r = mem_alloc(sizeof(*r));

	r->begun_ns = clock_mono();
	r->done = done;
	r->arg = arg;
	r->everything = true;
	r->conf = m->conf;
	r->http_workers = m->http_workers;
	m->reload = r;
	look_soon(m);
}

static void
reload_fail(struct reload *r, int error, const char *why)
{
	if (r->error == E_OK) {
		r->error = error;
		(void)text_copy(r->why, sizeof(r->why), why);
	}
}

static void
reload_prepared(void *arg, int error, const char *text)
{
	struct master *m = arg;
	struct reload *r = m->reload;

	if (r == NULL)
		return;
	if (r->pending > 0)
		r->pending--;
	if (error != E_OK)
		reload_fail(r, error, text);
}

static enum slot_cause
reload_cause(const struct reload *r)
{
	return r->everything ? CAUSE_UPGRADE : CAUSE_RELOAD;
}

static bool
reload_takes(const struct slot *s, unsigned http_workers)
{
	return s->role == ROLE_HTTP && s->current && s->number < http_workers;
}

/* A generation drains already: there shall not be two. */
static bool
reload_drains_are_over(struct master *m)
{
	size_t i;

	for (i = 0; i < m->slot_count; i++)
		if (m->slots[i].twin != NULL && !m->slots[i].current &&
		    m->slots[i].state != SLOT_IDLE)
			return false;
	return m->replacing == NULL;
}

/* A slot that is new with this configuration starts in its first seat; it is one more, nobody's successor. */
static void
reload_prepare_http(struct master *m, struct reload *r)
{
	struct slot *s;
	size_t i;

	slots_want(
	    m, ROLE_HTTP, r->http_workers > m->http_workers ? r->http_workers : m->http_workers);
	for (i = 0; i < m->slot_count; i++) {
		s = &m->slots[i];
		if (!reload_takes(s, r->http_workers))
			continue;
		r->pending++;
		replace_prepare(m, s, &r->conf, reload_cause(r), reload_prepared, m);
	}
	r->stage = RELOAD_HTTP;
}

static void
reload_renewed(void *arg, int error, const char *text)
{
	struct master *m = arg;
	struct reload *r = m->reload;
	const struct slot *s;

	if (r == NULL)
		return;
	r->renewing = false;
	s = &m->slots[r->single];
	if (error != E_OK && s->required)
		reload_fail(r, error, text);
	else if (error != E_OK)
		log_warn("%s: %s; gone on without, it is started again by itself", s->label, text);
	else
		r->replaced++;
	r->single++;
}

/* One after the other, each with its successor ready before the next: true when all are through or one failed. */
static bool
reload_renew_singles(struct master *m, struct reload *r)
{
	struct slot *s;

	while (!r->renewing && r->error == E_OK && r->single < m->slot_count) {
		s = &m->slots[r->single];
		if (s->twin != NULL ||
		    !(r->everything || conf_concerns(&r->conf, &m->conf, s->role))) {
			r->single++;
			continue;
		}
		r->renewing = true;
		replace_prepare(m, s, &r->conf, reload_cause(r), reload_renewed, m);
	}
	return !r->renewing;
}

/* One that does not get ready will hardly finish in time what it is told. Going back to another executable nothing is
 * started from here: what the one has as settings the other's workers may not know. */
static void
reload_go_back_single(struct reload *r, struct slot *s)
{
	bool starting = s->state == SLOT_STARTING;

	s->cause = starting ? CAUSE_NOT_READY : reload_cause(r);
	if (r->everything)
		slot_event(s, starting ? SLOT_ON_KILL : SLOT_ON_DRAIN);
	else
		slot_event(s, starting ? SLOT_ON_BROKEN : SLOT_ON_RENEW);
}

/* Those that run on the candidate, or were to, run on what was before. */
static void
reload_go_back(struct master *m, struct reload *r)
{
	struct slot *s;
	size_t i;

	r->stage = RELOAD_BACK;
	upgrade_take_back_executables(m);
	for (i = 0; i < m->slot_count; i++) {
		s = &m->slots[i];
		if (s->current)
			replace_cancel(s);
		if (s->conf != &r->conf)
			continue;
		s->conf = &m->conf;
		if (s->twin == NULL)
			reload_go_back_single(r, s);
	}
	slots_want(m, ROLE_HTTP, m->http_workers);
}

/* Until the old configuration serves everywhere again the answer waits; what does not come back is the slot's. */
static bool
reload_is_back(const struct master *m)
{
	const struct slot *s;
	size_t i;

	for (i = 0; i < m->slot_count; i++) {
		s = &m->slots[i];
		if (s->twin == NULL && s->state != SLOT_READY && s->state != SLOT_WAITING &&
		    s->state != SLOT_FAILED && s->state != SLOT_IDLE)
			return false;
	}
	return true;
}

static void
reload_commit_slot(struct master *m, struct slot *s)
{
	struct reload *r = m->reload;

	if (s->role != ROLE_HTTP || !s->current)
		return;
	if (s->number < r->http_workers) {
		if (replace_commit(s))
			r->replaced++;
		else
			conf_name(r->stayed, sizeof(r->stayed), s->label, "");
		return;
	}
	s->wanted = false;
	s->cause = reload_cause(r);
	slot_event(s, SLOT_ON_DRAIN);
}

static void
reload_commit(struct master *m)
{
	struct reload *r = m->reload;
	char text[RELOAD_TEXT];
	size_t i, count = m->slot_count;
	bool was_current[BOARD_SLOTS];

	conf_wipe_secrets(&m->conf);
	m->conf = r->conf;
	m->generation++;
	m->board->generation = m->generation;
	m->http_workers = r->http_workers;
	metric_set(&m->stats, M_GENERATION, 0, 0, m->generation);
	metric_set(&m->stats, M_HTTP_WORKERS, 0, 0, m->http_workers);
	for (i = 0; i < count; i++)
		m->slots[i].conf = &m->conf;
	/* A swap makes the other seat current, which must not be taken for one more slot. */
	for (i = 0; i < count; i++)
		was_current[i] = m->slots[i].current;
	for (i = 0; i < count; i++)
		if (was_current[i])
			reload_commit_slot(m, &m->slots[i]);
	slots_apply_conf(m);
	(void)proc_log_open("master", &m->conf);
	snprintf(text, sizeof(text), "generation %llu: %zu workers replaced in %lld ms%s%s%s%s",
	    (unsigned long long)m->generation, r->replaced,
	    (long long)((clock_mono() - r->begun_ns) / CLOCK_MS),
	    r->kept[0] != '\0' ? "; only a restart changes " : "", r->kept,
	    r->stayed[0] != '\0' ? "; with the configuration before: " : "", r->stayed);
	notify_reloaded(m);
	reload_end(m, E_OK, text);
}

static void
reload_failed(struct master *m)
{
	char text[RELOAD_TEXT];
	int error = m->reload->error;

	(void)text_copy(text, sizeof(text), m->reload->why);
	notify_reloaded(m);
	reload_end(m, error, text);
}

void
reload_give_up(struct master *m, const char *why)
{
	struct reload *r = m->reload;

	if (r == NULL || r->stage == RELOAD_BACK)
		return;
	reload_fail(r, E_UPSTREAM_TIMEOUT, why);
	reload_go_back(m, r);
	look_soon(m);
}

/* A process that SIGKILL does not end keeps its seat: the next reload may find it free. */
void
reload_tick(struct master *m, int64_t now)
{
	const struct conf *c = &m->conf;
	int64_t ms = c->supervisor_drain_timeout + c->supervisor_dump_timeout + RELOAD_SPARE_MS;
	const struct slot *s = NULL;
	char text[RELOAD_TEXT];
	size_t i;

	if (m->reload == NULL || m->reload->stage != RELOAD_DRAINS ||
	    now - m->reload->begun_ns < ms * CLOCK_MS)
		return;
	for (i = 0; i < m->slot_count && s == NULL; i++)
		if (m->slots[i].twin != NULL && !m->slots[i].current &&
		    m->slots[i].state != SLOT_IDLE)
			s = &m->slots[i];
	if (s != NULL)
		snprintf(text, sizeof(text), "%s: pid %d, of the generation before, does not end",
		    s->name, (int)s->pid);
	else
		snprintf(text, sizeof(text), "a replacement of the time before does not end");
	reload_give_up(m, text);
}

void
reload_look(struct master *m)
{
	struct reload *r = m->reload;

	if (r == NULL)
		return;
	if (r->stage == RELOAD_DRAINS && reload_drains_are_over(m))
		reload_prepare_http(m, r);
	if (r->stage == RELOAD_HTTP && r->pending == 0)
		r->stage = RELOAD_SINGLE;
	if (r->stage == RELOAD_SINGLE && reload_renew_singles(m, r) && r->error == E_OK &&
	    replace_all_are_prepared(m)) {
		if (wire_can_hand(m, replace_count(m))) {
			reload_commit(m);
			return;
		}
		reload_fail(r, E_SYSTEM,
		    "descriptors ran out (RLIMIT_NOFILE of the master): the successors cannot be "
		    "given the "
		    "listening socket");
	}
	if (r->stage == RELOAD_SINGLE && r->error != E_OK && !r->renewing)
		reload_go_back(m, r);
	if (r->stage == RELOAD_BACK && reload_is_back(m))
		reload_failed(m);
}

void
reload_cancel(struct master *m, const char *why)
{
	size_t i;

	if (m->reload == NULL)
		return;
	for (i = 0; i < m->slot_count; i++)
		m->slots[i].conf = &m->conf;
	reload_end(m, E_CLOSED, why);
}
