/* backfill.c - opitios-ctl backfill: a range of bars, chunk by chunk, through a running gateway into its store.
 *
 * The gateway fetches what it does not hold, within its budget and behind everybody else, and keeps it; what it holds
 * it answers at once. So nothing has to be remembered here: an interrupted backfill is called again.
 */
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "backfill.h"
#include "clock.h"
#include "json_write.h"
#include "symbol.h"
#include "text.h"

#define CHUNK_ROWS     10000 /* of a page, at most */
#define CHUNK_DAYS_MAX 366   /* so that progress can be seen */
#define DAY_STOCK      960   /* minutes a day with extended hours */
#define DAY_ALL	       1440
#define WAIT_FLOOR_S   1.0
#define WAIT_CEILING_S 30.0
#define WAIT_GIVE_UP_S 900.0 /* without a single answer */
#define BACKFILL_PATH  (BACKFILL_URL + 3 * BACKFILL_TOKEN)
#define BACKFILL_LINE  1024
#define DATE_TEXT      24

struct backfill {
	const struct ctl_options *options;
	struct client *client;
	struct backfill_ask *ask;
	char symbol[SYMBOL_MAX], timeframe[12];
	const char *asset; /* as the path calls it */
	int64_t from, to;  /* days since the epoch, inclusive */
	int64_t chunk_days;
	int64_t at; /* the first day not done yet */
	uint64_t rows, pages, fetched, waits;
	double waited_s, silent_s; /* since the last answer */
	struct progress progress;
};

static char *
day_text(int64_t days, char out[DATE_TEXT])
{
	int year, month, day;

	clock_civil(days, &year, &month, &day);
	(void)snprintf(out, DATE_TEXT, "%04d-%02d-%02d", year % 10000, month % 100, day % 100);
	return out;
}

static int
asset_read(struct backfill *b, const char *symbol)
{
	static const struct {
		const char *name;
		int (*spell)(const char *, char[SYMBOL_MAX]);
	} assets[] = { { "stocks", symbol_stock }, { "crypto", symbol_crypto },
		{ "options", symbol_option } };
	const char *wanted = option_text(b->options, "--asset");

	for (size_t i = 0; i < sizeof(assets) / sizeof(assets[0]); i++)
		if ((wanted == NULL || strcmp(wanted, assets[i].name) == 0) &&
		    assets[i].spell(symbol, b->symbol) == E_OK) {
			b->asset = assets[i].name;
			return E_OK;
		}
	(void)local_fail(b->options, EXIT_WITH_USAGE, "\"%.60s\" is no symbol of %.20s", symbol,
	    wanted != NULL ? wanted : "stocks, crypto or options");
	return E_INVALID_SYMBOL_FORMAT;
}

static int
day_read(struct backfill *b, const char *name, int64_t *days)
{
	const char *text = option_text(b->options, name);
	int year, month, day;

	if (text != NULL && clock_parse_date(text, &year, &month, &day) == E_OK && year >= 1970 &&
	    year <= 2200) {
		*days = clock_days(year, month, day);
		return E_OK;
	}
	(void)local_fail(b->options, EXIT_WITH_USAGE,
	    "backfill needs %s as a day, YYYY-MM-DD%s%.40s", name, text != NULL ? ", not " : "",
	    text != NULL ? text : "");
	return E_INVALID_DATE_RANGE;
}

/* Days that surely fit a page. */
static int64_t
chunk_days(const struct backfill *b)
{
	const char *unit = b->timeframe + strspn(b->timeframe, "0123456789");
	long count = strtol(b->timeframe, NULL, 10);
	int64_t minutes = count > 0 ? count : 1, days;

	if (strcmp(unit, "Hour") == 0)
		minutes *= 60;
	else if (strcmp(unit, "Min") != 0)
		return CHUNK_DAYS_MAX;
	days = CHUNK_ROWS * minutes / (strcmp(b->asset, "crypto") == 0 ? DAY_ALL : DAY_STOCK);
	return days > CHUNK_DAYS_MAX ? CHUNK_DAYS_MAX : days;
}

