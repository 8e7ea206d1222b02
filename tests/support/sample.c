/* sample.c - messages of every row of the table, filled from the descriptors. */
#include "sample.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "text.h"

uint64_t
sample_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Small and large numbers alike: every width of the format must be drawn. */
static uint64_t
random_number(uint64_t *seed)
{
	return sample_random(seed) >> (sample_random(seed) % 64);
}

static double
random_double(uint64_t *seed)
{
	static const double odd[] = { NAN, INFINITY, -INFINITY, 0.0, -0.0, DBL_MIN, DBL_MAX,
		5e-324 };
	uint64_t bits = sample_random(seed);
	double v;

	if (bits % 4 == 0)
		return odd[bits / 4 % (sizeof(odd) / sizeof(odd[0]))];
	memcpy(&v, &bits, sizeof(v));
	return isnan(v) ? 0.25 : v;
}

static void
random_text(uint64_t *seed, char *out, size_t bound)
{
	size_t len = sample_random(seed) % bound, i;

	for (i = 0; i < len; i++)
		out[i] = (char)(1 + sample_random(seed) % 255);
	out[len] = '\0';
}

static void
fill_number(
    const struct msg_field *f, size_t nth, enum sample_style style, uint64_t *seed, void *at)
{
	bool is_signed = f->kind != KIND_U64;
	uint64_t v = 0;

	switch (style) {
	case SAMPLE_PLAIN:
		v = f->kind == KIND_TIME ? UINT64_C(1767623400000000000) : 1000 + nth;
		break;
	case SAMPLE_LEAST:
		v = is_signed ? (uint64_t)INT64_MIN : 0;
		break;
	case SAMPLE_MOST:
		v = is_signed ? (uint64_t)INT64_MAX : UINT64_MAX;
		break;
	case SAMPLE_RANDOM:
		v = random_number(seed);
		v = is_signed && sample_random(seed) % 2 ? -v : v;
		break;
	}
	memcpy(at, &v, sizeof(v));
}

static void
fill_double(size_t nth, enum sample_style style, uint64_t *seed, double *at)
{
	switch (style) {
	case SAMPLE_PLAIN:
		*at = 100.25 + (double)nth;
		break;
	case SAMPLE_LEAST:
		*at = NAN;
		break;
	case SAMPLE_MOST:
		*at = DBL_MAX;
		break;
	case SAMPLE_RANDOM:
		*at = random_double(seed);
		break;
	}
}

static void
fill_text(const struct msg_field *f, enum sample_style style, uint64_t *seed, char *at)
{
	memset(at, 0, f->bound);
	if (style == SAMPLE_PLAIN)
		text_copy(at, f->bound, f->name);
	else if (style == SAMPLE_MOST)
		memset(at, 'x', f->bound - 1);
	else if (style == SAMPLE_RANDOM)
		random_text(seed, at, f->bound);
}

void
sample_fill(const struct msg_desc *d, enum sample_style style, uint64_t *seed, union msg_any *out)
{
	const struct msg_field *f;
	size_t i;
	void *at;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < d->field_count; i++) {
		f = &d->fields[i];
		at = (char *)out + f->offset;
		if (f->kind == KIND_STR || f->kind == KIND_LIST)
			fill_text(f, style, seed, at);
		else if (f->kind == KIND_F64)
			fill_double(i, style, seed, at);
		else if (f->kind == KIND_BOOL)
			*(bool *)at = style == SAMPLE_RANDOM ? sample_random(seed) % 2
							     : style != SAMPLE_LEAST;
		else
			fill_number(f, i, style, seed, at);
	}
}

static bool
field_equal(const struct msg_field *f, const void *a, const void *b)
{
	double x, y;

	switch (f->kind) {
	case KIND_STR:
	case KIND_LIST:
		return strcmp(a, b) == 0;
	case KIND_BOOL:
		return *(const bool *)a == *(const bool *)b;
	case KIND_F64:
		memcpy(&x, a, sizeof(x));
		memcpy(&y, b, sizeof(y));
		return isnan(x) ? isnan(y) : memcmp(a, b, sizeof(x)) == 0;
	default:
		return memcmp(a, b, sizeof(uint64_t)) == 0;
	}
}

bool
sample_equal(const struct msg_desc *d, const union msg_any *a, const union msg_any *b)
{
	const struct msg_field *f;

	for (f = d->fields; f < d->fields + d->field_count; f++)
		if (!field_equal(f, (const char *)a + f->offset, (const char *)b + f->offset))
			return false;
	return true;
}
