-- 003_default_event.sql - what is too old is found in the default partitions without reading all of them.

DO $$
DECLARE
	name text;
BEGIN
	FOR name IN SELECT table_name FROM history_layout WHERE layout = 'partitions'
	LOOP
		EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON %I (event)', name || '_default_event', name || '_default');
	END LOOP;
END $$;
