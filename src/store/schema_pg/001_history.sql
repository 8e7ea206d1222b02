-- 001_history.sql - the values that are kept, one table each, and how far each journal is stored.
--
-- Columns are the fields of include/tables/values.def, in order and by name; a test compares the two.
-- Times are nanoseconds since the epoch. What the upstream did not send is NULL. Lists are JSON arrays as text.
-- Unsigned 64-bit numbers are kept bit by bit: one above 9223372036854775807 shows negative, add 2^64.
-- A row is one record of a journal. journal_source is <node>/<slot>; each sequence of it comes once only, which
-- journal_move sees to.

CREATE TABLE journal_position (
	journal_source   text NOT NULL PRIMARY KEY,
	journal_sequence bigint NOT NULL,
	stored_ns        bigint NOT NULL
);

CREATE TABLE dead_letters (
	journal_source   text NOT NULL,
	journal_sequence bigint NOT NULL,
	type             text NOT NULL,
	reason           text NOT NULL,
	record           text NOT NULL,
	stored_ns        bigint NOT NULL,
	PRIMARY KEY (journal_source, journal_sequence)
);

CREATE TABLE quotes (
	asset bigint,
	source bigint,
	symbol text,
	feed text,
	event bigint,
	received bigint,
	bid_price double precision,
	bid_size double precision,
	bid_exchange text,
	ask_price double precision,
	ask_size double precision,
	ask_exchange text,
	conditions text,
	tape text,
	journal_source text NOT NULL,
	journal_sequence bigint NOT NULL
);

CREATE TABLE trades (
	asset bigint,
	source bigint,
	symbol text,
	feed text,
	event bigint,
	received bigint,
	price double precision,
	size double precision,
	exchange text,
	conditions text,
	tape text,
	has_id boolean,
	trade_id bigint,
	taker_side text,
	"update" text,
	journal_source text NOT NULL,
	journal_sequence bigint NOT NULL
);

CREATE TABLE bars (
	asset bigint,
	source bigint,
	part bigint,
	symbol text,
	feed text,
	timeframe text,
	adjustment text,
	event bigint,
	received bigint,
	open double precision,
	high double precision,
	low double precision,
	close double precision,
	volume double precision,
	trade_count double precision,
	vwap double precision,
	journal_source text NOT NULL,
	journal_sequence bigint NOT NULL
);

CREATE TABLE greeks (
	asset bigint,
	source bigint,
	symbol text,
	feed text,
	event bigint,
	received bigint,
	delta double precision,
	gamma double precision,
	rho double precision,
	theta double precision,
	vega double precision,
	implied_volatility double precision,
	journal_source text NOT NULL,
	journal_sequence bigint NOT NULL
);

CREATE TABLE snapshots (
	asset bigint,
	source bigint,
	symbol text,
	feed text,
	received bigint,
	parts bigint,
	journal_source text NOT NULL,
	journal_sequence bigint NOT NULL
);

CREATE TABLE upstream_calls (
	started bigint,
	endpoint text,
	path text,
	symbols bigint,
	try bigint,
	status bigint,
	outcome text,
	latency_us bigint,
	bytes bigint,
	budget_left double precision,
	request_id text,
	journal_source text NOT NULL,
	journal_sequence bigint NOT NULL
);

CREATE TABLE market_clocks (
	source bigint,
	timestamp bigint,
	received bigint,
	is_open boolean,
	next_open bigint,
	next_close bigint,
	journal_source text NOT NULL,
	journal_sequence bigint NOT NULL
);

-- Now, as the other times are given.
CREATE FUNCTION history_now() RETURNS bigint LANGUAGE sql AS $$
	SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000
$$;

