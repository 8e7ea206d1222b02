/* test_handover.c - what one image leaves to the next: the configuration for the way back, and links that were missing. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "handover.h"

static struct master *m;
static struct conf *read_back;

static void
setup(void)
{
	m = calloc(1, sizeof(*m));
	read_back = calloc(1, sizeof(*read_back));
	conf_defaults(&m->conf);
	strcpy(m->conf.state_dir, "/srv/elsewhere");
	m->conf.http_workers = 7;
}

static void
teardown(void)
{
	free(m);
	free(read_back);
}

TestSuite(handover, .init = setup, .fini = teardown, .timeout = 10);

Test(handover, the_image_gone_back_to_has_the_configuration_it_ran_with)
{
	struct handover h = HANDOVER_NONE;

	h.rollback = true;
	h.conf = way_back_conf_write(&m->conf);
	cr_assert_geq(h.conf, 0);
	cr_expect(way_back_conf(&h, read_back));
	cr_expect_eq(h.conf, -1, "it is closed, with the secrets in it");
	cr_expect_eq(memcmp(read_back, &m->conf, sizeof(*read_back)), 0);
}

Test(handover, a_new_image_keeps_it_unread)
{
	struct handover h = HANDOVER_NONE;

	h.conf = way_back_conf_write(&m->conf);
	cr_expect(!way_back_conf(&h, read_back));
	cr_expect_geq(h.conf, 0);
	close(h.conf);
}

Test(handover, one_that_is_not_whole_is_none)
{
	struct handover h = HANDOVER_NONE;

	h.rollback = true;
	h.conf = way_back_conf_write(&m->conf);
	cr_assert_eq(ftruncate(h.conf, (off_t)sizeof(m->conf) - 1), 0);
	cr_expect(!way_back_conf(&h, read_back));
	h.conf = -1;
	cr_expect(!way_back_conf(&h, read_back));
}

Test(handover, links_that_were_lost_at_that_moment_are_made_at_once)
{
	struct handover h = HANDOVER_NONE;

	m->loop = loop_new();
	wire_open(m);
	h.root = json_object();
	handover_adopt(m, &h);
	cr_expect(loop_timer_is_set(&m->rewire));
	wire_close(m);
	loop_free(&m->loop);
}
