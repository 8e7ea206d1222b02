/* row.c - lines and cells of recorded text, and the JSON objects made of them. */
#include "row.h"

#include <string.h>

#include "clock.h"
#include "text.h"

size_t
row_split(char *line, char *cells[ROW_CELLS])
{
	size_t count = 0;
	char *rest = line;

	while (rest != NULL) {
		if (count == ROW_CELLS)
			return ROW_CELLS + 1;
		cells[count++] = text_split(&rest, ',');
	}
	return count;
}

static void
piece_put(struct piece *p, const char *text)
{
	size_t len = strlen(text);

	if (p->len + len >= sizeof(p->text)) {
		p->overflow = true;
		return;
	}
	memcpy(p->text + p->len, text, len + 1);
	p->len += len;
}

void
piece_open(struct piece *p)
{
	p->len = 0;
	p->overflow = false;
	piece_put(p, "{");
}

static void
piece_name(struct piece *p, const char *name)
{
	if (p->text[p->len - 1] != '{')
		piece_put(p, ",");
	piece_put(p, "\"");
	piece_put(p, name);
	piece_put(p, "\":");
}

void
piece_raw(struct piece *p, const char *name, const char *value)
{
	piece_name(p, name);
	piece_put(p, value);
}

static void
piece_quoted(struct piece *p, const char *value)
{
	char one[2] = "";

	piece_put(p, "\"");
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\')
			piece_put(p, "\\");
		one[0] = *value;
		piece_put(p, one);
	}
	piece_put(p, "\"");
}

void
piece_text(struct piece *p, const char *name, const char *value)
{
	piece_name(p, name);
	piece_quoted(p, value);
}

void
piece_list(struct piece *p, const char *name, const char *codes)
{
	char copy[64], *rest = copy;
	const char *lead = "";

	piece_name(p, name);
	piece_put(p, "[");
	if (text_copy(copy, sizeof(copy), codes) != E_OK)
		p->overflow = true;
	if (*codes == '\0')
		rest = NULL;
	while (rest != NULL) {
		piece_put(p, lead);
		piece_quoted(p, text_split(&rest, ';'));
		lead = ",";
	}
	piece_put(p, "]");
}

void
piece_time(struct piece *p, int64_t time)
{
	char text[CLOCK_TEXT];

	clock_format(time, text);
	piece_text(p, "t", text);
}

int
piece_close(struct piece *p)
{
	piece_put(p, "}");
	return p->overflow ? E_LIMIT : E_OK;
}
