/* negotiate.c - which form of the statistics a client asks for, by its header Accept (RFC 9110, 12.5.1).
 *
 * OpenMetrics is given to who names it and does not prefer text. A range that is not understood counts as not said, and
 * so does a version of OpenMetrics other than those this one can be read as.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "metric.h"

#define Q_ONE 1000 /* a weight of 1 */

/* The next piece of *rest up to `end`, without blanks around; false at the end. */
static bool
piece_next(const char **rest, char end, const char **piece, size_t *len)
{
	const char *at = *rest, *stop;

	if (at == NULL)
		return false;
	stop = strchr(at, end);
	*rest = stop != NULL ? stop + 1 : NULL;
	stop = stop != NULL ? stop : at + strlen(at);
	while (at < stop && (*at == ' ' || *at == '\t'))
		at++;
	while (stop > at && (stop[-1] == ' ' || stop[-1] == '\t'))
		stop--;
	*piece = at;
	*len = (size_t)(stop - at);
	return true;
}

static bool
piece_is(const char *piece, size_t len, const char *text)
{
	return len == strlen(text) && strncasecmp(piece, text, len) == 0;
}

static bool
piece_begins(const char *piece, size_t len, const char *text)
{
	return len >= strlen(text) && strncasecmp(piece, text, strlen(text)) == 0;
}

/* 0 to 1 with three digits, as the RFC has it; what is none of that is no weight at all: -1. */
static int
weight_read(const char *at, size_t len)
{
	int q, unit = 100;

	if (len == 0 || len > 5 || (at[0] != '0' && at[0] != '1') || (len > 1 && at[1] != '.'))
		return -1;
	q = at[0] == '1' ? Q_ONE : 0;
	for (size_t i = 2; i < len; i++, unit /= 10) {
		if (at[i] < '0' || at[i] > '9')
			return -1;
		q += (at[i] - '0') * unit;
	}
	return q <= Q_ONE ? q : -1;
}

static bool
version_is_known(const char *at, size_t len)
{
	return piece_is(at, len, "1.0.0") || piece_is(at, len, "0.0.1") ||
	       piece_is(at, len, "\"1.0.0\"");
}

struct wanted { /* the highest weight of each; -1: not named */
	int open, text;
};

static void
wanted_range(struct wanted *w, const char *range, size_t range_len)
{
	const char *rest, *piece;
	bool is_open, is_text;
	char copy[128];
	size_t len;
	int q = Q_ONE;

	if (range_len >= sizeof(copy))
		return;
	memcpy(copy, range, range_len);
	copy[range_len] = '\0';
	rest = copy;
	(void)piece_next(&rest, ';', &piece, &len);
	is_open = piece_is(piece, len, "application/openmetrics-text");
	is_text = piece_is(piece, len, "text/plain") || piece_is(piece, len, "text/*") ||
		  piece_is(piece, len, "*/*");
	while (piece_next(&rest, ';', &piece, &len)) {
		if (piece_begins(piece, len, "q="))
			q = weight_read(piece + 2, len - 2);
		else if (piece_begins(piece, len, "version="))
			is_open = is_open && version_is_known(piece + 8, len - 8);
	}
	if (is_open && q > w->open)
		w->open = q;
	if (is_text && q > w->text)
		w->text = q;
}

enum metric_format
metric_format_wanted(const char *accept)
{
	struct wanted w = { .open = -1, .text = -1 };
	const char *rest = accept, *range;
	size_t len;

	while (piece_next(&rest, ',', &range, &len))
		wanted_range(&w, range, len);
	return w.open > 0 && w.open >= w.text ? METRIC_OPENMETRICS : METRIC_TEXT;
}

const char *
metric_format_type(enum metric_format format)
{
	return format == METRIC_OPENMETRICS
		   ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		   : "text/plain; version=0.0.4; charset=utf-8";
}
