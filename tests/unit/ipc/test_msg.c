/* test_msg.c - messages: every row of the table there and back, and the bytes they are known by. */
#include <criterion/criterion.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc_room.h"
#include "sample.h"

#define EACH_DESC(d)                                                                               \
	for (unsigned type_ = 0; type_ < MSG_TYPE_MAX; type_++)                                    \
		if (((d) = msg_desc(type_)) != NULL)

static void
expect_round_trip(const struct msg_desc *d, const union msg_any *in)
{
	const char *why = NULL;
	union msg_any out;
	enum msg_type type;
	struct buf b;
	size_t used;

	buf_init(&b, 1 << 20);
	cr_assert_eq(msg_encode(d->type, in, &b), E_OK, "%s", d->name);
	cr_assert_leq(
	    buf_len(&b), msg_worsts[d->type], "%s is longer than its worst case", d->name);
	memset(&out, 0xa5, sizeof(out));
	cr_assert_eq(msg_decode(buf_data(&b), buf_len(&b), &used, &type, &out, &why), E_OK,
	    "%s: %s", d->name, why ? why : "partial");
	cr_assert_eq(used, buf_len(&b));
	cr_assert_eq(type, d->type);
	cr_assert(sample_equal(d, in, &out), "%s came back different", d->name);
	buf_fini(&b);
}

Test(msg, every_message_comes_back_as_it_went)
{
	static const enum sample_style styles[] = { SAMPLE_PLAIN, SAMPLE_LEAST, SAMPLE_MOST };
	uint64_t seed = 1;
	const struct msg_desc *d;
	union msg_any in;
	size_t i;

	EACH_DESC(d)
	{
		for (i = 0; i < sizeof(styles) / sizeof(styles[0]); i++) {
			sample_fill(d, styles[i], &seed, &in);
			expect_round_trip(d, &in);
		}
	}
}

Test(msg, random_messages_come_back_as_they_went)
{
	uint64_t seed = 0x9e3779b97f4a7c15;
	const struct msg_desc *d;
	union msg_any in;
	int i;

	EACH_DESC(d)
	{
		for (i = 0; i < 2000; i++) {
			sample_fill(d, SAMPLE_RANDOM, &seed, &in);
			expect_round_trip(d, &in);
		}
	}
}

Test(msg, a_message_cut_anywhere_is_never_taken_for_whole)
{
	uint64_t seed = 42;
	const struct msg_desc *d;
	const char *why;
	union msg_any in, out;
	enum msg_type type;
	struct buf b;
	size_t cut, used;
	int i, r;

	EACH_DESC(d)
	{
		for (i = 0; i < 50; i++) {
			sample_fill(d, SAMPLE_RANDOM, &seed, &in);
			buf_init(&b, 1 << 20);
			cr_assert_eq(msg_encode(d->type, &in, &b), E_OK);
			for (cut = 0; cut < buf_len(&b); cut++) {
				r = msg_decode(buf_data(&b), cut, &used, &type, &out, &why);
				cr_assert_eq(r, E_PARTIAL, "%s cut at %zu gave %s", d->name, cut,
				    err_name(r));
			}
			buf_fini(&b);
		}
	}
}

Test(msg, bytes_behind_a_message_are_left_alone)
{
	struct msg_stored in = { .sequence = 300 }, *out;
	const char *why;
	union msg_any any;
	enum msg_type type;
	struct buf b;
	size_t used, len;

	buf_init(&b, 100);
	cr_assert_eq(msg_encode(MSG_STORED, &in, &b), E_OK);
	len = buf_len(&b);
	cr_assert_eq(buf_add(&b, "\xc1\xff", 2), E_OK);
	cr_assert_eq(msg_decode(buf_data(&b), buf_len(&b), &used, &type, &any, &why), E_OK);
	cr_expect_eq(used, len);
	out = &any.stored;
	cr_expect_eq(out->sequence, 300);
	buf_fini(&b);
}

Test(msg, another_reader_of_msgpack_sees_an_array_of_type_and_fields)
{
	struct msg_setting in = { .key = "http.address", .value = "127.0.0.1:8081" };
	msgpack_unpacked u;
	struct buf b;

	buf_init(&b, 1000);
	cr_assert_eq(msg_encode(MSG_SETTING, &in, &b), E_OK);
	msgpack_unpacked_init(&u);
	cr_assert_eq(msgpack_unpack_next(&u, (const char *)buf_data(&b), buf_len(&b), NULL),
	    MSGPACK_UNPACK_SUCCESS);
	cr_assert_eq(u.data.type, MSGPACK_OBJECT_ARRAY);
	cr_assert_eq(u.data.via.array.size, 3);
	cr_expect_eq(u.data.via.array.ptr[0].via.u64, MSG_SETTING);
	cr_expect_eq(u.data.via.array.ptr[1].type, MSGPACK_OBJECT_STR);
	cr_expect_eq(u.data.via.array.ptr[2].via.str.size, strlen(in.value));
	msgpack_unpacked_destroy(&u);
	buf_fini(&b);
}

Test(msg, a_full_buffer_gets_nothing_of_a_message)
{
	struct quote q = { .symbol = "AAPL", .bid_price = 1.5 };
	const struct msg_desc *d = msg_desc(MSG_QUOTE);
	struct buf b;
	size_t len, limit;

	buf_init(&b, 10000);
	cr_assert_eq(msg_encode(MSG_QUOTE, &q, &b), E_OK);
	len = buf_len(&b);
	cr_assert_lt(len, msg_worsts[d->type]);
	buf_fini(&b);
	for (limit = 0; limit < len; limit++) {
		buf_init(&b, limit);
		cr_assert_eq(msg_encode(MSG_QUOTE, &q, &b), E_FULL, "limit %zu", limit);
		cr_assert_eq(buf_len(&b), 0);
		buf_fini(&b);
	}
	buf_init(&b, len);
	cr_expect_eq(msg_encode(MSG_QUOTE, &q, &b), E_OK, "it fits to the byte");
	cr_expect_eq(buf_len(&b), len);
	buf_fini(&b);
}

