/* test_scan.c - journals looked at by tools: good ones, torn ones, damaged ones, and garbage. */
#include <fcntl.h>

#include "hash.h"
#include "journal_help.h"
#include "journal_scan.h"

TestSuite(scan, .init = help_setup, .fini = help_teardown, .timeout = 60);

static const struct journal_limits tiny = { .segment_bytes = 1024, .max_bytes = 1 << 20 };

struct seen {
	uint64_t segments, records, unknown, gaps, missing, steps, damages, torn, newer, errors;
	uint64_t first, last;
};

static struct seen
scan_all_from(struct scan_from from)
{
	struct journal_scan *scan = NULL;
	struct scan_item item = { 0 };
	struct seen seen = { 0 };

	cr_assert_eq(journal_scan_open(&scan, help_dir, HELP_SOURCE, &from), E_OK);
	while (item.kind != SCAN_END) {
		if (journal_scan_next(scan, &item) != E_OK) {
			cr_assert_lt(seen.errors++, 1000);
			item.kind = SCAN_SEGMENT;
			continue;
		}
		seen.segments += item.kind == SCAN_SEGMENT;
		seen.unknown += item.kind == SCAN_UNKNOWN;
		seen.gaps += item.kind == SCAN_GAP;
		seen.missing += item.kind == SCAN_GAP ? item.count : 0;
		seen.steps += item.kind == SCAN_STEP;
		seen.damages += item.kind == SCAN_DAMAGE;
		seen.torn += item.kind == SCAN_TORN;
		seen.newer += item.kind == SCAN_NEWER;
		if (item.kind == SCAN_RECORD) {
			seen.first = seen.first == 0 ? item.sequence : seen.first;
			seen.last = item.sequence;
			seen.records++;
		}
	}
	journal_scan_close(&scan);
	return seen;
}

static struct seen
scan_all(void)
{
	return scan_all_from((struct scan_from){ 0 });
}

/* A journal of a hundred trades in several segments; the sequence of the first. */
static uint64_t
make(const struct journal_limits *limits)
{
	struct journal *j = help_open(limits);
	uint64_t last = help_append(j, 1, 100);

	journal_close(&j);
	return last - 99;
}

static void
change(size_t segment, size_t at, size_t len, uint8_t with)
{
	char path[JOURNAL_PATH];
	uint8_t *bytes;
	size_t size;

	help_segment(segment, path);
	bytes = help_file_read(path, &size);
	cr_assert_leq(at + len, size);
	for (size_t i = 0; i < len; i++)
		bytes[at + i] ^= with;
	help_file_write(path, bytes, size);
	mem_free(&bytes);
}

Test(scan, tells_every_record_of_a_good_journal_and_nothing_else)
{
	uint64_t first = make(&tiny);
	struct seen seen = scan_all();

	cr_expect_eq(seen.records, 100);
	cr_expect_eq(seen.first, first);
	cr_expect_eq(seen.last, first + 99);
	cr_expect_eq(seen.segments, help_segment_count());
	cr_expect_eq(seen.gaps + seen.damages + seen.torn + seen.unknown + seen.steps, 0);
}

Test(scan, begins_at_a_sequence_or_a_time)
{
	uint64_t first = make(&tiny);
	struct seen seen = scan_all_from((struct scan_from){ .sequence = first + 60 });

	cr_expect_eq(seen.records, 40);
	cr_expect_eq(seen.first, first + 60);
	cr_expect_eq(seen.gaps + seen.damages, 0);
	cr_expect_lt(seen.segments, help_segment_count(), "earlier segments are passed over");
	seen = scan_all_from((struct scan_from){ .appended_ns = clock_wall() + CLOCK_SEC });
	cr_expect_eq(seen.records, 0);
	cr_expect_eq(seen.gaps + seen.damages, 0);
}

Test(scan, an_absent_and_an_empty_journal_are_just_empty)
{
	struct seen seen = scan_all();
	struct journal *j;

	cr_expect_eq(seen.segments + seen.records, 0);
	j = help_open(&help_roomy);
	journal_close(&j);
	seen = scan_all();
	cr_expect_eq(seen.segments, 1);
	cr_expect_eq(seen.records + seen.damages + seen.torn, 0);
}

Test(scan, a_torn_end_is_told_and_is_no_damage)
{
	char path[JOURNAL_PATH];
	struct seen seen;
	struct stat st;

	make(&help_roomy);
	help_segment(0, path);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(truncate(path, st.st_size - 5), 0);
	seen = scan_all();
	cr_expect_eq(seen.records, 99);
	cr_expect_eq(seen.torn, 1);
	cr_expect_eq(seen.damages + seen.gaps, 0);
}

Test(scan, a_damage_in_the_middle_is_told_with_what_it_cost)
{
	struct seen seen;

	make(&help_roomy);
	change(0, 2000, 300, 0x5a);
	seen = scan_all();
	cr_expect_eq(seen.damages, 1);
	cr_expect_eq(seen.gaps, 1);
	cr_expect_gt(seen.missing, 1);
	cr_expect_eq(seen.records + seen.missing, 100);
}

Test(scan, a_segment_that_somebody_removed_is_a_gap)
{
	char path[JOURNAL_PATH];
	struct seen seen;

	make(&tiny);
	help_segment(2, path);
	cr_assert_eq(unlink(path), 0);
	seen = scan_all();
	cr_expect_eq(seen.gaps, 1);
	cr_expect_eq(seen.records + seen.missing, 100);
}