static int
backfill_read(struct backfill *b)
{
	const char *timeframe = option_text(b->options, "--timeframe");

	if (asset_read(b, b->options->words[1]) != E_OK ||
	    day_read(b, "--from", &b->from) != E_OK || day_read(b, "--to", &b->to) != E_OK)
		return E_INVALID_PARAMETER;
	if (b->from > b->to) {
		(void)local_fail(b->options, EXIT_WITH_USAGE, "--to is before --from");
		return E_INVALID_DATE_RANGE;
	}
	if (timeframe_parse(timeframe != NULL ? timeframe : "1Day", b->timeframe) != E_OK) {
		(void)local_fail(b->options, EXIT_WITH_USAGE,
		    "--timeframe \"%.40s\" is none like 1Min, 15Min, 1Hour, 1Day", timeframe);
		return E_INVALID_PARAMETER;
	}
	b->at = b->from;
	b->chunk_days = chunk_days(b);
	return E_OK;
}

/* Where any address is meant it is asked on this machine. */
static void
address_url(const char *address, char url[BACKFILL_URL])
{
	if (strncmp(address, "0.0.0.0:", 8) == 0)
		(void)snprintf(url, BACKFILL_URL, "http://127.0.0.1:%.100s", address + 8);
	else if (strncmp(address, "[::]:", 5) == 0)
		(void)snprintf(url, BACKFILL_URL, "http://[::1]:%.100s", address + 5);
	else
		(void)snprintf(url, BACKFILL_URL, "http://%.200s", address);
}

/* Anew after each failure: a gateway that was restarted may listen elsewhere. */
static int
gateway_find(struct backfill *b, char why[CTL_LINE])
{
	const char *given = option_text(b->options, "--url");
	char url[BACKFILL_URL];
	json_t *answer = NULL;
	int r = E_OK;

	if (given != NULL) {
		(void)snprintf(url, sizeof(url), "%.500s", given);
		url[strlen(url) - (url[0] != '\0' && url[strlen(url) - 1] == '/')] = '\0';
	} else {
		r = client_ask(b->client, "status", NULL, 0, b->client->timeout_ms, &answer, why);
		client_close(b->client);
		if (r == E_OK && member_text(answer, "http_address")[0] == '\0') {
			(void)snprintf(why, CTL_LINE, "the gateway does not say where it serves");
			r = E_ABSENT;
		}
		if (r == E_OK)
			address_url(member_text(answer, "http_address"), url);
		json_decref(answer);
	}
	if (r != E_OK)
		return r;
	backfill_ask_free(&b->ask);
	return (b->ask = backfill_ask_new(url)) != NULL ? E_OK : E_SYSTEM;
}

static int
query_add(struct backfill *b, struct buf *path, const char *name, const char *value)
{
	char *escaped;
	int r;

	if (value == NULL || value[0] == '\0')
		return E_OK;
	if ((escaped = backfill_escape(b->ask, value)) == NULL)
		return E_SYSTEM;
	r = buf_printf(path, "&%s=%s", name, escaped);
	backfill_escape_free(escaped);
	return r;
}

static int
path_make(struct backfill *b, int64_t last, const char *token, struct buf *path)
{
	char *symbol = backfill_escape(b->ask, b->symbol);
	char start[DATE_TEXT], end[DATE_TEXT];
	int r;

	if (symbol == NULL)
		return E_SYSTEM;
	r = buf_printf(path,
	    "/api/v1/%s/%s/bars?lane=backfill&limit=%d&timeframe=%s&start=%s&end=%s", b->asset,
	    symbol, CHUNK_ROWS, b->timeframe, day_text(b->at, start), day_text(last, end));
	backfill_escape_free(symbol);
	if (r == E_OK)
		r = query_add(b, path, "feed", option_text(b->options, "--feed"));
	if (r == E_OK)
		r = query_add(b, path, "adjustment", option_text(b->options, "--adjustment"));
	if (r == E_OK)
		r = query_add(b, path, "page_token", token);
	return r == E_OK ? buf_add(path, "", 1) : r;
}

static double
share_done(const struct backfill *b)
{
	return (double)(b->at - b->from) / (double)(b->to - b->from + 1);
}