-- Begins every transaction that stores rows of a source: its position steps from `expected` to `next`, or the
-- transaction ends with OP001. The row is locked until then, so that a writer who was taken for dead and
-- his successor come one after the other, and the second one finds the position moved. What is told to be stored is
-- durable, whatever the database is set to.
CREATE FUNCTION journal_move(source text, expected bigint, next bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	found bigint;
BEGIN
	IF current_setting('synchronous_commit') = 'off' THEN
		PERFORM set_config('synchronous_commit', 'local', true);
	END IF;
	IF expected = 0 THEN
		INSERT INTO journal_position VALUES (source, 0, 0) ON CONFLICT DO NOTHING;
	END IF;
	SELECT journal_sequence INTO found FROM journal_position WHERE journal_source = source FOR UPDATE;
	IF found IS DISTINCT FROM expected THEN
		RAISE EXCEPTION '% stands at % and not at %: somebody else writes it', source,
			coalesce(found, 0), expected USING ERRCODE = 'OP001';
	END IF;
	UPDATE journal_position SET journal_sequence = next, stored_ns = history_now() WHERE journal_source = source;
END $$;

-- One record that its table takes never; the position moves past it.
CREATE FUNCTION dead_letter(source text, expected bigint, next bigint, sequence bigint, type text, reason text, record text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM journal_move(source, expected, next);
	INSERT INTO dead_letters VALUES (source, sequence, type, reason, record, history_now());
END $$;

-- How the large tables are cut by time: 'partitions', or 'hypertable' where TimescaleDB is there.
CREATE TABLE history_layout (
	table_name text PRIMARY KEY,
	layout     text NOT NULL
);

-- Cuts a plain, empty table by its column event; chunk in nanoseconds.
CREATE FUNCTION history_cut(name text, chunk bigint, hypertables boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF hypertables THEN
		EXECUTE format('SELECT create_hypertable(%L, %L, chunk_time_interval => %s::bigint)', name, 'event', chunk);
	ELSE
		EXECUTE format('ALTER TABLE %I RENAME TO %I', name, name || '_default');
		EXECUTE format('CREATE TABLE %I (LIKE %I) PARTITION BY RANGE (event)', name, name || '_default');
		EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I DEFAULT', name, name || '_default');
	END IF;
	INSERT INTO history_layout VALUES (name, CASE WHEN hypertables THEN 'hypertable' ELSE 'partitions' END);
END $$;

-- Makes the partition for events in [from_ns, to_ns), if it is not there. Rows that are in the default partition
-- already stay there, and so do those that follow them in this range.
CREATE FUNCTION partition_ensure(name text, from_ns bigint, to_ns bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	part text := name || '_' || to_char(to_timestamp(from_ns / 1000000000) AT TIME ZONE 'UTC', 'YYYYMMDD');
BEGIN
	IF to_regclass(quote_ident(part)) IS NOT NULL OR
	   NOT EXISTS (SELECT FROM history_layout WHERE table_name = name AND layout = 'partitions') THEN
		RETURN;
	END IF;
	PERFORM pg_advisory_xact_lock(7815690244332);
	IF to_regclass(quote_ident(part)) IS NULL THEN
		EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%s) TO (%s)', part, name, from_ns, to_ns);
	END IF;
EXCEPTION WHEN check_violation OR duplicate_table THEN
	NULL; -- what another writer made while we waited for the lock shows at the latest now
END $$;

-- Lets go of rows older than `before`: whole partitions, and of what is in none some thousand rows at once.
-- True when there may be more.
CREATE FUNCTION history_trim(name text, column_name text, before bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	cut text := (SELECT layout FROM history_layout WHERE table_name = name);
	rest text := name;
	part record;
	gone bigint;
BEGIN
	IF cut = 'hypertable' THEN
		EXECUTE format('SELECT drop_chunks(%L, older_than => %s::bigint)', name, before);
		RETURN false;
	ELSIF cut = 'partitions' THEN
		rest := name || '_default';
		FOR part IN
			SELECT c.relname, substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''?(-?[0-9]+)''?\)')::bigint AS upto
			FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
			WHERE i.inhparent = name::regclass
		LOOP
			IF part.upto <= before THEN
				EXECUTE format('DROP TABLE %I', part.relname);
				RETURN true;
			END IF;
		END LOOP;
	END IF;
	EXECUTE format('DELETE FROM %I WHERE ctid = ANY (ARRAY(SELECT ctid FROM %I WHERE %I < %s LIMIT 5000))',
		rest, rest, column_name, before);
	GET DIAGNOSTICS gone = ROW_COUNT;
	RETURN gone = 5000;
END $$;

DO $$
DECLARE
	hypertables boolean := false;
BEGIN
	-- Without being preloaded it would end the connection and not only the statement; preloaded it has settings.
	IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') OR
	   (EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb') AND
	    current_setting('timescaledb.max_background_workers', true) IS NOT NULL) THEN
		BEGIN
			CREATE EXTENSION IF NOT EXISTS timescaledb;
			hypertables := true;
		EXCEPTION WHEN OTHERS THEN
			RAISE NOTICE 'timescaledb is there and cannot be used: %', SQLERRM;
		END;
	END IF;
	PERFORM history_cut('quotes', 604800000000000, hypertables);
	PERFORM history_cut('trades', 604800000000000, hypertables);
	PERFORM history_cut('bars', 31536000000000000, hypertables);
END $$;

CREATE INDEX quotes_symbol_event ON quotes (symbol, event);
CREATE INDEX trades_symbol_event ON trades (symbol, event);
CREATE INDEX bars_symbol_event ON bars (symbol, event);
CREATE INDEX greeks_symbol_received ON greeks (symbol, received);
CREATE INDEX snapshots_symbol_received ON snapshots (symbol, received);
CREATE INDEX upstream_calls_started ON upstream_calls (started);
CREATE INDEX market_clocks_received ON market_clocks (received);
CREATE INDEX greeks_received ON greeks USING brin (received);
CREATE INDEX snapshots_received ON snapshots USING brin (received);
