/* shelf.c - which store there is to be read. */
#include "shelf.h"

#include <stdio.h>
#include <string.h>

#include "mem.h"

#define NODE_TEXT 64

struct shelf {
	const struct shelf_kind *kind;
	void *store;
	char node[NODE_TEXT]; /* "" where sources are of this gateway alone */
};

/* What a shared store calls this state directory. */
static void
node_read(const struct conf *conf, char node[NODE_TEXT])
{
	char path[CTL_PATH];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/node", conf->state_dir);
	if ((f = fopen(path, "re")) == NULL)
		return;
	if (fgets(node, NODE_TEXT, f) != NULL)
		node[strcspn(node, "\n")] = '\0';
	(void)fclose(f);
}

int
shelf_open(struct shelf **result, const struct conf *conf, char why[CTL_LINE])
{
	const struct shelf_kind *kind =
	    conf->postgres_url[0] != '\0' || conf->postgres_read_url[0] != '\0' ? &shelf_postgres
										: &shelf_sqlite;
	struct shelf *s;
	void *store;
	int r;

	if ((r = kind->open(&store, conf, why)) != E_OK)
		return r;
	s = mem_alloc(sizeof(*s));
	s->kind = kind;
	s->store = store;
	if (kind->shared)
		node_read(conf, s->node);
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
	char name[NODE_TEXT + 80];
	struct shelf_param param = { .text = name };
	int r;

	(void)snprintf(
	    name, sizeof(name), "%s%s%.64s", s->node, s->node[0] != '\0' ? "/" : "", source);

	if ((r = shelf_query(s, sql, &param, 1)) == E_OK)
		r = shelf_next(s);
	if (r == E_OK)
		*sequence = (uint64_t)shelf_i64(s, 0);
	else if (r == E_ABSENT)
		*sequence = 0;
	shelf_finish(s);
	return r == E_ABSENT ? E_OK : r;
}
