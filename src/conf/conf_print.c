/* conf_print.c - the configuration for people: as a file, and as --help. */
#include <stdio.h>
#include <string.h>

#include "conf_room.h"

#define LINE_VALUE 300 /* longer than any field */

int
conf_print(const struct conf *c, struct buf *out)
{
	char value[LINE_VALUE];
	const char *section = "";
	size_t count;
	const struct conf_row *rows = conf_rows(&count);
	int r;

	for (const struct conf_row *row = rows; row < rows + count; row++) {
		if (strcmp(section, row->section) != 0) {
			r = buf_printf(
			    out, "%s[%s]\n", section[0] != '\0' ? "\n" : "", row->section);
			if (r != E_OK)
				return r;
			section = row->section;
		}
		if ((r = conf_text(c, row, value, sizeof(value))) != E_OK)
			return r;
		if (row->type == CONF_SECRET)
			(void)snprintf(value, sizeof(value), "%s", value[0] != '\0' ? "<set>" : "");
		if ((r = buf_printf(out, "%s = %s\n", row->key, value)) != E_OK)
			return r;
	}
	return E_OK;
}

int
conf_help(struct buf *out)
{
	size_t count;
	const struct conf_row *rows = conf_rows(&count);
	int r;

	for (const struct conf_row *row = rows; row < rows + count; row++) {
		bool is_secret = row->type == CONF_SECRET;

		r = buf_printf(out, "  --%s.%s=%s%s%s%s\n      %s%s%s%s\n", row->section, row->key,
		    row->choices != NULL ? row->choices : conf_type_text(row->type),
		    is_secret || row->def[0] == '\0' ? "" : " (", is_secret ? "" : row->def,
		    is_secret || row->def[0] == '\0' ? "" : ")", row->help,
		    row->env[0] != '\0' ? " [" : "", row->env, row->env[0] != '\0' ? "]" : "");
		if (r != E_OK)
			return r;
	}
	return E_OK;
}
