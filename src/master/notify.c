/* notify.c - what systemd is told, and hears no more when the gateway does not work.
 *
 * The protocol is a datagram of lines to the socket that NOTIFY_SOCKET names. The receiver may be slow, full or
 * gone: nothing here waits for it. What must arrive, the state and the listening sockets, is sent again until it
 * was taken; status lines and watchdog pings are left out when they cannot go.
 *
 * The ping comes from the loop that supervises, and only while each required role has a process that is ready and
 * whose loop turns. A role of which none is ready is being replaced: it has the time its row allows.
 */
#include "master_room.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "text.h"

#define NOTIFY_TEXT	  768
#define NOTIFY_STATUS	  256
#define NOTIFY_STATUS_NS  CLOCK_SEC
#define NOTIFY_LOOK_MS	  1000		   /* without a watchdog */
#define NOTIFY_LOOK_SHARE 4		   /* looks in a ping's interval */
#define NOTIFY_LOOK_MOST  250		   /* as often as a heart beats */
#define NOTIFY_FRESH_NS	  CLOCK_SEC	   /* four beats: a shorter silence is none */
#define NOTIFY_SPARE_MS	  10000		   /* beyond what the gateway allows itself */
#define NOTIFY_LONGEST	  (CLOCK_DAY * 10) /* a watchdog that waits longer is none */

struct notify_role {
	enum role role;
	int64_t ready_ns; /* monotonic: when one of its slots was last seen ready */
};

static const struct notify_role notify_roles[] = {
#define NOTIFY_REQUIRED(ROLE_BIT) { ROLE_BIT, 0 },
#define NOTIFY_OPTIONAL(ROLE_BIT)
#define ROLE(NAME, bit, executable, slot, count, need, ready_seconds, help)                        \
	NOTIFY_##need(ROLE_##NAME)
#include "tables/roles.def"
};

#define NOTIFY_ROLES (sizeof(notify_roles) / sizeof(notify_roles[0]))

struct notify_beat { /* of a seat's process, as last seen */
	pid_t pid;
	uint64_t beats;
	int64_t heartbeat_ns;
	int64_t moved_ns; /* monotonic: when it was seen to have moved */
};

struct notify {
	int fd;
	struct sockaddr_un to;
	socklen_t to_len;
	bool failed;		 /* the last datagram did not go, and that was logged */
	char state[NOTIFY_TEXT]; /* the newest READY, RELOADING or STOPPING */
	bool owed;		 /* it has not been taken yet */
	bool stopping;
	char status[NOTIFY_STATUS]; /* as last sent */
	int64_t status_ns;
	int64_t ping_ns; /* between pings; 0: no watchdog */
	int64_t ping_due_ns;
	bool stale; /* pings are withheld, and that was logged */
	struct notify_role roles[NOTIFY_ROLES];
	struct notify_beat beats[BOARD_SLOTS];
	struct loop_timer timer;
};

/* A path, or a name in the abstract namespace behind an @. */
static int
notify_address(struct notify *n, const char *where)
{
	size_t len = strlen(where);

	if ((where[0] != '/' && where[0] != '@') || len < 2 || len >= sizeof(n->to.sun_path))
		return E_INVALID_PARAMETER;
	n->to.sun_family = AF_UNIX;
	memcpy(n->to.sun_path, where, len);
	if (where[0] == '@')
		n->to.sun_path[0] = '\0';
	n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (where[0] == '/'));
	return E_OK;
}

/* True when it was taken. `fd` goes along, -1: none. */
static bool
notify_send(struct notify *n, const char *text, int fd)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr aligned;
	} control = { { 0 } };
	struct iovec part = { .iov_base = (char *)text, .iov_len = strlen(text) };
	struct msghdr message = {
		.msg_name = &n->to, .msg_namelen = n->to_len, .msg_iov = &part, .msg_iovlen = 1
	};
	struct cmsghdr *head;

	if (fd >= 0) {
		message.msg_control = control.room;
		message.msg_controllen = sizeof(control.room);
		head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	}
	if (sendmsg(n->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
		n->failed = false;
		return true;
	}
	if (!n->failed)
		log_warn("NOTIFY_SOCKET: %s: systemd is not told; trying on", strerror(errno));
	n->failed = true;
	return false;
}

