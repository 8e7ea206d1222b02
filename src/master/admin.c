/* admin.c - the master's own address: metrics, health and probes, whatever state the workers are in.
 *
 * All is read off the board when it is asked. Whoever asks may be hostile: connections, sizes and times are small, the
 * connection that is silent the longest makes room for a new one, and nobody gets more than a few answers in a
 * turn of the loop that supervises.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "ctl.h"
#include "health.h"
#include "http.h"
#include "http_fault.h"
#include "log.h"
#include "master_room.h"
#include "mem.h"
#include "status.h"
#include "text.h"

#define ADMIN_BACKLOG	128
#define ADMIN_BODY_MAX	((size_t)32 << 20)
#define ADMIN_BODY_KEPT ((size_t)64 << 10)
#define ADMIN_TURN_MAX	8 /* answers in a turn; then connections close behind theirs */
#define ADMIN_FILE	"admin.address"
#define ADMIN_ALLOW	"GET, HEAD, OPTIONS"
#define ADMIN_OFF	"off"
#define STATUS_FOLDER	"/status/"
#define JSON_TYPE	"application/json"

struct admin {
	struct master *master;
	struct http_server *server;
	struct buf body;
	struct request_ids ids;
	struct status_feed *feed;
	unsigned answered; /* in this turn */
};

static const struct http_limits admin_limits = {
	.connections_max = 64,
	.request_line_max = 1024,
	.headers_max = 8192,
	.body_max = 0,
	.output_max = ADMIN_BODY_MAX,
	.header_timeout_ms = 2000,
	.body_timeout_ms = 2000,
	.idle_timeout_ms = 30000,
	.total_timeout_ms = 5000,
	.evicts = true,
};

static void
admin_turn_end(void *arg)
{
	struct admin *a = arg;

	a->answered = 0;
}

static bool
admin_turn_is_full(struct admin *a)
{
	if (a->answered++ == 0)
		loop_at_end(a->master->loop, admin_turn_end, a);
	return a->answered > ADMIN_TURN_MAX;
}

/* Sends what is in the body; a large one's memory goes back to the system. `more` is a header line, or "". */
static void
admin_send(struct admin *a, struct http_request *request, const char *id, int status,
    const char *type, const char *more)
{
	char headers[1024];
	int n = snprintf(headers, sizeof(headers),
	    "X-Request-Id: %s\r\nCache-Control: no-store\r\n%s", id, more);

	http_reply(request, &(struct http_answer){ .status = status,
				.type = type,
				.headers = headers,
				.headers_len = (size_t)n,
				.body = buf_data(&a->body),
				.body_len = buf_len(&a->body),
				.close = admin_turn_is_full(a) });
	buf_reset(&a->body);
	if (a->body.capacity > ADMIN_BODY_KEPT)
		buf_shrink(&a->body);
}

static void
admin_fault(struct admin *a, struct http_request *request, const char *id, int error)
{
	struct fault fault = { .code = error };
	int64_t retry_after = fault_retry_after(&fault);
	char time[CLOCK_TEXT], more[96] = "";

	(void)clock_format_ms(clock_wall(), time);
	if (error == E_METHOD_NOT_ALLOWED)
		(void)text_copy(more, sizeof(more), "Allow: " ADMIN_ALLOW "\r\n");
	else if (retry_after >= 0)
		(void)snprintf(more, sizeof(more), "Retry-After: %lld\r\n", (long long)retry_after);
	buf_reset(&a->body);
	/* Every part of it is bounded, and all of them together far below the limit. */
	(void)!fault_write(&a->body, &fault, id, time, http_path(request));
	admin_send(a, request, id, err_status(error), JSON_TYPE, more);
}

static struct health_own
admin_own(const struct admin *a)
{
	const struct master *m = a->master;
	struct health_own own = { .state_dir = m->conf.state_dir };

	for (size_t i = 0; i < m->slot_count; i++)
		own.fetcher_was_ready |= m->slots[i].role == ROLE_FETCHER && m->slots[i].was_ready;
	return own;
}

static void
admin_health(struct admin *a, struct http_request *request, const char *id, enum health_page page)
{
	struct master *m = a->master;
	struct health_own own = admin_own(a);
	int status;

	status = health_answer(page, m->board, &own, &a->body);
	if (status == 500)
		admin_fault(a, request, id, E_INTERNAL_SERVICE_ERROR);
	else
		admin_send(a, request, id, status, JSON_TYPE, "");
}

