-- 003_dead_letters.sql - records that a table takes never: why, and what they were.

CREATE TABLE dead_letters (
	journal_source   TEXT NOT NULL,
	journal_sequence INTEGER NOT NULL,
	type             TEXT NOT NULL,
	reason           TEXT NOT NULL,
	record           TEXT NOT NULL,
	stored_ns        INTEGER NOT NULL,
	UNIQUE (journal_source, journal_sequence)
);
