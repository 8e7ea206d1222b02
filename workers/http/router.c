/* router.c - from method and path to the row of routes.def, through a tree of path segments. */
#include "router.h"

#include <string.h>

#include "mem.h"
#include "text.h"

struct node {
	char *text;	   /* null: {param} */
	struct node *kids; /* texts */
	struct node *kid_param;
	struct node *next;		 /* sibling */
	const struct route_row *rows[2]; /* GET, POST */
};

struct router {
	struct node root;
};

enum { PERMISSION_OPEN = 1, PERMISSION_READ = 0 };

static const struct route_row route_rows[] = {
#define ROUTE(METHOD, path_, handler, permission, help_)                                           \
	{ .route = ROUTE_##handler,                                                                \
		.method = #METHOD,                                                                 \
		.path = (path_),                                                                   \
		.name = #handler,                                                                  \
		.is_open = PERMISSION_##permission,                                                \
		.help = (help_),                                                                   \
		.answer = route_##handler },
#define PARAM(handler, in, name, type, need, help)
#include "tables/routes.def"
};

static const struct param_row all_params[] = {
#define ROUTE(METHOD, path, handler, permission, help)
#define PARAM(handler, in_, name_, type_, need_, help_)                                            \
	{ .route = ROUTE_##handler,                                                                \
		.in = IN_##in_,                                                                    \
		.name = #name_,                                                                    \
		.type = TYPE_##type_,                                                              \
		.need = NEED_##need_,                                                              \
		.help = (help_) },
#include "tables/routes.def"
};

const struct route_row *
route_row(enum route route)
{
	return route < ROUTE_NONE ? &route_rows[route] : NULL;
}

const struct param_row *
param_rows(enum route route, size_t *count)
{
	const size_t all = sizeof(all_params) / sizeof(all_params[0]);
	size_t first = 0, end;

	while (first < all && all_params[first].route != route)
		first++;
	for (end = first; end < all && all_params[end].route == route;)
		end++;
	*count = end - first;
	return &all_params[first < all ? first : 0];
}

/* Cuts a path at its slashes, in place. 0: it has no leading slash or too many parts. */
static size_t
segments_split(char *path, char *out[ROUTE_SEGMENTS_MAX])
{
	size_t n = 0;

	if (*path != '/')
		return 0;
	for (char *at = path; at != NULL; n++) {
		*at++ = '\0';
		if (n == ROUTE_SEGMENTS_MAX)
			return 0;
		out[n] = at;
		at = strchr(at, '/');
	}
	return n;
}

static struct node *
node_kid(struct node *n, const char *text)
{
	struct node *kid;

	if (text[0] == '{') {
		if (n->kid_param == NULL)
			n->kid_param = mem_alloc(sizeof(*n));
		return n->kid_param;
	}
	for (kid = n->kids; kid != NULL; kid = kid->next)
		if (strcmp(kid->text, text) == 0)
			return kid;
	kid = mem_alloc(sizeof(*kid));
	kid->text = mem_text(text);
	kid->next = n->kids;
	n->kids = kid;
	return kid;
}

static void
router_add(struct router *r, const struct route_row *row)
{
	char *path = mem_text(row->path), *parts[ROUTE_SEGMENTS_MAX];
	size_t n = segments_split(path, parts);
	struct node *at = &r->root;

	for (size_t i = 0; i < n; i++)
		at = node_kid(at, parts[i]);
	at->rows[strcmp(row->method, "POST") == 0] = row;
	mem_free(&path);
}

struct router *
router_new(void)
{
	struct router *r = mem_alloc(sizeof(*r));

	for (size_t i = 0; i < ROUTE_NONE; i++)
		router_add(r, &route_rows[i]);
	return r;
}

static void
node_fini(struct node *n)
{
	struct node *kid, *next;

	for (kid = n->kids; kid != NULL; kid = next) {
		next = kid->next;
		node_fini(kid);
		mem_free(&kid);
	}
	if (n->kid_param != NULL)
		node_fini(n->kid_param);
	mem_free(&n->kid_param);
	mem_free(&n->text);
}

void
router_free(struct router **rp)
{
	if (*rp == NULL)
		return;
	node_fini(&(*rp)->root);
	mem_free(rp);
}

struct walk {
	char **parts;
	size_t count, value_count;
	const char **values;
};

static bool
node_is_leaf(const struct node *n)
{
	return n->rows[0] != NULL || n->rows[1] != NULL;
}

/* Depth is the number of segments, at most ROUTE_SEGMENTS_MAX. A text wins over a parameter. */
static const struct node *
node_walk(const struct node *n, struct walk *w, size_t depth)
{
	const struct node *found = NULL;
	const char *part;

	if (depth == w->count)
		return node_is_leaf(n) ? n : NULL;
	part = w->parts[depth];
	for (const struct node *kid = n->kids; kid != NULL; kid = kid->next)
		if (strcmp(kid->text, part) == 0)
			found = node_walk(kid, w, depth + 1);
	if (found != NULL || n->kid_param == NULL || *part == '\0' ||
	    w->value_count == ROUTE_PARAMS_MAX)
		return found;
	w->values[w->value_count++] = part;
	if ((found = node_walk(n->kid_param, w, depth + 1)) == NULL)
		w->value_count--;
	return found;
}

/* An escape that is none stays as it is: no symbol has a percent sign, so the handler refuses
 * it. */
static void
parts_unescape(char **parts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strchr(parts[i], '%') != NULL)
			(void)!text_unescape(parts[i], 0);
}

void
router_find(const struct router *r, const char *method, const char *path, struct route_match *m)
{
	char *parts[ROUTE_SEGMENTS_MAX];
	struct walk w = { .parts = parts, .values = m->values };
	const struct node *leaf;

	m->row = NULL;
	m->methods = 0;
	if (text_copy(m->text, sizeof(m->text), path) != E_OK)
		return;
	w.count = segments_split(m->text, parts);
	parts_unescape(parts, w.count);
	if (w.count == 0 || (leaf = node_walk(&r->root, &w, 0)) == NULL)
		return;
	m->methods =
	    (leaf->rows[0] != NULL ? METHOD_GET : 0) | (leaf->rows[1] != NULL ? METHOD_POST : 0);
	if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
		m->row = leaf->rows[0];
	else if (strcmp(method, "POST") == 0)
		m->row = leaf->rows[1];
}

const char *
router_allow(unsigned methods)
{
	if (methods == (METHOD_GET | METHOD_POST))
		return "GET, HEAD, POST, OPTIONS";
	return methods == METHOD_POST ? "POST, OPTIONS" : "GET, HEAD, OPTIONS";
}
