/* format.c - numbers and words of an answer, for people. */
#include <math.h>
#include <string.h>

#include "ctl_room.h"

static char *
format_unknown(char out[FORMAT_TEXT])
{
	(void)strcpy(out, "-");
	return out;
}

char *
format_age(double s, char out[FORMAT_TEXT])
{
	long long whole;

	if (!isfinite(s))
		return format_unknown(out);
	if (s < 0)
		s = 0;
	whole = s < 1e15 ? (long long)s : 1000000000000000;
	if (s < 10)
		(void)snprintf(out, FORMAT_TEXT, "%.1fs", s);
	else if (whole < 60)
		(void)snprintf(out, FORMAT_TEXT, "%llds", whole);
	else if (whole < 3600)
		(void)snprintf(out, FORMAT_TEXT, "%lldm%02llds", whole / 60, whole % 60);
	else if (whole < 86400)
		(void)snprintf(out, FORMAT_TEXT, "%lldh%02lldm", whole / 3600, whole / 60 % 60);
	else
		(void)snprintf(out, FORMAT_TEXT, "%lldd%02lldh", whole / 86400, whole / 3600 % 24);
	return out;
}

/* Three digits where the unit allows it. */
static char *
format_scaled(double v, double step, const char *const *units, size_t count, char out[FORMAT_TEXT])
{
	size_t i = 0;

	if (!isfinite(v))
		return format_unknown(out);
	while (v >= 999.5 && i + 1 < count) {
		v /= step;
		i++;
	}
	(void)snprintf(
	    out, FORMAT_TEXT, v < 9.995 && v != floor(v) ? "%.1f%s" : "%.0f%s", v, units[i]);
	return out;
}

char *
format_bytes(double v, char out[FORMAT_TEXT])
{
	static const char *const units[] = { "B", "K", "M", "G", "T" };

	return format_scaled(v, 1024, units, 5, out);
}

char *
format_rate(double v, char out[FORMAT_TEXT])
{
	static const char *const units[] = { "", "k", "M" };

	if (isfinite(v) && v >= 999.5 && v < 99999.5) {
		(void)snprintf(out, FORMAT_TEXT, "%.0f", v);
		return out;
	}
	return format_scaled(v, 1000, units, 3, out);
}

char *
format_latency(double s, char out[FORMAT_TEXT])
{
	if (!isfinite(s))
		return format_unknown(out);
	if (s < 1e-3)
		(void)snprintf(out, FORMAT_TEXT, "%.0fus", s * 1e6);
	else if (s < 10e-3)
		(void)snprintf(out, FORMAT_TEXT, "%.1fms", s * 1e3);
	else if (s < 1)
		(void)snprintf(out, FORMAT_TEXT, "%.0fms", s * 1e3);
	else
		(void)snprintf(out, FORMAT_TEXT, "%.1fs", s);
	return out;
}

char *
format_count(double v, char out[FORMAT_TEXT])
{
	if (!isfinite(v))
		return format_unknown(out);
	(void)snprintf(out, FORMAT_TEXT, "%.0f", v);
	return out;
}

char *
format_percent(double v, char out[FORMAT_TEXT])
{
	if (!isfinite(v))
		return format_unknown(out);
	(void)snprintf(out, FORMAT_TEXT, v < 9.95 ? "%.1f" : "%.0f", v);
	return out;
}

char *
format_clean(char *text)
{
	for (char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			*p = '?';
	return text;
}

const char *
style_code(enum style style)
{
	static const char *const codes[] = { [STYLE_PLAIN] = "\033[0m",
		[STYLE_BOLD] = "\033[0;1m",
		[STYLE_DIM] = "\033[0;2m",
		[STYLE_GOOD] = "\033[0;32m",
		[STYLE_WARN] = "\033[0;33m",
		[STYLE_BAD] = "\033[0;1;31m",
		[STYLE_TITLE] = "\033[0;7m" };

	return codes[style];
}

enum style
style_of_state(const char *state, bool failed)
{
	if (failed)
		return STYLE_BAD;
	if (strcmp(state, "ready") == 0)
		return STYLE_GOOD;
	if (strcmp(state, "idle") == 0)
		return STYLE_DIM;
	return strcmp(state, "starting") == 0 || strcmp(state, "draining") == 0 ? STYLE_WARN
										: STYLE_BAD;
}

enum style
style_of_health(const char *health)
{
	if (strcmp(health, "healthy") == 0)
		return STYLE_GOOD;
	return strcmp(health, "degraded") == 0 ? STYLE_WARN : STYLE_BAD;
}

double
member_number(const json_t *object, const char *name)
{
	const json_t *v = json_object_get(object, name);

	return json_is_number(v) ? json_number_value(v) : NAN;
}

const char *
member_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

bool
member_true(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}
