/* test_recorded.c - bodies recorded by others, where they are at hand: every number that is relayed is equal.
 *
 * The numbers of a body are found here by a scan of its text, without any JSON library, and compared as decimals
 * with what the records print.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decimal.h"
#include "decode.h"

#define BODY_MAX 65536

struct found { /* numbers of one kind of key, in the order of the text */
	char key[32];
	char text[40];
	bool used;
};

static size_t
slurp(const char *folder, const char *name, char *out)
{
	char path[1024];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	cr_assert_not_null(f = fopen(path, "r"));
	n = fread(out, 1, BODY_MAX - 1, f);
	fclose(f);
	out[n] = '\0';
	return n;
}

/* Every `"key": number` of the text. */
static size_t
scan(const char *text, struct found *out, size_t max)
{
	size_t n = 0;

	for (const char *p = text; (p = strchr(p, '"')) != NULL; p++) {
		const char *end = strchr(p + 1, '"'), *v;
		size_t len;

		if (end == NULL)
			break;
		for (v = end + 1; *v == ' ' || *v == '\n' || *v == '\t'; v++)
			;
		if (*v == ':') {
			for (v++; *v == ' ' || *v == '\n' || *v == '\t'; v++)
				;
			len = strspn(v, "-0123456789.eE+");
			if (len > 0 && n < max) {
				snprintf(out[n].key, sizeof(out[n].key), "%.*s", (int)(end - p - 1),
				    p + 1);
				snprintf(out[n].text, sizeof(out[n].text), "%.*s", (int)len, v);
				out[n++].used = false;
			}
		}
		p = end;
	}
	return n;
}

static void
claim(struct found *all, size_t n, const char *key, double v, const char *where)
{
	char text[DECIMAL_TEXT];
	size_t len;

	if (isnan(v))
		return;
	len = decimal_format(v, text);
	for (size_t i = 0; i < n; i++)
		if (!all[i].used && strcmp(all[i].key, key) == 0 &&
		    decode_same_number(all[i].text, strlen(all[i].text), text, len)) {
			all[i].used = true;
			return;
		}
	cr_expect_fail("%s: %s %s is not in the body", where, key, text);
}

static void
claim_record(struct found *all, size_t n, const struct record *r, const char *where)
{
	char id[32];

	if (r->type == MSG_QUOTE) {
		claim(all, n, "bp", r->v.quote.bid_price, where);
		claim(all, n, "bs", r->v.quote.bid_size, where);
		claim(all, n, "ap", r->v.quote.ask_price, where);
		claim(all, n, "as", r->v.quote.ask_size, where);
	} else if (r->type == MSG_TRADE) {
		claim(all, n, "p", r->v.trade.price, where);
		claim(all, n, "s", r->v.trade.size, where);
		snprintf(id, sizeof(id), "%llu", (unsigned long long)r->v.trade.trade_id);
		for (size_t i = 0; i < n && r->v.trade.has_id; i++)
			if (!all[i].used && strcmp(all[i].key, "i") == 0 &&
			    strcmp(all[i].text, id) == 0) {
				all[i].used = true;
				break;
			}
	} else if (r->type == MSG_BAR) {
		claim(all, n, "o", r->v.bar.open, where);
		claim(all, n, "h", r->v.bar.high, where);
		claim(all, n, "l", r->v.bar.low, where);
		claim(all, n, "c", r->v.bar.close, where);
		claim(all, n, "v", r->v.bar.volume, where);
		claim(all, n, "n", r->v.bar.trade_count, where);
		claim(all, n, "vw", r->v.bar.vwap, where);
	} else if (r->type == MSG_GREEKS) {
		claim(all, n, "delta", r->v.greeks.delta, where);
		claim(all, n, "gamma", r->v.greeks.gamma, where);
		claim(all, n, "rho", r->v.greeks.rho, where);
		claim(all, n, "theta", r->v.greeks.theta, where);
		claim(all, n, "vega", r->v.greeks.vega, where);
		claim(all, n, "impliedVolatility", r->v.greeks.implied_volatility, where);
	}
}

