/* test_log_lines.c - fields by their table, hostile bytes, readers that stop, sums of repeats, the journal. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "log_room.h"

static int ends[2];
static char got[1 << 20];

static void
set_up(void)
{
	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	cr_assert_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	unsetenv("JOURNAL_STREAM");
	log_repeat_reset();
	log_context(NULL, NULL);
	clock_fake(1767605400123 * CLOCK_MS, CLOCK_SEC);
}

TestSuite(log_lines, .init = set_up, .fini = clock_real);

/* Everything that is in the pipe. */
static const char *
drain(int fd)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, got + len, sizeof(got) - 1 - len)) > 0)
		len += (size_t)n;
	got[len] = '\0';
	return got;
}

static unsigned
count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

static struct log_about
full_about(void)
{
	struct log_about about = { 0 };
#define LOG_SET_EVERY(name, value)
#define LOG_SET_ABOUT(name, value)  about.name = value;
#define LOG_SET_ACCESS(name, value) about.name = value;
#define LOG_VALUE_TEXT(name)	    "<" #name ">"
#define LOG_VALUE_NUMBER(name)	    4711
#define LOG_VALUE_MICROS(name)	    1234567
#define LOG_FIELD(name, WHERE, KIND, max, journal, help)                                           \
	LOG_SET_##WHERE(name, LOG_VALUE_##KIND(name))
#include "tables/log_fields.def"
	return about;
}

Test(log_lines, hold_every_field_of_the_table_in_its_order)
{
	struct log_about about = full_about();
	const struct log_row *rows;
	const char *at;
	char name[64];
	size_t n, i;

	log_open("http-0", LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	log_access(&about);
	at = drain(ends[0]);
	rows = log_rows(&n);
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "\"%s\":", rows[i].name);
		at = strstr(at, name);
		cr_assert_not_null(at, "%s is missing or out of order in %s", name, got);
	}
	cr_expect_not_null(strstr(got, "\"time\":\"2026-01-05T09:30:00.123Z\",\"level\":\"info\""));
	cr_expect_not_null(strstr(got, "\"request_id\":\"<request_id>\""));
	cr_expect_not_null(strstr(got, "\"duration_ms\":1234.567"));
	cr_expect_not_null(strstr(got, "\"bytes\":4711"));
}

