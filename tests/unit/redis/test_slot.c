/* test_slot.c - sums others have defined, and words as a server reads them. */
#include <criterion/criterion.h>
#include <string.h>

#include "label.h"
#include "redis.h"

static unsigned
slot(const char *key)
{
	return redis_slot(key, strlen(key));
}

Test(redis_slot, agrees_with_the_cluster_specification)
{
	cr_expect_eq(slot("123456789"), 0x31c3 % 16384);
	cr_expect_eq(slot(""), 0);
	cr_expect_eq(slot("foo"), 12182);
	cr_expect_eq(slot("{user1000}.following"), slot("user1000"));
	cr_expect_eq(slot("{user1000}.followers"), slot("{user1000}.following"));
	cr_expect_eq(slot("foo{bar}{zap}"), slot("bar"), "the first tag counts");
	cr_expect_eq(slot("foo{{bar}}zap"), slot("{bar"));
	cr_expect_neq(slot("foo{}{bar}"), slot("bar"), "an empty tag is none");
	cr_expect_neq(slot("foo{bar"), slot("bar"), "an open tag is none");
	cr_expect_eq(slot("foo{bar"), slot("foo{bar"));
}

Test(redis_slot, sha1_is_what_everybody_calls_sha1)
{
	char hex[REDIS_SHA], block[120];

	redis_sha1("", 0, hex);
	cr_expect_str_eq(hex, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
	redis_sha1("abc", 3, hex);
	cr_expect_str_eq(hex, "a9993e364706816aba3e25717850c26c9cd0d89d");
	redis_sha1("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, hex);
	cr_expect_str_eq(hex, "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
	memset(block, 'a', sizeof(block));
	redis_sha1(block, 64, hex);
	cr_expect_str_eq(hex, "0098ba824b5c16427bd7a1122a5a442a25ec644d");
}

Test(redis_words, are_counted_and_measured)
{
	struct buf b;

	buf_init(&b, 64);
	cr_assert_eq(redis_words(&b, 3), E_OK);
	cr_assert_eq(redis_word(&b, "a\0b", 3), E_OK);
	cr_assert_eq(redis_word_text(&b, ""), E_OK);
	cr_assert_eq(redis_word_number(&b, -120), E_OK);
	cr_expect_eq(buf_len(&b), 29u);
	cr_expect_arr_eq(buf_data(&b), "*3\r\n$3\r\na\0b\r\n$0\r\n\r\n$4\r\n-120\r\n", 29);
	cr_expect_eq(redis_word(&b, "0123456789012345678901234567890123456789", 40), E_FULL);
	cr_expect_eq(buf_len(&b), 29u);
	buf_fini(&b);
}

Test(redis_words, errors_have_causes)
{
	cr_expect_eq(redis_cause_of("OOM command not allowed"), LABEL(redis, OOM));
	cr_expect_eq(redis_cause_of("READONLY You can't write"), LABEL(redis, READONLY));
	cr_expect_eq(redis_cause_of("NOAUTH Authentication required."), LABEL(redis, AUTH));
	cr_expect_eq(redis_cause_of("WRONGPASS invalid"), LABEL(redis, AUTH));
	cr_expect_eq(redis_cause_of("LOADING Redis is loading"), LABEL(redis, LOADING));
	cr_expect_eq(redis_cause_of("MISCONF Redis is configured"), LABEL(redis, MISCONF));
	cr_expect_eq(redis_cause_of("MOVED 1 127.0.0.1:1"), LABEL(redis, CLUSTER));
	cr_expect_eq(redis_cause_of("NOSCRIPT No matching"), LABEL(redis, NOSCRIPT));
	cr_expect_eq(redis_cause_of("ERR whatever"), LABEL(redis, REFUSED));
	cr_expect_eq(redis_cause_of(NULL), LABEL(redis, REFUSED));
}
