/* test_conf.c - keys, types, bounds and texts of the configuration. */
#include "conf.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static char why[CONF_ERROR];

static struct conf
defaults(void)
{
	struct conf c;

	conf_defaults(&c);
	return c;
}

static int
set(struct conf *c, const char *key, const char *text)
{
	why[0] = '\0';
	return conf_set(c, key, text, "a test", why);
}

Test(conf, defaults_are_those_of_the_table)
{
	struct conf c = defaults();

	cr_expect_str_eq(c.http_address, "127.0.0.1:8081");
	cr_expect_eq(c.http_total_timeout, 60000);
	cr_expect_eq(c.journal_max_bytes, UINT64_C(4) << 30);
	cr_expect_str_eq(c.log_level, "info");
	cr_expect_eq(c.alpaca_paper_trading, true);
	cr_expect_eq(c.main_debug, false);
	cr_expect_str_eq(c.alpaca_trading_url, "");
	cr_expect_eq(conf_check(&c, why), E_OK, "%s", why);
}

Test(conf, every_row_is_found_by_its_name_and_fits_the_struct)
{
	size_t count;
	const struct conf_row *rows = conf_rows(&count);
	char key[128];

	for (size_t i = 0; i < count; i++) {
		snprintf(key, sizeof(key), "%s.%s", rows[i].section, rows[i].key);
		cr_expect_eq(conf_find(key), &rows[i], "%s", key);
		cr_expect_leq(rows[i].offset + rows[i].size, sizeof(struct conf));
		cr_expect_lt(strlen(key), 48, "%s does not fit the setting message", key);
		cr_expect(rows[i].roles != 0 && rows[i].help[0] != '\0');
	}
	cr_expect_null(conf_find("http"));
	cr_expect_null(conf_find("http."));
	cr_expect_null(conf_find(".address"));
	cr_expect_null(conf_find("http.address.x"));
	cr_expect_null(conf_find("ht.tp.address"));
}

/* A value of each row other than its default. */
static const char *
other_value(const struct conf_row *row)
{
	switch (row->type) {
	case CONF_STR:
		return "some text, even with = in it";
	case CONF_URL:
		return "https://example.test:8443/base";
	case CONF_ADDR:
		return "[::1]:9000";
	case CONF_SECRET:
		return "PK!\"$%&/()=secret";
	case CONF_BOOL:
		return strcmp(row->def, "true") == 0 ? "false" : "true";
	case CONF_CHOICE:
		return NULL;
	default:
		return NULL;
	}
}

static void
round_trip(const struct conf_row *row, const char *text)
{
	struct conf a = defaults(), b = defaults();
	char key[128], out[512];

	snprintf(key, sizeof(key), "%s.%s", row->section, row->key);
	cr_assert_eq(set(&a, key, text), E_OK, "%s", why);
	cr_assert_eq(conf_text(&a, row, out, sizeof(out)), E_OK);
	cr_assert_eq(set(&b, key, out), E_OK, "%s: %s: %s", key, out, why);
	cr_expect_eq(memcmp((char *)&a + row->offset, (char *)&b + row->offset, row->size), 0,
	    "%s: \"%s\" became \"%s\"", key, text, out);
}

Test(conf, the_text_of_every_row_reads_back_to_the_same)
{
	size_t count;
	const struct conf_row *rows = conf_rows(&count);
	char word[64];

	for (size_t i = 0; i < count; i++) {
		round_trip(&rows[i], rows[i].def);
		if (other_value(&rows[i]) != NULL)
			round_trip(&rows[i], other_value(&rows[i]));
		for (const char *p = rows[i].choices; p != NULL && *p; p += *p == '|') {
			snprintf(word, sizeof(word), "%.*s", (int)strcspn(p, "|"), p);
			round_trip(&rows[i], word);
			p += strlen(word);
		}
		if (rows[i].type == CONF_COUNT || rows[i].type == CONF_BYTES ||
		    rows[i].type == CONF_MSEC) {
			const char *unit = rows[i].type == CONF_MSEC ? "ms" : "";

			snprintf(word, sizeof(word), "%.0f%s", rows[i].min, unit);
			round_trip(&rows[i], word);
			snprintf(word, sizeof(word), "%.0f%s", rows[i].max, unit);
			round_trip(&rows[i], word);
			snprintf(word, sizeof(word), "%.0f%s", rows[i].max - 1, unit);
			round_trip(&rows[i], word);
		}
	}
}

