/* ask.c - from the parameters of a request to the question put to the lookup and upstream. */
#include <math.h>
#include <string.h>

#include "http_worker.h"
#include "symbol.h"
#include "text.h"

#define ASK_ROWS_DEFAULT 1000
#define ASK_ROWS_MAX	 10000
#define ASK_AGE_MAX	 86400 /* seconds */

struct asking {
	struct ask *ask;
	const struct question *question;
	const struct conf *conf;
	struct fault *fault;
};

typedef int ask_setter(struct asking *, const struct param *);

static int
ask_refuse(struct asking *a, int code, const struct param *p, const char *reason)
{
	a->fault->code = code;
	a->fault->parameter = p->row->name;
	a->fault->reason = reason;
	return code;
}

/* Whether `text` is one of `choices`: "a|b|c". */
static bool
is_choice(const char *choices, const char *text)
{
	size_t len = strlen(text), n;

	for (const char *at = choices; *at != '\0'; at += n + (at[n] == '|')) {
		n = strcspn(at, "|");
		if (n == len && memcmp(at, text, n) == 0)
			return true;
	}
	return false;
}

static int
ask_set_symbol(struct asking *a, const struct param *p)
{
	int r;

	if ((r = a->question->spell(p->text, a->ask->fetch.symbol)) == E_OK)
		return r;
	a->fault->symbol = p->text;
	return ask_refuse(a, r, p, NULL);
}

static int
ask_set_feed(struct asking *a, const struct param *p)
{
	if (a->question->feeds == NULL || !is_choice(a->question->feeds, p->text))
		return ask_refuse(a, E_INVALID_PARAMETER, p, "there is no such feed for this data");
	return text_copy(a->ask->fetch.feed, sizeof(a->ask->fetch.feed), p->text);
}

static int
ask_set_max_age(struct asking *a, const struct param *p)
{
	if (!(p->number >= 0 && p->number <= ASK_AGE_MAX))
		return ask_refuse(a, E_INVALID_PARAMETER, p, "it is not between 0 and 86400");
	a->ask->max_age_ns = (int64_t)(p->number * (double)CLOCK_SEC);
	return E_OK;
}

static int
ask_set_timeframe(struct asking *a, const struct param *p)
{
	if (timeframe_parse(p->text, a->ask->fetch.timeframe) != E_OK)
		return ask_refuse(a, E_INVALID_PARAMETER, p, "it is no timeframe Alpaca knows");
	return E_OK;
}

/* Midnight of a day: New York's for what trades there, else UTC's. */
static int64_t
day_begin(int64_t days, enum asset asset)
{
	int64_t utc = days * CLOCK_DAY;

	/* At five in the morning UTC New York has this date, on whichever side of a change of
	 * time. */
	return asset == ASSET_CRYPTO
		   ? utc
		   : utc - clock_new_york_offset(utc + 5 * 3600 * CLOCK_SEC) * CLOCK_SEC;
}

/* A day stands for all of it: its first instant as a start, its last as an end. */
static int
time_parse(const char *text, enum asset asset, bool is_end, int64_t *ns)
{
	int year, month, day;
	int64_t days;

	if (strlen(text) != 10)
		return clock_parse(text, ns);
	if (clock_parse_date(text, &year, &month, &day) != E_OK || year < 1970 || year > 2200)
		return E_INVALID_DATE_RANGE;
	days = clock_days(year, month, day);
	*ns = is_end ? day_begin(days + 1, asset) - 1 : day_begin(days, asset);
	return E_OK;
}

static int
ask_set_start(struct asking *a, const struct param *p)
{
	if (time_parse(p->text, a->ask->asset, false, &a->ask->fetch.start) != E_OK ||
	    a->ask->fetch.start <= 0)
		return ask_refuse(a, E_INVALID_DATE_RANGE, p, "it is no time after 1970");
	return E_OK;
}

static int
ask_set_end(struct asking *a, const struct param *p)
{
	if (time_parse(p->text, a->ask->asset, true, &a->ask->fetch.end) != E_OK ||
	    a->ask->fetch.end <= 0)
		return ask_refuse(a, E_INVALID_DATE_RANGE, p, "it is no time after 1970");
	if (a->ask->fetch.start > a->ask->fetch.end)
		return ask_refuse(a, E_INVALID_DATE_RANGE, p, "it is before the start");
	return E_OK;
}

