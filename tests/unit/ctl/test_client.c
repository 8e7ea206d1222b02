/* test_client.c - the client against something that is no gateway. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "ctl_room.h"

static char dir[64], path[128], why[CTL_LINE];
static struct client client;
static pid_t server;

static void
setup(void)
{
	strcpy(dir, "/tmp/opitios-client-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/control.sock", dir);
	client_init(&client, path, 300);
}

static void
teardown(void)
{
	char command[128];

	client_close(&client);
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	cr_assert_eq(system(command), 0);
}

TestSuite(client, .init = setup, .fini = teardown, .timeout = 20);

/* Takes one connection, reads a line, says this; null: says nothing and stays. */
static void
serve(const char *answer)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), got;
	char line[4096];

	strcpy(a.sun_path, path);
	cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	cr_assert_eq(listen(fd, 4), 0);
	if ((server = fork()) != 0) {
		close(fd);
		return;
	}
	got = accept(fd, NULL, NULL);
	if (read(got, line, sizeof(line)) > 0 && answer != NULL)
		(void)!write(got, answer, strlen(answer));
	if (answer == NULL)
		pause();
	_exit(0);
}

static int
ask(void)
{
	json_t *answer;
	int r = client_ask(&client, "status", NULL, 0, 300, &answer, why);

	json_decref(answer);
	return r;
}

Test(client, an_answer_is_an_object_on_a_line)
{
	serve("{\"ok\":true}\n");
	cr_expect_eq(ask(), E_OK);
}

Test(client, silence_ends_with_the_time_allowed)
{
	int64_t begun = clock_mono();

	serve(NULL);
	cr_expect_eq(ask(), E_REQUEST_TIMEOUT);
	cr_expect_not_null(strstr(why, "within 0.3 s"), "%s", why);
	cr_expect_geq(clock_mono() - begun, 290 * CLOCK_MS);
}

Test(client, something_else_is_told_from_a_gateway)
{
	serve("HTTP/1.1 400 Bad Request\r\n\r\n");
	cr_expect_eq(ask(), E_PROTOCOL);
	cr_expect_not_null(strstr(why, "no gateway of this kind"), "%s", why);
}

Test(client, the_end_of_the_other_side_is_told)
{
	serve("");
	cr_expect_eq(ask(), E_CLOSED);
	cr_expect_not_null(strstr(why, path), "%s", why);
}

Test(client, a_socket_nobody_listens_at_is_told_with_its_path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(a.sun_path, path);
	cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	close(fd);
	cr_expect_eq(ask(), E_SYSTEM);
	cr_expect_not_null(strstr(why, path), "%s", why);
	cr_expect_not_null(strstr(why, "refused"), "%s", why);
}
