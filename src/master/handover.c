/* handover.c - what one image of the master leaves to the next, which has the same pid.
 *
 * Descriptors stay open across exec; what they are is written as JSON into a memory file whose own number goes
 * on the command line. Only what cannot be made anew is handed over: sockets, the statistics, live processes
 * with their channels. The rest the next image reads and makes as at any start.
 */
#include "handover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "build_config.h"
#include "clock.h"
#include "json_write.h"
#include "log.h"
#include "mem.h"
#include "text.h"

#define HANDOVER_FORMAT 1
#define HANDOVER_MAX	(1024u * 1024)
#define HANDOVER_QUEUE	(256u * 1024)

void
handover_keep(int fd, bool across_exec)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags >= 0)
		(void)fcntl(fd, F_SETFD, across_exec ? flags & ~FD_CLOEXEC : flags | FD_CLOEXEC);
}

void
handover_keep_all(struct master *m, bool across_exec)
{
	size_t i;

	handover_keep(m->lock_fd, across_exec);
	handover_keep(m->board_rw, across_exec);
	handover_keep(m->board_ro, across_exec);
	handover_keep(m->http.fd, across_exec);
	handover_keep(m->admin_listener.fd, across_exec);
	handover_keep(ctl_listener(m), across_exec);
	for (i = 0; i < m->slot_count; i++)
		if (m->slots[i].control != NULL)
			handover_keep(chan_fd(m->slots[i].control), across_exec);
	for (i = 0; i < WORKER_ROLES; i++)
		handover_keep(m->executables[i].fd, across_exec);
}

static void
write_listener(struct json *j, const struct listener *l)
{
	if (l->fd < 0)
		return;
	json_object_open(j, NULL);
	json_text(j, "name", l->name);
	json_i64(j, "fd", l->fd);
	json_text(j, "address", l->address);
	json_bool(j, "unstored", l->unstored);
	json_object_close(j);
}

static void
write_slot(struct json *j, const struct slot *s)
{
	json_object_open(j, NULL);
	json_text(j, "name", s->name);
	json_bool(j, "current", s->current);
	json_i64(j, "pid", s->pid);
	json_i64(j, "control", s->control != NULL ? chan_fd(s->control) : -1);
	json_i64(j, "spawned", s->spawned_mono_ns);
	json_u64(j, "births", s->births);
	json_bool(j, "steady", s->steady);
	json_object_close(j);
}

static void
write_links(struct json *j, const struct master *m)
{
	size_t i;

	json_array_open(j, "links");
	for (i = 0; i < m->link_count; i++) {
		if (m->links[i].a == NULL || m->links[i].lost)
			continue;
		json_object_open(j, NULL);
		json_u64(j, "number", m->links[i].number);
		json_text(j, "a", m->links[i].a->name);
		json_text(j, "b", m->links[i].b->name);
		json_object_close(j);
	}
	json_array_close(j);
}

static void
write_previous(struct json *j, const struct master *m, int own_executable)
{
	size_t i;

	json_object_open(j, "previous");
	json_i64(j, "master", own_executable);
	for (i = 0; i < WORKER_ROLES; i++)
		json_i64(j, role_executable(m->executables[i].role), m->executables[i].fd);
	json_object_close(j);
}

static void
write_all(struct json *j, const struct master *m, const struct handover *h)
{
	size_t i;

	json_object_open(j, NULL);
	json_i64(j, "format", HANDOVER_FORMAT);
	json_text(j, "version", PACKAGE_VERSION);
	json_bool(j, "rollback", h->rollback);
	json_text(j, "why", h->why);
	json_i64(j, "asker", h->asker);
	json_i64(j, "lock", m->lock_fd);
	json_i64(j, "board_rw", m->board_rw);
	json_i64(j, "board_ro", m->board_ro);
	json_i64(j, "control", ctl_listener(m));
	json_u64(j, "generation", m->generation);
	json_u64(j, "http_workers", m->http_workers);
	json_u64(j, "link_number", m->link_number);
	json_array_open(j, "listeners");
	write_listener(j, &m->http);
	write_listener(j, &m->admin_listener);
	json_array_close(j);
	json_array_open(j, "slots");
	for (i = 0; i < m->slot_count; i++)
		write_slot(j, &m->slots[i]);
	json_array_close(j);
	write_links(j, m);
	write_previous(j, m, h->executable);
	json_i64(j, "conf", h->conf);
	json_object_close(j);
}

int
handover_write(const struct master *m, const struct handover *h, int *out)
{
	struct buf text;
	struct json j;
	int fd, r;

	buf_init(&text, HANDOVER_MAX);
	json_begin(&j, &text);
	write_all(&j, m, h);
	r = json_end(&j);
	fd = r == E_OK ? memfd_create("opitios-handover", 0) : -1;
	if (fd >= 0 && write(fd, buf_data(&text), buf_len(&text)) != (ssize_t)buf_len(&text)) {
		close(fd);
		fd = -1;
	}
	buf_fini(&text);
	if (fd < 0)
		return E_SYSTEM;
	*out = fd;
	return E_OK;
}

static int
read_fd(const json_t *o, const char *name)
{
	const json_t *n = json_object_get(o, name);

	return json_is_integer(n) ? (int)json_integer_value(n) : -1;
}

static uint64_t
read_u64(const json_t *o, const char *name)
{
	const json_t *n = json_object_get(o, name);

	return json_is_integer(n) && json_integer_value(n) > 0 ? (uint64_t)json_integer_value(n)
							       : 0;
}