Test(msg, a_text_without_end_is_refused_and_nothing_added)
{
	struct msg_advanced ok = { .sequence = 1 };
	struct msg_hello h = { .protocol = 1, .pid = 2 };
	struct buf b;
	size_t len;

	memset(h.slot, 'x', sizeof(h.slot));
	buf_init(&b, 1000);
	cr_assert_eq(msg_encode(MSG_ADVANCED, &ok, &b), E_OK);
	len = buf_len(&b);
	cr_expect_eq(msg_encode(MSG_HELLO, &h, &b), E_LIMIT);
	cr_expect_eq(buf_len(&b), len);
	buf_fini(&b);
}

Test(msg, rows_know_their_fields)
{
	const struct msg_desc *d = msg_desc(MSG_QUOTE);

	cr_assert_not_null(d);
	cr_expect_str_eq(d->name, "quote");
	cr_expect_str_eq(d->fields[2].name, "symbol");
	cr_expect_eq(d->fields[2].offset, offsetof(struct quote, symbol));
	cr_expect_eq(d->fields[2].bound, sizeof(((struct quote *)0)->symbol));
	cr_expect_eq(d->size, sizeof(struct quote));
	cr_expect(d->stored);
	cr_expect_eq(msg_desc(MSG_FETCH)->senders, ROLE_HTTP);
	cr_expect_null(msg_desc(0));
	cr_expect_null(msg_desc(31));
	cr_expect_null(msg_desc(MSG_TYPE_MAX));
	cr_expect_null(msg_desc(0xffffffff));
}

Test(msg, the_protocol_id_is_the_same_each_time)
{
	cr_expect_eq(msg_protocol_id(), msg_protocol_id());
	cr_expect_neq(msg_protocol_id(), 0);
}

Test(msg, a_line_for_logs_shows_fields_and_no_control_characters)
{
	struct msg_ready ready = { .generation = 7 };
	struct msg_listener listener = { .name = "a\n\"b", .address = "127.0.0.1:1" };
	char line[200];

	msg_print(MSG_READY, &ready, line, sizeof(line));
	cr_expect_str_eq(line, "ready{generation=7}");
	msg_print(MSG_LISTENER, &listener, line, sizeof(line));
	cr_expect_str_eq(line, "listener{name=\"a\\x0a\\x22b\" address=\"127.0.0.1:1\"}");
	msg_print((enum msg_type)63, &ready, line, sizeof(line));
	cr_expect_str_eq(line, "unknown(63)");
}

Test(msg, a_line_for_logs_is_cut_at_its_size)
{
	struct msg_ready ready = { .generation = 7 };
	char line[16];

	memset(line, 'z', sizeof(line));
	msg_print(MSG_READY, &ready, line, 8);
	cr_expect_str_eq(line, "ready{g");
	cr_expect_eq(line[8], 'z');
	msg_print(MSG_READY, &ready, line, 0);
	cr_expect_eq(line[0], 'r');
}

Test(msg, a_line_for_logs_hides_the_value_of_a_setting)
{
	struct msg_setting s = { .key = "alpaca.secret_key", .value = "tell nobody" };
	char line[200];

	msg_print(MSG_SETTING, &s, line, sizeof(line));
	cr_expect_str_eq(line, "setting{key=\"alpaca.secret_key\" value=(hidden)}");
}

static void
print_sample(const struct msg_desc *d, char *out, size_t size)
{
	uint64_t seed = 1;
	union msg_any in;
	struct buf b;
	size_t i, at;

	buf_init(&b, 1 << 20);
	sample_fill(d, SAMPLE_PLAIN, &seed, &in);
	cr_assert_eq(msg_encode(d->type, &in, &b), E_OK);
	at = (size_t)snprintf(out, size, "%s ", d->name);
	for (i = 0; i < buf_len(&b); i++)
		at += (size_t)snprintf(out + at, size - at, "%02x", buf_data(&b)[i]);
	snprintf(out + at, size - at, "\n");
	buf_fini(&b);
}

#define GOLDEN TESTS_DIR "/golden/messages.txt"

static void
golden_write(void)
{
	static char line[20000];
	const struct msg_desc *d;
	FILE *f = fopen(GOLDEN, "w");

	cr_assert_not_null(f);
	EACH_DESC(d)
	{
		print_sample(d, line, sizeof(line));
		fputs(line, f);
	}
	cr_assert_eq(fclose(f), 0);
}

/* A change here means that an older process or journal no longer understands: GOLDEN_WRITE=1 accepts it. */
Test(msg, bytes_on_the_wire_are_those_of_the_golden_file)
{
	static char line[20000], expected[20000];
	const struct msg_desc *d;
	FILE *f;

	if (getenv("GOLDEN_WRITE") != NULL)
		golden_write();
	f = fopen(GOLDEN, "r");
	cr_assert_not_null(f, "%s is missing", GOLDEN);
	EACH_DESC(d)
	{
		print_sample(d, line, sizeof(line));
		cr_assert_not_null(
		    fgets(expected, sizeof(expected), f), "%s is not in it", d->name);
		cr_expect_str_eq(line, expected);
	}
	cr_expect_null(
	    fgets(expected, sizeof(expected), f), "more than the table has: %s", expected);
	fclose(f);
}
