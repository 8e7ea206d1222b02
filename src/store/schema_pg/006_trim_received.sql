-- 006_trim_received.sql - rows the market gave no time go by when they were received.
--
-- They are in the default partitions, since nothing else takes them, and no column event of theirs is ever too old.

DO $$
DECLARE
	name text;
BEGIN
	FOR name IN SELECT table_name FROM history_layout WHERE layout = 'partitions'
	LOOP
		EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON %I (received) WHERE event IS NULL',
			name || '_default_received', name || '_default');
	END LOOP;
END $$;

-- As in 001, and where tables are cut by event those rows too.
CREATE OR REPLACE FUNCTION history_trim(name text, column_name text, before bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	cut text := (SELECT layout FROM history_layout WHERE table_name = name);
	rest text := name;
	old text[] := ARRAY[format('%I < %s', column_name, before)];
	which text;
	part record;
	gone bigint;
	more boolean := false;
BEGIN
	IF cut = 'hypertable' THEN
		EXECUTE format('SELECT drop_chunks(%L, older_than => %s::bigint)', name, before);
		RETURN false;
	ELSIF cut = 'partitions' THEN
		rest := name || '_default';
		old := old || format('%I IS NULL AND received < %s', column_name, before);
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
	FOREACH which IN ARRAY old
	LOOP
		EXECUTE format('DELETE FROM %I WHERE ctid = ANY (ARRAY(SELECT ctid FROM %I WHERE %s LIMIT 5000))', rest, rest, which);
		GET DIAGNOSTICS gone = ROW_COUNT;
		more := more OR gone = 5000;
	END LOOP;
	RETURN more;
END $$;
