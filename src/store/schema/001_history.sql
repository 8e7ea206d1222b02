-- 001_history.sql - the values that are kept, one table each, and how far each journal is stored.
--
-- Columns are the fields of include/tables/values.def, in order and by name; a test compares the two.
-- Times are nanoseconds since the epoch. What the upstream did not send is NULL. Lists are JSON arrays.
-- Unsigned 64-bit numbers are kept bit by bit: one above 9223372036854775807 shows negative, add 2^64.
-- A row is one record of a journal: the pair of journal_source and journal_sequence comes once only.

CREATE TABLE journal_position (
	journal_source   TEXT NOT NULL PRIMARY KEY,
	journal_sequence INTEGER NOT NULL,
	stored_ns        INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE quotes (
	asset        INTEGER,
	source       INTEGER,
	symbol       TEXT,
	feed         TEXT,
	event        INTEGER,
	received     INTEGER,
	bid_price    REAL,
	bid_size     REAL,
	bid_exchange TEXT,
	ask_price    REAL,
	ask_size     REAL,
	ask_exchange TEXT,
	conditions   TEXT,
	tape         TEXT,
	journal_source   TEXT NOT NULL,
	journal_sequence INTEGER NOT NULL,
	UNIQUE (journal_source, journal_sequence)
);
CREATE INDEX quotes_symbol_event ON quotes (symbol, event);

CREATE TABLE trades (
	asset      INTEGER,
	source     INTEGER,
	symbol     TEXT,
	feed       TEXT,
	event      INTEGER,
	received   INTEGER,
	price      REAL,
	size       REAL,
	exchange   TEXT,
	conditions TEXT,
	tape       TEXT,
	has_id     INTEGER,
	trade_id   INTEGER,
	taker_side TEXT,
	"update"   TEXT,
	journal_source   TEXT NOT NULL,
	journal_sequence INTEGER NOT NULL,
	UNIQUE (journal_source, journal_sequence)
);
CREATE INDEX trades_symbol_event ON trades (symbol, event);

CREATE TABLE bars (
	asset       INTEGER,
	source      INTEGER,
	part        INTEGER,
	symbol      TEXT,
	feed        TEXT,
	timeframe   TEXT,
	adjustment  TEXT,
	event       INTEGER,
	received    INTEGER,
	open        REAL,
	high        REAL,
	low         REAL,
	close       REAL,
	volume      REAL,
	trade_count REAL,
	vwap        REAL,
	journal_source   TEXT NOT NULL,
	journal_sequence INTEGER NOT NULL,
	UNIQUE (journal_source, journal_sequence)
);
CREATE INDEX bars_symbol_event ON bars (symbol, event);

CREATE TABLE greeks (
	asset    INTEGER,
	source   INTEGER,
	symbol   TEXT,
	feed     TEXT,
	event    INTEGER,
	received INTEGER,
	delta    REAL,
	gamma    REAL,
	rho      REAL,
	theta    REAL,
	vega     REAL,
	implied_volatility REAL,
	journal_source   TEXT NOT NULL,
	journal_sequence INTEGER NOT NULL,
	UNIQUE (journal_source, journal_sequence)
);
CREATE INDEX greeks_symbol_received ON greeks (symbol, received);

CREATE TABLE snapshots (
	asset    INTEGER,
	source   INTEGER,
	symbol   TEXT,
	feed     TEXT,
	received INTEGER,
	parts    INTEGER,
	journal_source   TEXT NOT NULL,
	journal_sequence INTEGER NOT NULL,
	UNIQUE (journal_source, journal_sequence)
);
CREATE INDEX snapshots_symbol_received ON snapshots (symbol, received);

CREATE TABLE upstream_calls (
	started     INTEGER,
	endpoint    TEXT,
	path        TEXT,
	symbols     INTEGER,
	try         INTEGER,
	status      INTEGER,
	outcome     TEXT,
	latency_us  INTEGER,
	bytes       INTEGER,
	budget_left REAL,
	request_id  TEXT,
	journal_source   TEXT NOT NULL,
	journal_sequence INTEGER NOT NULL,
	UNIQUE (journal_source, journal_sequence)
);
CREATE INDEX upstream_calls_started ON upstream_calls (started);

CREATE TABLE market_clocks (
	source     INTEGER,
	timestamp  INTEGER,
	received   INTEGER,
	is_open    INTEGER,
	next_open  INTEGER,
	next_close INTEGER,
	journal_source   TEXT NOT NULL,
	journal_sequence INTEGER NOT NULL,
	UNIQUE (journal_source, journal_sequence)
);
CREATE INDEX market_clocks_received ON market_clocks (received);
