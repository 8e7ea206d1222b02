/* latest_source.c - one journal on its way to Redis: read from where Redis is known to be. */
#include <string.h>

#include "latest_sink.h"

#define SKIPS_MAX 64 /* damages passed in one call */

void
source_begin(struct latest_source *s, uint64_t after)
{
	source_close(s);
	s->read = s->sent = s->acked = after;
	s->begun = SOURCE_BEGUN;
}

void
source_rewind(struct latest_source *s)
{
	if (s->read != s->acked)
		source_close(s);
	s->read = s->sent = s->acked;
}

void
source_close(struct latest_source *s)
{
	journal_reader_close(&s->reader);
	s->skipped = 0;
}

static int
source_reader_ensure(struct latest_source *s)
{
	if (s->reader != NULL)
		return E_OK;
	return journal_reader_open(&s->reader, s->state_dir, s->name, s->read);
}

int
source_behind(struct latest_source *s, uint64_t *records)
{
	int r;

	*records = 0;
	if ((r = source_reader_ensure(s)) != E_OK)
		return r;
	return journal_reader_behind(s->reader, records);
}

int
source_read(struct latest_source *s, struct journal_record *record, uint64_t *skipped)
{
	uint64_t lost;
	int r;

	if ((r = source_reader_ensure(s)) != E_OK)
		return r;
	r = E_CORRUPT;
	for (int i = 0; i < SKIPS_MAX && r == E_CORRUPT; i++)
		r = journal_read(s->reader, record);
	lost = journal_reader_skipped(s->reader);
	*skipped += lost - s->skipped;
	s->skipped = lost;
	s->read = journal_reader_after(s->reader);
	return r;
}
