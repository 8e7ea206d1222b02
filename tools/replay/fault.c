/* fault.c - faults on demand: which requests they strike, and what they do to the answer. */
#include "fault.h"

#include <string.h>

#include "text.h"

struct faults {
	struct fault rows[FAULTS_MAX];
	size_t count;
	struct fault spent; /* kept until the next strike: its answer still looks at it */
};

static const char *const kinds[] = {
	[FAULT_429] = "429",
	[FAULT_500] = "500",
	[FAULT_504] = "504",
	[FAULT_SLOW] = "slow",
	[FAULT_CUT] = "cut",
	[FAULT_HTML401] = "html401",
	[FAULT_MALFORMED] = "malformed",
	[FAULT_SCHEMA] = "schema",
	[FAULT_NULL_TOKEN] = "null_token",
	[FAULT_HANG] = "hang",
	[FAULT_403] = "403",
	[FAULT_EMPTY] = "empty",
	[FAULT_DROP_CONNECTION] = "drop_connection",
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct faults *
faults_new(void)
{
	return mem_alloc(sizeof(struct faults));
}

static void
fault_fini(struct fault *f)
{
	mem_free(&f->bytes);
	memset(f, 0, sizeof(*f));
}

void
faults_clear(struct faults *f)
{
	while (f->count > 0)
		fault_fini(&f->rows[--f->count]);
	fault_fini(&f->spent);
}

void
faults_free(struct faults **f)
{
	faults_clear(*f);
	mem_free(f);
}

size_t
faults_count(const struct faults *f)
{
	return f->count;
}

bool
fault_kind_read(const char *text, enum fault_kind *out)
{
	size_t i;

	for (i = 0; i < KINDS; i++)
		if (strcmp(text, kinds[i]) == 0) {
			*out = (enum fault_kind)i;
			return true;
		}
	return false;
}

static bool
fault_variant_is_known(const struct fault *f)
{
	if (f->variant[0] == '\0')
		return true;
	if (f->kind == FAULT_SCHEMA)
		return schema_variant_is_known(f->variant);
	if (f->kind == FAULT_NULL_TOKEN)
		return token_variant_is_known(f->variant);
	return f->kind == FAULT_EMPTY && strcmp(f->variant, "map") == 0;
}

int
faults_add(struct faults *f, const struct fault *takes)
{
	if (f->count == FAULTS_MAX)
		return E_FULL;
	if (!fault_variant_is_known(takes) || takes->count == 0 || takes->count < -1 ||
	    takes->delay_ms < 0 || takes->delay_ms > FAULT_DELAY_MAX)
		return E_INVALID_PARAMETER;
	f->rows[f->count++] = *takes;
	return E_OK;
}

int
faults_add_text(struct faults *f, const char *text)
{
	struct fault fault = { .count = -1, .delay_ms = 0 };
	char copy[FAULT_PATH + 64], *rest = copy, *part;

	if (text_copy(copy, sizeof(copy), text) != E_OK ||
	    !fault_kind_read(text_split(&rest, ':'), &fault.kind))
		return E_INVALID_PARAMETER;
	part = text_split(&rest, ':');
	if (part != NULL && text_to_i64(part, &fault.count) != E_OK)
		return E_INVALID_PARAMETER;
	if (rest != NULL && text_copy(fault.path, sizeof(fault.path), rest) != E_OK)
		return E_INVALID_PARAMETER;
	if (fault.kind == FAULT_SLOW)
		fault.delay_ms = 1000;
	return faults_add(f, &fault);
}

/* The request line is "GET target HTTP/1.1": the target begins behind the blank. */
static bool
fault_strikes(const struct fault *f, const struct request *q)
{
	const char *target = strchr(q->line, ' ');

	if (f->kind == FAULT_BODY)
		return strcmp(q->path, f->path) == 0;
	return f->path[0] == '\0' || (target != NULL && text_starts(target + 1, f->path));
}

const struct fault *
faults_strike(struct faults *f, const struct request *q)
{
	size_t i;

	fault_fini(&f->spent);
	for (i = 0; i < f->count && !fault_strikes(&f->rows[i], q); i++)
		;
	if (i == f->count)
		return NULL;
	if (f->rows[i].count == -1 || --f->rows[i].count > 0)
		return &f->rows[i];
	f->spent = f->rows[i];
	f->count--;
	memmove(&f->rows[i], &f->rows[i + 1], (f->count - i) * sizeof(f->rows[0]));
	return &f->spent;
}

/* Half of the body under the right length is not JSON any more. */
static void
fault_halve(struct answer *a)
{
	a->body.end -= buf_len(&a->body) / 2 + 1;
}

static void
fault_empty(const struct fault *f, struct answer *a)
{
	bool map = strcmp(f->variant, "map") == 0;

	answer_bytes(a, 200, a->type, "{}", map ? 2 : 0);
}

static void
fault_refuse(struct answer *a, int status, const char *body)
{
	answer_bytes(a, status, a->type, body, strlen(body));
	if (status == 429)
		a->shows_budget = false; /* measured: absent on every one */
}

void
fault_apply(const struct fault *f, struct answer *a)
{
	a->delay_ms = f->delay_ms;
	switch (f->kind) {
	case FAULT_429:
		fault_refuse(a, 429, "{\"message\": \"too many requests.\"}");
		break;
	case FAULT_500:
		fault_refuse(a, 500, "{\"message\":\"internal server error\"}");
		break;
	case FAULT_403:
		fault_refuse(a, 403,
		    "{\"message\":\"subscription does not permit querying recent SIP data\"}");
		break;
	case FAULT_504:
		answer_page(a, 504, "Gateway Time-out");
		break;
	case FAULT_HTML401:
		answer_page(a, 401, "Authorization Required");
		break;
	case FAULT_CUT:
		a->manner = MANNER_CUT;
		break;
	case FAULT_MALFORMED:
		if (buf_len(&a->body) > 1)
			fault_halve(a);
		break;
	case FAULT_SCHEMA:
		schema_break(f->variant[0] != '\0' ? f->variant : "string_price", &a->body);
		break;
	case FAULT_NULL_TOKEN:
		token_break(f->variant[0] != '\0' ? f->variant : "null", &a->body);
		break;
	case FAULT_HANG:
		a->manner = MANNER_HANG;
		break;
	case FAULT_EMPTY:
		fault_empty(f, a);
		break;
	case FAULT_DROP_CONNECTION:
		a->manner = MANNER_DROP;
		break;
	case FAULT_BODY:
		answer_bytes(a, f->status, f->type, f->bytes, f->len);
		break;
	case FAULT_SLOW:
		break;
	}
}
