/* token.c - tokens of pages of bars and trades: where a walk goes on, bound to its question.
 *
 * "h1.<sum>.<instant>.<rows>": the instant the next page begins in, how many rows of it were given, and a checksum of
 * both and of everything that decides what the walk goes over. It leads on whatever answers then, the store or
 * upstream, and however many rows the next page is to have. It is no secret and grants nothing: the sum only tells
 * a token of another question, or a damaged one, from one that leads on.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "hash.h"
#include "http_worker.h"
#include "symbol.h"
#include "text.h"

#define TOKEN_VERSION "h1"
/* Rows of one instant: far more than there ever were. */
#define TOKEN_SKIP_MAX 1000000

bool
ask_runs_down(const struct ask *a)
{
	return a->fetch.descending || a->fetch.start == 0;
}

bool
ask_has_single_rows(const struct ask *a)
{
	return a->kind == ASK_BARS && a->asset != ASSET_CRYPTO;
}

static uint64_t
token_sum(const struct ask *a, const struct token *t)
{
	const struct msg_fetch *f = &a->fetch;
	char text[FETCH_KEY];
	int n;

	n = snprintf(text, sizeof(text),
	    TOKEN_VERSION "|%" PRIu64 "|%s|%s|%s|%s|%" PRId64 "|%" PRId64 "|%d|%d|%" PRId64
			  "|%" PRIu64,
	    f->endpoint, f->symbol, f->feed, f->timeframe, f->adjustment, f->start, f->end,
	    f->descending, a->hours, t->event, t->skip);
	return hash_stable(text, (size_t)n);
}

void
token_spell(const struct ask *a, const struct token *t, char out[TOKEN_TEXT])
{
	(void)snprintf(out, TOKEN_TEXT, TOKEN_VERSION ".%016" PRIx64 ".%" PRId64 ".%" PRIu64,
	    token_sum(a, t), t->event, t->skip);
}

const char *
token_write(const struct ask *a, const struct shown *s, char out[TOKEN_TEXT])
{
	bool down = ask_runs_down(a);
	const struct shown_edge *e = down && !a->fetch.descending ? &s->first : &s->last;
	struct token t = { .event = e->event, .skip = e->rows };

	out[0] = '\0';
	if (s->complete || e->event == 0)
		return out;
	if (e->rows > 0 && ask_has_single_rows(a))
		t = (struct token){ .event = e->event + (down ? -1 : 1) };
	token_spell(a, &t, out);
	return out;
}

/* A sum can be made by anybody: what stands for no place in this walk is refused. An interval that the start lies in
 * begins before it, and what is left of a walk may begin just beyond either end. */
static bool
token_leads_on(const struct ask *a, const struct token *t)
{
	const struct msg_fetch *f = &a->fetch;
	int64_t before = a->kind == ASK_BARS ? timeframe_ns(f->timeframe) : 0;

	if (t->event <= 0 || t->event == INT64_MAX || t->skip > TOKEN_SKIP_MAX)
		return false;
	return (f->start == 0 || t->event >= f->start - before - 1) &&
	       (f->end == 0 || t->event <= f->end + (f->end < INT64_MAX));
}

int
token_read(const struct ask *a, const char *text, struct token *out)
{
	char copy[TOKEN_TEXT], again[TOKEN_TEXT], *rest = copy, *part[4] = { NULL };
	struct token t;

	if (text_copy(copy, sizeof(copy), text) != E_OK)
		return E_INVALID_PARAMETER;
	for (size_t i = 0; i < 4 && rest != NULL; i++)
		part[i] = text_split(&rest, '.');
	if (part[3] == NULL || rest != NULL || text_to_i64(part[2], &t.event) != E_OK ||
	    text_to_u64(part[3], &t.skip) != E_OK || !token_leads_on(a, &t))
		return E_INVALID_PARAMETER;
	token_spell(a, &t, again);
	if (strcmp(again, text) != 0)
		return E_INVALID_PARAMETER;
	*out = t;
	return E_OK;
}
