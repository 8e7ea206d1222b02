/* test_trace.c - contexts of traces: what is read, refused, and sampled. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "trace.h"

#define GOOD "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

Test(trace, what_was_read_is_written_the_same)
{
	struct trace_context c;
	char out[TRACEPARENT_LEN + 1];

	cr_assert_eq(trace_parse(GOOD, &c), E_OK);
	cr_expect_eq(c.high, UINT64_C(0x0af7651916cd43dd));
	cr_expect_eq(c.low, UINT64_C(0x8448eb211c80319c));
	cr_expect_eq(c.span, UINT64_C(0xb7ad6b7169203331));
	cr_expect(trace_is_sampled(&c));
	trace_format(&c, out);
	cr_expect_str_eq(out, GOOD);
	trace_format_id(&c, out);
	cr_expect_str_eq(out, "0af7651916cd43dd8448eb211c80319c");
}

Test(trace, every_byte_of_an_id_is_written_as_the_library_does)
{
	struct trace_context c = { .flags = TRACE_SAMPLED };
	char out[TRACEPARENT_LEN + 1], want[TRACEPARENT_LEN + 1];

	for (uint64_t byte = 0; byte < 256; byte++)
		for (unsigned shift = 0; shift < 64; shift += 8) {
			c.high = byte << shift;
			c.low = ~c.high;
			c.span = (uint64_t)(255 - byte) << shift | 1;
			trace_format(&c, out);
			snprintf(want, sizeof(want),
			    "00-%016" PRIx64 "%016" PRIx64 "-%016" PRIx64 "-01", c.high, c.low,
			    c.span);
			cr_assert_str_eq(out, want);
		}
}

Test(trace, a_later_version_is_read_as_00_and_may_go_on)
{
	struct trace_context c;
	char out[TRACEPARENT_LEN + 1];

	cr_expect_eq(
	    trace_parse("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff", &c), E_OK);
	trace_format(&c, out);
	cr_expect_str_eq(out, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03");
	cr_expect_eq(
	    trace_parse(
		"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-what-the.future=", &c),
	    E_OK);
	cr_expect(!trace_is_sampled(&c));
}

Test(trace, what_is_no_traceparent_is_refused)
{
	static const char *const bad[] = { "", "0", "00", "00-", GOOD " ", GOOD "-", GOOD "-01",
		"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"0G-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
		"00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-011",
		"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x", (" " GOOD),
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331" };
	struct trace_context c = { .high = 7 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(trace_parse(bad[i], &c), E_INVALID_PARAMETER, "%s", bad[i]);
	cr_expect_eq(c.high, 7, "untouched");
}

Test(trace, every_beginning_of_one_is_refused)
{
	struct trace_context c;
	char cut[TRACEPARENT_LEN + 1];

	for (size_t n = 0; n < TRACEPARENT_LEN; n++) {
		snprintf(cut, sizeof(cut), "%.*s", (int)n, GOOD);
		cr_expect_eq(trace_parse(cut, &c), E_INVALID_PARAMETER, "%s", cut);
	}
}

Test(trace, members_of_a_tracestate_are_checked)
{
	static const char *const good[] = { "", "a=1", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
		"tenant@system=x y", "0a@b=1", " a=1\t, ,b=2,", "a*/-_0=!~", "a= 1" };
	static const char *const bad[] = { "a", "=1", "a=", "A=1", "0=1", "a=1,a=2", "a=\x01",
		"a=\xc3\xa4", "a=b=c", "@b=1", "a@=1", "a@0b=1", "a@b@c=1", "a b=1",
		"a@fifteen-is-much=1" };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_expect(tracestate_is_valid(good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect(!tracestate_is_valid(bad[i]), "%s", bad[i]);
}

Test(trace, a_tracestate_has_32_members_and_512_bytes_at_most)
{
	char text[1024] = "";

	for (int i = 0; i < 33; i++) {
		cr_expect(tracestate_is_valid(text), "%d", i);
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%sk%d=v",
		    i > 0 ? "," : "", i);
	}
	cr_expect(!tracestate_is_valid(text), "33");
	snprintf(text, sizeof(text), "a=%0254d,b=%0253d", 1, 1);
	cr_expect_eq(strlen(text), 512);
	cr_expect(tracestate_is_valid(text));
	snprintf(text, sizeof(text), "a=%0254d,b=%0254d", 1, 1);
	cr_expect(!tracestate_is_valid(text));
	snprintf(text, sizeof(text), "a=%0257d", 1);
	cr_expect(!tracestate_is_valid(text), "a value has 256");
}

static unsigned
sampled_of(const char *name, const char *arg, const struct trace_context *parent, unsigned of)
{
	struct trace_random random = { { 1, 2 } };
	struct trace_sampler s;
	struct trace_context c;
	unsigned n = 0;

	cr_assert_eq(trace_sampler_init(&s, name, arg), E_OK, "%s", name);
	for (unsigned i = 0; i < of; i++) {
		trace_begin(&random, &c);
		n += trace_sampler_takes(&s, parent, &c);
	}
	return n;
}

Test(trace, samplers_take_what_their_names_say)
{
	const struct trace_context none = { 0 }, yes = { 1, 1, 1, 1 }, no = { 1, 1, 1, 0 };
	unsigned n = sampled_of("traceidratio", "0.01", &none, 100000);

	cr_expect(n > 800 && n < 1200, "%u", n);
	cr_expect_eq(sampled_of("always_on", "", &no, 9), 9);
	cr_expect_eq(sampled_of("always_off", "", &yes, 9), 0);
	cr_expect_eq(sampled_of("traceidratio", "", &no, 9), 9);
	cr_expect_eq(sampled_of("traceidratio", "0", &yes, 9), 0);
	cr_expect_eq(sampled_of("parentbased_always_on", "", &none, 9), 9);
	cr_expect_eq(sampled_of("parentbased_always_on", "", &no, 9), 0);
	cr_expect_eq(sampled_of("parentbased_always_off", "", &none, 9), 0);
	cr_expect_eq(sampled_of("parentbased_always_off", "", &yes, 9), 9);
	cr_expect_eq(sampled_of("parentbased_traceidratio", "0", &yes, 9), 9);
	cr_expect_eq(sampled_of("parentbased_traceidratio", "1", &no, 9), 0);
}

Test(trace, a_ratio_that_is_none_samples_all)
{
	static const char *const bad[] = { "-0.1", "1.1", "nan", "half", "1x" };
	struct trace_sampler s;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_expect_eq(
		    trace_sampler_init(&s, "traceidratio", bad[i]), E_CONFIG, "%s", bad[i]);
		cr_expect_eq(s.below, UINT64_C(1) << 63);
	}
	cr_expect_eq(trace_sampler_init(&s, "sometimes", ""), E_CONFIG);
}
