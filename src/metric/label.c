/* label.c - texts of the label sets. */
#include "label.h"

#include <string.h>

#include "log.h"
#include "metric_room.h"

/* A status of errors.def that the set `code` lacks does not compile. */
enum {
#define ERROR(NAME, number, status, again, type, text, action) CODE_OF_##NAME = LABEL_code_##status,
#include "tables/errors.def"
};

static const char *const route_texts[] = {
#define ROUTE(METHOD, path, handler, permission, help) [ROUTE_##handler] = (path),
#define PARAM(handler, in, name, type, need, help)
#include "tables/routes.def"
	[ROUTE_NONE] = "none",
};

static const char *const code_texts[] = {
#define X(status) [LABEL_code_##status] = #status,
	LABEL_CODES(X)
#undef X
};

static const char *const endpoint_texts[] = {
#define ENDPOINT(NAME, number, name, asset, host, shape, merge, key, path, help) #name,
#include "tables/endpoints.def"
};

static const char *const none_texts[] = { "" };

#define LABEL_SET(set)		     static const char *const set##_texts[] = {
#define LABEL_VALUE(set, NAME, text) [LABEL_##set##_##NAME] = (text),
#define LABEL_SET_END(set)                                                                         \
	}                                                                                          \
	;
#include "tables/labels.def"

static const struct label_texts {
	const char *name;
	const char *const *texts;
	unsigned count;
} label_sets[] = {
#define X(set) [LABELS_##set] = { #set, set##_texts, LABEL_##set##_COUNT },
	LABEL_SETS(X)
#undef X
};

static const struct label_texts *
label_set(enum label_set set)
{
	if ((unsigned)set >= LABEL_SET_COUNT)
		panic("metric: no label set %d", (int)set);
	return &label_sets[set];
}

const char *
label_set_name(enum label_set set)
{
	return label_set(set)->name;
}

unsigned
label_count(enum label_set set)
{
	return label_set(set)->count;
}

const char *
label_text(enum label_set set, unsigned index)
{
	const struct label_texts *s = label_set(set);

	if (index >= s->count)
		panic("metric: label set %s has no index %u", s->name, index);
	if (set == LABELS_code && index == LABEL_code_0)
		return "other";
	return s->texts[index];
}

int
label_index(enum label_set set, const char *text)
{
	unsigned count = label_count(set);

	for (unsigned i = 0; i < count; i++)
		if (strcmp(label_text(set, i), text) == 0)
			return (int)i;
	return -1;
}

unsigned
label_code(int status)
{
	switch (status) {
#define X(known)                                                                                   \
	case known:                                                                                \
		return LABEL_code_##known;
		LABEL_CODES(X)
#undef X
	default:
		return LABEL_code_0;
	}
}