static void
admin_route_metrics(struct admin *a, struct http_request *request, const char *id)
{
	enum metric_format format = metric_format_wanted(http_header(request, "accept"));

	if (metric_expose_as(a->master->board, format, &a->body) == E_OK)
		admin_send(a, request, id, 200, metric_format_type(format), "Vary: Accept\r\n");
	else
		admin_fault(a, request, id, E_INTERNAL_SERVICE_ERROR);
}

#define HEALTH_ROUTE(name, page)                                                                   \
	static void admin_route_##name(                                                            \
	    struct admin *a, struct http_request *request, const char *id)                         \
	{                                                                                          \
		admin_health(a, request, id, page);                                                \
	}
HEALTH_ROUTE(live, HEALTH_LIVE)
HEALTH_ROUTE(ready, HEALTH_READY)
HEALTH_ROUTE(startup, HEALTH_STARTUP)
HEALTH_ROUTE(short, HEALTH_SHORT)
HEALTH_ROUTE(detailed, HEALTH_DETAILED)

/* A file of the status page. */
static void
admin_file(struct admin *a, struct http_request *request, const char *id, const char *name)
{
	const struct status_file *f = status_file_find(name);

	if (f == NULL)
		admin_fault(a, request, id, E_NOT_FOUND);
	else if (buf_add(&a->body, f->bytes, f->len) != E_OK)
		admin_fault(a, request, id, E_INTERNAL_SERVICE_ERROR);
	else
		admin_send(a, request, id, 200, f->type, STATUS_HEADERS);
}

static int
admin_status_write(void *owner, struct buf *out)
{
	const struct admin *a = owner;
	const struct status_own own = { .board = a->master->board,
		.health = admin_own(a),
		.seen_by = role_name(ROLE_MASTER),
		.has_reports = true };

	return status_write(&own, out);
}

static void
admin_route_page(struct admin *a, struct http_request *request, const char *id)
{
	admin_file(a, request, id, "");
}

static void
admin_route_status(struct admin *a, struct http_request *request, const char *id)
{
	if (admin_status_write(a, &a->body) == E_OK)
		admin_send(a, request, id, 200, JSON_TYPE, "");
	else
		admin_fault(a, request, id, E_INTERNAL_SERVICE_ERROR);
}

static void
admin_route_events(struct admin *a, struct http_request *request, const char *id)
{
	char headers[160];
	int n;

	if (http_is_head(request)) {
		admin_send(a, request, id, 200, STATUS_EVENTS_TYPE, "");
		return;
	}
	if (status_feed_is_full(a->feed)) {
		admin_fault(a, request, id, E_OVERLOADED);
		return;
	}
	n = snprintf(
	    headers, sizeof(headers), "X-Request-Id: %s\r\nCache-Control: no-store\r\n", id);
	status_feed_add(a->feed, request, headers, (size_t)n);
}

/* The id a query asks for; "" when it asks for none. */
static void
admin_crash_id(const char *query, char *id, size_t size)
{
	char name[16];

	while (http_query_next(&query, name, sizeof(name), id, size) == 1)
		if (strcmp(name, "id") == 0)
			return;
	id[0] = '\0';
}

/* A crash report as it was written: /status/crash?id=12. */
static void
admin_route_crash(struct admin *a, struct http_request *request, const char *id)
{
	char number[16];
	int r;

	admin_crash_id(http_query(request), number, sizeof(number));
	r = ctl_crash_report(a->master, number, &a->body);
	if (r == E_OK)
		admin_send(a, request, id, 200, JSON_TYPE, "");
	else
		admin_fault(a, request, id, r == E_ABSENT ? E_NOT_FOUND : E_INVALID_PARAMETER);
}

static const struct admin_route {
	const char *path;
	void (*answer)(struct admin *, struct http_request *, const char *id);
} admin_routes[] = {
#define ADMIN_ROUTE(path, handler, help) { (path), admin_route_##handler },
#include "tables/admin_routes.def"
};

static const struct admin_route *
admin_find(const char *path)
{
	size_t i;

	for (i = 0; i < sizeof(admin_routes) / sizeof(admin_routes[0]); i++)
		if (strcmp(admin_routes[i].path, path) == 0)
			return &admin_routes[i];
	return NULL;
}