static json_t *
load_json(const char *number)
{
	char *end, *text;
	json_t *root;
	off_t size;
	long fd;

	fd = strtol(number, &end, 10);
	if (*end != '\0' || fd < 3 || fd > 1000000 || (size = lseek((int)fd, 0, SEEK_END)) <= 0 ||
	    size > (off_t)HANDOVER_MAX)
		fatal(EXIT_WITH_USAGE,
		    "--handover: %s is no handover: only a running master gives one", number);
	text = mem_alloc((size_t)size);
	root = pread((int)fd, text, (size_t)size, 0) == size
		   ? json_loadb(text, (size_t)size, 0, NULL)
		   : NULL;
	mem_free(&text);
	close((int)fd);
	if (root == NULL || read_fd(root, "format") != HANDOVER_FORMAT)
		fatal(EXIT_WITH_PROTOCOL, "--handover: written by a master of another kind");
	return root;
}

static void
read_listeners(struct master *m, const json_t *root)
{
	const char *name, *address;
	struct listener *l;
	json_t *one;
	size_t i;

	for (i = 0; i < json_array_size(json_object_get(root, "listeners")); i++) {
		one = json_array_get(json_object_get(root, "listeners"), i);
		name = json_string_value(json_object_get(one, "name"));
		address = json_string_value(json_object_get(one, "address"));
		if (name == NULL || address == NULL)
			continue;
		l = strcmp(name, "http") == 0 ? &m->http : &m->admin_listener;
		l->fd = read_fd(one, "fd");
		l->unstored = json_is_true(json_object_get(one, "unstored"));
		(void)text_copy(l->name, sizeof(l->name), name);
		(void)text_copy(l->address, sizeof(l->address), address);
		handover_keep(l->fd, false);
	}
}

static void
read_previous(struct handover *h, const json_t *root)
{
	const json_t *previous = json_object_get(root, "previous");
	size_t i;

	h->previous = read_fd(previous, "master");
	handover_keep(h->previous, false);
	for (i = 0; i < WORKER_ROLES; i++) {
		h->previous_executables[i].role = worker_roles[i];
		h->previous_executables[i].fd = read_fd(previous, role_executable(worker_roles[i]));
		handover_keep(h->previous_executables[i].fd, false);
	}
}

void
handover_load(const char *number, struct handover *h)
{
	json_t *root = load_json(number);
	const char *why = json_string_value(json_object_get(root, "why"));

	memset(h, 0, sizeof(*h));
	h->root = root;
	h->rollback = json_is_true(json_object_get(root, "rollback"));
	(void)text_copy(h->why, sizeof(h->why), why != NULL ? why : "");
	h->asker = read_fd(root, "asker");
	h->executable = -1;
	h->conf = read_fd(root, "conf");
	handover_keep(h->asker, false);
	handover_keep(h->conf, false);
	read_previous(h, root);
}

void
handover_read(struct master *m, struct handover *h)
{
	const json_t *root = h->root;

	m->lock_fd = read_fd(root, "lock");
	m->board_rw = read_fd(root, "board_rw");
	m->board_ro = read_fd(root, "board_ro");
	m->ctl_handed = (int)read_u64(root, "control");
	m->generation = read_u64(root, "generation");
	m->handed_workers = (unsigned)read_u64(root, "http_workers");
	m->link_number = read_u64(root, "link_number");
	handover_keep(m->lock_fd, false);
	handover_keep(m->board_rw, false);
	handover_keep(m->board_ro, false);
	if (m->ctl_handed > 0)
		handover_keep(m->ctl_handed, false);
	read_listeners(m, root);
}

static struct slot *
handover_seat(struct master *m, const char *name)
{
	size_t i;

	for (i = 0; name != NULL && i < m->slot_count; i++)
		if (strcmp(m->slots[i].name, name) == 0)
			return &m->slots[i];
	return NULL;
}

static void
adopt_process(struct slot *s, const json_t *one)
{
	int control = read_fd(one, "control");

	handover_keep(control, false);
	s->pid = read_fd(one, "pid");
	s->births = read_u64(one, "births");
	s->spawned_mono_ns = (int64_t)read_u64(one, "spawned");
	s->steady = json_is_true(json_object_get(one, "steady"));
	s->was_ready = true;
	s->control = chan_adopt(s->master->loop, control, ROLE_MASTER, s->role, s->name,
	    HANDOVER_QUEUE, &control_hooks, s);
	slot_adopt(s);
	recycle_begin(s);
}

/* A seat whose process was not there, or is gone meanwhile, starts as at any start. */
static void
adopt_seat(struct master *m, const json_t *one)
{
	struct slot *s = handover_seat(m, json_string_value(json_object_get(one, "name")));

	if (s == NULL)
		return;
	s->current = json_is_true(json_object_get(one, "current"));
	s->page->current = s->current;
	s->wanted = s->current && (s->twin == NULL || s->number < m->http_workers);
	if (read_fd(one, "pid") > 0 && read_fd(one, "control") >= 0)
		adopt_process(s, one);
}

static void
adopt_link(struct master *m, const json_t *one)
{
	struct slot *a = handover_seat(m, json_string_value(json_object_get(one, "a")));
	struct slot *b = handover_seat(m, json_string_value(json_object_get(one, "b")));

	if (a != NULL && b != NULL)
		wire_adopt(m, read_u64(one, "number"), a, b);
}

void
handover_adopt(struct master *m, struct handover *h)
{
	const json_t *slots = json_object_get(h->root, "slots");
	const json_t *links = json_object_get(h->root, "links");
	size_t i;

	for (i = 0; i < json_array_size(slots); i++)
		adopt_seat(m, json_array_get(slots, i));
	for (i = 0; i < json_array_size(links); i++)
		adopt_link(m, json_array_get(links, i));
	/* Links that were lost at that moment were not handed over. */
	loop_timer_set(&m->rewire, 0);
	way_back_close();
	json_decref(h->root);
	h->root = NULL;
}
