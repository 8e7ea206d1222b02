/* rates.c - what two looks at the same counters tell. */
#include <math.h>

#include "ctl_room.h"

double
rates_quantile(const uint64_t *buckets, const double *bounds, size_t bound_count, double q)
{
	double total = 0, rank, seen = 0, low;
	size_t i;

	for (i = 0; i <= bound_count; i++)
		total += (double)buckets[i];
	if (total <= 0)
		return NAN;
	rank = q * total;
	for (i = 0; i < bound_count; i++) {
		if (seen + (double)buckets[i] >= rank && buckets[i] > 0) {
			low = i > 0 ? bounds[i - 1] : 0;
			return low + (bounds[i] - low) * (rank - seen) / (double)buckets[i];
		}
		seen += (double)buckets[i];
	}
	return bound_count > 0 ? bounds[bound_count - 1] : NAN;
}

void
rates_between(const struct rate_sample *before, const struct rate_sample *after, double seconds,
    const double *bounds, size_t bound_count, struct rates *out)
{
	uint64_t fresh[RATE_BUCKETS] = { 0 };
	size_t i;

	*out = (struct rates){ .requests = NAN, .p99 = NAN, .cpu = NAN };
	if (seconds <= 0)
		return;
	if (before->pid == after->pid && after->cpu_seconds >= before->cpu_seconds)
		out->cpu = 100 * (after->cpu_seconds - before->cpu_seconds) / seconds;
	if (after->requests < before->requests)
		return;
	out->requests = (double)(after->requests - before->requests) / seconds;
	for (i = 0; i <= bound_count && i < RATE_BUCKETS; i++) {
		if (after->buckets[i] < before->buckets[i])
			return;
		fresh[i] = after->buckets[i] - before->buckets[i];
	}
	out->p99 = rates_quantile(fresh, bounds, bound_count, 0.99);
}

void
rate_sample_add(struct rate_sample *to, const struct rate_sample *from)
{
	to->requests += from->requests;
	for (size_t i = 0; i < RATE_BUCKETS; i++)
		to->buckets[i] += from->buckets[i];
}
