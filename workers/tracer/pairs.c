/* pairs.c - lists of name=value, as OTEL_EXPORTER_OTLP_HEADERS and OTEL_RESOURCE_ATTRIBUTES are. */
#include <string.h>

#include "text.h"
#include "tracer.h"

static char *
pair_trim(char *text)
{
	size_t len = strlen(text);

	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		text[--len] = '\0';
	return text + strspn(text, " \t");
}

static int
pair_read(char *member, struct pair *out)
{
	char *equals = strchr(member, '=');

	if (equals == NULL)
		return E_CONFIG;
	*equals = '\0';
	out->name = pair_trim(member);
	out->value = pair_trim(equals + 1);
	if (out->name[0] == '\0' || !text_is_printable(out->name, strlen(out->name)) ||
	    text_unescape((char *)(uintptr_t)out->value, 0) < 0)
		return E_CONFIG;
	for (const char *at = out->value; *at != '\0'; at += text_utf8_len(at))
		if (text_utf8_len(at) == 0 || (unsigned char)*at < 0x20 || *at == 0x7f)
			return E_CONFIG;
	return E_OK;
}

int
pairs_read(char *list, struct pair *out, size_t max, size_t *count)
{
	char *rest = list, *member;
	size_t n = 0;
	int r;

	while ((member = text_split(&rest, ',')) != NULL) {
		member = pair_trim(member);
		if (member[0] == '\0')
			continue;
		if (n == max)
			return E_CONFIG;
		if ((r = pair_read(member, &out[n])) != E_OK)
			return r;
		n++;
	}
	*count = n;
	return E_OK;
}
