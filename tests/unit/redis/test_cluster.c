/* test_cluster.c - the form with many servers, against two that follow a script: who is missed, which map counts. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "label.h"
#include "loop.h"
#include "redis.h"

static struct loop *loop;
static struct redis *client;
static struct redis_bounds bounds = {
	.connect_ms = 500, .answer_ms = 500, .commands_max = 16, .output_max = 4096
};

/* Answers what every server is asked first, SLOTS with its map, and ASK with `rest`. */
static struct node {
	int listener, fd;
	unsigned port, pings;
	struct event *accepting, *reading;
	char map[256], rest[64];
} nodes[2];

static struct {
	unsigned ups, downs, answers;
	char last[64], why[REDIS_WHY];
} seen;

static void
node_hang_up(struct node *n)
{
	if (n->reading != NULL)
		event_free(n->reading);
	n->reading = NULL;
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}

static void
node_read(evutil_socket_t fd, short what, void *arg)
{
	struct node *n = arg;
	char bytes[4096];
	ssize_t len = recv(fd, bytes, sizeof(bytes) - 1, MSG_DONTWAIT);
	const char *say;

	(void)what;
	if (len <= 0) {
		node_hang_up(n);
		return;
	}
	bytes[len] = '\0';
	for (char *line = strtok(bytes, "\r\n"); line != NULL; line = strtok(NULL, "\r\n")) {
		say = strcmp(line, "SETNAME") == 0 ? "+OK\r\n"
		      : strcmp(line, "PING") == 0  ? "+PONG\r\n"
		      : strcmp(line, "SLOTS") == 0 ? n->map
		      : strcmp(line, "ASK") == 0   ? n->rest
						   : "";
		n->pings += strcmp(line, "PING") == 0;
		cr_assert_eq(send(fd, say, strlen(say), MSG_NOSIGNAL), (ssize_t)strlen(say));
	}
}

static void
node_accept(evutil_socket_t fd, short what, void *arg)
{
	struct node *n = arg;

	(void)what;
	node_hang_up(n);
	n->fd = accept(fd, NULL, NULL);
	n->reading = event_new(loop_base(loop), n->fd, EV_READ | EV_PERSIST, node_read, n);
	event_add(n->reading, NULL);
}

static void
node_open(struct node *n)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);

	n->fd = -1;
	n->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(n->listener, (struct sockaddr *)&at, len), 0);
	cr_assert_eq(listen(n->listener, 8), 0);
	cr_assert_eq(getsockname(n->listener, (struct sockaddr *)&at, &len), 0);
	n->port = ntohs(at.sin_port);
	n->accepting =
	    event_new(loop_base(loop), n->listener, EV_READ | EV_PERSIST, node_accept, n);
	event_add(n->accepting, NULL);
}

static void
on_up(void *owner)
{
	(void)owner;
	seen.ups++;
}

static void
on_down(unsigned cause, const char *why, bool first, void *owner)
{
	(void)cause, (void)first, (void)owner;
	seen.downs++;
	snprintf(seen.why, sizeof(seen.why), "%s", why);
}

static const struct redis_hooks hooks = { on_up, on_down };

static void
on_answer(const struct redis_answer *a, void *arg)
{
	(void)arg;
	seen.answers++;
	snprintf(seen.last, sizeof(seen.last), "%s",
	    a->reply != NULL && a->reply->str != NULL ? a->reply->str : "");
}

/* All slots are the first one's. */
static void
map_whole(char out[256])
{
	snprintf(out, 256, "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:%u\r\n",
	    nodes[0].port);
}

static void
begin(void)
{
	struct redis_url url = { .form = REDIS_CLUSTER, .host_count = 1 };

	loop = loop_new();
	node_open(&nodes[0]);
	node_open(&nodes[1]);
	map_whole(nodes[0].map);
	strcpy(url.hosts[0].name, "127.0.0.1");
	url.hosts[0].port = (uint16_t)nodes[0].port;
	client = redis_open(loop, &url, &bounds, &hooks, NULL);
}

static void
end(void)
{
	redis_close(&client);
	for (int i = 0; i < 2; i++) {
		node_hang_up(&nodes[i]);
		event_free(nodes[i].accepting);
		close(nodes[i].listener);
	}
	loop_free(&loop);
}

static void
turn_until(const unsigned *count, unsigned wanted)
{
	int64_t until = clock_mono() + 5 * CLOCK_SEC;

	while (*count < wanted && clock_mono() < until)
		loop_turn(loop, 10);
	cr_assert_geq(*count, wanted, "%s", seen.why);
}

static void
ask(void)
{
	static const char command[] = "*1\r\n$3\r\nASK\r\n";
	unsigned before = seen.answers;
	int64_t until = clock_mono() + 5 * CLOCK_SEC;

	while (redis_send(client, NULL, command, sizeof(command) - 1, on_answer, NULL) != E_OK &&
	       clock_mono() < until)
		loop_turn(loop, 10);
	turn_until(&seen.answers, before + 1);
}

TestSuite(redis_cluster, .init = begin, .fini = end, .timeout = 30);

Test(redis_cluster, a_server_learned_by_moved_is_missed_when_it_goes)
{
	turn_until(&seen.ups, 1);
	snprintf(nodes[0].rest, sizeof(nodes[0].rest), "-MOVED 0 127.0.0.1:%u\r\n", nodes[1].port);
	strcpy(nodes[1].rest, "+moved here\r\n");
	ask();
	turn_until(&nodes[1].pings, 1);
	ask();
	cr_assert_str_eq(seen.last, "moved here");
	node_hang_up(&nodes[1]);
	turn_until(&seen.downs, 1);
	turn_until(&seen.ups, 2);
}

Test(redis_cluster, a_map_that_breaks_off_replaces_none_and_ends_who_told_it)
{
	int64_t begun;

	turn_until(&seen.ups, 1);
	for (begun = clock_mono(); clock_mono() - begun < 250 * CLOCK_MS;)
		loop_turn(loop, 10); /* a map is asked for again only after a while */
	strcpy(nodes[0].map, "*2\r\n:1\r\n:2\r\n");
	snprintf(nodes[0].rest, sizeof(nodes[0].rest), "-MOVED 0 127.0.0.1:%u\r\n", nodes[0].port);
	ask();
	turn_until(&seen.downs, 1);
	cr_expect_not_null(strstr(seen.why, "map"), "%s", seen.why);
	cr_expect_not(redis_is_up(client));
	map_whole(nodes[0].map);
	strcpy(nodes[0].rest, "+again\r\n");
	turn_until(&seen.ups, 2);
	ask();
	cr_expect_str_eq(seen.last, "again");
}
