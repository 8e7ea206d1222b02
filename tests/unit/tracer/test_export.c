/* test_export.c - an export to a name nobody resolves. The rest of it is tests/system/39-traces.py's. */
#include <criterion/criterion.h>
#include <netdb.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "tracer.h"

static atomic_bool asked;

/* The program's own comes before libc's, for libcurl's resolver too: a name server that says nothing for long. */
int
getaddrinfo(
    const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
	(void)node, (void)service, (void)hints, (void)result;
	asked = true;
	sleep(4);
	return EAI_AGAIN;
}

static void
on_done(int result, int64_t retry_ms, uint64_t rejected, const char *why, void *owner)
{
	(void)retry_ms, (void)rejected, (void)why;
	*(int *)owner = result;
}

Test(exporter, a_silent_name_server_does_not_stop_the_loop)
{
	int result = E_OK;
	const struct exporter_ends ends = { .done = on_done, .owner = &result };
	int64_t begun = clock_mono();
	struct exporter *e;
	struct loop *loop;
	struct conf conf;
	struct buf body;

	log_open("test", LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	conf_defaults(&conf);
	strcpy(conf.trace_endpoint, "http://silent.invalid");
	loop = loop_new();
	buf_init(&body, 16);
	cr_assert_eq(buf_add(&body, "x", 1), E_OK);
	e = exporter_new(loop, &conf, &ends);
	exporter_send(e, &body, 200);
	while (result == E_OK && clock_mono() - begun < 20 * CLOCK_SEC)
		loop_turn(loop, 50);
	cr_expect(asked, "the name was looked up elsewhere");
	cr_expect_eq(result, E_UPSTREAM_SERVICE_ERROR);
	cr_expect_lt(clock_mono() - begun, 2 * CLOCK_SEC);
	exporter_send(e, &body, 5000);
	loop_turn(loop, 50);
	begun = clock_mono();
	exporter_free(&e);
	cr_expect_lt(clock_mono() - begun, 2 * CLOCK_SEC, "its end waited for an answer");
	buf_fini(&body);
	loop_free(&loop);
}
