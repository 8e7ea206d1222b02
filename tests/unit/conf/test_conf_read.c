/* test_conf_read.c - configuration from files and the environment. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"

static char why[CONF_ERROR];
static char path[64];

/* Writes a temporary file; its name is in `path`. */
static void
file_with(const void *text, size_t len)
{
	int fd;

	strcpy(path, "/tmp/test_conf_XXXXXX");
	fd = mkstemp(path);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, len), (ssize_t)len);
	close(fd);
}

static int
read_text(struct conf *c, const char *text)
{
	int r;

	file_with(text, strlen(text));
	conf_defaults(c);
	r = conf_file_read(c, path, why);
	unlink(path);
	return r;
}

static int
read_env(struct conf *c, const char **environment)
{
	conf_defaults(c);
	why[0] = '\0';
	return conf_env_read(c, (char **)(uintptr_t)environment, why);
}

Test(conf_file, settings_comments_and_indentation_are_read)
{
	struct conf c;

	cr_assert_eq(read_text(&c, "# a comment\n; another\n[http]\r\nworkers = 4\r\n"
				   "   backlog=7 ; why\n\n[alpaca]\n\tstock_feed: sip\n"
				   "data_url = http://h:1/x=y"),
	    E_OK, "%s", why);
	cr_expect_eq(c.http_workers, 4);
	cr_expect_eq(c.http_backlog, 7);
	cr_expect_str_eq(c.alpaca_stock_feed, "sip");
	cr_expect_str_eq(c.alpaca_data_url, "http://h:1/x=y");
}

static void
refused(const char *text, const char *reason)
{
	struct conf c;

	cr_expect_eq(read_text(&c, text), E_CONFIG, "%s", text);
	cr_expect_not_null(strstr(why, reason), "\"%s\" lacks \"%s\"", why, reason);
	cr_expect_not_null(strstr(why, path), "\"%s\" does not name the file", why);
	cr_expect_null(strchr(why, '\n'));
}

Test(conf_file, what_is_wrong_is_named_with_its_line)
{
	refused("[http]\nworkers = 4\n[http]\nwrkers = 4\n", "http.wrkers: no such key");
	refused("[http]\nworkers = 4\n[http]\nwrkers = 4\n", "line 4)");
	refused("\n[htp]\n", "[htp]: no such section");
	refused("\n[htp]\n", "line 2)");
	refused("[http]\nworkers = many\n", "http.workers: \"many\" is not a whole number");
	refused("[http]\nworkers = many\n", "line 2)");
	refused("workers = 4\n", "workers: stands before the first [section]");
	refused("[http]\nworkers = 4\nworkers = 5\n", "http.workers: given twice");
	refused("[http]\nworkers\n", "line 2 is neither [section] nor key = value");
	refused("[http\nworkers = 1\n", "line 1");
	refused("[http]\n  workers = 4\n  bcklog = 5\n", "http.bcklog: no such key");
}

Test(conf_file, only_the_first_error_is_told)
{
	refused("[http]\nworkers = many\nbacklog = none\n", "workers");
}

Test(conf_file, lines_and_files_out_of_all_proportion_are_refused)
{
	static char text[3 * 1024 * 1024];
	struct conf c;

	memset(text, 'a', 5000);
	refused(text, "line is too long");
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = i % 50 == 49 ? '\n' : '#';
	refused(text, "1 MiB");
	file_with("[http]\nworkers = 4\0 5\n", 22);
	conf_defaults(&c);
	cr_expect_eq(conf_file_read(&c, path, why), E_CONFIG);
	cr_expect_not_null(strstr(why, "NUL"), "%s", why);
	unlink(path);
}

Test(conf_file, a_file_that_cannot_be_read_says_so)
{
	struct conf c;

	conf_defaults(&c);
	cr_expect_eq(conf_file_read(&c, "/nowhere/x.ini", why), E_CONFIG);
	cr_expect_str_eq(why, "/nowhere/x.ini: No such file or directory");
	cr_expect_eq(conf_file_read(&c, "/tmp", why), E_CONFIG);
	cr_expect_not_null(strstr(why, "/tmp"));
}

