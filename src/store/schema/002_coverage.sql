-- 002_coverage.sql - which ranges of bars and trades are known to be complete, and the index they are read by.

CREATE TABLE coverage (
	asset      INTEGER,
	source     INTEGER,
	what       INTEGER,
	symbol     TEXT,
	feed       TEXT,
	timeframe  TEXT,
	adjustment TEXT,
	start      INTEGER,
	"end"      INTEGER,
	received   INTEGER,
	rows       INTEGER,
	journal_source   TEXT NOT NULL,
	journal_sequence INTEGER NOT NULL,
	UNIQUE (journal_source, journal_sequence)
);
CREATE INDEX coverage_series ON coverage (symbol, what, timeframe, feed, adjustment, received, start, "end", rows);

-- Rows of a series by time; which call they came with is told by the index alone. Bars of snapshots are no series.
CREATE INDEX bars_series ON bars (symbol, timeframe, feed, adjustment, event, received) WHERE part = 0;
-- Adjusted rows of a day, to see whether a split or a dividend came among them.
CREATE INDEX bars_adjusted ON bars (symbol, received) WHERE part = 0 AND adjustment <> 'raw';
-- Trades of the past; latest values of a snapshot stand in the same table and are told apart by their call.
CREATE INDEX trades_series ON trades (symbol, feed, event, received);
DROP INDEX bars_symbol_event;
DROP INDEX trades_symbol_event;