Test(scan, a_bad_header_costs_no_record)
{
	struct seen seen;

	make(&tiny);
	change(1, 20, 4, 0xff);
	seen = scan_all();
	cr_expect_eq(seen.damages, 1);
	cr_expect_eq(seen.records, 100);
	cr_expect_eq(seen.gaps, 0);
}

Test(scan, a_segment_of_a_newer_format_is_told_once_and_passed_over)
{
	uint8_t header[SEGMENT_HEADER];
	struct segment_header newer = { .format = SEGMENT_FORMAT + 1 };
	char path[JOURNAL_PATH];
	struct seen seen;
	int fd;

	make(&tiny);
	help_segment(1, path);
	segment_header_write(&newer, header);
	cr_assert_geq(fd = open(path, O_WRONLY), 0);
	cr_assert_eq(pwrite(fd, header, sizeof(header), 0), (ssize_t)sizeof(header));
	close(fd);
	seen = scan_all();
	cr_expect_eq(seen.newer, 1);
	cr_expect_eq(seen.gaps + seen.damages, 0);
	cr_expect_gt(seen.records, 80);
}

/* A record as a newer program would write it. */
Test(scan, a_record_of_an_unknown_version_is_told_and_the_others_are_read)
{
	uint8_t *bytes, *record;
	char path[JOURNAL_PATH];
	struct seen seen;
	size_t size;

	make(&help_roomy);
	help_segment(0, path);
	bytes = help_file_read(path, &size);
	record = bytes + SEGMENT_HEADER;
	record += record_bytes(record);
	record[14] = 200;
	record_seal(record, (uint64_t)record[16] | (uint64_t)record[17] << 8 |
				(uint64_t)record[18] << 16 | (uint64_t)record[19] << 24 |
				(uint64_t)record[20] << 32 | (uint64_t)record[21] << 40 |
				(uint64_t)record[22] << 48 | (uint64_t)record[23] << 56);
	help_file_write(path, bytes, size);
	mem_free(&bytes);
	seen = scan_all();
	cr_expect_eq(seen.unknown, 1);
	cr_expect_eq(seen.records, 99);
	cr_expect_eq(seen.gaps + seen.damages, 0);
}

Test(scan, survives_any_garbage)
{
	char dir[JOURNAL_PATH], path[JOURNAL_PATH];
	struct segment_info *infos;
	uint8_t bytes[50000];
	size_t count;

	make(&tiny);
	cr_assert_eq(segment_dir(help_dir, HELP_SOURCE, dir), E_OK);
	for (unsigned seed = 0; seed < 20; seed++) {
		hash_random(bytes, sizeof(bytes));
		if (seed % 2 == 0)
			memset(bytes + 1000, 0, 20000);
		help_segment(seed % 4, path);
		help_file_write(path, bytes, (seed * 2777) % sizeof(bytes));
		cr_expect_gt(scan_all().damages, 0);
		cr_assert_eq(journal_survey(help_dir, HELP_SOURCE, &infos, &count), E_OK);
		mem_free(&infos);
	}
	cr_assert_eq(segment_path(dir, 7, path), E_OK);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_assert_eq(segment_path(dir, 8, path), E_OK);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_expect_eq(scan_all().errors, 2, "what is no file is said, not waited for");
	cr_assert_eq(journal_survey(help_dir, HELP_SOURCE, &infos, &count), E_OK);
	cr_expect_eq(infos[0].state, SEGMENT_UNREADABLE);
	cr_expect_eq(infos[1].state, SEGMENT_UNREADABLE);
	mem_free(&infos);
}

Test(scan, follows_a_writer_over_segments_and_deletions)
{
	struct journal *j = help_open(&tiny);
	struct scan_from from = { 0 };
	struct journal_scan *scan = NULL;
	struct scan_item item;
	uint64_t seen = 0, last = help_append(j, 1, 10);

	cr_assert_eq(journal_scan_open(&scan, help_dir, HELP_SOURCE, &from), E_OK);
	for (int round = 0; round < 20; round++) {
		do {
			cr_assert_eq(journal_scan_next(scan, &item), E_OK);
			cr_assert(item.kind != SCAN_GAP && item.kind != SCAN_DAMAGE);
			seen += item.kind == SCAN_RECORD;
		} while (item.kind != SCAN_END);
		cr_expect_eq(seen, (uint64_t)(round + 1) * 10);
		journal_passed(j, last);
		last = help_append(j, 1 + (uint64_t)(round + 1) * 10, 10);
	}
	journal_scan_close(&scan);
	journal_close(&j);
}

Test(scan, the_survey_knows_ends_numbers_and_times_of_segments)
{
	uint64_t first = make(&tiny);
	int64_t now = clock_wall();
	struct segment_info *infos;
	char(*names)[JOURNAL_SOURCE];
	struct survey_sum sum;
	size_t count;

	cr_assert_eq(journal_sources(help_dir, &names, &count), E_OK);
	cr_assert_eq(count, 1);
	cr_expect_str_eq(names[0], HELP_SOURCE);
	mem_free(&names);
	cr_assert_eq(journal_survey(help_dir, HELP_SOURCE, &infos, &count), E_OK);
	cr_expect_eq(count, help_segment_count());
	survey_add_up(infos, count, &sum);
	cr_expect_eq(sum.first, first);
	cr_expect_eq(sum.last, first + 99);
	cr_expect_eq(sum.records, 100);
	cr_expect_eq(sum.missing + sum.bad, 0);
	cr_expect(sum.first_ns > now - 60 * CLOCK_SEC && sum.last_ns <= now);
	mem_free(&infos);
	cr_expect_eq(journal_survey(help_dir, "../etc", &infos, &count), E_LIMIT);
}
