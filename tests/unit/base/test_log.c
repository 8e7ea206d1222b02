/* test_log.c - one line an event, whatever is in it. */
#include "log.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int pipe_fds[2];
static char line[8192];

/* Standard error of this test's process becomes a pipe. */
static void
set_up(void)
{
	cr_assert_eq(pipe(pipe_fds), 0);
	cr_assert_eq(dup2(pipe_fds[1], STDERR_FILENO), STDERR_FILENO);
}

TestSuite(log, .init = set_up);

static const char *
logged(void)
{
	ssize_t n = read(pipe_fds[0], line, sizeof(line) - 1);

	cr_assert_gt(n, 0);
	line[n] = '\0';
	return line;
}

Test(log, a_json_line_is_one_object)
{
	log_open("http-0", LOG_FORMAT_AUTO, LOG_LEVEL_INFO);
	log_warn("AAPL: \"%s\"\n\x01\\", "odd");
	cr_expect_eq(line[0], '\0');
	logged();
	cr_expect_eq(strncmp(line, "{\"time\":\"", 9), 0);
	cr_expect_not_null(strstr(line, "\"level\":\"warn\",\"slot\":\"http-0\",\"pid\":"));
	cr_expect_not_null(strstr(line, "\"message\":\"AAPL: \\\"odd\\\"\\u000a\\u0001\\\\\"}\n"));
	cr_expect_eq(strchr(line, '\n'), line + strlen(line) - 1);
}

Test(log, bytes_that_are_no_text_do_not_break_the_json)
{
	log_open("x", LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	log_info("\xc3\xa4|\xff|\xc3(");
	cr_expect_not_null(strstr(logged(), "\"message\":\"\xc3\xa4|\\ufffd|\\ufffd(\"}\n"));
}

Test(log, a_text_line_cannot_move_the_cursor)
{
	log_open("x", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	log_error("a\033[2Jb\nc");
	logged();
	cr_expect_null(strchr(line, '\033'));
	cr_expect_not_null(strstr(line, " error x: a\\x1b[2Jb\\x0ac\n"));
}

Test(log, long_lines_are_cut_and_still_end)
{
	static char text[10000];

	memset(text, '\x01', sizeof(text) - 1);
	for (int format = LOG_FORMAT_JSON; format <= LOG_FORMAT_TEXT; format++) {
		log_open("x", (enum log_format)format, LOG_LEVEL_INFO);
		log_info("%s", text);
		logged();
		cr_expect_leq(strlen(line), 4096);
		cr_expect_eq(line[strlen(line) - 1], '\n');
		if (format == LOG_FORMAT_JSON)
			cr_expect_str_eq(line + strlen(line) - 3, "\"}\n");
	}
}

Test(log, what_is_below_the_level_is_not_written)
{
	log_open("x", LOG_FORMAT_TEXT, LOG_LEVEL_WARN);
	log_info("hidden");
	log_debug("hidden");
	cr_expect(!log_level_enabled(LOG_LEVEL_INFO) && log_level_enabled(LOG_LEVEL_ERROR));
	log_level_set(LOG_LEVEL_DEBUG);
	log_debug("shown");
	logged();
	cr_expect_null(strstr(line, "hidden"));
	cr_expect_not_null(strstr(line, "shown"));
}

Test(log, fatal_exits_with_its_code, .exit_code = EXIT_WITH_CONFIG)
{
	fatal(EXIT_WITH_CONFIG, "bad");
}

Test(log, panic_aborts, .signal = SIGABRT)
{
	panic("bad");
}
