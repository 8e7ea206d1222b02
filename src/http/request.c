/* request.c - what a complete head means, and what the application may ask of it.
 *
 * Where RFC 9112 leaves a choice between repairing and refusing, this refuses: two readers of
 * the same bytes must not come to different ends of the request.
 */
#include "http_room.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LENGTH_DIGITS 18 /* always below 2^63 */

static char *
request_at(const struct http_request *r, uint32_t offset)
{
	return (char *)r->bytes + r->start + offset;
}

void
http_request_terminate(struct http_request *r)
{
	size_t i;

	for (i = 0; i < r->field_count; i++) {
		*request_at(r, r->fields[i].name + r->fields[i].name_len) = '\0';
		*request_at(r, r->fields[i].value + r->fields[i].value_len) = '\0';
	}
	if (r->target_len > 0)
		*request_at(r, r->target + r->target_len) = '\0';
}

/* Of an absolute target the authority goes; whom it names is the business of proxies. */
static const char *
target_after_authority(const char *target)
{
	size_t scheme = 0, len;

	if (strncasecmp(target, "http://", 7) == 0)
		scheme = 7;
	else if (strncasecmp(target, "https://", 8) == 0)
		scheme = 8;
	if (scheme == 0)
		return NULL;
	len = strcspn(target + scheme, "/?");
	if (len == 0 || memchr(target + scheme, '@', len) != NULL)
		return NULL;
	return target + scheme + len;
}

static int
target_split(struct http_request *r, char *path)
{
	char *query = strchr(path, '?');

	r->path = path;
	if (query != NULL) {
		*query = '\0';
		r->query = query + 1;
	}
	if (*path == '\0')
		r->path = "/"; /* http://host, http://host?a=b */
	return E_OK;
}

int
http_request_judge_target(struct http_request *r)
{
	char *target = request_at(r, r->target);
	const char *path;
	size_t i;

	for (i = 0; i < r->target_len; i++)
		if (target[i] <= ' ' || target[i] > '~' || target[i] == '#')
			return E_MALFORMED_REQUEST;
	if (r->parser.method == HTTP_CONNECT)
		return E_NOT_IMPLEMENTED;
	if (target[0] == '/')
		return target_split(r, target);
	if (strcmp(target, "*") == 0 && r->parser.method == HTTP_OPTIONS)
		return target_split(r, target);
	path = target_after_authority(target);
	return path != NULL ? target_split(r, target + (path - target)) : E_MALFORMED_REQUEST;
}

static bool
field_is(const struct http_request *r, const struct http_field *f, const char *name, size_t len)
{
	return f->name_len == len && strncasecmp(request_at(r, f->name), name, len) == 0;
}

/* Digits and nothing else: no sign, no list, no blank. */
static int
field_to_length(const char *text, uint64_t *length)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; text[i] >= '0' && text[i] <= '9'; i++) {
		if (i == LENGTH_DIGITS)
			return E_REQUEST_SIZE_EXCEEDED;
		n = n * 10 + (uint64_t)(text[i] - '0');
	}
	if (i == 0 || text[i] != '\0')
		return E_MALFORMED_REQUEST;
	*length = n;
	return E_OK;
}

static int
field_judge_host(const char *host)
{
	static const char marks[] = "-._~%!$&'()*+,;=:[]";

	for (; *host != '\0'; host++)
		if (!((*host >= 'a' && *host <= 'z') || (*host >= 'A' && *host <= 'Z') ||
			(*host >= '0' && *host <= '9') || strchr(marks, *host) != NULL))
			return E_MALFORMED_REQUEST;
	return E_OK;
}

struct framing { /* the fields that decide where a request ends */
	const char *host, *length, *coding, *expect;
};

/* Each at most once: of two, one reader would take the first and another the last. */
static int
framing_note(struct http_request *r, struct framing *f, const struct http_field *field)
{
	const char **slot = NULL;

	switch (field->name_len) {
	case 4:
		slot = field_is(r, field, "Host", 4) ? &f->host : NULL;
		break;
	case 6:
		slot = field_is(r, field, "Expect", 6) ? &f->expect : NULL;
		break;
	case 14:
		slot = field_is(r, field, "Content-Length", 14) ? &f->length : NULL;
		break;
	case 17:
		slot = field_is(r, field, "Transfer-Encoding", 17) ? &f->coding : NULL;
		break;
	default:
		break;
	}
	if (slot == NULL)
		return E_OK;
	if (*slot != NULL)
		return E_MALFORMED_REQUEST;
	*slot = request_at(r, field->value);
	return E_OK;
}

