/* main.c - the tracer: gathers the spans of the other workers and sends them to a collector in batches.
 *
 * Nothing depends on it. A collector that is stuck, slow or gone fills its queue, and what does not fit is dropped and
 * counted; when it hangs itself or dies the others drop what they have for it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backoff.h"
#include "build_config.h"
#include "clock.h"
#include "label.h"
#include "log.h"
#include "mem.h"
#include "text.h"
#include "tracer.h"

#define SPAN_BYTES_MAX ((size_t)8 * 1024)
#define BODY_BYTES_MAX ((size_t)32 * 1024 * 1024)
#define TRIES_MAX      6
#define RETRY_FLOOR_MS 500
#define RETRY_LIMIT_MS 30000
#define RETRY_JITTER   20   /* percent */
#define DRAIN_MAX_MS   2000 /* a collector that is stuck does not hold up the end of the gateway */
#define SERVICE_NAME   "opitios-alpaca"

struct tracer {
	struct proc *proc;
	struct exporter *exporter; /* null: no collector is configured any more */
	struct queue queue;
	struct buf one, spans, body, packed, resource;
	const struct buf *out; /* what is sent: the body or its gzip */
	int64_t begun_ns;      /* the first try of this body, monotonic */
	size_t in_body;	       /* spans; 0: there is no body to send */
	bool sending, resting; /* resting: after a failure, until `work` fires */
	unsigned tries;
	bool failing, rejected; /* told of */
	bool packs;		/* bodies are gzip */
	size_t batch;		/* spans in one export */
	struct backoff backoff;
	struct loop_timer work, drain;
	bool draining;
};

static void
tracer_lose(struct tracer *t, enum label_lost why, uint64_t spans)
{
	if (spans > 0)
		metric_add(&t->proc->stats, M_TRACE_DROPPED, why, 0, spans);
}

static void
tracer_show(struct tracer *t)
{
	metric_set(&t->proc->stats, M_TRACE_QUEUE, 0, 0, t->queue.count + t->in_body);
}

static void
tracer_finish(struct tracer *t)
{
	tracer_lose(t, LABEL(lost, FAILED), t->in_body + t->queue.count);
	t->draining = false;
	loop_timer_clear(&t->drain);
	proc_finished(t->proc);
}

static void
tracer_pack(struct tracer *t)
{
	t->out = &t->body;
	if (t->in_body == 0 || !t->packs)
		return;
	buf_reset(&t->packed);
	if (pack_gzip(&t->body, &t->packed) != E_OK)
		panic("the gzip of a body passes its bound");
	t->out = &t->packed;
}

/* The next batch into a body, if there is one. */
static void
tracer_fill(struct tracer *t)
{
	buf_reset(&t->spans);
	buf_reset(&t->body);
	t->in_body = queue_take(&t->queue, t->batch, &t->spans);
	t->tries = 0;
	if (t->in_body > 0 && otlp_request(&t->body, &t->resource, &t->spans) != E_OK)
		panic("a batch of spans passes its bound");
	t->begun_ns = clock_mono();
	tracer_pack(t);
}

/* Of what all tries of a body may take together. */
static int64_t
tracer_left_ms(const struct tracer *t)
{
	int64_t most = t->proc->conf.trace_export_timeout;

	return most > 0 ? most - (clock_mono() - t->begun_ns) / CLOCK_MS : INT64_MAX;
}

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Of this try. A timer that fires late leaves it little, and never none: to libcurl that is no limit at all. */
static int64_t
tracer_limit_ms(const struct tracer *t)
{
	int64_t limit = least(t->proc->conf.trace_timeout, tracer_left_ms(t));

	return limit > 1 ? limit : 1;
}

static void
tracer_work(void *owner)
{
	struct tracer *t = owner;

	t->resting = false;
	if (t->sending)
		return;
	if (t->in_body == 0)
		tracer_fill(t);
	if (t->in_body > 0) {
		t->sending = true;
		t->tries++;
		exporter_send(t->exporter, t->out, tracer_limit_ms(t));
	} else if (t->draining) {
		tracer_finish(t);
	}
}