/* The newest state is what counts: one that was not taken in time is not told any more. */
static void
notify_state(struct notify *n)
{
	n->owed = !notify_send(n, n->state, -1);
}

/* One seat of each slot: the other one is a successor or a predecessor. */
static bool
notify_counts(const struct slot *s)
{
	return s->current || s->twin == NULL;
}

static void
notify_workers(const struct master *m, unsigned *ready, unsigned *all, unsigned *failed)
{
	size_t i;

	*ready = *all = *failed = 0;
	for (i = 0; i < m->slot_count; i++) {
		if (!notify_counts(&m->slots[i]) || m->slots[i].state == SLOT_IDLE)
			continue;
		*all += 1;
		*ready += m->slots[i].state == SLOT_READY;
		*failed += m->slots[i].failed;
	}
}

static const char *
notify_doing(const struct master *m)
{
	if (m->stop.phase == STOP_DELAY)
		return "stopping, still serving on";
	if (m->stop.phase != STOP_NOT)
		return "draining, until now on";
	if (m->board->all_ready_ns == 0)
		return "starting, listening on";
	return m->reload != NULL ? "reloading, serving on" : "serving on";
}

static void
notify_status_text(const struct master *m, char out[NOTIFY_STATUS])
{
	unsigned ready, all, failed;
	char failing[48] = "";

	notify_workers(m, &ready, &all, &failed);
	if (failed > 0)
		snprintf(failing, sizeof(failing), ", %u failing again and again", failed);
	snprintf(out, NOTIFY_STATUS, "%s %s: %u of %u workers ready%s, generation %" PRIu64,
	    notify_doing(m), m->http.address[0] != '\0' ? m->http.address : "nothing", ready, all,
	    failing, m->generation);
}

/* What every state carries along. */
static void
notify_status_note(struct master *m)
{
	notify_status_text(m, m->notify->status);
	m->notify->status_ns = clock_mono();
}

void
notify_status(struct master *m)
{
	struct notify *n = m->notify;
	char status[NOTIFY_STATUS], text[NOTIFY_STATUS + 16];

	if (n == NULL || clock_mono() - n->status_ns < NOTIFY_STATUS_NS)
		return;
	notify_status_text(m, status);
	if (strcmp(status, n->status) == 0)
		return;
	n->status_ns = clock_mono();
	snprintf(text, sizeof(text), "STATUS=%s", status);
	if (notify_send(n, text, -1))
		(void)text_copy(n->status, sizeof(n->status), status);
}

void
notify_ready(struct master *m)
{
	struct notify *n = m->notify;

	if (n == NULL || n->stopping)
		return;
	notify_status_note(m);
	snprintf(
	    n->state, sizeof(n->state), "READY=1\nMAINPID=%d\nSTATUS=%s", (int)getpid(), n->status);
	notify_state(n);
}

void
notify_reloading(struct master *m)
{
	struct notify *n = m->notify;

	if (n == NULL || n->stopping)
		return;
	notify_status_note(m);
	snprintf(n->state, sizeof(n->state), "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\nSTATUS=%s",
	    clock_mono() / 1000, n->status);
	notify_state(n);
}

/* To a gateway that was never ready a reload does not make it so. */
void
notify_reloaded(struct master *m)
{
	struct notify *n = m->notify;

	if (n == NULL || n->stopping || m->board->all_ready_ns == 0)
		return;
	notify_status_note(m);
	snprintf(n->state, sizeof(n->state), "READY=1\nSTATUS=%s", n->status);
	notify_state(n);
}

