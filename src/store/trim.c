/* trim.c - which rows are too old, and letting go of them a few at a time. */
#include "store_room.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"

#define WINDOW "2000" /* rows looked at in one call */

size_t
trim_rules(const struct conf *conf, struct trim_rule rules[TRIM_RULES])
{
	const struct trim_rule all[TRIM_RULES] = {
		{ "quotes", "event", conf->store_keep_quotes },
		{ "greeks", "received", conf->store_keep_quotes },
		{ "snapshots", "received", conf->store_keep_quotes },
		{ "trades", "event", conf->store_keep_trades },
		{ "bars", "event", conf->store_keep_bars },
		{ "upstream_calls", "started", conf->store_keep_calls },
		{ "market_clocks", "received", conf->store_keep_calls },
	};
	size_t count = 0;

	for (size_t i = 0; i < TRIM_RULES; i++)
		if (all[i].keep_ms > 0)
			rules[count++] = all[i];
	return count;
}

int64_t
trim_before(const struct trim_rule *rule)
{
	return clock_wall() - rule->keep_ms * CLOCK_MS;
}

/* Highest row number of the window behind `after`; `after` itself when there is none. */
static int
window_end(sqlite3 *db, const struct trim_rule *rule, int64_t after, int64_t *end)
{
	sqlite3_stmt *stmt = NULL;
	char sql[256];
	int r = E_STORE;

	snprintf(sql, sizeof(sql),
	    "SELECT coalesce(max(rowid), ?1) FROM (SELECT rowid FROM \"%s\" WHERE rowid > ?1 "
	    "ORDER BY rowid LIMIT " WINDOW ")",
	    rule->table);
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return E_STORE;
	if (sqlite3_bind_int64(stmt, 1, after) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
		*end = sqlite3_column_int64(stmt, 0);
		r = E_OK;
	}
	sqlite3_finalize(stmt);
	return r;
}

static int
window_delete(sqlite3 *db, const struct trim_rule *rule, int64_t after, int64_t end)
{
	sqlite3_stmt *stmt = NULL;
	bool by_event = strcmp(rule->column, "event") == 0; /* the market gave some rows no time */
	char sql[256];
	int r = E_STORE;

	snprintf(sql, sizeof(sql), "DELETE FROM \"%s\" WHERE rowid > ? AND rowid <= ? AND %s < ?",
	    rule->table, by_event ? "coalesce(event, received)" : rule->column);
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return E_STORE;
	if (sqlite3_bind_int64(stmt, 1, after) == SQLITE_OK &&
	    sqlite3_bind_int64(stmt, 2, end) == SQLITE_OK &&
	    sqlite3_bind_int64(stmt, 3, trim_before(rule)) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_DONE)
		r = E_OK;
	sqlite3_finalize(stmt);
	return r;
}

int
trim_step(sqlite3 *db, const struct conf *conf, struct trim_place *place, bool *more)
{
	struct trim_rule rules[TRIM_RULES];
	size_t count = trim_rules(conf, rules);
	int64_t end = 0;
	int r;

	*more = false;
	if (place->rule >= count) {
		*place = (struct trim_place){ 0 };
		return E_OK;
	}
	if ((r = window_end(db, &rules[place->rule], place->row, &end)) != E_OK)
		return r;
	*more = true;
	if (end == place->row) {
		place->rule++;
		place->row = 0;
		return E_OK;
	}
	r = window_delete(db, &rules[place->rule], place->row, end);
	place->row = end;
	return r;
}
