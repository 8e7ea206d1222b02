/* pg_stream.c - rows of a COPY in PostgreSQL's binary format, as they come. */
#include <endian.h>
#include <string.h>

#include "pg_reading.h"

#define SIGNATURE	"PGCOPY\n\377\r\n" /* and a NUL */
#define SIGNATURE_BYTES 11
#define HEAD_BYTES	(SIGNATURE_BYTES + 8)
#define THE_END		(-1) /* instead of how many fields a row has */

struct stream {
	struct pg_reading *s;
	reading_row *row;
	void *owner;
	bool headed; /* what comes before the first row was read */
	bool ended;  /* what comes behind the last one was */
	bool enough; /* no more rows are wanted: they are let by */
};

static uint32_t
four_bytes(const char *at)
{
	uint32_t n;

	memcpy(&n, at, sizeof(n));
	return be32toh(n);
}

static int
not_understood(struct pg_reading *s)
{
	return pg_say(s, "its COPY is none that is understood");
}

/* No flag is known; what may come behind the head is passed over. */
static int
read_head(struct stream *t, char **at, const char *end)
{
	uint32_t more;

	if (end - *at < HEAD_BYTES || memcmp(*at, SIGNATURE, SIGNATURE_BYTES) != 0 ||
	    four_bytes(*at + SIGNATURE_BYTES) != 0)
		return not_understood(t->s);
	more = four_bytes(*at + SIGNATURE_BYTES + 4);
	*at += HEAD_BYTES;
	if (more > (size_t)(end - *at))
		return not_understood(t->s);
	*at += more;
	t->headed = true;
	return E_OK;
}

/* Into the hand; borrowed from the bytes. */
static int
read_fields(struct pg_reading *s, int count, char **at, const char *end)
{
	int32_t len;

	for (s->cell_count = 0; s->cell_count < count; s->cell_count++) {
		if (end - *at < 4)
			return not_understood(s);
		len = (int32_t)four_bytes(*at);
		*at += 4;
		if (len < -1 || len > end - *at)
			return not_understood(s);
		s->cells[s->cell_count] = (struct pg_cell){ .at = *at, .len = len };
		*at += len > 0 ? len : 0;
	}
	return E_OK;
}

static int
read_row(struct stream *t, char **at, const char *end)
{
	uint16_t bits;
	int count, r;

	if (end - *at < 2 || t->ended)
		return not_understood(t->s);
	memcpy(&bits, *at, sizeof(bits));
	count = (int16_t)be16toh(bits);
	*at += 2;
	if (count == THE_END) {
		t->ended = true;
		return E_OK;
	}
	if (count < 0 || count > PG_CELLS)
		return not_understood(t->s);
	if ((r = read_fields(t->s, count, at, end)) == E_OK && !t->enough)
		t->enough = !t->row(&t->s->base, t->owner);
	return r;
}

/* One message holds whole rows. */
static int
read_message(struct stream *t, char *at, const char *end)
{
	int r = t->headed ? E_OK : read_head(t, &at, end);

	while (r == E_OK && at < end)
		r = read_row(t, &at, end);
	return r;
}

int
pg_stream(struct pg_reading *s, reading_row *row, void *owner)
{
	struct stream t = { .s = s, .row = row, .owner = owner };
	char *message;
	int n, r;

	if ((r = pg_receive(s, PGRES_COPY_OUT)) != E_OK)
		return r;
	while (r == E_OK && (n = PQgetCopyData(s->conn, &message, 1)) >= 0) {
		if (n > 0) {
			r = read_message(&t, message, message + n);
			PQfreemem(message);
		} else if ((r = pg_wait_for_answer(s, false)) == E_OK &&
			   PQconsumeInput(s->conn) == 0) {
			r = pg_say(s, PQerrorMessage(s->conn));
		}
	}
	s->cell_count = 0;
	if (r == E_OK && (r = pg_receive(s, PGRES_COMMAND_OK)) == E_OK && !t.ended)
		r = not_understood(s);
	return r;
}