/* The configuration may grant more time than the unit does. The second request is no news. */
void
notify_stopping(struct master *m)
{
	int64_t ms = m->conf.supervisor_drain_delay + m->conf.supervisor_drain_timeout;
	struct notify *n = m->notify;

	if (n == NULL || n->stopping)
		return;
	n->stopping = true;
	notify_status_note(m);
	snprintf(n->state, sizeof(n->state),
	    "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRId64 "\nSTATUS=%s", (ms + NOTIFY_SPARE_MS) * 1000,
	    n->status);
	notify_state(n);
}

/* Likewise: the longest any worker may take to be ready. */
static void
notify_starting(struct master *m)
{
	struct notify *n = m->notify;
	int64_t longest = 0;
	size_t i;

	for (i = 0; i < m->slot_count; i++)
		if (m->slots[i].required && m->slots[i].ready_ms > longest)
			longest = m->slots[i].ready_ms;
	notify_status_note(m);
	snprintf(n->state, sizeof(n->state), "EXTEND_TIMEOUT_USEC=%" PRId64 "\nSTATUS=%s",
	    (longest + NOTIFY_SPARE_MS) * 1000, n->status);
	notify_state(n);
}

static void
notify_store_owed(struct master *m)
{
	struct listener *listeners[2] = { &m->http, &m->admin_listener };
	struct notify *n = m->notify;
	char text[sizeof(m->http.name) + 32];
	size_t i;

	for (i = 0; i < 2; i++) {
		if (!listeners[i]->unstored)
			continue;
		snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s", listeners[i]->name);
		listeners[i]->unstored =
		    listeners[i]->fd >= 0 && !notify_send(n, text, listeners[i]->fd);
	}
}

/* What was handed over is systemd's already. An earlier image of this process left word of what it has not taken. */
void
notify_store(struct master *m)
{
	struct notify *n = m->notify;

	if (n == NULL)
		return;
	if (m->options == NULL || m->options->handover == NULL) {
		m->http.unstored = m->http.fd > 0 && m->http.passed == 0;
		m->admin_listener.unstored =
		    m->admin_listener.fd > 0 && m->admin_listener.passed == 0;
	}
	notify_store_owed(m);
}

/* Whether the process of a slot that is ready turned its loop a moment ago. */
static bool
notify_is_fresh(const struct notify *n, const struct slot *s, const struct notify_beat *b)
{
	int64_t limit = n->ping_ns > NOTIFY_FRESH_NS ? n->ping_ns : NOTIFY_FRESH_NS;
	uint64_t patience_ms = s->page->patience_ms;

	if (patience_ms > 3600000)
		patience_ms = 3600000;
	return clock_mono() - b->moved_ns < limit + (int64_t)patience_ms * CLOCK_MS;
}

static void
notify_see_beat(struct notify_beat *b, const struct slot *s)
{
	const struct slot_page *page = s->page;

	if (b->pid == s->pid && b->beats == page->beats && b->heartbeat_ns == page->heartbeat_ns)
		return;
	b->pid = s->pid;
	b->beats = page->beats;
	b->heartbeat_ns = page->heartbeat_ns;
	b->moved_ns = clock_mono();
}

/* Looks at every slot of the role: true while one works, or none does and that is no news yet. */
static bool
notify_role_works(struct master *m, struct notify_role *role)
{
	struct notify *n = m->notify;
	bool wanted = false, ready = false, fresh = false;
	int64_t patience_ms = 0;
	struct slot *s;
	size_t i;

	for (i = 0; i < m->slot_count; i++) {
		s = &m->slots[i];
		if (s->role != role->role || !s->required || !notify_counts(s))
			continue;
		wanted = true;
		if (s->ready_ms > patience_ms)
			patience_ms = s->ready_ms;
		notify_see_beat(&n->beats[i], s);
		if (s->state != SLOT_READY)
			continue;
		ready = true;
		fresh = fresh || notify_is_fresh(n, s, &n->beats[i]);
	}
	if (ready)
		role->ready_ns = clock_mono();
	return fresh || !wanted ||
	       (!ready && clock_mono() - role->ready_ns < patience_ms * CLOCK_MS);
}