Test(conf_file, what_is_printed_reads_back_to_the_same)
{
	struct conf a, b;
	struct buf out;

	conf_defaults(&a);
	cr_assert_eq(conf_set(&a, "http.address", "[::1]:80", "", why), E_OK);
	cr_assert_eq(conf_set(&a, "http.idle_timeout", "1500ms", "", why), E_OK);
	cr_assert_eq(conf_set(&a, "state.dir", "/a b/c=d#e", "", why), E_OK);
	buf_init(&out, 1 << 20);
	cr_assert_eq(conf_print(&a, &out), E_OK);
	file_with(buf_data(&out), buf_len(&out));
	conf_defaults(&b);
	cr_expect_eq(conf_file_read(&b, path, why), E_OK, "%s", why);
	cr_expect_eq(memcmp(&a, &b, sizeof(a)), 0);
	unlink(path);
	buf_fini(&out);
}

/* Reads the example that ships, with its settings commented out as they are or brought in. */
static void
read_example(struct conf *c, bool brought_in)
{
	static char text[65536], plain[65536];
	FILE *in = fopen(EXAMPLE, "r");
	size_t len, n = 0;

	cr_assert_not_null(in, "%s", EXAMPLE);
	len = fread(text, 1, sizeof(text) - 1, in);
	fclose(in);
	for (size_t i = 0; i < len; i++) {
		bool is_setting = text[i] == '#' && (i == 0 || text[i - 1] == '\n') &&
				  text[i + 1] >= 'a' && text[i + 1] <= 'z';

		if (!brought_in || !is_setting)
			plain[n++] = text[i];
	}
	plain[n] = '\0';
	cr_assert_eq(read_text(c, plain), E_OK, "%s", why);
}

Test(conf_file, the_example_is_the_defaults_also_when_every_line_is_brought_in)
{
	struct conf defaults, c;

	conf_defaults(&defaults);
	read_example(&c, false);
	cr_expect_eq(memcmp(&c, &defaults, sizeof(c)), 0);
	memset(&c, 0, sizeof(c));
	read_example(&c, true);
	cr_expect_eq(memcmp(&c, &defaults, sizeof(c)), 0);
}

Test(conf_file, every_setting_of_the_example_is_read)
{
	static char text[65536];
	FILE *in = fopen(EXAMPLE, "r");
	size_t count, settings = 0;

	conf_rows(&count);
	while (fgets(text, sizeof(text), in) != NULL)
		settings += text[0] == '#' && text[1] >= 'a' && text[1] <= 'z';
	fclose(in);
	cr_expect_eq(settings, count);
}

Test(conf_env, both_names_are_known_and_the_own_one_counts)
{
	struct conf c;
	const char *one[] = { "OPITIOS_HTTP_WORKERS=3", "LOG_LEVEL=warn", "PATH=/bin", "NOEQUALS",
		NULL };
	const char *two[] = { "LOG_LEVEL=nonsense", "OPITIOS_LOG_LEVEL=error", NULL };

	cr_assert_eq(read_env(&c, one), E_OK, "%s", why);
	cr_expect_eq(c.http_workers, 3);
	cr_expect_str_eq(c.log_level, "warn");
	cr_assert_eq(read_env(&c, two), E_OK, "%s", why);
	cr_expect_str_eq(c.log_level, "error");
}

