/* test_unpack.c - the bounded reader: what no peer may get through it. */
#include <criterion/criterion.h>
#include <malloc.h>
#include <msgpack.h>
#include <stdio.h>
#include <string.h>

#include "ipc_room.h"
#include "sample.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static int
decode(const uint8_t *data, size_t len, union msg_any *out, const char **why)
{
	enum msg_type type;
	size_t used;

	*why = NULL;
	return msg_decode(data, len, &used, &type, out, why);
}

static void
expect_refused(const uint8_t *data, size_t len, const char *because)
{
	const char *why;
	union msg_any out;

	cr_expect_eq(decode(data, len, &out, &why), E_PROTOCOL, "%s was not refused", because);
	cr_expect_str_eq(why ? why : "(nothing)", because);
}

Test(unpack, five_bytes_that_announce_billions_cost_no_memory)
{
	struct mallinfo2 before = mallinfo2(), after;
	const char *why = NULL;
	union msg_any out;
	size_t used = 77;
	int r, check;

	r = decode(BYTES("\xdd\xff\x00\x00\x00"), &out, &why);
	check = unpack_check(BYTES("\xdd\xff\x00\x00\x00"), &used, &why);
	after = mallinfo2();
	cr_expect_eq(r, E_PROTOCOL);
	cr_expect_eq(check, E_PROTOCOL);
	cr_expect_eq(used, 77, "results stay untouched on failure");
	cr_expect_eq(before.uordblks, after.uordblks);
	cr_expect_eq(before.hblkhd, after.hblkhd);
}

Test(unpack, what_is_not_an_array_is_no_message)
{
	expect_refused(BYTES("\xc0"), "something else where a message is due");
	expect_refused(BYTES("\x81\x20\x01"), "something else where a message is due");
	expect_refused(BYTES("\xa1x"), "something else where a message is due");
	expect_refused(BYTES("\xc1"), "something else where a message is due");
	expect_refused(BYTES("\x90"), "a count of fields that no message has");
	expect_refused(BYTES("\xdc\xff\xff"), "a count of fields that no message has");
}

Test(unpack, a_type_outside_the_table_is_refused)
{
	expect_refused(BYTES("\x92\x1f\x01"), "a type that is not in the table");
	expect_refused(BYTES("\x92\x00\x01"), "a type that is not in the table");
	expect_refused(BYTES("\x92\xcf\x00\x00\x00\x01\x00\x00\x00\x25\x01"),
	    "a type that is not in the table");
	expect_refused(BYTES("\x92\xe0\x01"), "a negative number where none may be");
	expect_refused(BYTES("\x92\xa1y\x01"), "something else where a whole number is due");
}

Test(unpack, more_or_fewer_fields_than_the_row_has_are_refused)
{
	expect_refused(BYTES("\x93\x25\x01\x01"), "more or fewer fields than its row has");
	expect_refused(BYTES("\x91\x25"), "more or fewer fields than its row has");
}

Test(unpack, a_number_is_taken_in_any_width)
{
	static const char *const spelled[] = { "\x92\x25\x07", "\x92\x25\xcc\x07",
		"\xdc\x00\x02\x25\xcd\x00\x07", "\xdd\x00\x00\x00\x02\xcc\x25\x07" };
	static const size_t lens[] = { 3, 4, 7, 8 };
	const char *why;
	union msg_any out;
	size_t i;

	for (i = 0; i < 4; i++) {
		cr_assert_eq(decode((const uint8_t *)spelled[i], lens[i], &out, &why), E_OK);
		cr_expect_eq(out.ready.generation, 7);
	}
	cr_assert_eq(
	    decode(BYTES("\x92\x25\xd3\x00\x00\x00\x00\x00\x00\x00\x07"), &out, &why), E_OK);
	cr_expect_eq(out.ready.generation, 7);
}

Test(unpack, a_number_of_another_kind_is_refused)
{
	expect_refused(BYTES("\x92\x25\xff"), "a negative number where none may be");
	expect_refused(BYTES("\x92\x25\xd0\x80"), "a negative number where none may be");
	expect_refused(BYTES("\x92\x25\xc3"), "something else where a whole number is due");
	expect_refused(BYTES("\x92\x25\xc0"), "something else where a whole number is due");
	expect_refused(BYTES("\x92\x25\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00"),
	    "something else where a whole number is due");
	expect_refused(BYTES("\x92\x25\x92"), "something else where a whole number is due");
	/* market_clock: source, then a TIME above the largest signed number. */
	expect_refused(BYTES("\x97\x07\x01\xcf\x80\x00\x00\x00\x00\x00\x00\x00"),
	    "a number above the largest signed one");
}

