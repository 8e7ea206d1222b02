/* openapi.c - what stands in /openapi.json of answers: their schemas, and errors.def. openapi_paths.c has the routes. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "openapi.h"

#define SCHEMA_PATH "#/components/schemas/"

/* What a good answer of each route is. `bare` bodies stand without data and metadata. */
static const struct {
	const char *schema;
	bool is_bare;
} answers[] = {
	[ROUTE_stock_quote] = { "Quote", false },
	[ROUTE_stock_trade] = { "Trade", false },
	[ROUTE_stock_snapshot] = { "Snapshot", false },
	[ROUTE_stock_bars] = { "Bars", false },
	[ROUTE_stock_trades] = { "Trades", false },
	[ROUTE_stock_quotes] = { "Batch", false },
	[ROUTE_stock_quote_post] = { "Quote", false },
	[ROUTE_stock_quotes_batch] = { "Batch", false },
	[ROUTE_option_quote] = { "OptionQuote", false },
	[ROUTE_option_snapshot] = { "OptionSnapshot", false },
	[ROUTE_option_bars] = { "Bars", false },
	[ROUTE_option_trades] = { "Trades", false },
	[ROUTE_option_chain] = { "Chain", false },
	[ROUTE_option_quote_post] = { "OptionQuote", false },
	[ROUTE_option_quotes_batch] = { "Batch", false },
	[ROUTE_option_chain_post] = { "Chain", false },
	[ROUTE_crypto_quote] = { "Quote", false },
	[ROUTE_crypto_trade] = { "CryptoTrade", false },
	[ROUTE_crypto_bars] = { "Bars", false },
	[ROUTE_crypto_trades] = { "Trades", false },
	[ROUTE_market_status] = { "MarketStatus", false },
	[ROUTE_health] = { "Health", true },
	[ROUTE_health_detailed] = { "HealthDetailed", true },
	[ROUTE_livez] = { "Probe", true },
	[ROUTE_readyz] = { "Probe", true },
	[ROUTE_startupz] = { "Probe", true },
	[ROUTE_metrics] = { "text", true },
	[ROUTE_status_page] = { "text", true },
	[ROUTE_status_events] = { "text", true },
	[ROUTE_status_now] = { "object", true },
	[ROUTE_status_file] = { "text", true },
	[ROUTE_openapi] = { "object", true },
};
_Static_assert(sizeof(answers) / sizeof(answers[0]) == ROUTE_NONE, "an answer for each route");

/* Fields of the schemas. `type` is a JSON type, `time`, [x] an array of x, or the name of a
 * schema; a question mark says that null may stand there. */
