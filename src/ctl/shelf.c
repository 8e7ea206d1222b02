/* shelf.c - which store there is to be read. */
#include "shelf.h"

#include "mem.h"

struct shelf {
	const struct shelf_kind *kind;
	void *store;
};

int
shelf_open(struct shelf **result, const struct conf *conf, char why[CTL_LINE])
{
	const struct shelf_kind *kind = &shelf_sqlite;
	struct shelf *s;
	void *store;
	int r;

	if ((r = kind->open(&store, conf, why)) != E_OK)
		return r;
	s = mem_alloc(sizeof(*s));
	s->kind = kind;
	s->store = store;
	*result = s;
	return E_OK;
}

void
shelf_close(struct shelf **shelf)
{
	if (*shelf == NULL)
		return;
	(*shelf)->kind->close((*shelf)->store);
	mem_free(shelf);
}

int
shelf_query(struct shelf *s, const char *sql, const struct shelf_param *params, size_t count)
{
	return s->kind->query(s->store, sql, params, count);
}

int
shelf_next(struct shelf *s)
{
	return s->kind->next(s->store);
}

void
shelf_finish(struct shelf *s)
{
	s->kind->finish(s->store);
}

bool
shelf_is_null(struct shelf *s, int column)
{
	return s->kind->is_null(s->store, column);
}

int64_t
shelf_i64(struct shelf *s, int column)
{
	return s->kind->i64(s->store, column);
}

double
shelf_f64(struct shelf *s, int column)
{
	return s->kind->f64(s->store, column);
}

const char *
shelf_text(struct shelf *s, int column)
{
	return s->kind->text(s->store, column);
}

const char *
shelf_why(struct shelf *s)
{
	return s->kind->why(s->store);
}

int
shelf_position(struct shelf *s, const char *source, uint64_t *sequence)
{
	static const char sql[] =
	    "SELECT journal_sequence FROM journal_position WHERE journal_source = $1";
	struct shelf_param param = { .text = source };
	int r;

	if ((r = shelf_query(s, sql, &param, 1)) == E_OK)
		r = shelf_next(s);
	if (r == E_OK)
		*sequence = (uint64_t)shelf_i64(s, 0);
	else if (r == E_ABSENT)
		*sequence = 0;
	shelf_finish(s);
	return r == E_ABSENT ? E_OK : r;
}
