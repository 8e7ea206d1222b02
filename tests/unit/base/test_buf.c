/* test_buf.c - bytes in, bytes out, never past the limit. */
#include "buf.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

Test(buf, bytes_come_out_in_the_order_they_went_in)
{
	struct buf b;
	uint8_t wrote = 0, read = 0;
	unsigned seed = 1;

	buf_init(&b, 1000);
	for (int round = 0; round < 20000; round++) {
		uint8_t chunk[64];
		size_t n = (size_t)(rand_r(&seed) % 64);

		for (size_t i = 0; i < n; i++)
			chunk[i] = (uint8_t)(wrote + i);
		if (buf_add(&b, chunk, n) == E_OK)
			wrote = (uint8_t)(wrote + n);
		else
			cr_assert_gt(buf_len(&b) + n, 1000);
		cr_assert_leq(buf_len(&b), 1000);
		n = (size_t)(rand_r(&seed) % 64);
		n = n < buf_len(&b) ? n : buf_len(&b);
		for (size_t i = 0; i < n; i++)
			cr_assert_eq(buf_data(&b)[i], (uint8_t)(read + i));
		read = (uint8_t)(read + n);
		buf_consume(&b, n);
	}
	cr_expect_lt(b.capacity, 8192, "memory follows the limit, not the traffic");
	buf_fini(&b);
}

Test(buf, the_limit_holds_exactly)
{
	struct buf b;

	buf_init(&b, 10);
	cr_expect_eq(buf_add(&b, "0123456789", 10), E_OK);
	cr_expect_eq(buf_add(&b, "x", 1), E_FULL);
	cr_expect_eq(buf_add(&b, "", 0), E_OK);
	cr_expect_eq(buf_reserve(&b, SIZE_MAX), E_FULL);
	cr_expect_eq(buf_len(&b), 10);
	buf_consume(&b, 4);
	cr_expect_eq(buf_add(&b, "abcd", 4), E_OK);
	cr_expect_eq(buf_add(&b, "e", 1), E_FULL);
	cr_expect_eq(memcmp(buf_data(&b), "456789abcd", 10), 0);
	buf_fini(&b);
}

Test(buf, what_is_taken_out_is_whole_and_leaves_it_empty)
{
	struct buf b;
	char *all;

	buf_init(&b, 1000);
	cr_expect_eq(buf_add(&b, "gone and kept", 13), E_OK);
	buf_consume(&b, 9);
	all = buf_take(&b);
	cr_expect_eq(memcmp(all, "kept", 4), 0);
	mem_free(&all);
	cr_expect_eq(buf_len(&b), 0);
	cr_expect_eq(buf_add(&b, "new", 3), E_OK);
	cr_expect_eq(memcmp(buf_data(&b), "new", 3), 0);
	buf_fini(&b);
}

Test(buf, printing_may_fill_it_to_the_last_byte)
{
	struct buf b;

	buf_init(&b, 5);
	cr_expect_eq(buf_printf(&b, "%d", 12345), E_OK);
	cr_expect_eq(buf_printf(&b, "%d", 6), E_FULL);
	cr_expect_eq(buf_len(&b), 5);
	buf_reset(&b);
	cr_expect_eq(buf_printf(&b, "%s", "123456"), E_FULL);
	cr_expect_eq(buf_len(&b), 0);
	buf_fini(&b);
}

Test(buf, reserved_room_is_written_and_committed)
{
	struct buf b;

	buf_init(&b, 100000);
	cr_assert_eq(buf_reserve(&b, 50000), E_OK);
	memset(buf_tail(&b), 'x', 50000);
	buf_commit(&b, 50000);
	cr_expect_eq(buf_len(&b), 50000);
	cr_expect_eq(buf_data(&b)[49999], 'x');
	buf_fini(&b);
}

Test(buf, an_empty_one_can_be_used_everywhere)
{
	struct buf b;

	buf_init(&b, 10);
	cr_expect_eq(buf_len(&b), 0);
	cr_expect_null(buf_data(&b));
	buf_consume(&b, 5);
	buf_shrink(&b);
	buf_reset(&b);
	cr_expect_eq(buf_add_text(&b, "a"), E_OK);
	buf_shrink(&b);
	cr_expect_eq(buf_len(&b), 1, "only an empty one shrinks");
	buf_consume(&b, 99);
	buf_shrink(&b);
	cr_expect_null(b.base);
	cr_expect_eq(b.limit, 10);
	cr_expect_eq(buf_add_text(&b, "abc"), E_OK, "usable again");
	buf_fini(&b);
	buf_fini(&b);
}