static int
shape_of(const char *name, const char *text, enum shape *shape)
{
	if (strstr(name, "Perp") != NULL || strstr(name, "Auctions") != NULL ||
	    strstr(name, "FixedIncome") != NULL)
		return 0;
	if (strncmp(text, "{\"quotes\":{", 11) == 0 && strstr(name, "Latest") != NULL)
		*shape = SHAPE_QUOTES;
	else if (strncmp(text, "{\"trades\":{", 11) == 0 && strstr(name, "Latest") != NULL)
		*shape = SHAPE_TRADES;
	else if (strncmp(text, "{\"bars\":{", 9) == 0 && strstr(text, ":[{") != NULL)
		*shape = SHAPE_BARS;
	else if (strstr(text, "\"snapshots\":") != NULL)
		*shape = SHAPE_SNAPSHOTS;
	else if (strstr(name, "__TestSnapshots") != NULL)
		*shape = SHAPE_SNAPSHOTS_BARE;
	else
		return 0;
	return 1;
}

/* Asks for every key of the text that has the form of a symbol. */
static size_t
read_all(const char *text, const struct body *b, struct decode *d, struct records *out)
{
	size_t symbols = 0;

	for (const char *p = text; (p = strchr(p, '"')) != NULL; p++) {
		const char *end = strchr(p + 1, '"');
		char symbol[64];
		int r;

		if (end == NULL)
			break;
		snprintf(symbol, sizeof(symbol), "%.*s", (int)(end - p - 1), p + 1);
		if (end[1] == ':' && symbol[0] >= 'A' && symbol[0] <= 'Z' && strlen(symbol) < 32) {
			d->last_event = 0;
			r = body_symbol(b, d, symbol, out);
			cr_expect(r == E_OK || r == E_ABSENT, "%s: %s", symbol, d->why);
			symbols += r == E_OK;
		}
		p = end;
	}
	return symbols;
}

static void
check_body(const char *folder, const char *name, size_t *bodies, size_t *numbers)
{
	static char text[BODY_MAX];
	static struct found all[4096];
	struct decode d = { .source = SOURCE_LATEST,
		.received = 1,
		.feed = "x",
		.timeframe = "1Day",
		.adjustment = "" };
	struct records records = { 0 };
	struct body *b = NULL;
	const char *why = "";
	size_t len = slurp(folder, name, text), n;

	d.asset = strstr(name, "Crypto") != NULL    ? ASSET_CRYPTO
		  : strstr(name, "options") != NULL ? ASSET_OPTION
						    : ASSET_STOCK;
	if (!shape_of(name, text, &d.shape))
		return;
	cr_assert_eq(body_parse((const uint8_t *)text, len, &b, &why), E_OK, "%s: %s", name, why);
	cr_expect_gt(read_all(text, b, &d, &records), 0, "%s", name);
	n = scan(text, all, sizeof(all) / sizeof(all[0]));
	for (size_t i = 0; i < records.count; i++)
		claim_record(all, n, &records.at[i], name);
	for (size_t i = 0; i < n; i++)
		cr_expect(all[i].used, "%s: %s %s was lost", name, all[i].key, all[i].text);
	*numbers += n;
	++*bodies;
	body_free(&b);
	records_fini(&records);
}

Test(recorded, every_number_of_recorded_bodies_comes_out_equal)
{
	const char *shared = getenv("OPITIOS_SHARED_DATA");
	char folder[512];
	size_t bodies = 0, numbers = 0;
	struct dirent *e;
	DIR *dir;

	snprintf(folder, sizeof(folder), "%s/alpaca-responses",
	    shared != NULL ? shared : TESTS_DIR "/../../shared/data");
	if ((dir = opendir(folder)) == NULL)
		cr_skip_test("%s is not here: set OPITIOS_SHARED_DATA", folder);
	while ((e = readdir(dir)) != NULL)
		if (strstr(e->d_name, ".json") != NULL)
			check_body(folder, e->d_name, &bodies, &numbers);
	closedir(dir);
	cr_log_info("%zu bodies, %zu numbers equal", bodies, numbers);
	cr_expect_geq(bodies, 15);
	cr_expect_geq(numbers, 300);
}