/* A full batch at once, what is less when it has waited for company. */
static void
tracer_plan(struct tracer *t)
{
	tracer_show(t);
	if (t->sending || t->resting || t->in_body > 0)
		return;
	if (t->draining || t->queue.count >= t->batch)
		loop_timer_set(&t->work, 0);
	else if (t->queue.count > 0 && !loop_timer_is_set(&t->work))
		loop_timer_set(&t->work, t->proc->conf.trace_delay);
}

static void
tracer_rest(struct tracer *t, int64_t ms)
{
	t->resting = true;
	loop_timer_set(&t->work, ms);
}

static void
tracer_failed(struct tracer *t, int result, int64_t retry_ms, const char *why)
{
	bool again = result == E_UPSTREAM_SERVICE_ERROR;
	int64_t wait = backoff_next_jittered_ms(&t->backoff, RETRY_JITTER);

	if (!t->failing)
		log_warn("collector: %s; %s", why,
		    again ? "trying again, and dropping spans there is no room for"
			  : "what it refuses is dropped");
	t->failing = true;
	if (wait < retry_ms)
		wait = retry_ms;
	if (again && t->tries < TRIES_MAX && !t->draining && wait < tracer_left_ms(t)) {
		tracer_rest(t, wait);
		return;
	}
	tracer_lose(t, again ? LABEL(lost, FAILED) : LABEL(lost, REFUSED), t->in_body);
	t->in_body = 0;
	/* The next batch waits as well, also one that is full only then: it would fare no better now. */
	if (t->draining)
		tracer_finish(t);
	else
		tracer_rest(t, wait);
}

/* What the collector took of a batch, and what it did not: for good, it says. */
static void
tracer_took(struct tracer *t, uint64_t rejected)
{
	if (rejected > t->in_body)
		rejected = t->in_body;
	if (rejected > 0 && !t->rejected)
		log_warn("collector: it did not take %" PRIu64 " of %zu spans; they are dropped",
		    rejected, t->in_body);
	t->rejected = rejected > 0;
	tracer_lose(t, LABEL(lost, REFUSED), rejected);
	metric_add(&t->proc->stats, M_TRACE_EXPORTED, 0, 0, t->in_body - rejected);
	t->in_body = 0;
}

static void
tracer_done(int result, int64_t retry_ms, uint64_t rejected, const char *why, void *owner)
{
	struct tracer *t = owner;

	t->sending = false;
	metric_add(&t->proc->stats, M_TRACE_EXPORTS,
	    result == E_OK ? LABEL(result, OK) : LABEL(result, FAILED), 0, 1);
	if (result != E_OK) {
		tracer_failed(t, result, retry_ms, why);
		tracer_show(t);
		return;
	}
	if (t->failing)
		log_info("collector: takes spans again");
	t->failing = false;
	backoff_reset(&t->backoff);
	tracer_took(t, rejected);
	tracer_plan(t);
}

static void
tracer_on_span(struct peer *from, const void *data, void *owner)
{
	struct tracer *t = owner;

	if (t->exporter == NULL) {
		tracer_lose(t, LABEL(lost, ABSENT), 1);
		return;
	}
	buf_reset(&t->one);
	if (otlp_span(&t->one, data, from->slot) != E_OK)
		panic("a span passes its bound");
	if (!queue_add(&t->queue, buf_data(&t->one), buf_len(&t->one)))
		tracer_lose(t, LABEL(lost, QUEUE), 1);
	tracer_plan(t);
}

static const struct msg_handler tracer_handlers[] = {
	{ MSG_SPAN, tracer_on_span },
	{ 0, NULL },
};

static void
tracer_drain_over(void *owner)
{
	tracer_finish(owner);
}

static void
tracer_drain(int64_t timeout_ms, void *owner)
{
	struct tracer *t = owner;

	t->draining = true;
	loop_timer_set(&t->drain, timeout_ms / 2 < DRAIN_MAX_MS ? timeout_ms / 2 : DRAIN_MAX_MS);
	loop_timer_set(&t->work, 0);
}

static const struct proc_hooks tracer_hooks = {
	.drain = tracer_drain,
};

static bool
pairs_have(const struct pair *pairs, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(pairs[i].name, name) == 0)
			return true;
	return false;
}