static void
progress_draw(struct backfill *b, const char *doing)
{
	char day[DATE_TEXT], left[FORMAT_TEXT];

	progress_show(&b->progress, share_done(b),
	    "%s %s: %s at %s, %" PRIu64 " rows, %" PRIu64 " fetched, %" PRIu64 " waits, %s left",
	    b->symbol, b->timeframe, doing, day_text(b->at, day), b->rows, b->fetched, b->waits,
	    format_age(progress_left(&b->progress, share_done(b)), left));
}

/* Short sleeps, so that an interrupt is heard. */
static void
backfill_wait(struct backfill *b, double seconds, const char *why)
{
	int64_t until = clock_mono() + (int64_t)(seconds * (double)CLOCK_SEC);

	b->waits++;
	b->waited_s += seconds;
	b->silent_s += seconds;
	if (!b->progress.shown)
		(void)fprintf(stderr, "opitios-ctl: waiting %.3g s: %s\n", seconds, why);
	while (clock_mono() < until && !local_interrupted()) {
		progress_draw(b, "waiting");
		(void)poll(NULL, 0, 50);
	}
}

/* One page, however long it takes. */
static enum page_result
page_get(struct backfill *b, int64_t last, const char *token, struct page *page, char why[CTL_LINE])
{
	double wait_s, backoff = WAIT_FLOOR_S;
	enum page_result result = PAGE_REFUSED;
	struct buf path;

	b->silent_s = 0;
	for (;;) {
		buf_init(&path, BACKFILL_PATH);
		if (path_make(b, last, token, &path) == E_OK)
			result = backfill_ask_page(
			    b->ask, (const char *)buf_data(&path), page, &wait_s, why);
		else
			(void)snprintf(why, CTL_LINE, "the request is too long");
		buf_fini(&path);
		if (result != PAGE_AGAIN || b->silent_s >= WAIT_GIVE_UP_S)
			return result;
		if (wait_s <= 0) {
			wait_s = backoff;
			backoff = backoff * 2 > WAIT_CEILING_S ? WAIT_CEILING_S : backoff * 2;
		}
		backfill_wait(b, wait_s > WAIT_CEILING_S ? WAIT_CEILING_S : wait_s, why);
		if (local_interrupted())
			return PAGE_INTERRUPTED;
		/* While it starts again it cannot be found: the old place is as good as any. */
		(void)gateway_find(b, why);
	}
}

static void
line_json(
    const struct backfill *b, const char *event, const char *first, const char *last, uint64_t rows)
{
	struct json j;
	struct buf line;

	buf_init(&line, BACKFILL_LINE);
	json_begin(&j, &line);
	json_object_open(&j, NULL);
	json_text(&j, "event", event);
	json_text(&j, "symbol", b->symbol);
	json_text(&j, "timeframe", b->timeframe);
	json_text(&j, "from", first);
	json_text(&j, "to", last);
	json_u64(&j, "rows", rows);
	json_u64(&j, "rows_total", b->rows);
	json_u64(&j, "pages", b->pages);
	json_u64(&j, "fetched", b->fetched);
	json_u64(&j, "waits", b->waits);
	json_f64(&j, "waited_seconds", b->waited_s);
	json_f64(&j, "done", share_done(b));
	json_f64(&j, "eta_seconds", progress_left(&b->progress, share_done(b)));
	json_object_close(&j);
	if (json_end(&j) == E_OK)
		(void)printf("%.*s\n", (int)buf_len(&line), (const char *)buf_data(&line));
	buf_fini(&line);
	(void)fflush(stdout);
}

static void
chunk_tell(struct backfill *b, const char *first, int64_t last, uint64_t rows, uint64_t fetched)
{
	char end[DATE_TEXT], left[FORMAT_TEXT];

	(void)day_text(last, end);
	if (b->options->json)
		line_json(b, "chunk", first, end, rows);
	else if (!b->progress.shown)
		(void)printf("%3.0f%% %s %s to %s: %" PRIu64 " rows, %s; %s left\n",
		    share_done(b) * 100, b->symbol, first, end, rows,
		    fetched > 0 ? "fetched" : "were there",
		    format_age(progress_left(&b->progress, share_done(b)), left));
	(void)fflush(stdout);
}