/* While the gateway stops workers go on purpose: then the loop alone counts. Every role is looked at each time. */
static bool
notify_all_work(struct master *m)
{
	struct notify *n = m->notify;
	enum role missing = 0;
	size_t i;

	for (i = 0; i < NOTIFY_ROLES; i++)
		if (!notify_role_works(m, &n->roles[i]))
			missing = n->roles[i].role;
	if (m->stop.phase != STOP_NOT)
		missing = 0;
	if (missing != 0 && !n->stale)
		log_error("watchdog: no ping: no %s is ready with a loop that turns; systemd will "
			  "restart the gateway unless that changes",
		    role_name(missing));
	else if (missing == 0 && n->stale)
		log_info("watchdog: every required role works again");
	n->stale = missing != 0;
	return missing == 0;
}

static void
notify_watchdog(struct master *m)
{
	struct notify *n = m->notify;
	int64_t now = clock_mono();

	if (n->ping_ns == 0 || !notify_all_work(m) || now < n->ping_due_ns)
		return;
	if (notify_send(n, "WATCHDOG=1", -1))
		n->ping_due_ns = now + n->ping_ns;
}

void
notify_look(struct master *m)
{
	struct notify *n = m->notify;

	if (n == NULL)
		return;
	if (n->owed)
		notify_state(n);
	notify_store_owed(m);
	notify_watchdog(m);
	notify_status(m);
}

static void
notify_timer(void *arg)
{
	struct master *m = arg;
	int64_t ms = m->notify->ping_ns / NOTIFY_LOOK_SHARE / CLOCK_MS;

	notify_look(m);
	if (m->notify->ping_ns == 0)
		ms = NOTIFY_LOOK_MS;
	else if (ms > NOTIFY_LOOK_MOST)
		ms = NOTIFY_LOOK_MOST;
	loop_timer_set(&m->notify->timer, ms > 0 ? ms : 1);
}

/* Half of what systemd waits for; none when it is another process that is to ping. */
static int64_t
notify_ping_ns(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t n, who;

	if (usec == NULL ||
	    (pid != NULL && (text_to_u64(pid, &who) != E_OK || who != (uint64_t)getpid())))
		return 0;
	if (text_to_u64(usec, &n) != E_OK || n < 2 || n > (uint64_t)NOTIFY_LONGEST / 1000) {
		log_warn(
		    "WATCHDOG_USEC: \"%.32s\" is no time to keep: the watchdog is not told", usec);
		return 0;
	}
	return (int64_t)n * 1000 / 2;
}

static int
notify_socket(struct notify *n)
{
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (n->fd >= 0)
		return E_OK;
	log_warn("NOTIFY_SOCKET: %s: systemd is not told", strerror(errno));
	return E_SYSTEM;
}

void
notify_open(struct master *m)
{
	const char *where = getenv("NOTIFY_SOCKET");
	struct notify *n;
	size_t i;

	if (where == NULL)
		return;
	n = mem_alloc(sizeof(*n));
	if (notify_address(n, where) != E_OK) {
		log_warn(
		    "NOTIFY_SOCKET: \"%.128s\" is neither a path nor @name: systemd is not told",
		    where);
		mem_free(&n);
		return;
	}
	if (notify_socket(n) != E_OK) {
		mem_free(&n);
		return;
	}
	m->notify = n;
	n->ping_ns = notify_ping_ns();
	memcpy(n->roles, notify_roles, sizeof(n->roles));
	for (i = 0; i < NOTIFY_ROLES; i++)
		n->roles[i].ready_ns = clock_mono();
	loop_timer_open(m->loop, &n->timer, notify_timer, m);
	loop_timer_set(&n->timer, 0);
	if (m->board->all_ready_ns == 0)
		notify_starting(m);
}

void
notify_close(struct master *m)
{
	if (m->notify == NULL)
		return;
	loop_timer_close(&m->notify->timer);
	close(m->notify->fd);
	mem_free(&m->notify);
}
