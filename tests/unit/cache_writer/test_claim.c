/* test_claim.c - the file that tells a state directory from its copies. */
#include "writer_help.h"

#include <sys/stat.h>

TestSuite(claim, .init = help_setup, .fini = help_teardown, .timeout = 60);

static void
put(const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/owner", help_dir);
	if (text == NULL) {
		unlink(path);
		return;
	}
	cr_assert_not_null(f = fopen(path, "w"));
	fputs(text, f);
	fclose(f);
}

static struct claim
prepared(struct claim before)
{
	char why[STORE_WHY] = "";

	cr_assert_eq(claim_prepare(&before, help_dir, why), E_OK, "%s", why);
	return before;
}

static void
confirm(struct claim *c)
{
	char why[STORE_WHY] = "";

	cr_assert_eq(claim_confirm(c, help_dir, why), E_OK, "%s", why);
}

Test(claim, every_process_claims_anew_above_all_before)
{
	const struct claim none = { 0 };
	struct claim first = prepared(none), second;

	cr_expect_eq(first.known, CLAIM_ANY, "nobody was here before");
	confirm(&first);
	cr_expect_eq(prepared(first).mine, first.mine, "once a process");
	second = prepared(none);
	cr_expect_eq(second.known, first.mine);
	cr_expect_gt(second.mine, first.mine);
}

Test(claim, one_that_was_not_confirmed_is_claimed_again_and_never_believed)
{
	const struct claim none = { 0 };
	struct claim first = prepared(none), refused, later;

	confirm(&first);
	refused = prepared(none);
	later = prepared(none);
	cr_expect_eq(later.known, first.mine);
	cr_expect_eq(later.mine, refused.mine, "it may have reached the store");
}

Test(claim, a_process_beside_us_is_no_stranger)
{
	const struct claim none = { 0 };
	struct claim first = prepared(none), beside, again;

	confirm(&first);
	beside = prepared(none);
	confirm(&beside);
	again = prepared(first);
	cr_expect_eq(again.known, beside.mine);
	cr_expect_eq(again.mine, beside.mine);
}

Test(claim, without_the_file_all_is_ours_also_after_a_kill)
{
	const struct claim none = { 0 };
	struct claim first = prepared(none), next;

	confirm(&first);
	put(NULL);
	next = prepared(first);
	cr_expect_eq(next.known, CLAIM_ANY);
	cr_expect_gt(next.mine, first.mine);
	cr_expect_eq(prepared(none).known, CLAIM_ANY, "killed before the store heard of it");
}

/* A folder where the file is made: fails as a full disk does, for root as well. */
static void
block(bool on)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/owner.new", help_dir);
	cr_assert_eq(on ? mkdir(path, 0700) : rmdir(path), 0);
}

Test(claim, one_that_cannot_be_written_is_done_without)
{
	const struct claim none = { 0 };
	struct claim first = prepared(none), full;

	confirm(&first);
	block(true);
	full = prepared(none);
	cr_expect_eq(full.known, first.mine);
	cr_expect_eq(full.mine, first.mine, "that of the start before");
	confirm(&full);
	cr_expect_eq(prepared(full).mine, first.mine);
	put("3 5\n");
	cr_expect_eq(prepared(none).mine, 5, "it may have reached the store");
	put(NULL);
	full = prepared(none);
	cr_expect_eq(full.known, CLAIM_ANY);
	cr_expect_eq(full.mine, 0, "whatever the store says, unclaimed");
	block(false);
	confirm(&full);
	full = prepared(full);
	cr_expect_eq(full.known, CLAIM_ANY, "what was not claimed was not noted");
	cr_expect_gt(full.mine, first.mine);
}

Test(claim, one_that_a_process_beside_us_left_unconfirmed_is_ours)
{
	const struct claim none = { 0 };
	struct claim first = prepared(none), beside, again;

	confirm(&first);
	beside = prepared(none);
	again = prepared(first);
	cr_expect_eq(again.known, first.mine);
	cr_expect_eq(again.mine, beside.mine);
}

Test(claim, a_file_that_is_garbage_is_refused_with_what_to_do)
{
	static const char *const texts[] = { "", "\n", "1\n", "1 2 3\n", "x y\n", "-1 2\n",
		"1 9223372036854775807\n", "9223372036854775808 1\n" };
	char why[STORE_WHY];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct claim c = { 0 };

		put(texts[i]);
		why[0] = '\0';
		cr_expect_eq(claim_prepare(&c, help_dir, why), E_SYSTEM, "%s", texts[i]);
		cr_expect_not_null(strstr(why, "`owner`"), "%s", why);
	}
}