Test(conf, bounds_hold_at_both_ends_for_every_number)
{
	size_t count;
	const struct conf_row *rows = conf_rows(&count);
	char key[128], word[64];

	for (size_t i = 0; i < count; i++) {
		struct conf c = defaults();
		const char *unit = rows[i].type == CONF_MSEC ? "ms" : "";

		if (rows[i].type != CONF_COUNT && rows[i].type != CONF_BYTES &&
		    rows[i].type != CONF_MSEC)
			continue;
		snprintf(key, sizeof(key), "%s.%s", rows[i].section, rows[i].key);
		snprintf(word, sizeof(word), "%.0f%s", rows[i].max + 1, unit);
		cr_expect_eq(set(&c, key, word), E_CONFIG, "%s = %s", key, word);
		snprintf(word, sizeof(word), "%.0f%s", rows[i].min - 1, unit);
		cr_expect_eq(set(&c, key, word), E_CONFIG, "%s = %s", key, word);
	}
}

Test(conf, an_error_names_key_value_reason_and_origin)
{
	struct conf c = defaults();

	cr_expect_eq(conf_set(&c, "http.workers", "many", "OPITIOS_HTTP_WORKERS", why), E_CONFIG);
	cr_expect_str_eq(
	    why, "http.workers: \"many\" is not a whole number (from OPITIOS_HTTP_WORKERS)");
	cr_expect_eq(conf_set(&c, "http.workers", "257", "x.ini line 3", why), E_CONFIG);
	cr_expect_str_eq(why, "http.workers: \"257\" is above 256 (from x.ini line 3)");
	cr_expect_eq(set(&c, "http.idle_timeout", "1ms"), E_CONFIG);
	cr_expect_str_eq(why, "http.idle_timeout: \"1ms\" is below 10ms (from a test)");
	cr_expect_eq(set(&c, "log.level", "loud"), E_CONFIG);
	cr_expect_str_eq(why, "log.level: \"loud\" is none of debug|info|warn|error (from a test)");
	cr_expect_eq(set(&c, "http.wrkers", "1"), E_CONFIG);
	cr_expect_str_eq(why, "http.wrkers: no such key (from a test)");
}

Test(conf, an_error_is_one_bounded_printable_line)
{
	struct conf c = defaults();
	char huge[4096];

	memset(huge, 'x', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	cr_expect_eq(conf_set(&c, "http.workers", huge, huge, why), E_CONFIG);
	cr_expect_lt(strlen(why), CONF_ERROR);
	cr_expect_eq(set(&c, huge, "1"), E_CONFIG);
	cr_expect_eq(set(&c, "http.workers", "1\n\033[31m\xff"), E_CONFIG);
	cr_expect_str_eq(why, "http.workers: \"1??[31m?\" is not a whole number (from a test)");
}

Test(conf, a_refused_value_changes_nothing)
{
	struct conf c = defaults(), before = c;
	static const char *const bad[][2] = { { "http.workers", "-1" }, { "http.workers", "" },
		{ "http.workers", "1.5" }, { "http.workers", "0x10" }, { "http.workers", " 4" },
		{ "http.workers", "99999999999999999999" }, { "main.debug", "maybe" },
		{ "log.level", "" }, { "log.level", "debug|info" }, { "log.level", "inf" },
		{ "log.level", "INFO" }, { "http.header_timeout", "10 s" },
		{ "http.header_timeout", "-5s" }, { "http.header_timeout", "5y" },
		{ "http.cache_bytes", "lots" }, { "http.cache_bytes", "1e9" },
		{ "state.dir", "a\nb" }, { "state.dir", "/a ; b" }, { "state.dir", "\"/quoted\"" },
		{ "state.dir", " /a" } };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_expect_eq(
		    set(&c, bad[i][0], bad[i][1]), E_CONFIG, "%s = %s", bad[i][0], bad[i][1]);
		cr_expect_eq(memcmp(&c, &before, sizeof(c)), 0, "%s = %s", bad[i][0], bad[i][1]);
	}
}