Test(log_lines, say_only_what_is_known)
{
	log_open("http-0", LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	log_warn_of(LOG_ABOUT(.symbol = "AAPL", .code = "STALE"), "refused");
	cr_expect_not_null(strstr(drain(ends[0]),
			       "\"message\":\"refused\",\"symbol\":\"AAPL\",\"code\":\"STALE\"}\n"),
	    "%s", got);
	log_access(LOG_ABOUT(.method = "GET", .status = 200));
	cr_expect_not_null(
	    strstr(drain(ends[0]),
		"\"message\":\"access\",\"status\":200,\"method\":\"GET\",\"bytes\":0,"
		"\"duration_ms\":0.000}\n"),
	    "%s", got);
}

Test(log_lines, within_a_request_carry_its_ids)
{
	log_open("http-0", LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	log_context("id-1", "0af7651916cd43dd8448eb211c80319c");
	log_warn("AAPL: something");
	log_context(NULL, NULL);
	log_warn("AAPL: something else");
	drain(ends[0]);
	cr_expect_eq(
	    count(
		got, "\"request_id\":\"id-1\",\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\"}"),
	    1);
	cr_expect_eq(count(got, "request_id"), 1);
}

/* Every byte there is, in every field that takes text: one line, valid, bounded. */
Test(log_lines, survive_hostile_bytes)
{
	static char wild[6000];
	struct log_about about = full_about();
	size_t i, n;

	for (i = 0; i < sizeof(wild) - 1; i++)
		wild[i] = (char)(1 + i % 255);
	about.path = about.user_agent = about.request_id = about.symbol = about.client = wild;
	for (int format = LOG_FORMAT_JSON; format <= LOG_FORMAT_TEXT; format++) {
		log_open(wild, (enum log_format)format, LOG_LEVEL_INFO);
		log_access(&about);
		log_error_of(&about, "%s", wild);
		n = strlen(drain(ends[0]));
		cr_expect_eq(count(got, "\n"), 2);
		cr_expect_leq(n, 2 * LOG_LINE);
		cr_expect_eq(got[n - 1], '\n');
		for (i = 0; i < n; i++)
			cr_assert(
			    got[i] == '\n' || ((unsigned char)got[i] >= 0x20 && got[i] != 0x7f),
			    "byte %d at %zu", got[i], i);
	}
	cr_expect_not_null(strstr(got, "..."), "what was cut says so");
}

Test(log_lines, hide_no_control_behind_two_bytes)
{
	log_open("x", LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	log_info("a\xc2\x9b"
		 "2J\xe2\x80\xa8z");
	cr_expect_not_null(strstr(drain(ends[0]), "a\\u009b2J\\u2028z"), "%s", got);
}

Test(log_lines, of_text_quote_only_what_needs_it)
{
	log_open("x", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	log_warn_of(LOG_ABOUT(.symbol = "AAPL", .route = "a \"b\""), "said");
	cr_expect_str_eq(drain(ends[0]),
	    "2026-01-05T09:30:00.123Z warn  x: said symbol=AAPL route=\"a \\\"b\\\"\"\n");
}

static int
open_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK), terminal;

	if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
		cr_skip_test("no pseudo terminals here");
	terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
	cr_assert_geq(terminal, 0);
	cr_assert_eq(dup2(terminal, STDERR_FILENO), STDERR_FILENO);
	return master;
}

Test(log_lines, are_coloured_on_a_terminal_alone)
{
	int terminal = open_terminal();

	unsetenv("NO_COLOR");
	log_open("x", LOG_FORMAT_AUTO, LOG_LEVEL_INFO);
	log_error("red");
	cr_expect_not_null(strstr(drain(terminal), "\033[31m2026-"), "%s", got);
	log_open("x", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	log_error("plain");
	cr_expect(
	    strstr(drain(terminal), "plain") != NULL && strchr(got, '\033') == NULL, "%s", got);
	setenv("NO_COLOR", "1", 1);
	log_open("x", LOG_FORMAT_AUTO, LOG_LEVEL_INFO);
	log_error("plain");
	cr_expect(
	    strstr(drain(terminal), "plain") != NULL && strchr(got, '\033') == NULL, "%s", got);
}

/* A write that waited would be ended by the test's own timeout. */
Test(log_lines, into_a_full_pipe_are_dropped_counted_and_told, .timeout = 5)
{
	unsigned written;

	cr_assert_gt(fcntl(ends[1], F_SETPIPE_SZ, 16384), 0);
	log_open("x", LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	cr_expect_eq(
	    fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0, "the pipe's other writers are left alone");
	(void)log_counts_take();
	for (int i = 0; i < 1000; i++)
		log_error("line %d", i);
	written = count(drain(ends[0]), "\n");
	cr_expect_gt(written, 10);
	cr_expect_lt(written, 1000);
	cr_expect_eq(log_counts_take().dropped, 1000 - written);
	log_tick();
	drain(ends[0]);
	cr_expect_eq(count(got, "\n"), 1);
	cr_expect_not_null(strstr(got, "lines that could not be"), "%s", got);
	snprintf(got + 4096, 64, "\"dropped\":%u}", 1000 - written);
	cr_expect_not_null(strstr(got, got + 4096), "%s", got);
	log_info("and on");
	cr_expect_eq(count(drain(ends[0]), "dropped"), 0);
	cr_expect_not_null(strstr(got, "and on"));
}

static void
say_many(unsigned times, const char *text)
{
	for (unsigned i = 0; i < times; i++)
		log_warn("%s", text);
}

Test(log_lines, that_repeat_are_summed_up)
{
	log_open("x", LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	(void)log_counts_take();
	say_many(260, "the same");
	cr_expect_eq(count(drain(ends[0]), "\n"), LOG_REPEAT_BURST);
	clock_fake(1767605410123 * CLOCK_MS, 11 * CLOCK_SEC);
	log_tick();
	drain(ends[0]);
	cr_expect_eq(count(got, "\n"), 1);
	cr_expect_not_null(
	    strstr(
		got, "\"message\":\"the same ... repeated 250 times in 10.0 s\",\"repeated\":250}"),
	    "%s", got);
	cr_expect_eq(log_counts_take().repeated, 250);
	say_many(3, "the same");
	cr_expect_eq(count(drain(ends[0]), "\n"), 3, "the next episode begins anew");
}

Test(log_lines, of_slow_repeats_are_all_written)
{
	log_open("x", LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	for (int i = 0; i < 100; i++) {
		clock_fake(1767605400123 * CLOCK_MS, i * CLOCK_SEC / 9);
		say_many(1, "now and then");
	}
	cr_expect_eq(count(drain(ends[0]), "\n"), 100);
}

Test(log_lines, of_different_errors_are_never_one)
{
	cr_assert_gt(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20), 0);
	log_open("x", LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	for (int i = 0; i < 300; i++)
		log_error("error %d", i);
	for (int i = 0; i < 300; i++) {
		char symbol[16];

		snprintf(symbol, sizeof(symbol), "S%d", i);
		log_error_of(LOG_ABOUT(.symbol = symbol), "refused");
	}
	cr_expect_eq(count(drain(ends[0]), "\n"), 600);
	for (int i = 0; i < 800; i++)
		log_info("info %d", i);
	cr_expect_eq(
	    count(drain(ends[0]), "\n"), LOG_REPEAT_BURST_SITE, "a flood of one place is one");
	log_flush();
	cr_expect_not_null(
	    strstr(drain(ends[0]), "info 600 ... and others like it 200 times"), "%s", got);
}

/* However many places repeat at once: what is put out of the table is told then. */
Test(log_lines, of_many_repeats_lose_none)
{
	uint64_t told = 0;

	cr_assert_gt(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20), 0);
	log_open("x", LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	for (int i = 0; i < 400; i++)
		for (int k = 0; k < 15; k++)
			log_error("error %d", i);
	log_flush();
	drain(ends[0]);
	for (const char *at = got; (at = strstr(at, "\"repeated\":")) != NULL; at++)
		told += strtoull(at + 11, NULL, 10);
	cr_expect_eq(
	    told + count(got, "\n") - count(got, "\"repeated\":") + log_counts_take().dropped,
	    6000);
}

Test(log_lines, go_to_a_file_that_is_opened_anew)
{
	char folder[] = "/tmp/opitios-log-XXXXXX", path[64], moved[64];
	struct stat is;
	int fd;

	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/log", folder);
	snprintf(moved, sizeof(moved), "%s/log.1", folder);
	umask(022);
	log_open("x", LOG_FORMAT_AUTO, LOG_LEVEL_INFO);
	cr_assert_eq(log_files(path, ""), E_OK);
	log_info("first");
	cr_assert_eq(rename(path, moved), 0);
	log_info("second");
	cr_assert_eq(log_files(path, ""), E_OK);
	log_info("third");
	cr_assert_eq(log_files("/nowhere/at/all", ""), E_SYSTEM);
	log_info("fourth");
	cr_expect_str_eq(drain(ends[0]), "", "nothing goes to stderr");
	cr_assert_eq(stat(path, &is), 0);
	cr_expect_eq(is.st_mode & 0777, 0640);
	fd = open(moved, O_RDONLY);
	cr_expect(strstr(drain(fd), "first") != NULL && strstr(got, "second") != NULL);
	cr_expect_eq(count(got, "\n"), 2);
	close(fd);
	fd = open(path, O_RDONLY);
	cr_expect(strstr(drain(fd), "third") != NULL && strstr(got, "fourth") != NULL);
	close(fd);
	cr_assert_eq(log_files("", ""), E_OK);
	log_info("fifth");
	cr_expect_not_null(strstr(drain(ends[0]), "fifth"));
	unlink(path);
	unlink(moved);
	rmdir(folder);
}

static int
journal_listen(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* stderr is "connected to the journal": the variable names the pipe. */
static void
journal_stream(void)
{
	char text[64];
	struct stat is;

	cr_assert_eq(fstat(STDERR_FILENO, &is), 0);
	snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)is.st_dev,
	    (unsigned long long)is.st_ino);
	setenv("JOURNAL_STREAM", text, 1);
}

Test(log_lines, are_fields_in_the_journal)
{
	char path[] = "/tmp/opitios-journal-XXXXXX";
	int fd;

	cr_assert_not_null(mkdtemp(path));
	cr_assert_eq(rmdir(path), 0);
	fd = journal_listen(path);
	journal_stream();
	log_open_journal("http-0", LOG_LEVEL_INFO, path);
	log_error_of(
	    LOG_ABOUT(.request_id = "id-1", .symbol = "A\nMESSAGE=forged"), "broken\nPRIORITY=0");
	drain(fd);
	cr_expect_eq(
	    strstr(got, "SYSLOG_IDENTIFIER=opitios-alpaca\nPRIORITY=3\nOPITIOS_SLOT=http-0\n"), got,
	    "%s", got);
	cr_expect_not_null(strstr(got, "\nMESSAGE=broken\\x0aPRIORITY=0\n"), "%s", got);
	cr_expect_not_null(
	    strstr(got, "\nOPITIOS_REQUEST_ID=id-1\nOPITIOS_SYMBOL=A\\x0aMESSAGE=forged\n"), "%s",
	    got);
	cr_expect_not_null(strstr(got, "\nCODE_FILE="));
	cr_expect_str_eq(drain(ends[0]), "");
	/* It is gone: the stream takes the line, with the priority it understands. */
	close(fd);
	unlink(path);
	log_warn("still told");
	cr_expect_str_eq(drain(ends[0]), "<4>warn  http-0: still told\n");
}

Test(log_lines, as_text_in_the_journal_have_its_prefix)
{
	journal_stream();
	log_open("x", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	log_error("bad");
	cr_expect_str_eq(drain(ends[0]), "<3>error x: bad\n");
	setenv("JOURNAL_STREAM", "1:2", 1);
	log_open("x", LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	log_error("bad");
	cr_expect_eq(
	    strncmp(drain(ends[0]), "{\"time\"", 7), 0, "the variable is of another descriptor");
}

/* As between fork and exec, where every descriptor but the standard three is closed. */
Test(log_lines, of_a_child_without_descriptors_arrive)
{
	pid_t pid;
	int status;

	log_open("x", LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	if ((pid = fork()) == 0) {
		(void)close_range(3, ~0u, 0);
		log_error("from the child");
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_not_null(strstr(drain(ends[0]), "from the child"));
}

/* The kinds that cannot be opened again are asked, or told not to wait. */
Test(log_lines, wait_for_no_reader_of_any_kind, .timeout = 5)
{
	struct log_sink polled = { .fd = ends[1], .kind = LOG_SINK_POLLED };
	struct log_sink stream = { .kind = LOG_SINK_SOCKET };
	static char text[4096];
	unsigned taken = 0;
	int pair[2];

	memset(text, 'x', sizeof(text));
	while (taken < 1000 && log_sink_write(&polled, text, sizeof(text)))
		taken++;
	cr_expect(taken > 0 && taken < 1000);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	stream.fd = pair[1];
	for (taken = 0; taken < 1000 && log_sink_write(&stream, text, sizeof(text)); taken++)
		;
	cr_expect(taken > 0 && taken < 1000);
	close(pair[0]);
	cr_expect_not(log_sink_write(&stream, text, sizeof(text)), "no SIGPIPE");
}

Test(log_lines, have_fields_with_names_of_their_own)
{
	const struct log_row *rows;
	size_t n, i, k;

	rows = log_rows(&n);
	for (i = 0; i < n; i++) {
		cr_expect_eq(
		    rows[i].name[strspn(rows[i].name, "abcdefghijklmnopqrstuvwxyz_")], '\0');
		cr_expect_eq(
		    rows[i].journal[strspn(rows[i].journal, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_")], '\0');
		for (k = 0; k < i; k++) {
			cr_expect_str_neq(rows[i].name, rows[k].name);
			cr_expect(rows[i].journal[0] == '\0' ||
				  strcmp(rows[i].journal, rows[k].journal) != 0);
		}
	}
}