static int
ask_set_limit(struct asking *a, const struct param *p)
{
	if (p->integer < 1 || p->integer > ASK_ROWS_MAX)
		return ask_refuse(a, E_INVALID_PARAMETER, p, "it is not between 1 and 10000");
	a->ask->fetch.limit = (uint64_t)p->integer;
	return E_OK;
}

static int
ask_set_adjustment(struct asking *a, const struct param *p)
{
	if (!is_choice("raw|split|dividend|spin-off|all", p->text))
		return ask_refuse(a, E_INVALID_PARAMETER, p, "it is no adjustment Alpaca knows");
	return text_copy(a->ask->fetch.adjustment, sizeof(a->ask->fetch.adjustment), p->text);
}

static int
ask_set_sort(struct asking *a, const struct param *p)
{
	if (!is_choice("asc|desc", p->text))
		return ask_refuse(a, E_INVALID_PARAMETER, p, "it is neither asc nor desc");
	a->ask->fetch.descending = strcmp(p->text, "desc") == 0;
	return E_OK;
}

static int
ask_set_page_token(struct asking *a, const struct param *p)
{
	size_t len = strlen(p->text);

	if (len >= sizeof(a->ask->fetch.page_token) || !text_is_printable(p->text, len))
		return ask_refuse(a, E_INVALID_PARAMETER, p, "no answer ever gave this token");
	return text_copy(a->ask->fetch.page_token, sizeof(a->ask->fetch.page_token), p->text);
}

static int
ask_set_type(struct asking *a, const struct param *p)
{
	if (!is_choice("call|put", p->text))
		return ask_refuse(a, E_INVALID_PARAMETER, p, "it is neither call nor put");
	return text_copy(a->ask->fetch.option_type, sizeof(a->ask->fetch.option_type), p->text);
}

static int
ask_set_strike_min(struct asking *a, const struct param *p)
{
	if (!(p->number >= 0))
		return ask_refuse(a, E_INVALID_PARAMETER, p, "it is negative");
	a->ask->fetch.strike_min = p->number;
	return E_OK;
}

static int
ask_set_strike_max(struct asking *a, const struct param *p)
{
	if (!(p->number >= 0) || p->number < a->ask->fetch.strike_min)
		return ask_refuse(
		    a, E_INVALID_PARAMETER, p, "it is negative or below strike_price_gte");
	a->ask->fetch.strike_max = p->number;
	return E_OK;
}

static int
ask_set_date(struct asking *a, const struct param *p, char to[12])
{
	int year, month, day;

	if (clock_parse_date(p->text, &year, &month, &day) != E_OK)
		return ask_refuse(a, E_INVALID_DATE_RANGE, p, "it is no day as YYYY-MM-DD");
	return text_copy(to, 12, p->text);
}

static int
ask_set_expiration(struct asking *a, const struct param *p)
{
	return ask_set_date(a, p, a->ask->fetch.expiration);
}

static int
ask_set_expiration_min(struct asking *a, const struct param *p)
{
	return ask_set_date(a, p, a->ask->fetch.expiration_min);
}

static int
ask_set_expiration_max(struct asking *a, const struct param *p)
{
	int r;

	if ((r = ask_set_date(a, p, a->ask->fetch.expiration_max)) != E_OK)
		return r;
	/* Of two days written alike the text decides. */
	if (strcmp(a->ask->fetch.expiration_min, p->text) > 0)
		return ask_refuse(a, E_INVALID_DATE_RANGE, p, "it is before expiration_date_gte");
	return E_OK;
}

static int
ask_set_root(struct asking *a, const struct param *p)
{
	size_t len = strlen(p->text);
	char *root = a->ask->fetch.root_symbol;

	if (len > 6 || strspn(p->text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				       "0123456789") != len)
		return ask_refuse(a, E_INVALID_PARAMETER, p, "it is no root of option symbols");
	(void)text_copy(root, sizeof(a->ask->fetch.root_symbol), p->text);
	text_upper(root);
	return E_OK;
}

static int
ask_set_session(struct asking *a, const struct param *p)
{
	for (enum hours h = HOURS_ALL; h <= HOURS_REGULAR; h++)
		if (strcmp(p->text, hours_name(h)) == 0) {
			a->ask->hours = h;
			return E_OK;
		}
	return ask_refuse(a, E_INVALID_PARAMETER, p, "it is neither regular, extended nor all");
}

