/* trace.c - traceparent and tracestate, read strictly; ids; sampling. */
#include "trace.h"

#include <endian.h>
#include <string.h>

#include "hash.h"
#include "text.h"

#define HALF (UINT64_C(1) << 63)

bool
trace_is(const struct trace_context *c)
{
	return (c->high | c->low) != 0;
}

bool
trace_is_sampled(const struct trace_context *c)
{
	return trace_is(c) && (c->flags & TRACE_SAMPLED) != 0;
}

/* So many lower case hexadecimal digits; false when there is anything else. Never reads behind a NUL. */
static bool
hex_take(const char *from, size_t digits, uint64_t *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < digits; i++) {
		if (from[i] >= '0' && from[i] <= '9')
			v = v << 4 | (uint64_t)(from[i] - '0');
		else if (from[i] >= 'a' && from[i] <= 'f')
			v = v << 4 | (uint64_t)(from[i] - 'a' + 10);
		else
			return false;
	}
	*out = v;
	return true;
}

/* Eight digits at once, as every answer has fifty of them where requests are traced: each half byte of the number into a
 * byte of its own, and from there to its letter. */
static void
hex_put_8(char to[8], uint32_t v)
{
	uint64_t x = v, letters;

	x = (x << 16 | x) & UINT64_C(0x0000ffff0000ffff);
	x = (x << 8 | x) & UINT64_C(0x00ff00ff00ff00ff);
	x = (x << 4 | x) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	letters = (x + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
	x = htobe64(x + UINT64_C(0x3030303030303030) + letters * ('a' - '0' - 10));
	memcpy(to, &x, sizeof(x));
}

static void
hex_put_16(char to[16], uint64_t v)
{
	hex_put_8(to, (uint32_t)(v >> 32));
	hex_put_8(to + 8, (uint32_t)v);
}

int
trace_parse(const char *t, struct trace_context *out)
{
	uint64_t version, flags;
	struct trace_context c;

	if (!hex_take(t, 2, &version) || version == 0xff || t[2] != '-' ||
	    !hex_take(t + 3, 16, &c.high) || !hex_take(t + 19, 16, &c.low) || t[35] != '-' ||
	    !hex_take(t + 36, 16, &c.span) || t[52] != '-' || !hex_take(t + 53, 2, &flags))
		return E_INVALID_PARAMETER;
	if (t[TRACEPARENT_LEN] != '\0' && (version == 0 || t[TRACEPARENT_LEN] != '-'))
		return E_INVALID_PARAMETER;
	if (!trace_is(&c) || c.span == 0)
		return E_INVALID_PARAMETER;
	c.flags = (unsigned)flags & (TRACE_SAMPLED | TRACE_RANDOM);
	*out = c;
	return E_OK;
}

void
trace_format_id(const struct trace_context *c, char out[TRACE_ID_LEN + 1])
{
	hex_put_16(out, c->high);
	hex_put_16(out + 16, c->low);
	out[TRACE_ID_LEN] = '\0';
}

void
trace_format(const struct trace_context *c, char out[TRACEPARENT_LEN + 1])
{
	memcpy(out, "00-", 3);
	trace_format_id(c, out + 3);
	out[35] = out[52] = '-';
	hex_put_16(out + 36, c->span);
	out[53] = '0';
	out[54] = (char)('0' + (c->flags & (TRACE_SAMPLED | TRACE_RANDOM)));
	out[TRACEPARENT_LEN] = '\0';
}

static bool
is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t
key_run(const char *t, size_t len)
{
	size_t n = 0;

	while (
	    n < len && (is_lower(t[n]) || is_digit(t[n]) || (t[n] != '\0' && strchr("_-*/", t[n]))))
		n++;
	return n;
}

/* name, or tenant@system. */
static bool
key_is_valid(const char *key, size_t len)
{
	const char *at = memchr(key, '@', len);
	size_t tenant = at != NULL ? (size_t)(at - key) : 0, system = len - tenant - 1;

	if (at == NULL)
		return len >= 1 && len <= 256 && is_lower(key[0]) && key_run(key, len) == len;
	return tenant >= 1 && tenant <= 241 && (is_lower(key[0]) || is_digit(key[0])) &&
	       key_run(key, tenant) == tenant && system >= 1 && system <= 14 && is_lower(at[1]) &&
	       key_run(at + 1, system) == system;
}

static bool
value_is_valid(const char *v, size_t len)
{
	if (len < 1 || len > 256 || v[len - 1] == ' ')
		return false;
	for (size_t i = 0; i < len; i++)
		if (v[i] < 0x20 || v[i] > 0x7e || v[i] == ',' || v[i] == '=')
			return false;
	return true;
}

struct member {
	const char *key;
	size_t len;
};

static bool
member_is_new(const struct member *all, size_t count, const struct member *m)
{
	for (size_t i = 0; i < count; i++)
		if (all[i].len == m->len && memcmp(all[i].key, m->key, m->len) == 0)
			return false;
	return true;
}

/* One member without the blanks around it. False when it is none; an empty one is no member and no harm. */
static bool
member_take(const char *text, size_t len, struct member *all, size_t *count)
{
	const char *equals;
	struct member m;

	while (len > 0 && (text[0] == ' ' || text[0] == '\t'))
		text++, len--;
	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	if (len == 0)
		return true;
	if (*count == TRACESTATE_MEMBERS || (equals = memchr(text, '=', len)) == NULL)
		return false;
	m = (struct member){ text, (size_t)(equals - text) };
	if (!key_is_valid(m.key, m.len) || !value_is_valid(equals + 1, len - m.len - 1) ||
	    !member_is_new(all, *count, &m))
		return false;
	all[(*count)++] = m;
	return true;
}

bool
tracestate_is_valid(const char *t)
{
	struct member all[TRACESTATE_MEMBERS];
	size_t count = 0, len;

	if (strnlen(t, TRACESTATE_MAX + 1) > TRACESTATE_MAX)
		return false;
	for (;; t += len + 1) {
		len = strcspn(t, ",");
		if (!member_take(t, len, all, &count))
			return false;
		if (t[len] == '\0')
			return true;
	}
}

void
trace_random_init(struct trace_random *r)
{
	hash_random(r->state, sizeof(r->state));
}

/* SplitMix64: ids have to differ, not to be unguessable. */
static uint64_t
random_mix(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t
trace_random_next(struct trace_random *r)
{
	uint64_t v;

	do
		v = random_mix(&r->state[0]);
	while (v == 0);
	return v;
}

void
trace_begin(struct trace_random *r, struct trace_context *out)
{
	out->high = random_mix(&r->state[1]);
	out->low = trace_random_next(r);
	out->span = trace_random_next(r);
	out->flags = TRACE_RANDOM;
}

static int
ratio_parse(const char *arg, uint64_t *below)
{
	double ratio;

	*below = HALF;
	if (arg[0] == '\0')
		return E_OK;
	if (text_to_f64(arg, &ratio) != E_OK || !(ratio >= 0 && ratio <= 1))
		return E_CONFIG;
	*below = ratio >= 1 ? HALF : (uint64_t)(ratio * (double)HALF);
	return E_OK;
}

int
trace_sampler_init(struct trace_sampler *s, const char *name, const char *arg)
{
	static const char parent[] = "parentbased_";

	s->below = HALF;
	if ((s->parent_based = text_starts(name, parent)))
		name += sizeof(parent) - 1;
	if (strcmp(name, "traceidratio") == 0)
		return ratio_parse(arg, &s->below);
	if (strcmp(name, "always_off") == 0)
		s->below = 0;
	return strcmp(name, "always_off") == 0 || strcmp(name, "always_on") == 0 ? E_OK : E_CONFIG;
}

bool
trace_sampler_takes(const struct trace_sampler *s, const struct trace_context *parent,
    const struct trace_context *mine)
{
	if (s->parent_based && trace_is(parent))
		return trace_is_sampled(parent);
	return mine->low >> 1 < s->below;
}
