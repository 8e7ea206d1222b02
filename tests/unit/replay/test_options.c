/* test_options.c - the command line. */
#include <criterion/criterion.h>
#include <string.h>

#include "clock.h"
#include "replay.h"

static struct options options;
static char why[LOAD_WHY];

#define READ(...) read_arguments((const char *const[]){ "opitios-replay", __VA_ARGS__, NULL })

static int
read_arguments(const char *const *arguments)
{
	char *argv[16];
	int argc = 0;

	/* As main has them: not const, though nobody writes there. */
	for (; arguments[argc] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)arguments[argc];
	return options_read(&options, argc, argv, why);
}

Test(options, have_defaults)
{
	cr_assert_eq(READ("--recording", "d"), E_OK, "%s", why);
	cr_expect_str_eq(options.address, "127.0.0.1");
	cr_expect_eq(options.port, 0);
	cr_expect_eq(options.rate_per_minute, 200);
	cr_expect_null(options.key);
	cr_expect_not(options.control);
}

Test(options, take_values_behind_an_equals_sign_or_a_blank)
{
	cr_assert_eq(READ("--recording=d", "--port=8080", "--start", "15:59", "--day=2013-10-07",
			 "--recording", "e", "--speed=0.5", "--fault", "500:1:/v2"),
	    E_OK, "%s", why);
	cr_expect_eq(options.recording_count, 2);
	cr_expect_eq(options.port, 8080);
	cr_expect_eq(options.start_of_day, (15 * 60 + 59) * 60 * CLOCK_SEC);
	cr_expect_eq(options.day, clock_days(2013, 10, 7));
	cr_expect_float_eq(options.speed, 0.5, 0);
	cr_expect_str_eq(options.faults[0], "500:1:/v2");
}

static void
refused(int result, const char *word)
{
	cr_expect_eq(result, E_INVALID_PARAMETER, "%s", word);
	cr_expect(strstr(why, word) != NULL, "\"%s\" should name %s", why, word);
	cr_expect(strchr(why, '\n') == NULL, "one line");
}

Test(options, that_make_no_sense_are_named)
{
	refused(READ("--port", "1"), "--recording");
	refused(READ("--recording=d", "--port", "65536"), "--port");
	refused(READ("--recording=d", "--port", "x"), "--port");
	refused(READ("--recording=d", "--port"), "--port");
	refused(READ("--recording=d", "--speed=-1"), "--speed");
	refused(READ("--recording=d", "--start=24:00"), "--start");
	refused(READ("--recording=d", "--start=9:30"), "--start");
	refused(READ("--recording=d", "--day=2013-02-30"), "--day");
	refused(READ("--recording=d", "--key=k"), "--secret");
	refused(READ("--recording=d", "--loop=1"), "--loop");
	refused(READ("--recording=d", "--nonsense"), "--nonsense");
	refused(READ("--recording=d", "stray"), "stray");
	refused(READ("--recording=d", "--rate-per-minute=-1"), "--rate-per-minute");
	refused(READ("--recording=d", "--page-max=10001"), "--page-max");
}
