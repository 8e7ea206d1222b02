/* ctl_server.c - the control socket: made, guarded, removed.
 *
 * The state directory's lock is held when this opens, so a socket file that is there is a dead master's. Who
 * may speak is decided twice: by the mode of the file and by the kernel's word about the peer.
 */
#include "ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "mem.h"

#define CTL_BACKLOG	 16
#define CTL_ACCEPT_TURN	 8   /* connections taken in one turn */
#define CTL_RETRY_MS	 100 /* before accepting again when descriptors ran out */
#define CTL_TALK_BURST	 5
#define CTL_TALK_SECONDS 1

/* A directory's path may be longer than a socket's address can be: then it is reached through a descriptor. */
static void
server_address(const char *dir, int *dir_fd, struct sockaddr_un *address)
{
	size_t size = sizeof(address->sun_path);

	*dir_fd = -1;
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if ((size_t)snprintf(address->sun_path, size, "%s/%s", dir, CTL_SOCKET) < size)
		return;
	if ((*dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
		fatal(EXIT_WITH_STATE, "state.dir: \"%s\" cannot be opened: %s", dir,
		    strerror(errno));
	(void)snprintf(address->sun_path, size, "/proc/self/fd/%d/%s", *dir_fd, CTL_SOCKET);
}

/* What an earlier image made goes on, whatever the disk allows by now; one whose name was removed is made anew. */
static int
server_take_over(struct master *m)
{
	struct sockaddr_un address;
	int fd = m->ctl_handed, dir_fd;
	struct stat st;

	m->ctl_handed = 0;
	if (fd <= 0)
		return -1;
	server_address(m->conf.state_dir, &dir_fd, &address);
	if (lstat(address.sun_path, &st) != 0 && errno == ENOENT) {
		close(fd);
		fd = -1;
	}
	if (dir_fd >= 0)
		close(dir_fd);
	return fd;
}

static void
server_remove_stale(const char *dir, const struct sockaddr_un *address)
{
	struct stat st;

	if (lstat(address->sun_path, &st) != 0)
		return;
	if (!S_ISSOCK(st.st_mode))
		fatal(EXIT_WITH_STATE,
		    "state.dir: \"%s/%s\" is in the way and no socket: move it elsewhere", dir,
		    CTL_SOCKET);
	if (unlink(address->sun_path) != 0)
		fatal(EXIT_WITH_STATE,
		    "state.dir: \"%s/%s\" of a dead master cannot be removed: %s", dir, CTL_SOCKET,
		    strerror(errno));
}

static int
server_listen(const char *dir)
{
	struct sockaddr_un address;
	int fd, dir_fd, r;
	mode_t mask;

	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) < 0)
		fatal(EXIT_WITH_SYSTEM, "control socket: %s", strerror(errno));
	server_address(dir, &dir_fd, &address);
	server_remove_stale(dir, &address);
	mask = umask(0177); /* no instant at which others could connect */
	r = bind(fd, (const struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (r != 0 || listen(fd, CTL_BACKLOG) != 0)
		fatal(EXIT_WITH_STATE, "state.dir: \"%s/%s\" cannot be made: %s", dir, CTL_SOCKET,
		    strerror(errno));
	if (dir_fd >= 0)
		close(dir_fd);
	return fd;
}

/* One line, if the kernel takes it at once, and the end. */
static void
server_refuse(struct ctl_server *s, int fd, int error, const char *why)
{
	char line[256];
	int n = snprintf(line, sizeof(line),
	    "{\"ok\":false,\"command\":null,\"error\":\"%s\",\"code\":%d,\"name\":\"%s\"}\n", why,
	    -error, err_name(error));

	s->refused++;
	(void)!send(fd, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

static void
server_take(struct ctl_server *s, int fd)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
	    (peer.uid != 0 && peer.uid != geteuid())) {
		if (limit_take(&s->talk, 0, clock_mono()))
			log_warn("control socket: refused process %d of user %d", (int)peer.pid,
			    (int)peer.uid);
		server_refuse(s, fd, E_NOT_ENTITLED,
		    "only root and the user the gateway runs as may control it");
	} else if (!ctl_conn_open(s, fd)) {
		if (limit_take(&s->talk, 0, clock_mono()))
			log_warn(
			    "control socket: refused a connection: %d are open", CTL_CONNS_MAX);
		server_refuse(s, fd, E_FULL,
		    "the control socket has as many connections as it allows: end one, or try "
		    "again");
	}
}

static void
server_on_connection(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_server *s = arg;
	int i, taken;

	(void)what;
	for (i = 0; i < CTL_ACCEPT_TURN; i++) {
		if ((taken = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
			server_take(s, taken);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			page_refused(s->master, "control socket", "connection", errno);
			event_del(s->accepting);
			loop_timer_set(&s->retry, CTL_RETRY_MS);
		}
		return;
	}
}

static void
server_retry(void *arg)
{
	struct ctl_server *s = arg;

	(void)event_add(s->accepting, NULL);
}

void
ctl_open(struct master *m)
{
	struct ctl_server *s = mem_alloc(sizeof(*s));

	m->ctl = s;
	s->master = m;
	if ((s->fd = server_take_over(m)) < 0)
		s->fd = server_listen(m->conf.state_dir);
	buf_init(&s->text, CTL_OUT_MAX);
	limit_init(&s->talk, CTL_TALK_BURST, CTL_TALK_SECONDS, clock_mono());
	loop_timer_open(m->loop, &s->retry, server_retry, s);
	s->accepting =
	    event_new(loop_base(m->loop), s->fd, EV_READ | EV_PERSIST, server_on_connection, s);
	if (s->accepting == NULL || event_add(s->accepting, NULL) != 0)
		fatal(EXIT_WITH_SYSTEM, "the control socket cannot be watched");
}

int
ctl_listener(const struct master *m)
{
	return m->ctl != NULL ? m->ctl->fd : -1;
}

void
ctl_close(struct master *m)
{
	struct ctl_server *s = m->ctl;
	size_t i;

	if (s == NULL)
		return;
	state_dir_remove(m->conf.state_dir, CTL_SOCKET);
	for (i = 0; i < CTL_CONNS_MAX; i++)
		if (s->conns[i].server != NULL)
			ctl_conn_close(&s->conns[i]);
	loop_timer_close(&s->retry);
	event_free(s->accepting);
	close(s->fd);
	buf_fini(&s->text);
	mem_free(&m->ctl);
}
