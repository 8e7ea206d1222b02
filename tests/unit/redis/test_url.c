/* test_url.c - where Redis is, as an operator writes it. */
#include <criterion/criterion.h>
#include <string.h>

#include "redis.h"

static struct redis_url url;
static char why[REDIS_WHY];

static int
parse(const char *text)
{
	why[0] = '\0';
	memset(&url, 0, sizeof(url));
	return redis_url_parse(text, &url, why);
}

Test(redis_url, takes_every_form)
{
	static const struct {
		const char *text;
		enum redis_form form;
		const char *user, *password, *place, *master;
		unsigned port, db, hosts;
	} good[] = {
		{ "redis://127.0.0.1:6380/2", REDIS_TCP, "", "", "127.0.0.1", "", 6380, 2, 1 },
		{ "redis://cache", REDIS_TCP, "", "", "cache", "", 6379, 0, 1 },
		{ "redis://cache/", REDIS_TCP, "", "", "cache", "", 6379, 0, 1 },
		{ "redis://:p%40ss%3aw@[::1]:1/0", REDIS_TCP, "", "p@ss:w", "::1", "", 1, 0, 1 },
		{ "redis://me:with@sign@h", REDIS_TCP, "me", "with@sign", "h", "", 6379, 0, 1 },
		{ "unix:///run/redis.sock", REDIS_UNIX, "", "", "/run/redis.sock", "", 0, 0, 0 },
		{ "unix://:x@/run/a%20b?db=3", REDIS_UNIX, "", "x", "/run/a b", "", 0, 3, 0 },
		{ "redis+sentinel://a:1,b,[::2]:3/main/4", REDIS_SENTINEL, "", "", "a", "main", 1,
		    4, 3 },
		{ "redis+sentinel://u:p@a/main", REDIS_SENTINEL, "u", "p", "a", "main", 26379, 0,
		    1 },
		{ "redis+cluster://:p@a:1,b:2", REDIS_CLUSTER, "", "p", "a", "", 1, 0, 2 },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		cr_assert_eq(parse(good[i].text), E_OK, "%s: %s", good[i].text, why);
		cr_expect_eq(url.form, good[i].form, "%s", good[i].text);
		cr_expect_str_eq(url.user, good[i].user);
		cr_expect_str_eq(url.password, good[i].password);
		cr_expect_str_eq(
		    url.form == REDIS_UNIX ? url.path : url.hosts[0].name, good[i].place);
		cr_expect_str_eq(url.master, good[i].master);
		cr_expect_eq(url.hosts[0].port, good[i].port, "%s", good[i].text);
		cr_expect_eq(url.db, good[i].db, "%s", good[i].text);
		cr_expect_eq(url.host_count, good[i].hosts, "%s", good[i].text);
	}
}

Test(redis_url, refuses_the_rest_without_repeating_it)
{
	static const char *const bad[] = { "", "hush", "http://hush@h", "rediss://:hush@h",
		"redis://", "redis://:hush@", "redis://hush@h", "redis://:@hush",
		"redis://:hush@h:", "redis://:hush@h:0", "redis://:hush@h:65536",
		"redis://:hush@h:1x", "redis://:hush@h/x", "redis://:hush@h/-1",
		"redis://:hush@a,b", "redis://:hush@[::1", "redis://:hush@[::1]x:1",
		"redis://:hush@-h", "redis://:hush@h h", "redis://:hush%@h", "redis://:hush%00@h",
		"redis://:hush@h?db=1", "unix://hush", "unix://:hush@rel", "unix:///hush?x=1",
		"unix:///p?db=hush", "redis+sentinel://:hush@h", "redis+sentinel://:hush@h/",
		"redis+sentinel://:hush@/name", "redis+sentinel://:hush@a,,b/name",
		"redis+cluster://:hush@h/1", "redis+cluster://:hush@",
		"redis+cluster://1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,hush" };
	char long_one[2000];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_expect_eq(parse(bad[i]), E_CONFIG, "%s", bad[i]);
		cr_expect(why[0] != '\0' && strstr(why, "hush") == NULL, "%s: %s", bad[i], why);
	}
	memset(long_one, 'a', sizeof(long_one));
	memcpy(long_one, "redis://", 8);
	long_one[sizeof(long_one) - 1] = '\0';
	cr_expect_eq(parse(long_one), E_CONFIG);
	long_one[400] = '\0';
	cr_expect_eq(parse(long_one), E_CONFIG, "a host of 392 bytes");
}

Test(redis_url, shows_the_place_and_never_the_password)
{
	static const struct {
		const char *text, *shown;
	} rows[] = {
		{ "redis://me:hush@h:1/2", "h:1 db 2" },
		{ "redis://:hush@[::1]:1", "[::1]:1" },
		{ "unix://:hush@/run/r?db=1", "/run/r db 1" },
		{ "redis+sentinel://:hush@a:1,b:2/main", "a:1 and others (Sentinel, master main)" },
		{ "redis+cluster://:hush@a:1", "a:1 (cluster)" },
	};
	char shown[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(parse(rows[i].text), E_OK, "%s", why);
		redis_url_show(&url, shown, sizeof(shown));
		cr_expect_str_eq(shown, rows[i].shown);
	}
}
