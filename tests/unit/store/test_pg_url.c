/* test_pg_url.c - where a server is: what a URL says, what is refused of it, and which host is tried when. */
#include <criterion/criterion.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "pg_room.h"

TestSuite(postgres_url, .timeout = 10);

Test(postgres_url, that_does_not_parse_is_refused_without_repeating_it)
{
	static const char *const wrong[] = { "postgresql://u:s3cret@h:70000/db",
		"postgresql://u:s3cret@h:12x/db", "postgresql://u:s3cret%zz@h/db",
		"host=h password", "mysql://h/db", "postgresql://u:s3cret@h/db?nothing=1",
		"postgresql://u:s3cret@[::1/db", "postgresql://a:1,b:0/db",
		"postgresql://u:un@s3cret@h:5432/db", "postgresql://u:un@s3cret@h,g/db",
		"postgresql://u:pw@a,un@s3cret/db", "postgresql://u:12/s3cret@h:5432/db" };
	char why[STORE_WHY];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		why[0] = '\0';
		cr_expect_eq(store_postgres_check(wrong[i], why), E_CONFIG, "%s", wrong[i]);
		cr_expect(why[0] != '\0' && strstr(why, "s3cret") == NULL, "%s", why);
	}
	cr_expect_eq(store_postgres_check(
			 "postgresql://u:p@a:1,b:2/db?target_session_attrs=read-write", why),
	    E_OK);
	cr_expect_eq(store_postgres_check("postgresql:///db?host=/run/postgresql", why), E_OK);
	cr_expect_eq(store_postgres_check("host=a,b dbname=x", why), E_OK);
	cr_expect_eq(store_postgres_check("host=@socket,@other dbname=x", why), E_OK);
	cr_expect_eq(store_postgres_check("postgresql://u:a%40b%2fc@h/db", why), E_OK);
}

Test(postgres_url, that_cannot_be_checked_is_not_called_wrong)
{
	struct rlimit before, files;
	char why[STORE_WHY] = "";
	int r;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	files = (struct rlimit){ 3, before.rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	r = store_postgres_check("postgresql:///db", why);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	cr_expect_eq(r, E_SYSTEM);
	cr_expect_not_null(strstr(why, "cannot be checked"), "%s", why);
}

static const char *
value_of(const struct pg_options *o, const char *name)
{
	const char *value = "";

	for (int i = 0; i < PG_OPTIONS && o->names[i] != NULL; i++)
		if (strcmp(o->names[i], name) == 0)
			value = o->values[i];
	return value;
}

static void
make(struct pg_options *o, const char *url, unsigned attempt)
{
	pg_options_make(o, url, attempt, 5000);
	pg_options_end(o);
}

Test(postgres_url, of_several_hosts_each_is_tried_first_in_its_turn)
{
	static const char url[] = "postgresql://u@a:1,b:2,c:3/db";
	struct pg_options o;

	make(&o, url, 1);
	cr_expect_str_eq(value_of(&o, "host"), "a,b,c");
	make(&o, url, 2);
	cr_expect_str_eq(value_of(&o, "host"), "b,c,a");
	cr_expect_str_eq(value_of(&o, "port"), "2,3,1");
	make(&o, url, 3);
	cr_expect_str_eq(value_of(&o, "host"), "c,a,b");
	make(&o, url, 4);
	cr_expect_str_eq(value_of(&o, "host"), "a,b,c");
	cr_expect_str_eq(value_of(&o, "target_session_attrs"), "read-write");
	make(&o, "postgresql://u@a,b/db?port=7", 2);
	cr_expect_str_eq(value_of(&o, "host"), "b,a");
	cr_expect_str_eq(value_of(&o, "port"), "7");
}

static void
looked_up(const char *why, void *owner)
{
	cr_expect_eq(why, NULL, "%s", why);
	*(bool *)owner = true;
}

static unsigned
commas(const char *list)
{
	unsigned count = 0;

	for (; *list != '\0'; list++)
		count += *list == ',';
	return count;
}

Test(postgres_url, more_addresses_than_there_is_room_for_leave_whole_words)
{
	struct loop *loop = loop_new();
	struct pg_lookup *lookup;
	struct pg_options o = { 0 };
	bool over = false;

	for (int i = 0; i < 102; i++)
		strcat(strcat(o.host, i == 0 ? "" : ","), "localhost");
	strcpy(o.port, "000000000005432"); /* comes with each: that is the list without room */
	lookup = pg_lookup_begin(loop, &o, looked_up, &over);
	cr_assert_not_null(lookup);
	while (!over)
		loop_turn(loop, 20);
	cr_expect_str_eq(strrchr(o.host, ','), ",localhost");
	cr_expect_str_eq(strrchr(o.port, ','), ",000000000005432");
	cr_expect_eq(commas(o.host), commas(o.hostaddr));
	cr_expect_eq(commas(o.host), commas(o.port));
	loop_free(&loop);
}