Test(conf, a_bare_duration_is_in_seconds)
{
	struct conf c = defaults();

	cr_assert_eq(set(&c, "http.idle_timeout", "30"), E_OK);
	cr_expect_eq(c.http_idle_timeout, 30000);
	cr_assert_eq(set(&c, "http.idle_timeout", "250ms"), E_OK);
	cr_expect_eq(c.http_idle_timeout, 250);
	cr_assert_eq(set(&c, "http.idle_timeout", "2m"), E_OK);
	cr_expect_eq(c.http_idle_timeout, 120000);
	cr_assert_eq(set(&c, "http.idle_timeout", "0.5s"), E_OK);
	cr_expect_eq(c.http_idle_timeout, 500);
}

Test(conf, secrets_never_appear_in_an_error)
{
	struct conf c = defaults();
	char secret[600];

	memset(secret, 'S', sizeof(secret) - 1);
	secret[sizeof(secret) - 1] = '\0';
	cr_expect_eq(set(&c, "alpaca.secret", secret), E_CONFIG);
	cr_expect_null(strstr(why, "SSS"), "%s", why);
	cr_expect_eq(set(&c, "alpaca.secret", "hush\nhush"), E_CONFIG);
	cr_expect_null(strstr(why, "hush"), "%s", why);
	cr_expect_eq(set(&c, "alpaca.secret", "<set>"), E_CONFIG);
	/* Nor what hangs on a URL. */
	cr_expect_eq(set(&c, "trace.endpoint", "http://collector:4318/?api_key=hush"), E_CONFIG);
	cr_expect_null(strstr(why, "hush"), "%s", why);
	cr_expect_eq(set(&c, "trace.endpoint", "http://collector/\nAuthorization: hush"), E_CONFIG);
	cr_expect_null(strstr(why, "hush"), "%s", why);
}

Test(conf, secrets_are_not_printed_and_can_be_wiped)
{
	struct conf c = defaults();
	struct buf out;

	cr_assert_eq(set(&c, "alpaca.key", "PKHUSH"), E_OK);
	buf_init(&out, 1 << 20);
	cr_assert_eq(conf_print(&c, &out), E_OK);
	cr_assert_eq(buf_add(&out, "", 1), E_OK);
	cr_expect_null(strstr((char *)buf_data(&out), "HUSH"));
	cr_expect_not_null(strstr((char *)buf_data(&out), "\nkey = <set>\n"));
	cr_expect_not_null(strstr((char *)buf_data(&out), "\nsecret = \n"));
	buf_fini(&out);
	conf_wipe_secrets(&c);
	for (size_t i = 0; i < sizeof(c.alpaca_key); i++)
		cr_expect_eq(c.alpaca_key[i], 0);
}

Test(conf, the_help_names_every_key)
{
	size_t count;
	const struct conf_row *rows = conf_rows(&count);
	struct buf out;
	char option[128];

	buf_init(&out, 1 << 20);
	cr_assert_eq(conf_help(&out), E_OK);
	cr_assert_eq(buf_add(&out, "", 1), E_OK);
	for (size_t i = 0; i < count; i++) {
		snprintf(option, sizeof(option), "  --%s.%s=", rows[i].section, rows[i].key);
		cr_expect_not_null(strstr((char *)buf_data(&out), option), "%s", option);
	}
	buf_fini(&out);
}

Test(conf, addresses_split_into_host_and_port)
{
	static const struct {
		const char *text, *host;
		int port;
	} good[] = { { "127.0.0.1:8081", "127.0.0.1", 8081 }, { "localhost:0", "localhost", 0 },
		{ "[::1]:80", "::1", 80 }, { "[::]:65535", "::", 65535 },
		{ "a-b.example:1", "a-b.example", 1 } };
	static const char *const bad[] = { "", ":", ":80", "host", "host:", "host:65536", "host:-1",
		"host:80x", "host: 80", "1.2.3:80", "256.1.1.1:80", "::1:80", "[::1]", "[::1]80",
		"[::g]:80", "[127.0.0.1]:80", "ho st:80", "-x:80", "[]:80", "[::1:80",
		"host:000080", "a:b:80" };
	char host[112];
	uint16_t port;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		cr_expect_eq(conf_address(good[i].text, host, &port), E_OK, "%s", good[i].text);
		cr_expect_str_eq(host, good[i].host);
		cr_expect_eq(port, good[i].port);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(conf_address(bad[i], host, &port), E_CONFIG, "%s", bad[i]);
}

