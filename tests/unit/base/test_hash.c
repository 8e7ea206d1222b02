/* test_hash.c - keyed and stable hashes, random bytes, memory. */
#include "build_config.h"
#include "hash.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

Test(hash, stable_ones_have_published_values)
{
	cr_expect_eq(hash_stable("", 0), UINT64_C(0xcbf29ce484222325));
	cr_expect_eq(hash_stable("a", 1), UINT64_C(0xaf63dc4c8601ec8c));
	cr_expect_eq(hash_stable("foobar", 6), UINT64_C(0x85944171f73967e8));
	cr_expect_eq(hash_stable_more(hash_stable("foo", 3), "bar", 3), hash_stable("foobar", 6));
	cr_expect_eq(hash_crc32("123456789", 9), 0xcbf43926);
}

Test(hash, the_keyed_one_sees_every_byte_and_the_length)
{
	uint8_t data[40] = { 0 };
	uint64_t seen[41 + 40];
	size_t n = 0;

	for (size_t len = 0; len <= 40; len++)
		seen[n++] = hash_keyed(data, len);
	for (size_t i = 0; i < 40; i++) {
		data[i] = 1;
		seen[n++] = hash_keyed(data, 40);
		cr_expect_eq(seen[n - 1], hash_keyed(data, 40), "the same within a process");
		data[i] = 0;
	}
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			cr_expect_neq(seen[i], seen[k]);
}

Test(hash, random_bytes_differ)
{
	uint8_t a[32] = { 0 }, b[32] = { 0 };

	hash_random(a, sizeof(a));
	hash_random(b, sizeof(b));
	cr_expect_neq(memcmp(a, b, sizeof(a)), 0);
}

Test(mem, memory_is_zeroed_and_pointers_are_nulled)
{
	char *p = mem_alloc(100), *text;

	for (int i = 0; i < 100; i++)
		cr_expect_eq(p[i], 0);
	memset(p, 'x', 100);
	p = mem_grow(p, 100, 200);
	cr_expect(p[99] == 'x' && p[100] == 0 && p[199] == 0);
	mem_free(&p);
	cr_expect_null(p);
	mem_free(&p);
	text = mem_text("abc");
	cr_expect_str_eq(text, "abc");
	mem_wipe(text, 3);
	cr_expect_str_eq(text, "");
	mem_free(&text);
	p = mem_array(0, 8);
	cr_expect_not_null(p);
	mem_free(&p);
}

#ifndef WITH_SANITIZERS /* they end the process themselves */
static size_t told_bytes;

static void
on_refused(size_t bytes, void *arg)
{
	told_bytes = bytes;
	_exit(arg == &told_bytes && bytes == SIZE_MAX / 4 ? 9 : 1);
}

Test(mem, whoever_wants_to_know_is_told_what_was_refused_before_the_process_ends, .exit_code = 9)
{
	mem_on_refused(on_refused, &told_bytes);
	mem_alloc(SIZE_MAX / 4);
}
#endif

Test(mem, an_array_larger_than_memory_panics, .signal = SIGABRT)
{
	mem_array(SIZE_MAX / 4, 8);
}