static int
ask_set_gaps(struct asking *a, const struct param *p)
{
	if (!is_choice("true|false", p->text))
		return ask_refuse(a, E_INVALID_PARAMETER, p, "it is neither true nor false");
	a->ask->gaps = strcmp(p->text, "true") == 0;
	return E_OK;
}

static int
ask_set_lane(struct asking *a, const struct param *p)
{
	if (!is_choice("interactive|backfill", p->text))
		return ask_refuse(
		    a, E_INVALID_PARAMETER, p, "it is neither interactive nor backfill");
	a->ask->fetch.lane = strcmp(p->text, "backfill") == 0 ? LANE_BACKFILL : LANE_INTERACTIVE;
	return E_OK;
}

static const struct {
	const char *name;
	ask_setter *set;
} ask_fields[] = {
	{ "symbol", ask_set_symbol },
	{ "contract", ask_set_symbol },
	{ "underlying", ask_set_symbol },
	{ "underlying_symbol", ask_set_symbol },
	{ "feed", ask_set_feed },
	{ "timeframe", ask_set_timeframe },
	{ "start", ask_set_start },
	{ "end", ask_set_end },
	{ "limit", ask_set_limit },
	{ "adjustment", ask_set_adjustment },
	{ "sort", ask_set_sort },
	{ "page_token", ask_set_page_token },
	{ "session", ask_set_session },
	{ "gaps", ask_set_gaps },
	{ "lane", ask_set_lane },
	{ "type", ask_set_type },
	{ "strike_price_gte", ask_set_strike_min },
	{ "strike_price_lte", ask_set_strike_max },
	{ "expiration_date", ask_set_expiration },
	{ "expiration_date_gte", ask_set_expiration_min },
	{ "expiration_date_lte", ask_set_expiration_max },
	{ "root_symbol", ask_set_root },
	{ "max_age_seconds", ask_set_max_age },
};

#define ASK_FIELDS (sizeof(ask_fields) / sizeof(ask_fields[0]))

static ask_setter *
ask_setter_of(const char *name)
{
	for (size_t i = 0; i < ASK_FIELDS; i++)
		if (strcmp(ask_fields[i].name, name) == 0)
			return ask_fields[i].set;
	return NULL;
}

bool
ask_knows(const char *name)
{
	return ask_setter_of(name) != NULL;
}

/* The configured feed, always spelled out, so that naming it or not is the same question.
 * History does not have every feed of latest values: its nearest of the same venue stands in. */
static const char *
feed_default(const struct question *q, const struct conf *c)
{
	const char *feed = c->alpaca_stock_feed;

	if (q->asset == ASSET_OPTION)
		return c->alpaca_option_feed;
	if (q->asset == ASSET_CRYPTO)
		return c->alpaca_crypto_loc;
	if (q->feeds == NULL)
		return "";
	if (is_choice(q->feeds, feed))
		return feed;
	return strcmp(feed, "overnight") == 0 ? "boats" : "sip";
}

static void
ask_begin(struct ask *ask, const struct question *q, const struct conf *c)
{
	*ask = (struct ask){ .kind = q->kind,
		.asset = q->asset,
		.max_age_ns = ASK_ANY_AGE,
		.fetch = { .endpoint = q->endpoint, .strike_min = NAN, .strike_max = NAN } };
	(void)text_copy(ask->fetch.feed, sizeof(ask->fetch.feed), feed_default(q, c));
	if (ask_is_range(q->kind) || q->kind == ASK_CHAIN)
		ask->fetch.limit = ASK_ROWS_DEFAULT;
	if (q->kind != ASK_BARS)
		return;
	(void)text_copy(ask->fetch.timeframe, sizeof(ask->fetch.timeframe), "1Day");
	if (q->asset == ASSET_STOCK)
		(void)text_copy(ask->fetch.adjustment, sizeof(ask->fetch.adjustment), "raw");
}

/* In the order of the table, in which ends of ranges stand behind their beginnings. */
int
ask_read(struct ask *ask, const struct question *q, const struct params *p, const struct conf *c,
    struct fault *f)
{
	struct asking a = { .ask = ask, .question = q, .conf = c, .fault = f };
	ask_setter *set;
	int r;

	ask_begin(ask, q, c);
	for (size_t i = 0; i < p->count; i++) {
		if (!p->at[i].given || (set = ask_setter_of(p->at[i].row->name)) == NULL)
			continue;
		if ((r = set(&a, &p->at[i])) != E_OK)
			return r;
	}
	return E_OK;
}
