-- 002_coverage.sql - which ranges of bars and trades are known to be complete, and the indices they are read by.

CREATE TABLE coverage (
	asset bigint,
	source bigint,
	what bigint,
	symbol text,
	feed text,
	timeframe text,
	adjustment text,
	start bigint,
	"end" bigint,
	received bigint,
	rows bigint,
	journal_source text NOT NULL,
	journal_sequence bigint NOT NULL
);
CREATE INDEX coverage_series ON coverage (symbol, what, timeframe, feed, adjustment, received);

-- Rows of a series by time; which call they came with is told by the index alone. Bars of snapshots are no series.
CREATE INDEX bars_series ON bars (symbol, timeframe, feed, adjustment, event, received) WHERE part = 0;
-- Adjusted rows of a day, to see whether a split or a dividend came among them.
CREATE INDEX bars_adjusted ON bars (symbol, received) WHERE part = 0 AND adjustment <> 'raw';
CREATE INDEX trades_series ON trades (symbol, feed, event, received);
DROP INDEX IF EXISTS bars_symbol_event;
DROP INDEX IF EXISTS trades_symbol_event;
