/* test_look.c - a reader that is held up between two looks while the writer goes on. */
#include <criterion/criterion.h>

#include "journal_help.h"

int __real_segment_list_read(const char *dir, struct segment_list *list);
int __wrap_segment_list_read(const char *dir, struct segment_list *list);

static unsigned looks;						 /* at the folder, so far */
static void (*after_look)(unsigned look, struct segment_list *); /* what becomes of it meanwhile */

int
__wrap_segment_list_read(const char *dir, struct segment_list *list)
{
	int r = __real_segment_list_read(dir, list);

	if (after_look != NULL)
		after_look(++looks, list);
	return r;
}

static void
setup(void)
{
	help_setup();
	looks = 0;
	after_look = NULL;
}

static void
teardown(void)
{
	after_look = NULL;
	help_teardown();
}

TestSuite(look, .init = setup, .fini = teardown, .timeout = 10);

static const struct journal_limits small = { .segment_bytes = 1000, .max_bytes = 1 << 20 };

/* Segments of some records each; at least `count` of them. */
static uint64_t
write_segments(size_t count)
{
	struct journal *j = help_open(&small);
	uint64_t last = 0;

	while (help_segment_count() < count)
		last = help_append(j, last + 1, 1);
	journal_close(&j);
	return last;
}

static uint64_t
read_all(struct journal_reader *reader)
{
	struct journal_record record;
	uint64_t last = 0;
	int r;

	while ((r = journal_read(reader, &record)) == E_OK) {
		cr_assert(help_is_intact(&record));
		last = record.sequence;
	}
	cr_expect_eq(r, E_PARTIAL, "%s", err_name(r));
	cr_expect_eq(journal_reader_skipped(reader), 0);
	return last;
}

static void
lack_the_second_once(unsigned look, struct segment_list *list)
{
	if (look > 1)
		return;
	memmove(list->first + 1, list->first + 2, (list->count - 2) * sizeof(*list->first));
	list->count--;
}

Test(look, a_listing_that_lacks_a_segment_made_while_it_went_on_is_no_loss)
{
	uint64_t last = write_segments(4);
	struct journal_reader *reader = help_reader(0);

	help_expect_trade(reader, 1);
	after_look = lack_the_second_once;
	cr_expect_eq(read_all(reader), last);
	cr_expect_gt(looks, 1);
	journal_reader_close(&reader);
}

static void
lack_the_first_once(unsigned look, struct segment_list *list)
{
	if (look > 1)
		return;
	memmove(list->first, list->first + 1, (list->count - 1) * sizeof(*list->first));
	list->count--;
}

Test(look, reading_begins_at_the_first_segment_whatever_the_first_listing_lacks)
{
	uint64_t last = write_segments(3);
	struct journal_reader *reader = help_reader(0);
	struct journal_record record;

	after_look = lack_the_first_once;
	cr_assert_eq(journal_read(reader, &record), E_OK);
	cr_expect_eq(record.value.trade.trade_id, 1);
	after_look = NULL;
	cr_expect_eq(read_all(reader), last);
	journal_reader_close(&reader);
}

#define LOOKS_TO_BEGIN 2 /* the next one is for later segments */

static uint8_t *segment_bytes; /* of the one whose header is not there yet */
static size_t segment_len;
static char segment_at[JOURNAL_PATH];

/* The reader has found the header missing; while it looks for later segments, the writer writes it. */
static void
write_it_now(unsigned look, struct segment_list *list)
{
	(void)list;
	if (segment_bytes == NULL || look <= LOOKS_TO_BEGIN)
		return;
	help_file_write(segment_at, segment_bytes, segment_len);
	mem_free(&segment_bytes);
}

Test(look, a_header_written_while_later_segments_are_looked_for_is_a_good_one)
{
	uint64_t last = write_segments(3);
	struct journal_reader *reader = help_reader(0);

	help_segment(0, segment_at);
	segment_bytes = help_file_read(segment_at, &segment_len);
	help_file_write(segment_at, segment_bytes, 0);
	looks = 0;
	after_look = write_it_now;
	cr_expect_eq(read_all(reader), last);
	cr_expect_null(segment_bytes);
	journal_reader_close(&reader);
}