static void
admin_on_request(struct http_request *request, void *owner)
{
	struct admin *a = owner;
	const struct admin_route *route = admin_find(http_path(request));
	const char *method = http_method(request);
	char id[REQUEST_ID_MAX + 1];

	buf_reset(&a->body);
	request_id(&a->ids, request, id);
	if (route == NULL && (strcmp(method, "GET") == 0 || http_is_head(request)) &&
	    strncmp(http_path(request), STATUS_FOLDER, sizeof(STATUS_FOLDER) - 1) == 0)
		admin_file(a, request, id, http_path(request) + sizeof(STATUS_FOLDER) - 1);
	else if (route == NULL)
		admin_fault(a, request, id, E_NOT_FOUND);
	else if (strcmp(method, "GET") == 0 || http_is_head(request))
		route->answer(a, request, id);
	else if (strcmp(method, "OPTIONS") == 0)
		admin_send(a, request, id, 204, NULL, "Allow: " ADMIN_ALLOW "\r\n");
	else
		admin_fault(a, request, id, E_METHOD_NOT_ALLOWED);
}

static void
admin_on_refused(struct http_request *request, int error, void *owner)
{
	char id[REQUEST_ID_MAX + 1];
	struct admin *a = owner;

	request_id(&a->ids, request, id);
	admin_fault(a, request, id, err_status(error) != 0 ? error : E_MALFORMED_REQUEST);
}

/* Answers are given at once: what can be gone before its end is a stream. */
static void
admin_on_gone(struct http_request *request, void *owner)
{
	struct admin *a = owner;

	status_feed_gone(a->feed, request);
}

static void
admin_on_starved(int error, void *owner)
{
	struct admin *a = owner;

	page_refused(a->master, "admin.address", "connection", error);
}

static const struct http_hooks admin_hooks = {
	.starved = admin_on_starved,
	.gone = admin_on_gone,
	.request = admin_on_request,
	.refused = admin_on_refused,
};

/* The server closes what it listens on; the listener itself stays the master's. */
static void
admin_listen(struct admin *a)
{
	struct listener *l = &a->master->admin_listener;
	int fd = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0 || http_server_listen(a->server, fd) != E_OK)
		fatal(EXIT_WITH_SYSTEM, "admin.address: \"%s\": %s", l->address, strerror(errno));
}

/* A socket that was handed over and that nobody serves would let clients wait: they are better refused. */
static void
admin_let_go(struct listener *l)
{
	if (l->fd < 0 && l->passed > 0)
		l->fd = l->passed;
	if (l->fd < 0)
		return;
	log_warn("admin: off: a listening socket that was handed over for it is closed here; what "
		 "else holds "
		 "it, a socket unit, keeps it open");
	listen_close(l);
}

void
admin_open(struct master *m)
{
	struct admin *a;

	if (strcmp(m->conf.admin_address, ADMIN_OFF) == 0) {
		log_info("admin: off: health and metrics are told by http workers only");
		admin_let_go(&m->admin_listener);
		return;
	}
	/* A scrape of many workers is megabytes, for a moment: in a mapping of its own it is given back. */
	(void)mallopt(M_MMAP_THRESHOLD, 256 * 1024);
	if (m->board->crashes[0].id == 0)
		ctl_crashes_recall(m);
	if (m->admin_listener.fd < 0)
		listen_open(&m->admin_listener, "admin", m->conf.admin_address, ADMIN_BACKLOG);
	a = mem_alloc(sizeof(*a));
	a->master = m;
	a->feed = status_feed_new(m->loop, admin_status_write, a);
	a->server = http_server_new(m->loop, &admin_limits, &admin_hooks, a);
	buf_init(&a->body, ADMIN_BODY_MAX);
	request_ids_init(&a->ids);
	admin_listen(a);
	(void)text_copy(
	    m->board->admin_address, sizeof(m->board->admin_address), m->admin_listener.address);
	state_dir_tell_address(m, &m->admin_listener);
	m->admin = a;
}

void
admin_close(struct master *m)
{
	if (m->admin == NULL)
		return;
	state_dir_remove(m->conf.state_dir, ADMIN_FILE);
	http_server_free(&m->admin->server);
	status_feed_free(&m->admin->feed);
	buf_fini(&m->admin->body);
	listen_close(&m->admin_listener);
	mem_free(&m->admin);
}