Test(conf_env, a_name_of_ours_that_is_no_key_is_refused)
{
	struct conf c;
	const char *typo[] = { "OPITIOS_HTTP_WRKERS=3", NULL };
	const char *half[] = { "OPITIOS_HTTP_=3", NULL };
	const char *others[] = { "OPITIOS_BUILD=/x", "OPITIOS_ALPACA_SERVICE_HOST=10.0.0.1",
		"OPITIOS_ALPACA_PORT_8081_TCP=tcp://10.0.0.1:8081", "OPITIOS_HTTPX_WORKERS=3",
		NULL };
	const char *file[] = { "OPITIOS_HTTP_WRKERS_FILE=/x", NULL };

	cr_expect_eq(read_env(&c, typo), E_CONFIG);
	cr_expect_str_eq(why, "OPITIOS_HTTP_WRKERS: no such key (from the environment)");
	cr_expect_eq(read_env(&c, half), E_CONFIG);
	cr_expect_eq(read_env(&c, file), E_CONFIG);
	cr_expect_eq(read_env(&c, others), E_OK, "not every such name is meant for us");
}

Test(conf_env, an_error_names_the_variable)
{
	struct conf c;
	const char *bad[] = { "DEBUG=perhaps", NULL };

	cr_expect_eq(read_env(&c, bad), E_CONFIG);
	cr_expect_str_eq(why, "main.debug: \"perhaps\" is neither true nor false (from DEBUG)");
}

Test(conf_env, what_others_understand_under_a_name_of_opentelemetry_is_left_out)
{
	static char headers[sizeof("OTEL_EXPORTER_OTLP_HEADERS=") + 600] =
	    "OTEL_EXPORTER_OTLP_HEADERS=a=";
	const char *foreign[] = { "OTEL_TRACES_SAMPLER=jaeger_remote",
		"OTEL_EXPORTER_OTLP_ENDPOINT=collector:4317", "OTEL_SDK_DISABLED=maybe", headers,
		"OTEL_SERVICE_NAME=quotes", NULL };
	const char *own[] = { "OPITIOS_TRACE_SAMPLER=jaeger_remote", NULL };
	const char *both[] = { "OPITIOS_TRACE_SAMPLER=jaeger_remote",
		"OTEL_TRACES_SAMPLER=always_on", NULL };
	struct conf c;

	memset(headers + strlen(headers), 'x', sizeof(headers) - strlen(headers) - 1);
	cr_assert_eq(read_env(&c, foreign), E_OK, "%s", why);
	cr_expect_str_eq(why, "");
	cr_expect_str_eq(c.trace_sampler, "parentbased_always_on");
	cr_expect_str_eq(c.trace_endpoint, "");
	cr_expect_str_eq(c.trace_headers, "");
	cr_expect(!c.trace_disabled);
	cr_expect_str_eq(c.trace_service_name, "quotes", "the others count");
	cr_expect_eq(read_env(&c, own), E_CONFIG, "a name of ours is meant for us");
	cr_expect_eq(read_env(&c, both), E_CONFIG);
	cr_expect_eq(read_text(&c, "[trace]\nsampler = jaeger_remote\n"), E_CONFIG);
}