Test(conf, only_an_address_that_is_not_needed_may_be_off)
{
	struct conf c = defaults();

	cr_expect_str_eq(c.admin_address, "127.0.0.1:8082");
	cr_expect_eq(set(&c, "admin.address", "off"), E_OK, "%s", why);
	cr_expect_str_eq(c.admin_address, "off");
	cr_expect_eq(set(&c, "admin.address", "on"), E_CONFIG);
	cr_expect_not_null(strstr(why, "nor off"), "%s", why);
	cr_expect_eq(set(&c, "admin.address", "OFF"), E_CONFIG);
	cr_expect_eq(set(&c, "http.address", "off"), E_CONFIG);
	cr_expect_null(strstr(why, "nor off"), "%s", why);
	cr_expect_str_eq(c.admin_address, "off");
}

Test(conf, urls_are_checked_and_lose_their_last_slash)
{
	static const char *const good[][2] = { { "http://localhost", "http://localhost" },
		{ "https://data.alpaca.markets/", "https://data.alpaca.markets" },
		{ "http://127.0.0.1:8090//", "http://127.0.0.1:8090" },
		{ "http://[::1]:8090/base/", "http://[::1]:8090/base" },
		{ "http://[::1]", "http://[::1]" } };
	static const char *const bad[] = { "", "localhost", "ftp://x", "http://", "http:///x",
		"https://user:pass@host", "http://host:0", "http://host:99999", "http://host/?q=1",
		"http://host/#f", "http://ho st", "http://host/\x7f", "http://host:port", "//host",
		"http://host/a b" };
	struct conf c = defaults();

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		cr_expect_eq(set(&c, "alpaca.data_url", good[i][0]), E_OK, "%s", why);
		cr_expect_str_eq(c.alpaca_data_url, good[i][1]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(set(&c, "alpaca.data_url", bad[i]), E_CONFIG, "%s", bad[i]);
	cr_expect_eq(set(&c, "alpaca.trading_url", ""), E_OK, "where the default is empty");
}

Test(conf, contradictions_between_keys_are_found)
{
	static const char *const wrong[][2] = { { "supervisor.restart_floor", "60s" },
		{ "journal.max_bytes", "1M" }, { "upstream.budget_reserve", "200" },
		{ "alpaca.key", "PK" }, { "alpaca.secret", "S" } };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct conf c = defaults();

		cr_assert_eq(set(&c, wrong[i][0], wrong[i][1]), E_OK, "%s", why);
		cr_expect_eq(conf_check(&c, why), E_CONFIG, "%s", wrong[i][0]);
		cr_expect_neq(why[0], '\0');
	}
}

Test(conf, debug_turns_the_log_level_to_debug)
{
	struct conf c = defaults();

	cr_assert_eq(set(&c, "main.debug", "true"), E_OK);
	cr_assert_eq(set(&c, "log.level", "warn"), E_OK);
	cr_assert_eq(conf_check(&c, why), E_OK);
	cr_expect_str_eq(c.log_level, "debug");
}

Test(conf, history_is_read_where_it_is_written_unless_another_place_is_given)
{
	char why[CONF_ERROR];
	struct conf c;

	conf_defaults(&c);
	cr_assert_eq(set(&c, "postgres.url", "postgresql://w@h/db"), E_OK);
	cr_assert_eq(conf_check(&c, why), E_OK);
	cr_expect_str_eq(c.postgres_read_url, "postgresql://w@h/db");
	cr_assert_eq(set(&c, "postgres.read_url", "postgresql://r@h/db"), E_OK);
	cr_assert_eq(conf_check(&c, why), E_OK);
	cr_expect_str_eq(c.postgres_read_url, "postgresql://r@h/db");
	cr_expect_str_eq(c.postgres_url, "postgresql://w@h/db");
}
