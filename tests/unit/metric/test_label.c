/* test_label.c - label sets and their texts. */
#include "label.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

#include "endpoint.h"
#include "err.h"
#include "metric.h"

Test(label, texts_of_a_set_are_distinct_and_found_again)
{
	for (unsigned s = 0; s < LABEL_SET_COUNT; s++) {
		enum label_set set = (enum label_set)s;

		for (unsigned i = 0; i < label_count(set); i++)
			cr_expect_eq(label_index(set, label_text(set, i)), (int)i, "%u: %s", s,
			    label_text(set, i));
		cr_expect_eq(label_index(set, "no such text"), -1);
	}
}

Test(label, constants_are_indices_inside_their_set)
{
	cr_expect_str_eq(label_text(LABELS_lane, LABEL(lane, BACKFILL)), "backfill");
	cr_expect_str_eq(label_text(LABELS_layer, LABEL(layer, BOOK)), "book");
	cr_expect_str_eq(label_text(LABELS_drop, LABEL(drop, RESET)), "reset");
	cr_expect_eq(LABEL(outcome, OK), 0);
}

Test(label, lanes_and_endpoints_have_the_index_of_their_enum)
{
	cr_expect_eq(LABEL(lane, INTERACTIVE), LANE_INTERACTIVE);
	cr_expect_eq(LABEL(lane, REFRESH), LANE_REFRESH);
	cr_expect_eq(LABEL(lane, BACKFILL), LANE_BACKFILL);
	cr_expect_eq(label_count(LABELS_endpoint), endpoint_count());
	for (uint64_t n = 0; n < 100; n++) {
		const struct endpoint_row *row = endpoint_row(n);

		if (row != NULL)
			cr_expect_str_eq(
			    label_text(LABELS_endpoint, (unsigned)row->index), row->name);
	}
}

Test(label, routes_are_their_path_and_none)
{
	cr_expect_str_eq(
	    label_text(LABELS_route, ROUTE_stock_quote), "/api/v1/stocks/{symbol}/quote");
	cr_expect_str_eq(label_text(LABELS_route, ROUTE_NONE), "none");
}

Test(label, statuses_have_an_index_and_strangers_share_one)
{
	cr_expect_str_eq(label_text(LABELS_code, label_code(200)), "200");
	cr_expect_str_eq(label_text(LABELS_code, label_code(431)), "431");
	cr_expect_str_eq(label_text(LABELS_code, label_code(299)), "other");
	cr_expect_str_eq(label_text(LABELS_code, label_code(0)), "other");
	cr_expect_str_eq(label_text(LABELS_code, label_code(-1)), "other");
#define ERROR(NAME, number, status, again, type, text, action)                                     \
	if (status != 0)                                                                           \
		cr_expect_str_neq(label_text(LABELS_code, label_code(status)), "other");
#include "tables/errors.def"
}

Test(label, an_index_out_of_range_panics, .signal = SIGABRT)
{
	label_text(LABELS_lane, 3);
}
