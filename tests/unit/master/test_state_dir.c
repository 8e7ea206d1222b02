/* test_state_dir.c - the addresses in the state directory, also when nothing can be written there. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "master_room.h"

static char dir[64];
static struct listener listener;

static void
setup(void)
{
	log_open("test", LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	strcpy(dir, "/tmp/opitios-state-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	listener = (struct listener){ .fd = -1, .name = "http" };
	strcpy(listener.address, "127.0.0.1:8080");
}

/* A folder where the new file would be: as good as a disk without room, and root may not write there either. */
static void
obstruct(bool on)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/http.address.new", dir);
	cr_assert_eq(on ? mkdir(path, 0700) : rmdir(path), 0);
}

static void
teardown(void)
{
	state_dir_remove(dir, "http.address");
	cr_expect_eq(rmdir(dir), 0, "nothing is left behind");
}

TestSuite(state_dir, .init = setup, .fini = teardown, .timeout = 30);

static void
expect_written(const char *wanted)
{
	char path[128], line[64] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/http.address", dir);
	cr_assert_not_null(f = fopen(path, "r"));
	cr_assert_not_null(fgets(line, sizeof(line), f));
	fclose(f);
	cr_expect_str_eq(line, wanted);
}

Test(state_dir, an_address_is_written_and_written_anew_when_it_is_another)
{
	cr_expect_eq(state_dir_write_address(dir, &listener), E_OK);
	expect_written("127.0.0.1:8080\n");
	strcpy(listener.address, "127.0.0.1:80");
	cr_expect_eq(state_dir_write_address(dir, &listener), E_OK);
	expect_written("127.0.0.1:80\n");
}

Test(state_dir, an_address_that_is_there_needs_no_room_on_the_disk)
{
	cr_expect_eq(state_dir_write_address(dir, &listener), E_OK);
	obstruct(true);
	cr_expect_eq(state_dir_write_address(dir, &listener), E_OK);
	obstruct(false);
	expect_written("127.0.0.1:8080\n");
}
