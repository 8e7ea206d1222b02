/* conf_change.c - what differs between the configuration that serves and the next. */
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "master_room.h"
#include "mem.h"

#define CHANGE_VALUE 1100 /* as long as a message takes */

/* As texts: what stands behind the end of a text in its field is no part of it. */
static bool
change_of(const struct conf *a, const struct conf *b, const struct conf_row *row)
{
	char was[CHANGE_VALUE], is[CHANGE_VALUE];
	bool changed;

	if (conf_text(a, row, was, sizeof(was)) != E_OK ||
	    conf_text(b, row, is, sizeof(is)) != E_OK)
		panic("%s.%s: the value does not fit", row->section, row->key);
	changed = strcmp(was, is) != 0;
	mem_wipe(was, sizeof(was));
	mem_wipe(is, sizeof(is));
	return changed;
}

void
conf_name(char *list, size_t size, const char *name, const char *key)
{
	size_t len = strlen(list);

	(void)snprintf(list + len, size - len, "%s%s%s%s", len > 0 ? ", " : "", name,
	    key[0] != '\0' ? "." : "", key);
}

void
conf_keep(struct conf *next, const struct conf *now, char *kept, size_t size)
{
	const struct conf_row *rows;
	size_t count, i;

	rows = conf_rows(&count);
	for (i = 0; i < count; i++) {
		if (rows[i].when != WHEN_RESTART || !change_of(now, next, &rows[i]))
			continue;
		memcpy((char *)next + rows[i].offset, (const char *)now + rows[i].offset,
		    rows[i].size);
		conf_name(kept, size, rows[i].section, rows[i].key);
	}
}

bool
conf_concerns(const struct conf *next, const struct conf *now, enum role role)
{
	const struct conf_row *rows;
	size_t count, i;

	rows = conf_rows(&count);
	for (i = 0; i < count; i++)
		if ((rows[i].roles & (unsigned)role) != 0 && change_of(next, now, &rows[i]))
			return true;
	return false;
}
