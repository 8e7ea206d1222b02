/* list_text.c - lists as stores keep them, back into values.
 *
 * What json_write made of short codes is all there is to read: texts in quotes, with \" \\ \/ and \uXXXX.
 */
#include "list_text.h"

#include <stdlib.h>
#include <string.h>

#include "value.h"

#define ELEMENT_MAX 64

/* One character behind a backslash; returns where the next begins. */
static const char *
escape_read(const char *at, char *out)
{
	char hex[5] = "";

	if (*at != 'u' || strlen(at) < 5) {
		*out = *at == 'n' ? '\n' : *at == 't' ? '\t' : *at;
		return at + (*at != '\0');
	}
	memcpy(hex, at + 1, 4);
	*out = (char)strtol(hex, NULL, 16);
	return at + 5;
}

void
list_from_text(const char *json, char *out, size_t size)
{
	char element[ELEMENT_MAX];
	size_t len;
	int r = E_OK;

	list_null(out);
	if (json == NULL)
		return;
	list_empty(out);
	for (const char *at = strchr(json, '"'); at != NULL && r == E_OK; at = strchr(at, '"')) {
		len = 0;
		for (at++; *at != '\0' && *at != '"' && len + 1 < sizeof(element); len++) {
			if (*at == '\\')
				at = escape_read(at + 1, &element[len]);
			else
				element[len] = *at++;
		}
		element[len] = '\0';
		r = list_add(out, size, element);
		at += *at != '\0';
	}
}
