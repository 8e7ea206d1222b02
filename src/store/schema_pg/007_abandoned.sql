-- 007_abandoned.sql - a writer that is gone and was never heard of again does not keep its journal from its successor.
--
-- The server waits for the rows of a COPY without looking at any time limit. Of a machine that is gone TCP tells it; not so
-- where something between the two answers for the machine (a balancer, a proxy, a middlebox of the network). Meanwhile the
-- row of the position is locked, and nobody stores.

-- Ends sessions of ours that have begun to write this journal longer ago than a writer lives with it, and wait for what
-- never comes; returns how many. Their transactions are undone.
CREATE FUNCTION journal_free(source text, patience_ms bigint) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
	WHERE usename = current_user AND datname = current_database() AND pid <> pg_backend_pid()
		AND state = 'active' AND wait_event = 'ClientRead'
		AND query_start < clock_timestamp() - patience_ms * interval '1 millisecond'
		AND strpos(query, quote_literal(source)) > 0
$$;