Test(unpack, a_text_longer_than_its_bound_is_refused_before_its_bytes_came)
{
	/* setting: key[48], value[1024] */
	expect_refused(BYTES("\x93\x21\xd9\x30"), "a text longer than its bound");
	expect_refused(BYTES("\x93\x21\xda\xff\xff"), "a text longer than its bound");
	expect_refused(BYTES("\x93\x21\xdb\xff\xff\xff\xff"), "a text longer than its bound");
	expect_refused(BYTES("\x93\x21\xa3"
			     "a\0b"
			     "\xa0"),
	    "a text with a NUL in it");
	expect_refused(BYTES("\x93\x21\xc4\x01"
			     "a"
			     "\xa0"),
	    "something else where a text is due");
	expect_refused(BYTES("\x93\x21\x05\xa0"), "something else where a text is due");
}

Test(unpack, bytes_that_are_no_utf8_do_not_end_a_channel)
{
	const char *why;
	union msg_any out;

	cr_assert_eq(decode(BYTES("\x93\x21\xa2\xff\xfe\xa1\x80"), &out, &why), E_OK);
	cr_expect_str_eq(out.setting.key, "\xff\xfe");
}

/* quote, up to its first F64: asset source symbol feed event received. */
#define QUOTE_HEAD                                                                                 \
	"\x9f\x01\x01\x02\xa4"                                                                     \
	"AAPL"                                                                                     \
	"\xa3"                                                                                     \
	"iex"                                                                                      \
	"\x00\x00"

Test(unpack, a_price_is_a_double_or_nil)
{
	const char *why;
	union msg_any out;

	expect_refused(BYTES(QUOTE_HEAD "\x07"), "something else where a double or nil is due");
	expect_refused(BYTES(QUOTE_HEAD "\xca\x3f\x80\x00\x00"),
	    "something else where a double or nil is due");
	expect_refused(BYTES(QUOTE_HEAD "\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"),
	    "NaN as a double: null is spelled nil");
	cr_expect_eq(decode(BYTES(QUOTE_HEAD "\xc0"), &out, &why), E_PARTIAL);
	cr_expect(out.quote.bid_price != out.quote.bid_price);
}

Test(unpack, a_bool_is_true_or_false)
{
	expect_refused(
	    BYTES("\x97\x07\x01\x00\x00\x01"), "something else where true or false is due");
	expect_refused(
	    BYTES("\x97\x07\x01\x00\x00\xc0"), "something else where true or false is due");
}

/* Replacing any one field by any other kind must never yield that message. */
Test(unpack, a_field_of_another_kind_never_passes)
{
	static const char *const others[] = { "\x80", "\x90", "\xc4\x00", "\xd4\x01\x00",
		"\xca\x00\x00\x00\x00" };
	static const size_t lens[] = { 1, 1, 2, 3, 5 };
	struct msg_setting in = { .key = "k", .value = "v" };
	const char *why;
	union msg_any out;
	struct buf b;
	uint8_t bytes[64];
	size_t i;

	buf_init(&b, 100);
	cr_assert_eq(msg_encode(MSG_SETTING, &in, &b), E_OK);
	for (i = 0; i < 5; i++) {
		memcpy(bytes, buf_data(&b), 2);
		memcpy(bytes + 2, others[i], lens[i]);
		memcpy(bytes + 2 + lens[i], buf_data(&b) + 4, 2);
		cr_expect_eq(decode(bytes, 4 + lens[i], &out, &why), E_PROTOCOL, "case %zu", i);
	}
	buf_fini(&b);
}

Test(unpack, any_byte_changed_is_refused_or_another_valid_message)
{
	uint64_t seed = 7;
	const struct msg_desc *d, *seen;
	const char *why;
	union msg_any in, out, again;
	enum msg_type type;
	struct buf b, c;
	size_t i, used;
	int r;

	for (i = 0; i < 200000; i++) {
		if ((d = msg_desc((unsigned)(sample_random(&seed) % MSG_TYPE_MAX))) == NULL)
			continue;
		sample_fill(d, SAMPLE_RANDOM, &seed, &in);
		buf_init(&b, 1 << 16);
		buf_init(&c, 1 << 16);
		cr_assert_eq(msg_encode(d->type, &in, &b), E_OK);
		buf_data(&b)[sample_random(&seed) % buf_len(&b)] = (uint8_t)sample_random(&seed);
		r = msg_decode(buf_data(&b), buf_len(&b), &used, &type, &out, &why);
		cr_assert(r == E_OK || r == E_PARTIAL || r == E_PROTOCOL);
		if (r == E_OK) {
			seen = msg_desc(type);
			cr_assert_eq(msg_encode(type, &out, &c), E_OK);
			cr_assert_eq(
			    msg_decode(buf_data(&c), buf_len(&c), &used, &type, &again, &why),
			    E_OK);
			cr_assert(sample_equal(seen, &out, &again));
		}
		buf_fini(&b);
		buf_fini(&c);
	}
}

