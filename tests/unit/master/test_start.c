/* test_start.c - the master's start: what it says and with what it ends when it cannot. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "conf.h"
#include "stage.h"

static struct stage st;
static char said[256 * 1024];

static void
setup(void)
{
	stage_open(&st);
}

static void
teardown(void)
{
	stage_close(&st);
}

TestSuite(start, .init = setup, .fini = teardown, .timeout = 60);

static int
run(const char *a, const char *b)
{
	const char *arguments[] = { a, b, NULL };

	return stage_run(&st, arguments, said, sizeof(said));
}

static int
lines(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

Test(start, help_names_every_key)
{
	const struct conf_row *rows;
	size_t count, i;

	cr_expect_eq(run("--help", NULL), 0);
	rows = conf_rows(&count);
	for (i = 0; i < count; i++)
		cr_expect_not_null(strstr(said, rows[i].help), "%s", rows[i].key);
	cr_expect_not_null(strstr(said, "--check-config"));
}

Test(start, version_tells_what_it_is_made_of)
{
	cr_expect_eq(run("--version", NULL), 0);
	cr_expect_not_null(strstr(said, "opitios-alpaca "));
	cr_expect_not_null(strstr(said, "libevent 2."));
	cr_expect_not_null(strstr(said, "msgpack-c "));
	cr_expect_not_null(strstr(said, "inih "));
}

Test(start, a_bad_value_is_one_line_and_78)
{
	cr_expect_eq(run("--http.workers=many", NULL), 78);
	cr_expect_eq(lines(said), 1, "%s", said);
	cr_expect_not_null(strstr(said, "http.workers"));
	cr_expect_not_null(strstr(said, "many"));
	cr_expect_eq(run("--check-config", "--http.workers=many"), 78);
	cr_expect_eq(run("--config", "/nonexistent/file"), 78);
	cr_expect_eq(lines(said), 1, "%s", said);
}

Test(start, a_good_configuration_is_said_to_be)
{
	cr_expect_eq(run("--check-config", NULL), 0);
}

Test(start, the_printed_configuration_hides_the_secret)
{
	cr_expect_eq(run("--print-config", "--http.workers=7"), 0);
	cr_expect_null(strstr(said, "the-secret-of-the-test"));
	cr_expect_not_null(strstr(said, "workers = 7"), "%s", said);
}

Test(start, an_unknown_option_is_64)
{
	cr_expect_eq(run("--bogus", NULL), 64);
	cr_expect_eq(lines(said), 1);
	cr_expect_not_null(strstr(said, "--bogus"));
	cr_expect_eq(run("--http.bogus=1", NULL), 64);
}

Test(start, a_state_directory_that_cannot_be_is_73)
{
	cr_expect_eq(run("--state-dir", "/dev/null/state"), 73);
	cr_expect_eq(lines(said), 1, "%s", said);
	cr_expect_not_null(strstr(said, "/dev/null"));
}

Test(start, a_state_directory_is_made_with_its_parents)
{
	char deep[160];

	snprintf(deep, sizeof(deep), "%s/a/b/c", st.dir);
	/* The address is refused after the directory was made. */
	cr_expect_eq(
	    stage_run(&st,
		(const char *[]){ "--state-dir", deep, "--http.address=192.0.2.1:80", NULL }, said,
		sizeof(said)),
	    77);
	cr_expect_eq(access(deep, W_OK), 0);
}

Test(start, a_second_master_on_the_same_state_is_refused_with_the_pid_of_the_first)
{
	char pid[16];

	stage_start(&st, NULL);
	stage_ready(&st);
	cr_expect_eq(run("--http.address=127.0.0.1:0", NULL), 73);
	snprintf(pid, sizeof(pid), "pid %d", (int)st.master);
	cr_expect_not_null(strstr(said, pid), "%s", said);
	cr_expect_eq(lines(said), 1, "%s", said);
}

Test(start, an_address_in_use_is_77)
{
	char other[160], address[100];

	stage_start(&st, NULL);
	stage_ready(&st);
	snprintf(other, sizeof(other), "%s/other", st.dir);
	snprintf(address, sizeof(address), "--http.address=%s", st.board->http_address);
	cr_expect_eq(stage_run(&st, (const char *[]){ "--state-dir", other, address, NULL }, said,
			 sizeof(said)),
	    77);
	cr_expect_not_null(strstr(said, "http.address"));
}

Test(start, workers_that_are_missing_are_a_configuration_error)
{
	cr_expect_eq(run("--supervisor.worker_dir=/nonexistent", "--http.address=127.0.0.1:0"), 78);
	cr_expect_not_null(strstr(said, "supervisor.worker_dir"));
	cr_expect_not_null(strstr(said, "fetcher"));
}
