/* request.c - reading the head of an HTTP request.
 *
 * Small and strict: what it does not know it refuses. It is not the gateway's own parser on
 * purpose: the replay shares no decoding code with what it is the test of.
 */
#include "request.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "text.h"

static int
request_segments(struct request *r)
{
	char *rest = r->parts, *part;

	if (r->path[0] != '/')
		return 400;
	if (text_copy(r->parts, sizeof(r->parts), r->path) != E_OK)
		return 414;
	while ((part = text_split(&rest, '/')) != NULL) {
		if (*part == '\0')
			continue; /* a base address with a slash at its end gives two */
		if (r->segment_count == SEGMENTS_MAX || text_unescape(part, 0) != E_OK)
			return 400;
		r->segments[r->segment_count++] = part;
	}
	return 0;
}

static int
request_params(struct request *r, char *query)
{
	char *rest = query, *value, *name;

	while ((name = text_split(&rest, '&')) != NULL) {
		if (*name == '\0')
			continue;
		if (r->param_count == PARAMS_MAX)
			return 400;
		value = strchr(name, '=');
		if (value != NULL)
			*value++ = '\0';
		else
			value = name + strlen(name);
		if (text_unescape(name, 1) != E_OK || text_unescape(value, 1) != E_OK)
			return 400;
		r->params[r->param_count].name = name;
		r->params[r->param_count++].value = value;
	}
	return 0;
}

/* METHOD SP target SP HTTP/1.x */
static int
request_line(struct request *r, char *line)
{
	char *rest = line, *target, *version, *query;
	int status = 0;

	text_copy(r->line, sizeof(r->line), line);
	r->method = text_split(&rest, ' ');
	target = text_split(&rest, ' ');
	version = rest;
	if (target == NULL || version == NULL ||
	    strspn(r->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != strlen(r->method) ||
	    !text_is_printable(target, strlen(target)))
		return 400;
	if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0)
		return strncmp(version, "HTTP/", 5) == 0 ? 505 : 400;
	if (strlen(target) > TARGET_BYTES)
		return 414;
	r->keeps_alive = version[7] == '1';
	query = strchr(target, '?');
	if (query != NULL)
		*query++ = '\0';
	r->path = target;
	if (query != NULL)
		status = request_params(r, query);
	return status != 0 ? status : request_segments(r);
}

static int
request_header(struct request *r, const char *name, const char *value)
{
	if (strcasecmp(name, "content-length") == 0)
		return text_to_u64(value, &r->body_length) != E_OK ? 400
		       : r->body_length > BODY_BYTES		   ? 413
								   : 0;
	if (strcasecmp(name, "transfer-encoding") == 0)
		return 411; /* nobody who talks to a market data service sends one */
	if (strcasecmp(name, "connection") == 0)
		r->keeps_alive = strcasecmp(value, "close") != 0 &&
				 (r->keeps_alive || strcasecmp(value, "keep-alive") == 0);
	else if (strcasecmp(name, "expect") == 0)
		r->expects_continue = strcasecmp(value, "100-continue") == 0;
	else if (strcasecmp(name, "apca-api-key-id") == 0)
		return text_copy(r->key, sizeof(r->key), value) != E_OK ? 400 : 0;
	else if (strcasecmp(name, "apca-api-secret-key") == 0)
		return text_copy(r->secret, sizeof(r->secret), value) != E_OK ? 400 : 0;
	return 0;
}

static int
request_header_line(struct request *r, char *line)
{
	char *value = strchr(line, ':'), *end;

	if (value == NULL || value == line)
		return 400;
	*value++ = '\0';
	if (strpbrk(line, " \t") != NULL)
		return 400;
	value += strspn(value, " \t");
	for (end = value + strlen(value); end > value && isblank((unsigned char)end[-1]);)
		*--end = '\0';
	return request_header(r, line, value);
}

int
request_parse(struct request *r, char *head, size_t len)
{
	char *rest = head, *line;
	int status = 0;
	bool first = true;

	memset(r, 0, sizeof(*r));
	r->method = r->path = "";
	if (memchr(head, '\0', len) != NULL || len < 4)
		return 400;
	head[len - 2] = '\0'; /* the empty line */
	while (
	    status == 0 && (line = text_split(&rest, '\n')) != NULL && (first || *line != '\0')) {
		if (*line == '\0' || line[strlen(line) - 1] != '\r')
			return 400;
		line[strlen(line) - 1] = '\0';
		status = first ? request_line(r, line) : request_header_line(r, line);
		first = false;
	}
	return status;
}

const char *
request_param(const struct request *r, const char *name)
{
	size_t i;

	for (i = 0; i < r->param_count; i++)
		if (strcmp(r->params[i].name, name) == 0)
			return r->params[i].value;
	return "";
}