Test(conf_env, times_of_opentelemetry_are_whole_milliseconds)
{
	const char *given[] = { "OTEL_BSP_SCHEDULE_DELAY=250", "OTEL_BSP_MAX_QUEUE_SIZE=4096",
		"OTEL_BSP_MAX_EXPORT_BATCH_SIZE=64", "OTEL_BSP_EXPORT_TIMEOUT=1500",
		"OTEL_EXPORTER_OTLP_TIMEOUT=700", "OTEL_EXPORTER_OTLP_COMPRESSION=GZIP", NULL };
	const char *own[] = { "OPITIOS_TRACE_DELAY=2", "OTEL_BSP_SCHEDULE_DELAY=250", NULL };
	const char *bad[] = { "OTEL_BSP_SCHEDULE_DELAY=5s", "OTEL_BSP_MAX_QUEUE_SIZE=many",
		"OTEL_BSP_MAX_EXPORT_BATCH_SIZE=0", "OTEL_BSP_EXPORT_TIMEOUT=-1",
		"OTEL_EXPORTER_OTLP_TIMEOUT=1.5", "OTEL_EXPORTER_OTLP_COMPRESSION=zstd", NULL };
	const char *far[] = { "OTEL_BSP_SCHEDULE_DELAY=99999999999999999999",
		"OTEL_EXPORTER_OTLP_TIMEOUT=999999999999999999", NULL };
	struct conf c;

	cr_assert_eq(read_env(&c, given), E_OK, "%s", why);
	cr_expect_eq(c.trace_delay, 250);
	cr_expect_eq(c.trace_queue, 4096);
	cr_expect_eq(c.trace_batch, 64);
	cr_expect_eq(c.trace_export_timeout, 1500);
	cr_expect_eq(c.trace_timeout, 700);
	cr_expect_str_eq(c.trace_compression, "gzip");
	cr_assert_eq(read_env(&c, own), E_OK, "%s", why);
	cr_expect_eq(c.trace_delay, 2000, "a name of ours counts in seconds");
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(read_env(&c, i == 0 ? bad : far), E_OK, "%s", why);
		cr_expect_eq(c.trace_delay, 5000, "left out");
		cr_expect_eq(c.trace_queue, 2048);
		cr_expect_eq(c.trace_batch, 512);
		cr_expect_eq(c.trace_export_timeout, 30000);
		cr_expect_eq(c.trace_timeout, 10000);
		cr_expect_str_eq(c.trace_compression, "none");
	}
}

Test(conf_env, of_several_names_the_first_that_can_be_taken_counts)
{
	const char *both[] = { "OTEL_EXPORTER_OTLP_TIMEOUT=700",
		"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=800", "OTEL_EXPORTER_OTLP_COMPRESSION=gzip",
		"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION=none", NULL };
	const char *first_is_bad[] = { "OTEL_EXPORTER_OTLP_TIMEOUT=700",
		"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=soon", "OTEL_EXPORTER_OTLP_COMPRESSION=gzip",
		"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION=", NULL };
	struct conf c;

	cr_assert_eq(read_env(&c, both), E_OK, "%s", why);
	cr_expect_eq(c.trace_timeout, 800);
	cr_expect_str_eq(c.trace_compression, "none");
	cr_assert_eq(read_env(&c, first_is_bad), E_OK, "%s", why);
	cr_expect_eq(c.trace_timeout, 700);
	cr_expect_str_eq(c.trace_compression, "gzip");
}

Test(conf_env, an_empty_variable_counts_as_not_set)
{
	struct conf c;
	const char *empty[] = { "ALPACA_API_KEY=", "LOG_LEVEL=", "OPITIOS_HTTP_WORKERS=", NULL };

	cr_expect_eq(read_env(&c, empty), E_OK, "%s", why);
	cr_expect_str_eq(c.log_level, "info");
}

Test(conf_env, a_value_may_come_from_a_file)
{
	struct conf c;
	char name[128], own[128];
	const char *environment[] = { name, NULL };
	const char *twice[] = { name, "ALPACA_API_KEY=x", NULL };
	const char *other[] = { own, NULL };

	file_with("PKsecret\r\n", 10);
	snprintf(name, sizeof(name), "ALPACA_API_KEY_FILE=%s", path);
	snprintf(own, sizeof(own), "OPITIOS_ALPACA_KEY_FILE=%s", path);
	cr_expect_eq(read_env(&c, environment), E_OK, "%s", why);
	cr_expect_str_eq(c.alpaca_key, "PKsecret");
	cr_expect_eq(read_env(&c, other), E_OK, "%s", why);
	cr_expect_str_eq(c.alpaca_key, "PKsecret");
	cr_expect_eq(read_env(&c, twice), E_CONFIG);
	cr_expect_not_null(strstr(why, "given twice"));
	unlink(path);
	cr_expect_eq(read_env(&c, environment), E_CONFIG);
	cr_expect_not_null(strstr(why, "No such file"), "%s", why);
}

