/* table.c - cells in columns as wide as their widest. */
#include <string.h>

#include "ctl_room.h"
#include "mem.h"

#define TABLE_COLUMNS 24
#define TABLE_GAP     2

struct cell {
	char *text;
	enum style style;
};

struct table {
	const char *titles[TABLE_COLUMNS];
	enum table_align aligns[TABLE_COLUMNS];
	size_t widths[TABLE_COLUMNS];
	size_t columns;
	struct cell *cells;
	size_t count, room;
};

struct table *
table_new(void)
{
	return mem_alloc(sizeof(struct table));
}

void
table_free(struct table **t)
{
	for (size_t i = 0; i < (*t)->count; i++)
		mem_free(&(*t)->cells[i].text);
	mem_free(&(*t)->cells);
	mem_free(t);
}

void
table_column(struct table *t, const char *title, enum table_align align)
{
	if (t->columns == TABLE_COLUMNS)
		return;
	t->titles[t->columns] = title;
	t->aligns[t->columns] = align;
	t->widths[t->columns++] = strlen(title);
}

void
table_cell(struct table *t, enum style style, const char *text)
{
	size_t column = t->count % t->columns, len = strlen(text);
	size_t room = t->room != 0 ? 2 * t->room : 64;

	if (t->count == t->room) {
		t->cells =
		    mem_grow(t->cells, t->room * sizeof(*t->cells), room * sizeof(*t->cells));
		t->room = room;
	}
	t->cells[t->count++] =
	    (struct cell){ .text = format_clean(mem_text(text)), .style = style };
	if (len > t->widths[column])
		t->widths[column] = len;
}

/* Nothing is filled up behind the last column. */
static void
table_put(const struct table *t, FILE *out, size_t column, const char *text, enum style style)
{
	int width = (int)t->widths[column], pad = width - (int)strlen(text);
	bool last = column + 1 == t->columns;

	if (t->aligns[column] == TABLE_RIGHT)
		(void)fprintf(out, "%*s", pad, "");
	if (style != STYLE_PLAIN)
		(void)fprintf(out, "%s%s%s", style_code(style), text, style_code(STYLE_PLAIN));
	else
		(void)fputs(text, out);
	if (last)
		(void)fputc('\n', out);
	else
		(void)fprintf(
		    out, "%*s", TABLE_GAP + (t->aligns[column] == TABLE_LEFT ? pad : 0), "");
}

void
table_print(const struct table *t, FILE *out, bool colour)
{
	for (size_t c = 0; c < t->columns; c++)
		table_put(t, out, c, t->titles[c], colour ? STYLE_BOLD : STYLE_PLAIN);
	for (size_t i = 0; i < t->count; i++)
		table_put(t, out, i % t->columns, t->cells[i].text,
		    colour ? t->cells[i].style : STYLE_PLAIN);
}
