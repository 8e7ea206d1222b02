/* test_command.c - what was meant, and how it is called. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "ctl_room.h"

TestSuite(command, .timeout = 30);

Test(command, distance_counts_letters_wrong_missing_and_exchanged)
{
	cr_expect_eq(text_distance("status", "status"), 0);
	cr_expect_eq(text_distance("statsu", "status"), 1, "neighbours exchanged");
	cr_expect_eq(text_distance("stats", "status"), 1);
	cr_expect_eq(text_distance("statuss", "status"), 1);
	cr_expect_eq(text_distance("", "top"), 3);
	cr_expect_geq(text_distance("a-word-that-is-longer-than-any-command", "top"), 20);
}

Test(command, the_nearest_is_what_was_meant)
{
	cr_expect_str_eq(command_nearest("statsu"), "status");
	cr_expect_str_eq(command_nearest("relaod"), "reload");
	cr_expect_str_eq(command_nearest("loglevel"), "log-level");
	cr_expect_str_eq(command_nearest("work"), "workers", "a beginning is near");
	cr_expect_null(command_nearest("xyzzy"));
	cr_expect_null(command_nearest(""));
}

Test(command, arguments_in_brackets_may_be_left_out)
{
	cr_expect(command_takes(command_find("crashes"), 0));
	cr_expect(command_takes(command_find("crashes"), 1));
	cr_expect_not(command_takes(command_find("crashes"), 2));
	cr_expect_not(command_takes(command_find("restart"), 0));
	cr_expect(command_takes(command_find("scale"), 2));
	cr_expect_not(command_takes(command_find("scale"), 1));
	cr_expect(command_takes(command_find("status"), 0));
}

static char said[16384];

static int
run(const char *arguments)
{
	char line[512];
	size_t n;
	FILE *f;

	snprintf(line, sizeof(line), "env -u OPITIOS_STATE_DIR %s/opitios-ctl %s 2>&1", BUILD_DIR,
	    arguments);
	f = popen(line, "r");
	n = fread(said, 1, sizeof(said) - 1, f);
	said[n] = '\0';
	return WEXITSTATUS(pclose(f));
}

static int
lines(void)
{
	int n = 0;

	for (const char *p = said; *p; p++)
		n += *p == '\n';
	return n;
}

Test(command, bad_input_is_one_line_and_64)
{
	static const char *const bad[] = { "statsu", "restart", "restart a b", "status x",
		"--bogus status", "", "--timeout never status", "-n 0 top", "-d", "--socket",
		"log-level" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_expect_eq(run(bad[i]), 64, "%s: %s", bad[i], said);
		cr_expect_eq(lines(), 1, "%s: %s", bad[i], said);
	}
	run("statsu");
	cr_expect_not_null(strstr(said, "did you mean status?"), "%s", said);
}

Test(command, where_no_gateway_answers_is_said_with_69_as_json_too)
{
	cr_expect_eq(run("--state-dir /nonexistent status"), 69);
	cr_expect_eq(lines(), 1, "%s", said);
	cr_expect_not_null(strstr(said, "/nonexistent/control.sock"), "%s", said);
	cr_expect_eq(run("--json --state-dir=/nonexistent status"), 69);
	cr_expect_eq(strncmp(said, "{\"ok\":false,", 12), 0, "%s", said);
	cr_expect_eq(
	    run("--state-dir /nonexistent health"), 1, "as a container's health check wants it");
	cr_expect_eq(run("--state-dir /nonexistent top --once"), 69);
	cr_expect_eq(run("--config /nonexistent/file status"), 78);
}

Test(command, help_names_every_command_and_option)
{
	cr_expect_eq(run("--help"), 0);
#define COMMAND(handler, name, KIND, arguments, help)                                              \
	cr_expect_not_null(strstr(said, "  " name " "), name);
#define OPTION(name, value, help) cr_expect_not_null(strstr(said, "  " name " "), name);
#include "tables/commands.def"
}
