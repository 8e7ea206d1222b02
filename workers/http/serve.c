/* serve.c - one request: route, parameters, handler; and the worker they share. */
#include <stdio.h>
#include <string.h>

#include "http_worker.h"
#include "log.h"

void
worker_open(struct worker *w, struct proc *p)
{
	memset(w, 0, sizeof(*w));
	w->proc = p;
	w->router = router_new();
	w->lookup = lookup_new(p);
	if (p->conf.history_wait > 0)
		w->history = history_open(p->loop, &p->conf);
	w->started_ns = clock_wall();
	w->time_ms = -1;
	/* The longest request line, unescaped, with a NUL behind each part of it. */
	params_init(&w->params, (size_t)p->conf.http_request_line_max * 2 + 1024);
	buf_init(&w->out, ANSWER_BYTES_MAX);
	buf_init(&w->openapi, (size_t)1 << 20);
	if (openapi_write(&w->openapi) != E_OK)
		panic("openapi.json passes its bound");
	w->feed = status_feed_new(p->loop, status_page_write, w);
	request_ids_init(&w->ids);
	access_configure(&w->access, &p->conf);
	tracing_init(&w->tracing, p);
}

void
worker_close(struct worker *w)
{
	status_feed_free(&w->feed);
	tracing_fini(&w->tracing);
	history_close(&w->history);
	lookup_free(&w->lookup);
	router_free(&w->router);
	params_fini(&w->params);
	buf_fini(&w->out);
	buf_fini(&w->openapi);
}

static void
worker_count_in(struct worker *w)
{
	metric_set(&w->proc->stats, M_HTTP_IN_FLIGHT, 0, 0, ++w->in_flight);
}

static void
answer_options(struct asker *a, unsigned methods)
{
	char headers[64];

	(void)snprintf(headers, sizeof(headers), "Allow: %s\r\n", router_allow(methods));
	answer_plain(a, 204, NULL, NULL, 0, headers);
}

/* No row: the path is unknown, or takes other methods. */
static void
answer_no_route(struct asker *a, const struct route_match *m)
{
	struct fault fault = { .code = E_NOT_FOUND };
	bool asks_options = strcmp(http_method(a->request), "OPTIONS") == 0;

	if (asks_options && m->methods != 0) {
		answer_options(a, m->methods);
	} else if (asks_options && strcmp(http_path(a->request), "*") == 0) {
		answer_options(a, METHOD_GET | METHOD_POST);
	} else if (m->methods != 0) {
		fault.code = E_METHOD_NOT_ALLOWED;
		answer_fault_allowing(a, &fault, router_allow(m->methods));
	} else {
		answer_fault(a, &fault);
	}
}

void
worker_serve(struct worker *w, struct http_request *request)
{
	struct route_match *m = &w->match;
	struct fault fault = { 0 };
	struct visit c = { .worker = w, .params = &w->params };
	struct trace_texts texts;

	worker_count_in(w);
	router_find(w->router, http_method(request), http_path(request), m);
	asker_begin(&c.asker, w, request, m->row != NULL ? m->row->route : ROUTE_NONE);
	log_context(c.asker.id, asker_trace_id(&c.asker, &texts));
	stats_doing(&w->proc->stats, http_method(request), http_path(request), c.asker.id);
	if (m->row == NULL)
		answer_no_route(&c.asker, m);
	else if (params_read(&w->params, m, request, &fault) != E_OK)
		answer_fault(&c.asker, &fault);
	else
		m->row->answer(&c);
	params_clear(&w->params);
	stats_done(&w->proc->stats);
	log_context(NULL, NULL);
}

void
worker_refuse(struct worker *w, struct http_request *request, int error)
{
	struct fault fault = { .code = err_status(error) != 0 ? error : E_MALFORMED_REQUEST };
	struct asker asker;

	worker_count_in(w);
	asker_begin(&asker, w, request, ROUTE_NONE);
	answer_fault(&asker, &fault);
}

void
worker_gone(struct worker *w, struct http_request *request)
{
	struct pending *p = http_tag(request);

	if (http_is_stream(request)) {
		status_feed_gone(w->feed, request);
		return;
	}
	http_tag_set(request, NULL);
	if (p != NULL)
		p->leave(p);
	metric_set(&w->proc->stats, M_HTTP_IN_FLIGHT, 0, 0, --w->in_flight);
}
