/* params.c - the parameters of a request against the PARAM rows of its route.
 *
 * Strict on purpose: a misspelt filter that is silently ignored gives a wrong answer that looks
 * right.
 */
#include <math.h>
#include <string.h>

#include "mem.h"
#include "router.h"
#include "text.h"

#define NAME_MAX_BYTES 64

/* Other spellings a body may use; the help of the row names them. */
struct param_alias {
	enum route route;
	const char *alias, *name;
};

static const struct param_alias param_aliases[] = {
	{ ROUTE_option_quote_post, "symbol", "contract" },
	{ ROUTE_option_quotes_batch, "symbols", "contracts" },
	{ ROUTE_option_chain_post, "underlying", "underlying_symbol" },
	{ ROUTE_option_chain_post, "symbol", "underlying_symbol" },
	{ ROUTE_option_chain_post, "option_type", "type" },
};

void
params_init(struct params *p, size_t memory_size)
{
	memset(p, 0, sizeof(*p));
	p->memory = mem_alloc(memory_size);
	p->memory_size = memory_size;
}

void
params_fini(struct params *p)
{
	params_clear(p);
	mem_free(&p->memory);
}

void
params_clear(struct params *p)
{
	if (p->body != NULL)
		json_decref(p->body);
	p->body = NULL;
	p->count = p->item_count = p->memory_used = 0;
}

static struct param *
params_slot(struct params *p, enum param_in in, const char *name)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->at[i].row->in == in && strcmp(p->at[i].row->name, name) == 0)
			return &p->at[i];
	return NULL;
}

static int
fault_of(struct fault *f, const char *parameter, const char *reason)
{
	f->code = E_INVALID_PARAMETER;
	f->parameter = parameter;
	f->reason = reason;
	return f->code;
}

/* A copy that lives as long as the parameters. Their memory is as large as the longest request
 * line allows. */
static const char *
params_keep(struct params *p, const char *text)
{
	size_t len = strlen(text) + 1;
	char *to = p->memory + p->memory_used;

	if (len > p->memory_size - p->memory_used)
		return NULL;
	memcpy(to, text, len);
	p->memory_used += len;
	return to;
}

static int
param_split(struct params *p, struct param *at, char *text, struct fault *f)
{
	char *rest = text;

	if (*text == '\0')
		return fault_of(f, at->row->name, "it is empty");
	while (rest != NULL && p->item_count < PARAM_ITEMS_MAX)
		p->items[p->item_count++] = text_split(&rest, ',');
	return E_OK;
}

/* `text` lives in the parameters' memory. */
static int
param_set_text(struct params *p, struct param *at, char *text, struct fault *f)
{
	if (at->given)
		return fault_of(f, at->row->name, "it is given more than once");
	if (*text == '\0')
		return fault_of(f, at->row->name, "it is empty");
	at->given = true;
	at->text = text;
	switch (at->row->type) {
	case TYPE_STRING:
	case TYPE_TIME:
		break;
	case TYPE_INTEGER:
		if (text_to_i64(text, &at->integer) != E_OK)
			return fault_of(f, at->row->name, "it is not a whole number");
		at->number = (double)at->integer;
		break;
	case TYPE_NUMBER:
		if (text_to_f64(text, &at->number) != E_OK)
			return fault_of(f, at->row->name, "it is not a number");
		break;
	case TYPE_LIST:
		return param_split(p, at, text, f);
	}
	return E_OK;
}

static int
params_read_query(struct params *p, const char *query, struct fault *f)
{
	char name[NAME_MAX_BYTES] = "";
	const char *at = query;
	struct param *slot;
	char *value;
	int r;

	if (*query == '\0')
		return E_OK;
	for (;;) {
		name[0] = '\0';
		value = p->memory + p->memory_used;
		r = http_query_next(
		    &at, name, sizeof(name), value, p->memory_size - p->memory_used);
		if (r == 0)
			return E_OK;
		if (r > 0)
			p->memory_used += strlen(value) + 1;
		if (r < 0 || (slot = params_slot(p, IN_QUERY, name)) == NULL) {
			const char *kept = params_keep(p, name);

			return fault_of(f, kept != NULL && *kept != '\0' ? kept : "query",
			    r < 0 ? "it is too long or its escapes are broken"
				  : "this path has no such parameter");
		}
		if ((r = param_set_text(p, slot, value, f)) != E_OK)
			return r;
	}
}

