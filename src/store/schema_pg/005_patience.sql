-- 005_patience.sql - nobody waits for a lock without an end, a claim of the future can be taken back, a letter is claimed too.

-- As in 004. Whoever asks may be gone and never tell: the server must not wait for longer than he would have. A claim that
-- is higher than his is one he may have (`known`), of a clock that was ahead, and becomes his own as well.
CREATE OR REPLACE FUNCTION journal_take(source text, known bigint, mine bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	p journal_position;
BEGIN
	PERFORM set_config('lock_timeout', '5000', true);
	SELECT * INTO p FROM journal_position WHERE journal_source = source;
	IF NOT FOUND OR p.claim <> mine THEN
		INSERT INTO journal_position (journal_source, journal_sequence, stored_ns) VALUES (source, 0, 0)
			ON CONFLICT DO NOTHING;
		SELECT * INTO p FROM journal_position WHERE journal_source = source FOR UPDATE;
	END IF;
	IF p.claim > known AND p.claim <> mine THEN
		-- The health check shows less than a hundred characters of it.
		RAISE EXCEPTION 'a copy of this state directory stores instead; if it is gone, remove the file owner here; '
			'if this is the copy, stop it and remove its owner, node and journal (%)', source USING ERRCODE = 'OP002';
	END IF;
	IF p.claim <> mine THEN
		UPDATE journal_position SET claim = mine WHERE journal_source = source;
	END IF;
	RETURN p.journal_sequence;
END $$;

-- One record that its table takes never, from who took the journal with this claim. After the position was put back the same
-- record comes again.
CREATE FUNCTION dead_letter(source text, expected bigint, next bigint, sequence bigint, type text, reason text, record text,
	mine bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('lock_timeout', '5000', true);
	PERFORM journal_move(source, expected, next, mine);
	INSERT INTO dead_letters VALUES (source, sequence, type, reason, record, history_now())
		ON CONFLICT (journal_source, journal_sequence) DO UPDATE
		SET type = excluded.type, reason = excluded.reason, record = excluded.record, stored_ns = excluded.stored_ns;
END $$;

-- Spans whose rows went into the default partition before theirs was made: there they stay, and those that follow them.
CREATE TABLE history_in_default (
	table_name text NOT NULL,
	from_ns    bigint NOT NULL,
	PRIMARY KEY (table_name, from_ns)
);

-- As in 001. To make a partition reads all of the default one while nobody can use the table; that some of its rows are
-- there already is told by an index, and once.
CREATE OR REPLACE FUNCTION partition_ensure(name text, from_ns bigint, to_ns bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	part text := name || '_' || to_char(to_timestamp(from_ns / 1000000000) AT TIME ZONE 'UTC', 'YYYYMMDD');
	found boolean;
BEGIN
	IF to_regclass(quote_ident(part)) IS NOT NULL OR
	   NOT EXISTS (SELECT FROM history_layout WHERE table_name = name AND layout = 'partitions') OR
	   EXISTS (SELECT FROM history_in_default d WHERE d.table_name = name AND d.from_ns = partition_ensure.from_ns) THEN
		RETURN;
	END IF;
	PERFORM pg_advisory_xact_lock(7815690244332);
	IF to_regclass(quote_ident(part)) IS NOT NULL THEN
		RETURN;
	END IF;
	EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE event >= %s AND event < %s)', name || '_default', from_ns, to_ns)
		INTO found;
	IF found THEN
		INSERT INTO history_in_default VALUES (name, from_ns) ON CONFLICT DO NOTHING;
	ELSE
		EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%s) TO (%s)', part, name, from_ns, to_ns);
	END IF;
EXCEPTION WHEN check_violation OR duplicate_table THEN
	NULL; -- what another writer made while we waited for the lock shows at the latest now
END $$;