Test(unpack, check_steps_over_every_kind_of_object)
{
	static const struct {
		const char *bytes;
		size_t len;
	} whole[] = {
		{ "\x00", 1 },
		{ "\xff", 1 },
		{ "\xc0", 1 },
		{ "\xc2", 1 },
		{ "\xcc\x01", 2 },
		{ "\xcf\0\0\0\0\0\0\0\1", 9 },
		{ "\xd1\1\2", 3 },
		{ "\xca\0\0\0\0", 5 },
		{ "\xcb\0\0\0\0\0\0\0\0", 9 },
		{ "\xa2hi", 3 },
		{ "\xd9\2hi", 4 },
		{ "\xda\0\2hi", 5 },
		{ "\xdb\0\0\0\2hi", 7 },
		{ "\xc4\1x", 3 },
		{ "\xc7\1\5x", 4 },
		{ "\xd4\5x", 3 },
		{ "\xd8\5"
		  "0123456789abcdef",
		    18 },
		{ "\x90", 1 },
		{ "\x92\1\2", 3 },
		{ "\xdc\0\1\xc0", 4 },
		{ "\x81\1\2", 3 },
		{ "\xde\0\1\1\2", 5 },
		{ "\x92\x91\x90\xa0", 4 },
	};
	const char *why = NULL;
	size_t i, cut, used;

	for (i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		used = 0;
		cr_expect_eq(
		    unpack_check((const uint8_t *)whole[i].bytes, whole[i].len, &used, &why), E_OK,
		    "case %zu: %s", i, why ? why : "");
		cr_expect_eq(used, whole[i].len, "case %zu", i);
		for (cut = 0; cut < whole[i].len; cut++)
			cr_expect_eq(
			    unpack_check((const uint8_t *)whole[i].bytes, cut, &used, &why),
			    E_PROTOCOL, "case %zu cut at %zu", i, cut);
	}
	cr_expect_eq(unpack_check(BYTES("\xc1"), &used, &why), E_PROTOCOL);
}

Test(unpack, check_allows_eight_levels_and_no_more)
{
	uint8_t nested[64];
	const char *why = NULL;
	size_t used;

	memset(nested, 0x91, sizeof(nested));
	nested[UNPACK_DEPTH_MAX] = 0xc0;
	cr_expect_eq(unpack_check(nested, UNPACK_DEPTH_MAX + 1, &used, &why), E_OK);
	nested[UNPACK_DEPTH_MAX] = 0x91;
	nested[UNPACK_DEPTH_MAX + 1] = 0xc0;
	cr_expect_eq(unpack_check(nested, UNPACK_DEPTH_MAX + 2, &used, &why), E_PROTOCOL);
	cr_expect_str_eq(why, "nesting too deep");
	memset(nested, 0x91, sizeof(nested));
	cr_expect_eq(unpack_check(nested, sizeof(nested), &used, &why), E_PROTOCOL);
}

/* Where ours says yes, msgpack-c must see an object of the same length. */
Test(unpack, check_agrees_with_msgpack_c_on_random_bytes)
{
	uint64_t seed = 99;
	uint8_t bytes[48];
	const char *why;
	msgpack_unpacked u;
	size_t i, j, used, off, agreed = 0;

	for (i = 0; i < 300000; i++) {
		for (j = 0; j < sizeof(bytes); j++)
			bytes[j] = (uint8_t)(sample_random(&seed) >> 11);
		if (unpack_check(bytes, sizeof(bytes), &used, &why) != E_OK)
			continue;
		off = 0;
		msgpack_unpacked_init(&u);
		cr_assert_eq(msgpack_unpack_next(&u, (const char *)bytes, used, &off),
		    MSGPACK_UNPACK_SUCCESS);
		cr_assert_eq(off, used);
		msgpack_unpacked_destroy(&u);
		agreed++;
	}
	cr_expect_gt(agreed, 1000);
}

Test(unpack, a_setting_that_was_read_does_not_stay_in_memory)
{
	struct msg_setting m = { .key = "alpaca.secret_key", .value = "tell nobody" };
	struct frame_out out = { .open = 0 };
	static struct frame_in in;
	const char *why;
	union msg_any got;
	enum msg_type type;
	size_t room, len;
	bool carries;

	buf_init(&out.bytes, 4096);
	cr_assert_eq(frame_put(&out, MSG_SETTING, &m), E_OK);
	frame_end(&out);
	len = buf_len(&out.bytes);
	memcpy(frame_space(&in, &room), buf_data(&out.bytes), len);
	frame_filled(&in, len);
	cr_assert_not_null(memmem(in.bytes, len, "tell nobody", 11));
	cr_assert_eq(frame_next(&in, &type, &got, &carries, &why), E_OK);
	cr_expect_str_eq(got.setting.value, "tell nobody");
	cr_expect_null(memmem(in.bytes, len, "tell nobody", 11));
	buf_fini(&out.bytes);
}