static const struct schema_field {
	const char *schema, *name, *type;
} fields[] = {
#define QUOTE_FIELDS(s)                                                                            \
	{ s, "symbol", "string" }, { s, "bid_price", "number?" }, { s, "bid_size", "number?" },    \
	    { s, "bid_exchange", "string?" }, { s, "ask_price", "number?" },                       \
	    { s, "ask_size", "number?" }, { s, "ask_exchange", "string?" },                        \
	    { s, "conditions", "[string]?" },                                                      \
	{                                                                                          \
		s, "tape", "string?"                                                               \
	}
#define CONTRACT_FIELDS(s)                                                                         \
	{ s, "underlying_symbol", "string" }, { s, "expiration_date", "string" },                  \
	    { s, "option_type", "string" },                                                        \
	{                                                                                          \
		s, "strike_price", "number"                                                        \
	}
#define TRADE_FIELDS(s)                                                                            \
	{ s, "symbol", "string" }, { s, "price", "number" }, { s, "size", "number" },              \
	    { s, "exchange", "string?" }, { s, "conditions", "[string]?" },                        \
	    { s, "tape", "string?" },                                                              \
	{                                                                                          \
		s, "trade_id", "integer?"                                                          \
	}
#define BAR_FIELDS(s)                                                                              \
	{ s, "timestamp", "time" }, { s, "open", "number" }, { s, "high", "number" },              \
	    { s, "low", "number" }, { s, "close", "number" }, { s, "volume", "number?" },          \
	    { s, "trade_count", "number?" },                                                       \
	{                                                                                          \
		s, "vwap", "number?"                                                               \
	}
#define SNAPSHOT_FIELDS(s)                                                                         \
	{ s, "symbol", "string" }, { s, "latest_trade", "object?" },                               \
	    { s, "latest_quote", "object?" }, { s, "minute_bar", "Bar?" },                         \
	    { s, "daily_bar", "Bar?" },                                                            \
	{                                                                                          \
		s, "previous_daily_bar", "Bar?"                                                    \
	}
	QUOTE_FIELDS("Quote"),
	QUOTE_FIELDS("OptionQuote"),
	CONTRACT_FIELDS("OptionQuote"),
	TRADE_FIELDS("Trade"),
	TRADE_FIELDS("CryptoTrade"),
	{ "CryptoTrade", "taker_side", "string?" },
	BAR_FIELDS("Bar"),
	BAR_FIELDS("BarRow"),
	{ "BarRow", "final", "boolean" },
	{ "BarRow", "versions", "integer?" },
	{ "TradeRow", "timestamp", "time" },
	{ "TradeRow", "price", "number" },
	{ "TradeRow", "size", "number" },
	{ "TradeRow", "exchange", "string?" },
	{ "TradeRow", "conditions", "[string]?" },
	{ "TradeRow", "tape", "string?" },
	{ "TradeRow", "trade_id", "integer?" },
	{ "TradeRow", "taker_side", "string?" },
	{ "TradeRow", "update", "string?" },
	{ "TradeRow", "final", "boolean" },
	{ "Gap", "start", "time" },
	{ "Gap", "end", "time" },
	{ "Gap", "intervals", "integer" },
	{ "Gap", "reason", "string" },
	{ "Bars", "symbol", "string" },
	{ "Bars", "timeframe", "string" },
	{ "Bars", "adjustment", "string?" },
	{ "Bars", "session", "string" },
	{ "Bars", "bars", "[BarRow]" },
	{ "Bars", "count", "integer" },
	{ "Bars", "gaps", "[Gap]?" },
	{ "Bars", "complete", "boolean" },
	{ "Bars", "next_page_token", "string?" },
	{ "Trades", "symbol", "string" },
	{ "Trades", "session", "string" },
	{ "Trades", "trades", "[TradeRow]" },
	{ "Trades", "count", "integer" },
	{ "Trades", "complete", "boolean" },
	{ "Trades", "next_page_token", "string?" },
	SNAPSHOT_FIELDS("Snapshot"),
	SNAPSHOT_FIELDS("OptionSnapshot"),
	CONTRACT_FIELDS("OptionSnapshot"),
	{ "OptionSnapshot", "greeks", "Greeks?" },
	{ "OptionSnapshot", "implied_volatility", "number?" },
	{ "Greeks", "delta", "number?" },
	{ "Greeks", "gamma", "number?" },
	{ "Greeks", "rho", "number?" },
	{ "Greeks", "theta", "number?" },
	{ "Greeks", "vega", "number?" },
	{ "Chain", "underlying_symbol", "string" },
	{ "Chain", "expiration_dates", "[string]" },
	{ "Chain", "contracts", "[OptionSnapshot]" },
	{ "Chain", "total_contracts", "integer" },
	{ "Chain", "filters_applied", "object" },
	{ "Chain", "complete", "boolean" },
	{ "Chain", "next_page_token", "string?" },
	{ "BatchEntry", "symbol", "string" },
	{ "BatchEntry", "status", "string" },
	{ "BatchEntry", "data", "object" },
	{ "BatchEntry", "metadata", "Metadata" },
	{ "BatchEntry", "error", "ErrorDetail" },
	{ "BatchEntry", "retry_after", "integer?" },
	{ "BatchSummary", "total_requested", "integer" },
	{ "BatchSummary", "successful", "integer" },
	{ "BatchSummary", "failed", "integer" },
	{ "Batch", "quotes", "[BatchEntry]" },
	{ "Batch", "summary", "BatchSummary" },
	{ "MarketStatus", "status", "string" },
	{ "MarketStatus", "is_open", "boolean?" },
	{ "MarketStatus", "timestamp", "time?" },
	{ "MarketStatus", "next_open", "time?" },
	{ "MarketStatus", "next_close", "time?" },
	{ "Metadata", "data_source", "string?" },
	{ "Metadata", "feed", "string?" },
	{ "Metadata", "cache", "string?" },
	{ "Metadata", "timestamp", "time" },
	{ "Metadata", "event_time", "time?" },
	{ "Metadata", "received_at", "time?" },
	{ "Metadata", "data_freshness_seconds", "number?" },
	{ "Metadata", "market_status", "string" },
	{ "Metadata", "request_id", "string" },
	{ "Metadata", "quality", "[string]" },
	{ "ErrorDetail", "code", "string" },
	{ "ErrorDetail", "message", "string" },
	{ "ErrorDetail", "type", "string" },
	{ "ErrorDetail", "details", "object" },
	{ "ErrorMetadata", "request_id", "string" },
	{ "ErrorMetadata", "timestamp", "time" },
	{ "ErrorMetadata", "endpoint", "string" },
	{ "ErrorMetadata", "suggested_action", "string" },
	{ "ErrorMetadata", "retry_after", "integer?" },
	{ "Error", "error", "ErrorDetail" },
	{ "Error", "metadata", "ErrorMetadata" },
	{ "Health", "status", "string" },
	{ "Health", "service", "string" },
	{ "Health", "version", "string" },
	{ "Health", "timestamp", "time" },
	{ "HealthDetailed", "status", "string" },
	{ "HealthDetailed", "service", "string" },
	{ "HealthDetailed", "version", "string" },
	{ "HealthDetailed", "timestamp", "time" },
	{ "HealthDetailed", "reasons", "[string]" },
	{ "HealthDetailed", "reason_codes", "[string]" },
	{ "HealthDetailed", "troubles", "[object]" },
	{ "HealthDetailed", "checks", "object" },
	{ "HealthDetailed", "workers", "[object]" },
	{ "HealthDetailed", "draining", "[object]" },
	{ "HealthDetailed", "system", "object" },
	{ "HealthDetailed", "upstream", "object" },
	{ "Probe", "status", "string" },
};

