/* test_options.c - the command line, and the order of the configuration's layers. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "master_room.h"
#include "mem.h"

static int
parse(struct options *o, const char *a, const char *b, const char *c)
{
	char *argv[] = { "opitios-alpaca", (char *)a, (char *)b, (char *)c, NULL };
	const char *why, *word;
	int argc = 1 + (a != NULL) + (b != NULL) + (c != NULL);

	return options_parse(argc, argv, o, &why, &word);
}

Test(options, reads_a_file_name_in_both_spellings)
{
	struct options o;

	cr_assert_eq(parse(&o, "--config", "a.conf", NULL), E_OK);
	cr_expect_str_eq(o.file, "a.conf");
	cr_assert_eq(parse(&o, "--config=b.conf", NULL, NULL), E_OK);
	cr_expect_str_eq(o.file, "b.conf");
	cr_expect_eq(o.mode, MODE_RUN);
}

Test(options, knows_its_modes)
{
	struct options o;

	cr_assert_eq(parse(&o, "--check-config", NULL, NULL), E_OK);
	cr_expect_eq(o.mode, MODE_CHECK);
	cr_assert_eq(parse(&o, "--print-config", NULL, NULL), E_OK);
	cr_expect_eq(o.mode, MODE_PRINT);
	cr_assert_eq(parse(&o, "--version", NULL, NULL), E_OK);
	cr_expect_eq(o.mode, MODE_VERSION);
	cr_assert_eq(parse(&o, "--help", NULL, NULL), E_OK);
	cr_expect_eq(o.mode, MODE_HELP);
}

Test(options, refuses_what_it_does_not_know)
{
	static const char *const wrong[] = { "--bogus", "file", "--", "-x", "--config",
		"--state-dir", "--http.bogus=1", "--http.workers", "--configure=a", "--=1", "" };
	struct options o;
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_expect_eq(parse(&o, wrong[i], NULL, NULL), E_INVALID_PARAMETER, "%s", wrong[i]);
}

Test(options, lets_the_command_line_win_over_environment_over_file)
{
	char path[] = "/tmp/opitios-options-XXXXXX", why[CONF_ERROR], *none[] = { NULL };
	char *environment[] = { "OPITIOS_HTTP_WORKERS=3", "OPITIOS_HTTP_BACKLOG=33", NULL };
	FILE *f = fdopen(mkstemp(path), "w");
	struct options o;
	struct conf c;

	fputs("[http]\nworkers = 2\nbacklog = 22\nbatch_max = 20\n", f);
	fclose(f);
	cr_assert_eq(parse(&o, "--config", path, "--http.workers=4"), E_OK);
	cr_assert_eq(options_conf(&o, environment, &c, why), E_OK, "%s", why);
	cr_expect_eq(c.http_workers, 4);
	cr_expect_eq(c.http_backlog, 33);
	cr_expect_eq(c.http_batch_max, 20);
	cr_assert_eq(parse(&o, "--state-dir", "/tmp/x", NULL), E_OK);
	cr_assert_eq(options_conf(&o, none, &c, why), E_OK);
	cr_expect_str_eq(c.state_dir, "/tmp/x");
	unlink(path);
}

Test(options, names_key_value_and_origin_of_a_bad_value)
{
	char why[CONF_ERROR], *none[] = { NULL };
	struct options o;
	struct conf c;

	cr_assert_eq(parse(&o, "--http.workers=many", NULL, NULL), E_OK);
	cr_assert_neq(options_conf(&o, none, &c, why), E_OK);
	cr_expect_not_null(strstr(why, "http.workers"));
	cr_expect_not_null(strstr(why, "many"));
	cr_expect_not_null(strstr(why, "command line"));
	cr_expect_null(strchr(why, '\n'));
}

/* Whether this process has it in its memory. */
static bool
maps(const char *library)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];
	bool found = false;

	while (fgets(line, sizeof(line), f) != NULL)
		found = found || strstr(line, library) != NULL;
	fclose(f);
	return found;
}

Test(options, of_a_store_are_checked_without_loading_its_library)
{
	char *right[] = { "POSTGRES_URL=postgresql://u:s3cr%40t@h/db", NULL };
	char *wrong[] = { "POSTGRES_READ_URL=postgresql://u:un@s3cret@h/db", NULL };
	char why[CONF_ERROR], *none[] = { NULL };
	struct options o;
	struct conf c;

	cr_assert_eq(parse(&o, NULL, NULL, NULL), E_OK);
	cr_expect_eq(options_conf(&o, right, &c, why), E_OK, "%s", why);
	cr_expect_eq(options_conf(&o, wrong, &c, why), E_CONFIG);
	cr_expect(
	    strstr(why, "postgres.read_url: ") != NULL && strstr(why, "%40") != NULL, "%s", why);
	cr_expect(strstr(why, "s3cret") == NULL, "%s", why);
	cr_expect_eq(options_conf(&o, none, &c, why), E_OK);
	cr_expect_not(maps("libpq"));
	cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1, "a child is left");
}

Test(environment, of_a_worker_holds_only_what_is_listed)
{
	char *from[] = { "HOME=/root", "PATH=/bin", "ALPACA_SECRET_KEY=x", "PATHS=/no", "TZ=UTC",
		"LANG=C", "OPITIOS_HTTP_WORKERS=2", "LD_PRELOAD=evil.so", "ASAN_OPTIONS=a=b",
		"NO_COLOR=1", NULL };
	char **to = spawn_environment(from);

	cr_expect_str_eq(to[0], "PATH=/bin");
	cr_expect_str_eq(to[1], "TZ=UTC");
	cr_expect_str_eq(to[2], "LANG=C");
	cr_expect_str_eq(to[3], "ASAN_OPTIONS=a=b");
	cr_expect_str_eq(to[4], "NO_COLOR=1");
	cr_expect_null(to[5]);
	mem_free(&to);
}
