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

/* The element behind a quote; returns where its closing one stands, null where there is none. */
static const char *
element_read(const char *at, char out[ELEMENT_MAX])
{
	size_t len = 0;

	for (; *at != '\0' && *at != '"' && len + 1 < ELEMENT_MAX; len++) {
		if (*at == '\\')
			at = escape_read(at + 1, &out[len]);
		else
			out[len] = *at++;
	}
	out[len] = '\0';
	return *at == '"' ? at : NULL;
}

bool
list_from_text(const char *json, char *out, size_t size)
{
	char element[ELEMENT_MAX];
	const char *at = json;

	list_null(out);
	if (json == NULL)
		return true;
	list_empty(out);
	if (strcmp(json, "[]") == 0)
		return true;
	if (*at != '[')
		return false;
	do {
		at += 1 + strspn(at + 1, " ");
		if (*at != '"' || (at = element_read(at + 1, element)) == NULL ||
		    list_add(out, size, element) != E_OK)
			return false;
		at++;
	} while (*at == ',');
	return strcmp(at, "]") == 0;
}