Test(conf_env, a_file_that_is_no_value_is_refused_without_showing_it)
{
	struct conf c;
	char name[128], huge[2048];
	const char *environment[] = { name, NULL };
	const char *folder[] = { "ALPACA_API_KEY_FILE=/tmp", NULL };
	const char *device[] = { "ALPACA_API_KEY_FILE=/dev/zero", NULL };

	memset(huge, 'S', sizeof(huge));
	file_with(huge, sizeof(huge));
	snprintf(name, sizeof(name), "ALPACA_API_KEY_FILE=%s", path);
	cr_expect_eq(read_env(&c, environment), E_CONFIG);
	cr_expect_null(strstr(why, "SSS"));
	unlink(path);
	file_with("two\nlines\n", 10);
	snprintf(name, sizeof(name), "ALPACA_API_KEY_FILE=%s", path);
	cr_expect_eq(read_env(&c, environment), E_CONFIG);
	cr_expect_null(strstr(why, "two"));
	unlink(path);
	cr_expect_eq(read_env(&c, folder), E_CONFIG);
	cr_expect_eq(read_env(&c, device), E_CONFIG);
	cr_expect_not_null(strstr(why, "regular file"), "%s", why);
}

/* A folder as systemd makes it, with one file; the name of the folder goes into `variable`. */
static void
credential_with(char *folder, char *variable, size_t size, const char *name, const char *value)
{
	char file[128];
	FILE *f;

	cr_assert_not_null(mkdtemp(folder));
	snprintf(variable, size, "CREDENTIALS_DIRECTORY=%s", folder);
	snprintf(file, sizeof(file), "%s/%s", folder, name);
	cr_assert_not_null(f = fopen(file, "w"));
	fputs(value, f);
	fclose(f);
}

Test(conf_env, a_credential_of_systemd_is_a_secret)
{
	struct conf c;
	char folder[] = "/tmp/conf_cred_XXXXXX", variable[128], file[128];
	const char *environment[] = { variable, NULL };
	const char *both[] = { variable, "ALPACA_SECRET_KEY=other", NULL };

	credential_with(folder, variable, sizeof(variable), "ALPACA_SECRET_KEY", "s3cret\n");
	cr_expect_eq(read_env(&c, environment), E_OK, "%s", why);
	cr_expect_str_eq(c.alpaca_secret, "s3cret");
	cr_expect_str_eq(c.alpaca_key, "", "what is not handed over is not missed");
	cr_expect_eq(read_env(&c, both), E_CONFIG, "one of them would be left out in silence");
	cr_expect_str_eq(
	    why, "alpaca.secret: credential ALPACA_SECRET_KEY: given in the environment as well");
	snprintf(file, sizeof(file), "%s/ALPACA_SECRET_KEY", folder);
	unlink(file);
	rmdir(folder);
}

Test(conf_env, a_credential_that_is_no_secret_of_ours_is_not_read)
{
	struct conf c;
	char folder[] = "/tmp/conf_cred_XXXXXX", variable[128], file[128];
	const char *environment[] = { variable, NULL };

	credential_with(folder, variable, sizeof(variable), "LOG_LEVEL", "debug\n");
	cr_expect_eq(read_env(&c, environment), E_OK, "%s", why);
	cr_expect_str_eq(c.log_level, "info");
	snprintf(file, sizeof(file), "%s/LOG_LEVEL", folder);
	unlink(file);
	rmdir(folder);
}

Test(conf_env, a_credentials_folder_that_is_not_there_is_gone_on_without)
{
	struct conf c;
	const char *environment[] = { "CREDENTIALS_DIRECTORY=/nowhere/at/all",
		"ALPACA_SECRET_KEY=s3cret", NULL };

	cr_expect_eq(read_env(&c, environment), E_OK, "%s", why);
	cr_expect_str_eq(c.alpaca_secret, "s3cret");
}
