/* test_tracer.c - lists of pairs, the largest span, the queue. What the bytes mean is tests/system/36-traces.py's. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "mem.h"
#include "tracer.h"

Test(pairs, values_are_unescaped_and_blanks_around_go)
{
	char list[] = " a = 1 ,, b=%2C%3D+x , c=";
	struct pair p[4];
	size_t n = 0;

	cr_assert_eq(pairs_read(list, p, 4, &n), E_OK);
	cr_assert_eq(n, 3);
	cr_expect_str_eq(p[0].name, "a");
	cr_expect_str_eq(p[0].value, "1");
	cr_expect_str_eq(p[1].value, ",=+x");
	cr_expect_str_eq(p[2].value, "");
}

Test(pairs, what_is_none_is_refused)
{
	static const char *const bad[] = { "a", "=1", "a=%", "a=%0", "a=%0d", "a=%00", "a=%zz",
		"a=%ff", "a\x01=1", "a=1,b=2,c=3,d=4,e=5", "a=1,b" };
	struct pair p[4];
	char list[64];
	size_t n = 9;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(list, sizeof(list), "%s", bad[i]);
		cr_expect_eq(pairs_read(list, p, 4, &n), E_CONFIG, "%s", bad[i]);
	}
	cr_expect_eq(n, 9, "untouched");
}

static void
fill(char *text, size_t size)
{
	memset(text, 'x', size - 1);
	text[size - 1] = '\0';
}

Test(otlp, a_span_whose_every_field_is_full_fits)
{
	static struct msg_span s;
	struct buf b;

	memset(&s, 0xff, sizeof(s));
	s.remote = s.failed = true;
	fill(s.name, sizeof(s.name));
	fill(s.reason, sizeof(s.reason));
	fill(s.state, sizeof(s.state));
	fill(s.method, sizeof(s.method));
	fill(s.route, sizeof(s.route));
	fill(s.path, sizeof(s.path));
	fill(s.request_id, sizeof(s.request_id));
	fill(s.symbol, sizeof(s.symbol));
	fill(s.cache, sizeof(s.cache));
	fill(s.outcome, sizeof(s.outcome));
	fill(s.code, sizeof(s.code));
	fill(s.endpoint, sizeof(s.endpoint));
	fill(s.upstream_id, sizeof(s.upstream_id));
	fill(s.store, sizeof(s.store));
	buf_init(&b, 8192);
	cr_expect_eq(otlp_span(&b, &s, "http-255.1"), E_OK);
	cr_expect_lt(buf_len(&b), 4096, "%zu", buf_len(&b));
	buf_fini(&b);
}

Test(otlp, what_is_no_utf8_is_a_question_mark)
{
	const struct pair attributes[] = { { "n\xff", "\xc3\xa4\xc3|\xe2\x82\xac\x80\xf0\x9f" } };
	static const char wanted[] = "\x0a\x12\x0a\x02n?\x12\x0c\x0a\x0a"
				     "\xc3\xa4?|\xe2\x82\xac???";
	struct buf b;

	buf_init(&b, 256);
	cr_assert_eq(otlp_resource(&b, attributes, 1), E_OK);
	cr_assert_eq(buf_len(&b), sizeof(wanted) - 1, "%zu", buf_len(&b));
	cr_expect_arr_eq(buf_data(&b), wanted, sizeof(wanted) - 1);
	buf_fini(&b);
}

Test(otlp, what_a_collector_did_not_take_is_read_from_its_answer)
{
	static const struct {
		const char *bytes;
		size_t len;
		uint64_t rejected;
	} cases[] = {
		{ "", 0, 0 },
		{ "\x0a\x00", 2, 0 },
		{ "\x0a\x02\x08\x07", 4, 7 },
		{ "\x0a\x06\x08\xac\x02\x12\x01x", 8, 300 },
		{ "\x15....\x19........\x0a\x05\x12\x01x\x08\x07", 21,
		    7 }, /* fields of later times */
		{ "\x0a\x7f\x08\x07", 4, 0 },
		{ "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x08\x07", 13, 0 },
		{ "\x0a\x01\x08\x07", 4, 0 },
		{ "\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 13, 0 },
		{ "\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 13, 0 },
		{ "{\"partialSuccess\":{}}", 21, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(otlp_rejected((const uint8_t *)cases[i].bytes, cases[i].len),
		    cases[i].rejected, "%zu", i);
}

static void
expect_same_unpacked(const struct buf *in)
{
	z_stream z = { 0 };
	struct buf packed;
	uint8_t *back = mem_alloc(buf_len(in) + 1);

	buf_init(&packed, (size_t)2 << 20);
	cr_assert_eq(pack_gzip(in, &packed), E_OK);
	cr_assert_eq(inflateInit2(&z, MAX_WBITS + 16), Z_OK, "gzip, and nothing else");
	z.next_in = buf_data(&packed);
	z.avail_in = (uInt)buf_len(&packed);
	z.next_out = back;
	z.avail_out = (uInt)buf_len(in) + 1;
	cr_expect_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
	cr_assert_eq(z.total_out, buf_len(in));
	cr_expect_eq(z.avail_in, 0);
	cr_expect(buf_len(in) == 0 || memcmp(back, buf_data(in), buf_len(in)) == 0);
	inflateEnd(&z);
	mem_free(&back);
	buf_fini(&packed);
}

Test(pack, what_is_packed_unpacks_to_the_same)
{
	uint32_t noise = 1;
	struct buf in;

	buf_init(&in, (size_t)1 << 20);
	expect_same_unpacked(&in);
	cr_assert_eq(buf_add(&in, "x", 1), E_OK);
	expect_same_unpacked(&in);
	for (int i = 0; i < 20000; i++)
		cr_assert_eq(buf_printf(&in, "span %d", i % 7), E_OK);
	expect_same_unpacked(&in);
	for (int i = 0; i < 200000; i++) {
		noise = noise * 1664525 + 1013904223;
		cr_assert_eq(buf_add(&in, (const uint8_t *)&noise + 3, 1), E_OK);
	}
	expect_same_unpacked(&in);
	buf_fini(&in);
}

Test(pack, a_body_it_has_no_room_for_is_refused)
{
	struct buf in, out;

	buf_init(&in, 4096);
	buf_init(&out, 64);
	for (int i = 0; i < 100; i++)
		cr_assert_eq(buf_printf(&in, "%d", i * 7919), E_OK);
	cr_expect_eq(pack_gzip(&in, &out), E_FULL);
	cr_expect_eq(buf_len(&out), 0);
	buf_fini(&in);
	buf_fini(&out);
}

Test(queue, it_is_bounded_and_first_in_is_first_out)
{
	struct queue q;
	struct buf out;
	char c;

	queue_init(&q, 3);
	buf_init(&out, 1024);
	for (int round = 0; round < 5; round++) {
		for (c = 'a'; c < 'd'; c++)
			cr_expect(queue_add(&q, &c, 1));
		cr_expect(!queue_add(&q, &c, 1), "full");
		buf_reset(&out);
		cr_expect_eq(queue_take(&q, 2, &out), 2);
		cr_expect_eq(queue_take(&q, 9, &out), 1);
		cr_expect_eq(queue_take(&q, 9, &out), 0);
		cr_expect_eq(buf_len(&out), 9);
		cr_expect_arr_eq(buf_data(&out),
		    "\x12\x01"
		    "a\x12\x01"
		    "b\x12\x01"
		    "c",
		    9);
	}
	cr_expect(queue_add(&q, &c, 1), "one stays for fini to free");
	queue_fini(&q);
	buf_fini(&out);
}