#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

static bool
is_json_type(const char *type)
{
	static const char *const types[] = { "string", "number", "integer", "boolean", "object" };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i], type) == 0)
			return true;
	return false;
}

/* Members of the schema object that is open. */
static void
render_type(struct json *j, const char *type)
{
	char name[64];

	if (strcmp(type, "time") == 0) {
		json_text(j, "type", "string");
		json_text(j, "format", "date-time");
	} else if (is_json_type(type)) {
		json_text(j, "type", type);
	} else {
		(void)snprintf(name, sizeof(name), SCHEMA_PATH "%s", type);
		json_text(j, "$ref", name);
	}
}

static void
render_field(struct json *j, const struct schema_field *f)
{
	size_t len = strlen(f->type);
	bool may_be_null = f->type[len - 1] == '?', is_array = f->type[0] == '[';
	char type[32];

	len -= may_be_null;
	assert(len < sizeof(type));
	memcpy(type, f->type + is_array, len - (is_array ? 2 : 0));
	type[len - (is_array ? 2 : 0)] = '\0';
	json_object_open(j, f->name);
	if (is_array) {
		json_text(j, "type", "array");
		json_object_open(j, "items");
		render_type(j, type);
		json_object_close(j);
	} else if (may_be_null && !is_json_type(type) && strcmp(type, "time") != 0) {
		/* Beside a $ref OpenAPI 3.0 reads nothing. */
		json_array_open(j, "allOf");
		json_object_open(j, NULL);
		render_type(j, type);
		json_object_close(j);
		json_array_close(j);
	} else {
		render_type(j, type);
	}
	if (may_be_null)
		json_bool(j, "nullable", true);
	json_object_close(j);
}

/* Fields of one schema stand together. */
void
openapi_render_schemas(struct json *j)
{
	json_object_open(j, "schemas");
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		if (i == 0 || strcmp(fields[i].schema, fields[i - 1].schema) != 0) {
			json_object_open(j, fields[i].schema);
			json_text(j, "type", "object");
			json_object_open(j, "properties");
		}
		render_field(j, &fields[i]);
		if (i + 1 == FIELD_COUNT || strcmp(fields[i].schema, fields[i + 1].schema) != 0) {
			json_object_close(j);
			json_object_close(j);
		}
	}
	json_object_close(j);
}

static void
render_content(struct json *j, const char *media, const char *schema)
{
	json_object_open(j, "content");
	json_object_open(j, media);
	json_object_open(j, "schema");
	render_type(j, schema);
	json_object_close(j);
	json_object_close(j);
	json_object_close(j);
}

/* {data, metadata} around a schema. */
static void
render_enveloped(struct json *j, const char *schema)
{
	json_object_open(j, "content");
	json_object_open(j, "application/json");
	json_object_open(j, "schema");
	json_text(j, "type", "object");
	json_object_open(j, "properties");
	json_object_open(j, "data");
	render_type(j, schema);
	json_object_close(j);
	json_object_open(j, "metadata");
	render_type(j, "Metadata");
	json_object_close(j);
	json_object_close(j);
	json_object_close(j);
	json_object_close(j);
	json_object_close(j);
}

void
openapi_render_error_responses(struct json *j)
{
	static const int codes[] = {
#define ERROR(NAME, number, status, again, type, text, action) E_##NAME,
#include "tables/errors.def"
	};

	json_object_open(j, "responses");
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (err_status(codes[i]) == 0)
			continue;
		json_object_open(j, err_name(codes[i]));
		json_text(j, "description", err_text(codes[i]));
		render_content(j, "application/json", "Error");
		json_object_close(j);
	}
	json_object_close(j);
}

void
openapi_render_errors(struct json *j)
{
	static const struct {
		int code;
	} errors[] = {
#define ERROR(NAME, number, status, again, type, text, action) { E_##NAME },
#include "tables/errors.def"
	};
	char status[12], codes[512];
	size_t used;

	for (int s = 400; s < 600; s++) {
		used = 0;
		for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
			if (err_status(errors[i].code) == s && used < sizeof(codes))
				used += (size_t)snprintf(codes + used, sizeof(codes) - used, "%s%s",
				    used > 0 ? ", " : "", err_name(errors[i].code));
		if (used == 0)
			continue;
		(void)snprintf(status, sizeof(status), "%d", s);
		json_object_open(j, status);
		json_text(j, "description", codes);
		render_content(j, "application/json", "Error");
		json_object_close(j);
	}
}

void
openapi_render_answer(struct json *j, enum route route)
{
	if (strcmp(answers[route].schema, "text") == 0)
		render_content(j, "text/plain", "string");
	else if (answers[route].is_bare)
		render_content(j, "application/json", answers[route].schema);
	else
		render_enveloped(j, answers[route].schema);
}
