-- 004_claim.sql - which of several copies of a state directory stores as a node.
--
-- Every start of a writer takes its journals with a number that is higher than all before, the time in microseconds,
-- and keeps it in its state directory. A copy of that directory takes them with one the original does not know, and
-- from then on only one of the two can.

ALTER TABLE journal_position ADD COLUMN claim bigint NOT NULL DEFAULT 0;

-- The position of a journal, for who may write it: `known` is the highest claim that is his own, `mine` the one to be. A
-- lower one than known is his as well (a replica that is behind, a backup of this database).
CREATE FUNCTION journal_take(source text, known bigint, mine bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	p journal_position;
BEGIN
	SELECT * INTO p FROM journal_position WHERE journal_source = source;
	IF NOT FOUND OR p.claim < mine THEN
		INSERT INTO journal_position (journal_source, journal_sequence, stored_ns) VALUES (source, 0, 0)
			ON CONFLICT DO NOTHING;
		SELECT * INTO p FROM journal_position WHERE journal_source = source FOR UPDATE;
	END IF;
	IF p.claim > known AND p.claim <> mine THEN
		-- The health check shows less than a hundred characters of it.
		RAISE EXCEPTION 'a copy of this state directory stores instead; if it is gone, remove the file owner here; '
			'if this is the copy, stop it and remove its owner, node and journal (%)', source USING ERRCODE = 'OP002';
	END IF;
	IF p.claim < mine THEN
		UPDATE journal_position SET claim = mine WHERE journal_source = source;
	END IF;
	RETURN p.journal_sequence;
END $$;

-- The same for who took the journal with this claim, and only as long as nobody else did.
CREATE FUNCTION journal_move(source text, expected bigint, next bigint, mine bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM journal_move(source, expected, next);
	IF mine <> 0 AND EXISTS (SELECT FROM journal_position WHERE journal_source = source AND claim <> mine) THEN
		RAISE EXCEPTION '% was taken by somebody else', source USING ERRCODE = 'OP001';
	END IF;
END $$;
