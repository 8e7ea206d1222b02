/* test_rates.c - what two looks at the same counters tell. */
#include <criterion/criterion.h>
#include <math.h>

#include "ctl_room.h"

static const double bounds[] = { 0.001, 0.01, 0.1 };

TestSuite(rates, .timeout = 10);

Test(rates, requests_and_processor_time_are_differences_over_the_time_between)
{
	struct rate_sample a = { .requests = 1000, .cpu_seconds = 4.0, .pid = 7 };
	struct rate_sample b = { .requests = 1500, .cpu_seconds = 4.5, .pid = 7 };
	struct rates r;

	rates_between(&a, &b, 2.0, bounds, 3, &r);
	cr_expect_float_eq(r.requests, 250, 1e-9);
	cr_expect_float_eq(r.cpu, 25, 1e-9);
	cr_expect(isnan(r.p99), "nothing was observed in between");
}

Test(rates, another_process_has_another_clock_but_the_same_counters)
{
	struct rate_sample a = { .requests = 1000, .cpu_seconds = 4.0, .pid = 7 };
	struct rate_sample b = { .requests = 1500, .cpu_seconds = 0.1, .pid = 8 };
	struct rates r;

	rates_between(&a, &b, 1.0, bounds, 3, &r);
	cr_expect_float_eq(r.requests, 500, 1e-9);
	cr_expect(isnan(r.cpu));
}

Test(rates, counters_that_fell_are_of_another_master)
{
	struct rate_sample a = { .requests = 1000, .pid = 7 }, b = { .requests = 10, .pid = 9 };
	struct rates r;

	rates_between(&a, &b, 1.0, bounds, 3, &r);
	cr_expect(isnan(r.requests));
	a = (struct rate_sample){ .requests = 1, .buckets = { 5, 0, 0, 0 } };
	b = (struct rate_sample){ .requests = 2, .buckets = { 4, 9, 0, 0 } };
	rates_between(&a, &b, 1.0, bounds, 3, &r);
	cr_expect(isnan(r.p99));
}

Test(rates, no_time_between_tells_nothing)
{
	struct rate_sample a = { .requests = 1 }, b = { .requests = 2 };
	struct rates r;

	rates_between(&a, &b, 0, bounds, 3, &r);
	cr_expect(isnan(r.requests));
	cr_expect(isnan(r.cpu));
}

Test(rates, the_99th_percentile_is_of_what_came_in_between)
{
	/* A thousand slow ones long ago must not show. */
	struct rate_sample a = { .buckets = { 0, 0, 1000, 0 } };
	struct rate_sample b = { .requests = 100, .buckets = { 100, 0, 1000, 0 } };
	struct rates r;

	rates_between(&a, &b, 1.0, bounds, 3, &r);
	cr_expect_float_eq(r.p99, 0.00099, 1e-9);
}

Test(rates, a_quantile_lies_between_the_ends_of_its_bucket)
{
	uint64_t even[] = { 50, 50, 0, 0 }, last[] = { 0, 0, 0, 5 }, none[] = { 0, 0, 0, 0 };

	cr_expect_float_eq(rates_quantile(even, bounds, 3, 0.5), 0.001, 1e-9);
	cr_expect_float_eq(rates_quantile(even, bounds, 3, 0.75), 0.0055, 1e-9);
	cr_expect_float_eq(rates_quantile(even, bounds, 3, 1.0), 0.01, 1e-9);
	cr_expect_float_eq(rates_quantile(last, bounds, 3, 0.99), 0.1, 1e-9, "it has no upper end");
	cr_expect(isnan(rates_quantile(none, bounds, 3, 0.99)));
}