static enum page_result
chunk_fill(struct backfill *b, char why[CTL_LINE])
{
	int64_t last = b->at + b->chunk_days - 1;
	uint64_t rows = b->rows, fetched = b->fetched;
	char token[BACKFILL_TOKEN] = "", first[DATE_TEXT];
	enum page_result result;
	struct page page;

	if (last > b->to)
		last = b->to;
	do {
		progress_draw(b, "asking");
		if ((result = page_get(b, last, token, &page, why)) != PAGE_GOOD)
			return result;
		b->rows += page.rows;
		b->fetched += page.fetched;
		b->pages++;
		if (page.token[0] != '\0' && strcmp(token, page.token) == 0) {
			(void)snprintf(why, CTL_LINE,
			    "the gateway's page token leads nowhere: the same one twice, behind "
			    "%" PRIu64 " rows of %s",
			    b->rows, day_text(b->at, first));
			return PAGE_REFUSED;
		}
		(void)text_copy(token, sizeof(token), page.token);
	} while (token[0] != '\0');
	(void)day_text(b->at, first);
	b->at = last + 1;
	chunk_tell(b, first, last, b->rows - rows, b->fetched - fetched);
	return PAGE_GOOD;
}

/* How somebody goes on who was stopped. */
static int
backfill_stopped(struct backfill *b, enum page_result result, const char *why)
{
	char from[DATE_TEXT], to[DATE_TEXT], again[CTL_LINE];
	const char *feed = option_text(b->options, "--feed");
	const char *adjustment = option_text(b->options, "--adjustment");

	(void)snprintf(again, sizeof(again),
	    "opitios-ctl backfill %s --from %s --to %s --timeframe %s%s%.16s%s%.32s", b->symbol,
	    day_text(b->at, from), day_text(b->to, to), b->timeframe,
	    feed != NULL ? " --feed " : "", feed != NULL ? feed : "",
	    adjustment != NULL ? " --adjustment " : "", adjustment != NULL ? adjustment : "");
	if (result == PAGE_REFUSED)
		return local_fail(b->options, EXIT_WITH_REFUSED, "%.300s", why);
	if (result == PAGE_INTERRUPTED)
		return local_fail(b->options, EXIT_WITH_REFUSED,
		    "interrupted after %" PRIu64 " rows; go on with: %s", b->rows, again);
	return local_fail(b->options, EXIT_WITH_UNAVAILABLE,
	    "given up after %.0f s: %.200s; go on with: %s", b->silent_s, why, again);
}

static int
backfill_run(struct backfill *b)
{
	enum page_result result = PAGE_GOOD;
	char why[CTL_LINE] = "", from[DATE_TEXT], to[DATE_TEXT];

	if (gateway_find(b, why) != E_OK)
		return local_fail(b->options, EXIT_WITH_UNAVAILABLE, "%s", why);
	progress_begin(&b->progress);
	while (b->at <= b->to && result == PAGE_GOOD)
		result = chunk_fill(b, why);
	progress_clear(&b->progress);
	if (result != PAGE_GOOD)
		return backfill_stopped(b, result, why);
	(void)day_text(b->from, from);
	(void)day_text(b->to, to);
	if (b->options->json)
		line_json(b, "done", from, to, b->rows);
	else
		(void)printf("%s %s %s to %s: %" PRIu64 " rows in %" PRIu64 " answers, %" PRIu64
			     " of them fetched, %" PRIu64 " waits of %.1f s in all\n",
		    b->symbol, b->timeframe, from, to, b->rows, b->pages, b->fetched, b->waits,
		    b->waited_s);
	return EXIT_WITH_OK;
}

int
run_backfill(struct client *c, const struct ctl_options *o)
{
	struct backfill b = { .options = o, .client = c };
	int code;

	if (backfill_read(&b) != E_OK)
		return EXIT_WITH_USAGE;
	local_signals();
	code = backfill_run(&b);
	backfill_ask_free(&b.ask);
	return code;
}