/* What is configured, then what is known and was not. */
static void
tracer_resource(struct tracer *t)
{
	const struct conf *c = &t->proc->conf;
	struct pair pairs[OTLP_ATTRIBUTES_MAX + 8];
	char list[sizeof(c->trace_resource_attributes)], host[128] = "";
	size_t count = 0, more;
	bool named = c->trace_service_name[0] != '\0';
	const struct pair own[] = {
		{ "service.name", named ? c->trace_service_name : SERVICE_NAME },
		{ "service.version", PACKAGE_VERSION },
		{ "service.instance.id", host },
		{ "host.name", host },
		{ "deployment.environment.name", c->main_environment },
		{ "telemetry.sdk.name", PACKAGE_NAME },
		{ "telemetry.sdk.language", "c" },
		{ "telemetry.sdk.version", PACKAGE_VERSION },
	};

	(void)gethostname(host, sizeof(host) - 1);
	(void)text_copy(list, sizeof(list), c->trace_resource_attributes);
	if (pairs_read(list, pairs, OTLP_ATTRIBUTES_MAX, &count) != E_OK) {
		/* As OpenTelemetry has it: all of it is left out. */
		log_warn("trace.resource_attributes (OTEL_RESOURCE_ATTRIBUTES): it is not "
			 "name=value,name=value with values percent-encoded; left out");
		count = 0;
	}
	/* The name that was given beats the one in the list. */
	for (size_t i = 0; named && i < count; i++)
		if (strcmp(pairs[i].name, "service.name") == 0)
			pairs[i].value = c->trace_service_name;
	more = count;
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (!pairs_have(pairs, count, own[i].name))
			pairs[more++] = own[i];
	if (otlp_resource(&t->resource, pairs, more) != E_OK)
		panic("the resource passes its bound");
}

static void
tracer_open(struct tracer *t)
{
	const struct conf *c = &t->proc->conf;
	const struct exporter_ends ends = { .done = tracer_done, .owner = t };

	t->packs = strcmp(c->trace_compression, "gzip") == 0;
	t->batch = (size_t)least(c->trace_batch, c->trace_queue);
	if (c->trace_batch > c->trace_queue)
		log_warn("trace.batch (OTEL_BSP_MAX_EXPORT_BATCH_SIZE): %" PRId64
			 " is above trace.queue (OTEL_BSP_MAX_QUEUE_SIZE): an export has up to %zu "
			 "spans",
		    c->trace_batch, t->batch);
	queue_init(&t->queue, (size_t)c->trace_queue);
	buf_init(&t->one, SPAN_BYTES_MAX);
	buf_init(&t->spans, BODY_BYTES_MAX);
	buf_init(&t->body, BODY_BYTES_MAX + SPAN_BYTES_MAX);
	buf_init(&t->packed, BODY_BYTES_MAX + BODY_BYTES_MAX / 64);
	buf_init(&t->resource, BODY_BYTES_MAX);
	t->backoff = (struct backoff){ .floor_ms = RETRY_FLOOR_MS, .ceiling_ms = RETRY_LIMIT_MS };
	loop_timer_open(t->proc->loop, &t->work, tracer_work, t);
	loop_timer_open(t->proc->loop, &t->drain, tracer_drain_over, t);
	tracer_resource(t);
	if (c->trace_endpoint[0] != '\0' || c->trace_traces_endpoint[0] != '\0')
		t->exporter = exporter_new(t->proc->loop, c, &ends);
	conf_wipe_secrets(&t->proc->conf);
}

static void
tracer_close(struct tracer *t)
{
	exporter_free(&t->exporter);
	loop_timer_close(&t->work);
	loop_timer_close(&t->drain);
	queue_fini(&t->queue);
	buf_fini(&t->one);
	buf_fini(&t->spans);
	buf_fini(&t->body);
	buf_fini(&t->packed);
	buf_fini(&t->resource);
}

int
main(int argc, char **argv)
{
	struct proc *p = proc_begin(ROLE_TRACER, argc, argv);
	struct tracer t = { .proc = p };

	proc_confine(p);
	proc_connect(p, &tracer_hooks, tracer_handlers, &t);

	tracer_open(&t);

	proc_ready(p);
	proc_loop(p);

	tracer_close(&t);
	return proc_end(p);
}