static int
param_set_list(struct params *p, struct param *at, json_t *v, struct fault *f)
{
	json_t *item;
	size_t i;

	if (!json_is_array(v))
		return fault_of(f, at->row->name, "it is not an array");
	json_array_foreach(v, i, item)
	{
		if (!json_is_string(item))
			return fault_of(f, at->row->name, "an element is not a string");
		if (p->item_count < PARAM_ITEMS_MAX)
			p->items[p->item_count++] = json_string_value(item);
	}
	return i > 0 ? E_OK : fault_of(f, at->row->name, "it is empty");
}

static int
param_set_json(struct params *p, struct param *at, json_t *v, struct fault *f)
{
	if (at->given)
		return fault_of(f, at->row->name, "it is given more than once");
	/* What clients made from models send for members they leave out. */
	if (json_is_null(v))
		return E_OK;
	at->given = true;
	switch (at->row->type) {
	case TYPE_STRING:
	case TYPE_TIME:
		if (!json_is_string(v))
			return fault_of(f, at->row->name, "it is not a string");
		at->text = json_string_value(v);
		return *at->text != '\0' ? E_OK : fault_of(f, at->row->name, "it is empty");
	case TYPE_INTEGER:
		if (!json_is_integer(v))
			return fault_of(f, at->row->name, "it is not a whole number");
		at->integer = json_integer_value(v);
		at->number = (double)at->integer;
		return E_OK;
	case TYPE_NUMBER:
		if (!json_is_number(v))
			return fault_of(f, at->row->name, "it is not a number");
		at->number = json_number_value(v);
		return E_OK;
	case TYPE_LIST:
		break;
	}
	return param_set_list(p, at, v, f);
}

static const char *
param_unalias(enum route route, const char *name)
{
	for (size_t i = 0; i < sizeof(param_aliases) / sizeof(param_aliases[0]); i++)
		if (param_aliases[i].route == route && strcmp(param_aliases[i].alias, name) == 0)
			return param_aliases[i].name;
	return name;
}

static int
params_read_members(struct params *p, enum route route, struct fault *f)
{
	struct param *slot;
	const char *name;
	json_t *v;
	int r;

	json_object_foreach(p->body, name, v)
	{
		if ((slot = params_slot(p, IN_BODY, param_unalias(route, name))) == NULL)
			return fault_of(f, name, "this body has no such member");
		if ((r = param_set_json(p, slot, v, f)) != E_OK)
			return r;
	}
	return E_OK;
}

static int
params_read_body(struct params *p, enum route route, const void *body, size_t len, struct fault *f)
{
	json_error_t why;

	p->body = json_loadb(body != NULL ? body : "", len, JSON_REJECT_DUPLICATES, &why);
	if (p->body == NULL) {
		f->code = E_MALFORMED_REQUEST;
		f->reason = len == 0 ? "the body is empty" : params_keep(p, why.text);
		return f->code;
	}
	if (!json_is_object(p->body))
		return fault_of(f, "body", "it is not a JSON object");
	return params_read_members(p, route, f);
}

static int
params_read_path(struct params *p, const struct route_match *m, struct fault *f)
{
	size_t values = 0;
	char *text;
	int r;

	for (size_t i = 0; i < p->count; i++) {
		if (p->at[i].row->in != IN_PATH)
			continue;
		text = p->memory + p->memory_used;
		if (params_keep(p, m->values[values++]) == NULL)
			return fault_of(f, p->at[i].row->name, "it is too long");
		if ((r = param_set_text(p, &p->at[i], text, f)) != E_OK)
			return r;
	}
	return E_OK;
}

static int
params_check_missing(const struct params *p, struct fault *f)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->at[i].row->need == NEED_MUST && !p->at[i].given)
			return fault_of(f, p->at[i].row->name, "it is missing");
	return E_OK;
}

static bool
params_want_body(const struct params *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->at[i].row->in == IN_BODY)
			return true;
	return false;
}

int
params_read_parts(struct params *p, const struct route_match *m, const char *query,
    const void *body, size_t len, struct fault *f)
{
	const struct param_row *rows;
	int r;

	params_clear(p);
	rows = param_rows(m->row->route, &p->count);
	for (size_t i = 0; i < p->count; i++)
		p->at[i] = (struct param){ .row = &rows[i] };
	if ((r = params_read_path(p, m, f)) != E_OK || (r = params_read_query(p, query, f)) != E_OK)
		return r;
	if (params_want_body(p) && (r = params_read_body(p, m->row->route, body, len, f)) != E_OK)
		return r;
	return params_check_missing(p, f);
}

int
params_read(struct params *p, const struct route_match *m, const struct http_request *request,
    struct fault *f)
{
	size_t len;
	const void *body = http_body(request, &len);

	return params_read_parts(p, m, http_query(request), body, len, f);
}
