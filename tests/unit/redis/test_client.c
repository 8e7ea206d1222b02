/* test_client.c - the client against a server that follows a script: greeting, answers, and everything else. */
#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "label.h"
#include "loop.h"
#include "redis.h"

#define SECRET "hush-hush"

static struct loop *loop;
static struct redis *client;
static struct redis_bounds bounds;

/* The server: answers AUTH, SELECT, SETNAME and PING, then what the test says. */
static struct {
	int listener, fd;
	struct event *accepting, *reading;
	const char *auth, *ping, *rest; /* rest: at any other command; null: silence */
	char heard[65536];
	size_t len;
	unsigned accepted;
} server;

static struct {
	unsigned ups, downs, firsts, answers;
	unsigned cause;
	char why[REDIS_WHY];
	unsigned last_cause;
	char last[64];
} seen;

static void
server_say(const char *text)
{
	if (text != NULL && send(server.fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		return;
}

static void
server_read(evutil_socket_t fd, short what, void *arg)
{
	static const char *const known[] = { "AUTH", "SELECT", "SETNAME", "PING" };
	char bytes[4096];
	ssize_t n = recv(fd, bytes, sizeof(bytes) - 1, MSG_DONTWAIT);

	(void)what, (void)arg;
	if (n <= 0) {
		event_del(server.reading);
		return;
	}
	bytes[n] = '\0';
	if (server.len + (size_t)n < sizeof(server.heard)) {
		memcpy(server.heard + server.len, bytes, (size_t)n + 1);
		server.len += (size_t)n;
	}
	for (char *line = strtok(bytes, "\r\n"); line != NULL; line = strtok(NULL, "\r\n")) {
		if (strcmp(line, known[0]) == 0)
			server_say(server.auth);
		else if (strcmp(line, known[1]) == 0 || strcmp(line, known[2]) == 0)
			server_say("+OK\r\n");
		else if (strcmp(line, known[3]) == 0)
			server_say(server.ping);
		else if (strcmp(line, "ASK") == 0)
			server_say(server.rest);
	}
}

static void
server_hang_up(void)
{
	if (server.reading != NULL)
		event_free(server.reading);
	server.reading = NULL;
	if (server.fd >= 0)
		close(server.fd);
	server.fd = -1;
}

static void
server_accept(evutil_socket_t fd, short what, void *arg)
{
	(void)what, (void)arg;
	server_hang_up();
	server.fd = accept(fd, NULL, NULL);
	server.accepted++;
	server.reading =
	    event_new(loop_base(loop), server.fd, EV_READ | EV_PERSIST, server_read, NULL);
	event_add(server.reading, NULL);
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
	(void)owner;
	seen.downs++;
	seen.firsts += first;
	seen.cause = cause;
	snprintf(seen.why, sizeof(seen.why), "%s", why);
}

static const struct redis_hooks hooks = { on_up, on_down };

static void
on_answer(const struct redis_answer *a, void *arg)
{
	(void)arg;
	seen.answers++;
	seen.last_cause = a->cause;
	snprintf(seen.last, sizeof(seen.last), "%s",
	    a->reply != NULL && a->reply->str != NULL ? a->reply->str : "");
}

static void
begin(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct redis_url url = { .form = REDIS_UNIX, .db = 3, .user = "me", .password = SECRET };

	loop = loop_new();
	snprintf(url.path, sizeof(url.path), "/tmp/test_redis.%d", (int)getpid());
	memcpy(address.sun_path, url.path, sizeof(address.sun_path));
	unlink(url.path);
	server.fd = -1;
	server.auth = "+OK\r\n";
	server.ping = "+PONG\r\n";
	server.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(server.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(server.listener, 8), 0);
	server.accepting =
	    event_new(loop_base(loop), server.listener, EV_READ | EV_PERSIST, server_accept, NULL);
	event_add(server.accepting, NULL);
	bounds = (struct redis_bounds){
		.connect_ms = 200, .answer_ms = 100, .commands_max = 4, .output_max = 4096
	};
	client = redis_open(loop, &url, &bounds, &hooks, NULL);
}

static void
end(void)
{
	char path[64];

	redis_close(&client);
	server_hang_up();
	event_free(server.accepting);
	close(server.listener);
	loop_free(&loop);
	snprintf(path, sizeof(path), "/tmp/test_redis.%d", (int)getpid());
	unlink(path);
}

static void
turn_until(const unsigned *count, unsigned wanted)
{
	int64_t until = clock_mono() + 5 * CLOCK_SEC;

	while (*count < wanted && clock_mono() < until)
		loop_turn(loop, 10);
	cr_assert_geq(*count, wanted, "%s", seen.why);
}

static int
ask(void)
{
	static const char command[] = "*1\r\n$3\r\nASK\r\n";

	return redis_send(client, NULL, command, sizeof(command) - 1, on_answer, NULL);
}

TestSuite(redis_client, .init = begin, .fini = end);

Test(redis_client, says_who_it_is_and_is_up_with_pong)
{
	cr_expect_eq(ask(), E_CLOSED, "before it is up nothing is taken");
	turn_until(&seen.ups, 1);
	cr_expect_not_null(strstr(server.heard, "*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$9\r\n" SECRET
						"\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n"));
	cr_expect_not_null(strstr(server.heard, "$7\r\nSETNAME\r\n$7\r\nopitios\r\n"));
	server.rest = "$5\r\nhello\r\n";
	cr_assert_eq(ask(), E_OK);
	cr_expect_eq(seen.answers, 0, "never from within");
	turn_until(&seen.answers, 1);
	cr_expect_str_eq(seen.last, "hello");
	cr_expect_eq(seen.last_cause, REDIS_WELL);
}

Test(redis_client, a_refused_password_is_told_without_it)
{
	server.auth =
	    "-ERR unknown command `AUTH`, with args beginning with: `me`, `" SECRET "`\r\n";
	turn_until(&seen.downs, 2);
	cr_expect_eq(seen.cause, LABEL(redis, AUTH));
	cr_expect_null(strstr(seen.why, "hush"), "%s", seen.why);
	cr_expect_eq(seen.firsts, 1, "one episode");
	cr_expect_eq(seen.ups, 0);
}

Test(redis_client, a_server_that_loads_is_not_up)
{
	server.ping = "-LOADING Redis is loading the dataset in memory\r\n";
	turn_until(&seen.downs, 1);
	cr_expect_eq(seen.cause, LABEL(redis, LOADING));
	server.ping = "+PONG\r\n";
	turn_until(&seen.ups, 1);
}

Test(redis_client, an_error_answer_has_a_cause_and_the_connection_stays)
{
	turn_until(&seen.ups, 1);
	server.rest = "-OOM command not allowed\r\n";
	cr_assert_eq(ask(), E_OK);
	turn_until(&seen.answers, 1);
	cr_expect_eq(seen.last_cause, LABEL(redis, OOM));
	cr_expect(redis_is_up(client));
}

Test(redis_client, commands_and_bytes_are_bounded)
{
	char large[5000] = "";

	turn_until(&seen.ups, 1);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(ask(), E_OK);
	cr_expect_eq(ask(), E_FULL);
	server_hang_up();
	turn_until(&seen.answers, 4);
	turn_until(&seen.ups, 2);
	cr_expect_eq(redis_send(client, NULL, large, sizeof(large), on_answer, NULL), E_FULL);
}

Test(redis_client, silence_ends_the_connection_and_everybody_is_told)
{
	turn_until(&seen.ups, 1);
	cr_assert_eq(ask(), E_OK);
	cr_assert_eq(ask(), E_OK);
	turn_until(&seen.downs, 1);
	cr_expect_eq(seen.answers, 2);
	cr_expect_eq(seen.last_cause, LABEL(redis, TIMEOUT));
	cr_expect_eq(seen.cause, LABEL(redis, TIMEOUT));
	turn_until(&seen.ups, 2);
	cr_expect_eq(server.accepted, 2, "and it connects anew");
}

Test(redis_client, a_greeting_without_answer_ends_in_time)
{
	server.ping = NULL;
	bounds.answer_ms = 5000;
	turn_until(&seen.downs, 1);
	cr_expect_eq(seen.cause, LABEL(redis, TIMEOUT));
}

Test(redis_client, what_is_no_answer_ends_the_connection)
{
	static const char *const garbage[] = { "+one\r\n+two\r\n", "HTTP/1.1 400\r\n\r\n",
		"*2147483647\r\n", "*-7\r\n",
		"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", ":\r\n\r\n" };

	for (unsigned i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		turn_until(&seen.ups, i + 1);
		server.rest = garbage[i];
		cr_assert_eq(ask(), E_OK);
		turn_until(&seen.downs, i + 1);
		cr_expect(
		    seen.cause == LABEL(redis, PROTOCOL) || seen.cause == LABEL(redis, TIMEOUT),
		    "%s: %s", garbage[i], seen.why);
	}
}

Test(redis_client, nobody_is_told_after_its_end)
{
	turn_until(&seen.ups, 1);
	cr_assert_eq(ask(), E_OK);
	redis_close(&client);
	loop_turn(loop, 20);
	cr_expect_eq(seen.answers, 0);
	cr_expect_eq(seen.downs, 0);
}