static int
framing_judge_body(struct http_request *r, const struct framing *f)
{
	int e;

	if (f->coding != NULL) {
		if (f->length != NULL || r->parser.http_minor == 0)
			return E_MALFORMED_REQUEST;
		if (strcasecmp(f->coding, "chunked") != 0)
			return E_NOT_IMPLEMENTED;
		r->chunked = true;
	} else if (f->length != NULL) {
		if ((e = field_to_length(f->length, &r->body_want)) != E_OK)
			return e;
	}
	return r->body_want > r->server->limits.body_max ? E_REQUEST_SIZE_EXCEEDED : E_OK;
}

static int
framing_judge(struct http_request *r, const struct framing *f)
{
	int e;

	if (f->host == NULL && r->parser.http_minor > 0)
		return E_MALFORMED_REQUEST;
	if (f->host != NULL && field_judge_host(f->host) != E_OK)
		return E_MALFORMED_REQUEST;
	if ((e = framing_judge_body(r, f)) != E_OK)
		return e;
	/* A client of HTTP/1.0 cannot mean it. */
	if (f->expect != NULL && r->parser.http_minor > 0) {
		if (strcasecmp(f->expect, "100-continue") != 0)
			return E_EXPECTATION_FAILED;
		r->expects = true;
	}
	return E_OK;
}

int
http_request_judge_fields(struct http_request *r)
{
	struct framing f = { NULL, NULL, NULL, NULL };
	size_t i;
	int e;

	for (i = 0; i < r->field_count; i++)
		if ((e = framing_note(r, &f, &r->fields[i])) != E_OK)
			return e;
	if (r->parser.flags & F_CONNECTION_CLOSE)
		r->keep = false;
	else if (r->parser.http_minor == 0)
		r->keep = (r->parser.flags & F_CONNECTION_KEEP_ALIVE) != 0;
	return framing_judge(r, &f);
}

const char *
http_method(const struct http_request *r)
{
	return r->method;
}

bool
http_is_head(const struct http_request *r)
{
	return r->is_head;
}

const char *
http_path(const struct http_request *r)
{
	return r->path;
}

const char *
http_query(const struct http_request *r)
{
	return r->query;
}

const char *
http_header_nth(const struct http_request *r, const char *name, unsigned nth)
{
	size_t i, len = strlen(name);

	for (i = 0; i < r->field_count; i++)
		if (field_is(r, &r->fields[i], name, len) && nth-- == 0)
			return request_at(r, r->fields[i].value);
	return NULL;
}

const char *
http_header(const struct http_request *r, const char *name)
{
	return http_header_nth(r, name, 0);
}

const uint8_t *
http_body(const struct http_request *r, size_t *len)
{
	*len = r->body_len;
	return r->body_len > 0 ? r->body : (const uint8_t *)"";
}

int64_t
http_arrived(const struct http_request *r)
{
	return r->arrived;
}

void *
http_tag(const struct http_request *r)
{
	return r->tag;
}

void
http_tag_set(struct http_request *r, void *tag)
{
	r->tag = tag;
}

static void
client_format(const struct http_connection *c, char *out, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "";

	if (c->peer.any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &c->peer.v4.sin_addr, host, sizeof(host));
		snprintf(out, size, "%s:%u", host, ntohs(c->peer.v4.sin_port));
	} else if (c->peer.any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &c->peer.v6.sin6_addr, host, sizeof(host));
		snprintf(out, size, "[%s]:%u", host, ntohs(c->peer.v6.sin6_port));
	} else {
		snprintf(out, size, "local");
	}
}

/* Formatted when first asked for: most requests never do. */
const char *
http_client(const struct http_request *r)
{
	struct http_connection *c = r->connection;

	if (r->client[0] == '\0' && c != NULL)
		client_format(c, c->request->client, sizeof(c->request->client));
	return r->client;
}
