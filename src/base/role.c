/* role.c - names of roles and which of them talk, from roles.def and links.def. */
#include "role.h"

#include <stddef.h>
#include <string.h>

struct role_row {
	enum role role;
	const char *executable, *slot;
};

static const struct role_row role_rows[] = {
#define ROLE(NAME, bit, executable, slot, count, need, ready_seconds, help)                        \
	{ ROLE_##NAME, (executable), (slot) },
#include "tables/roles.def"
};

#define ROWS(a) (sizeof(a) / sizeof((a)[0]))

static const struct role_row *
role_row(enum role role)
{
	size_t i;

	for (i = 0; i < ROWS(role_rows); i++)
		if (role_rows[i].role == role)
			return &role_rows[i];
	return NULL;
}

const char *
role_name(enum role role)
{
	const struct role_row *row = role_row(role);

	return row ? row->slot : "?";
}

const char *
role_executable(enum role role)
{
	const struct role_row *row = role_row(role);

	return row ? row->executable : "?";
}

/* The longest name that starts the slot wins: a role named "http" must not take "http-cache-0". */
enum role
role_of_slot(const char *slot)
{
	enum role best = 0;
	size_t i, len, best_len = 0;

	for (i = 0; i < ROWS(role_rows); i++) {
		len = strlen(role_rows[i].slot);
		if (len <= best_len || strncmp(slot, role_rows[i].slot, len) != 0)
			continue;
		if (slot[len] != '\0' && slot[len] != '-')
			continue;
		best = role_rows[i].role;
		best_len = len;
	}
	return best;
}

/* The one place that names them. */
static const char *const upstreams[] = { "rest" };

const char *
role_upstream(unsigned n)
{
	return n < ROWS(upstreams) ? upstreams[n] : NULL;
}

int
role_is_fetcher_slot(const char *name)
{
	const char *slot = role_row(ROLE_FETCHER)->slot;
	size_t i, len = strlen(slot);

	for (i = 0; i < ROWS(upstreams); i++)
		if (strncmp(name, slot, len) == 0 && name[len] == '-' &&
		    strcmp(name + len + 1, upstreams[i]) == 0)
			return 1;
	return 0;
}

void
role_slot_label(const char *seat, char label[SLOT_NAME])
{
	size_t len = strcspn(seat, ".");

	len = len < SLOT_NAME ? len : SLOT_NAME - 1;
	memcpy(label, seat, len);
	label[len] = '\0';
}

int
role_is_linked(enum role a, enum role b)
{
#define LINK(FROM, TO, help)                                                                       \
	if ((a == ROLE_##FROM && b == ROLE_##TO) || (a == ROLE_##TO && b == ROLE_##FROM))          \
		return 1;
#include "tables/links.def"
	return 0;
}
