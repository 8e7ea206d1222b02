/* conf_value.c - values of each type: from an operator's text, and back. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "conf_room.h"
#include "text.h"

#define HOST_MAX 112
#define URL_PLAIN                                                                                  \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/%:[]!$&'()*+,;="
#define HOST_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"

static int
conf_refuse(char reason[CONF_REASON], const char *text)
{
	(void)text_copy(reason, CONF_REASON, text);
	return E_CONFIG;
}

/* Text any file could hold: what is written by conf_print must read back to the same. */
static int
conf_set_text(char *field, size_t size, const char *text, char reason[CONF_REASON])
{
	size_t len = strnlen(text, size);

	if (len == size) {
		(void)snprintf(reason, CONF_REASON, "is longer than %zu bytes", size - 1);
		return E_CONFIG;
	}
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return conf_refuse(reason, "holds a control character");
	if (len > 0 && (text[0] == ' ' || text[len - 1] == ' '))
		return conf_refuse(reason, "begins or ends with a blank");
	if (len > 1 && (text[0] == '"' || text[0] == '\'') && text[len - 1] == text[0])
		return conf_refuse(reason, "is quoted: write it without quotes");
	if (text[0] == ';' || strstr(text, " ;") != NULL)
		return conf_refuse(reason, "holds ` ;`, which begins a comment");
	memcpy(field, text, len + 1);
	return E_OK;
}

static int
conf_set_secret(char *field, size_t size, const char *text, char reason[CONF_REASON])
{
	if (strcmp(text, "<set>") == 0)
		return conf_refuse(reason, "is what a printed configuration shows for a secret");
	return conf_set_text(field, size, text, reason);
}

static int
conf_set_choice(char *field, const struct conf_row *row, const char *text, char reason[CONF_REASON])
{
	size_t len = strlen(text);

	for (const char *p = row->choices; p != NULL; p = strchr(p, '|')) {
		p += *p == '|';
		if (len > 0 && len == strcspn(p, "|") && strncmp(p, text, len) == 0)
			return text_copy(field, row->size, text);
	}
	(void)snprintf(reason, CONF_REASON, "is none of %s", row->choices);
	return E_CONFIG;
}

static int
conf_set_bool(bool *field, const char *text, char reason[CONF_REASON])
{
	int v;

	if (text_to_bool(text, &v) != E_OK)
		return conf_refuse(reason, "is neither true nor false");
	*field = v != 0;
	return E_OK;
}

/* The address as an operator wrote it, once it is known to be one. A row with 1 as its least may be off. */
static int
conf_set_addr(char *field, const struct conf_row *row, const char *text, char reason[CONF_REASON])
{
	bool may_be_off = row->min > 0;
	char host[HOST_MAX];
	uint16_t port;

	if (may_be_off && strcmp(text, "off") == 0)
		return text_copy(field, row->size, text);
	if (conf_address(text, host, &port) != E_OK)
		return conf_refuse(reason, may_be_off
					       ? "is neither host:port, [address]:port nor off"
					       : "is not host:port or [address]:port");
	return conf_set_text(field, row->size, text, reason);
}

static int
port_parse(const char *text, uint16_t *port)
{
	uint64_t v;

	if (strnlen(text, 6) > 5 || text_to_u64(text, &v) != E_OK || v > UINT16_MAX)
		return E_CONFIG;
	*port = (uint16_t)v;
	return E_OK;
}

/* A name, or four numbers: something made of digits and dots alone must be an address. */
static bool
host_is_valid(const char *host)
{
	struct in_addr v4;

	if (host[0] == '\0' || host[strspn(host, HOST_LETTERS)] != '\0' || host[0] == '-' ||
	    host[0] == '.')
		return false;
	return host[strspn(host, "0123456789.")] != '\0' || inet_pton(AF_INET, host, &v4) == 1;
}

int
conf_address(const char *address, char host[112], uint16_t *port)
{
	const char *begin = address, *end;
	char name[HOST_MAX];
	struct in6_addr v6;
	bool bracketed = address[0] == '[';
	uint16_t number;

	if (bracketed) {
		begin++;
		if ((end = strchr(begin, ']')) == NULL || end[1] != ':')
			return E_CONFIG;
	} else if ((end = strchr(begin, ':')) == NULL) {
		return E_CONFIG;
	}
	if (text_copy_n(name, sizeof(name), begin, (size_t)(end - begin)) != E_OK)
		return E_CONFIG;
	if (bracketed ? inet_pton(AF_INET6, name, &v6) != 1 : !host_is_valid(name))
		return E_CONFIG;
	if (port_parse(end + (bracketed ? 2 : 1), &number) != E_OK)
		return E_CONFIG;
	memcpy(host, name, strlen(name) + 1);
	*port = number;
	return E_OK;
}

/* Host with an optional port, as in a URL. */
static bool
authority_is_valid(const char *text, size_t len)
{
	char with_port[HOST_MAX + 16], host[HOST_MAX];
	const char *last;
	uint16_t port;

	if (len == 0 || len >= HOST_MAX)
		return false;
	(void)text_copy_n(with_port, sizeof(with_port), text, len);
	last = strrchr(with_port, ':');
	if (last == NULL || with_port[len - 1] == ']')
		(void)text_copy(with_port + len, sizeof(with_port) - len, ":80");
	return conf_address(with_port, host, &port) == E_OK && port != 0;
}

/* Scheme and host are checked, credentials refused (they would end up in logs and process lists), and
 * trailing slashes cut, so that a path can be put behind it. */
static int
conf_set_url(char *field, const struct conf_row *row, const char *text, char reason[CONF_REASON])
{
	const char *host = strstr(text, "://");
	size_t scheme = host != NULL ? (size_t)(host - text) : 0, len = strlen(text), host_len;
	char url[256];

	if (len == 0) {
		if (row->def[0] != '\0')
			return conf_refuse(reason, "is empty");
		field[0] = '\0';
		return E_OK;
	}
	if ((scheme != 4 || memcmp(text, "http", 4) != 0) &&
	    (scheme != 5 || memcmp(text, "https", 5) != 0))
		return conf_refuse(reason, "does not begin with http:// or https://");
	host += 3;
	host_len = strcspn(host, "/?#");
	if (memchr(host, '@', host_len) != NULL)
		return conf_refuse(reason, "holds credentials, which a URL here must not");
	if (!authority_is_valid(host, host_len))
		return conf_refuse(reason, "names no host");
	if (text[strspn(text, URL_PLAIN)] != '\0')
		return conf_refuse(reason, "holds a query, a fragment or a character no URL has");
	while (text[len - 1] == '/')
		len--;
	if (text_copy_n(url, sizeof(url), text, len) != E_OK)
		return conf_refuse(reason, "is longer than 255 bytes");
	return conf_set_text(field, row->size, url, reason);
}

void
conf_number_text(enum conf_type type, double number, char *out, size_t size)
{
	static const struct unit {
		enum conf_type type;
		int64_t factor;
		const char *name;
	} units[] = {
		{ CONF_BYTES, INT64_C(1) << 40, "T" },
		{ CONF_BYTES, INT64_C(1) << 30, "G" },
		{ CONF_BYTES, INT64_C(1) << 20, "M" },
		{ CONF_BYTES, INT64_C(1) << 10, "k" },
		{ CONF_MSEC, 3600000, "h" },
		{ CONF_MSEC, 60000, "m" },
		{ CONF_MSEC, 1000, "s" },
		{ CONF_MSEC, 1, "ms" },
	};
	int64_t v = (int64_t)number;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (units[i].type != type || v == 0 || v % units[i].factor != 0)
			continue;
		(void)snprintf(out, size, "%" PRId64 "%s", v / units[i].factor, units[i].name);
		return;
	}
	(void)snprintf(out, size, "%" PRId64, v);
}

/* Bounds are compared as doubles: all of them and every value within are below 2^53. */
static int
conf_bound(const struct conf_row *row, double v, char reason[CONF_REASON])
{
	char bound[32];

	if (v >= row->min && v <= row->max)
		return E_OK;
	conf_number_text(row->type, v < row->min ? row->min : row->max, bound, sizeof(bound));
	(void)snprintf(reason, CONF_REASON, "is %s %s", v < row->min ? "below" : "above", bound);
	return E_CONFIG;
}

static int
conf_set_count(
    int64_t *field, const struct conf_row *row, const char *text, char reason[CONF_REASON])
{
	int64_t v;

	if (text_to_i64(text, &v) != E_OK)
		return conf_refuse(reason, "is not a whole number");
	if (conf_bound(row, (double)v, reason) != E_OK)
		return E_CONFIG;
	*field = v;
	return E_OK;
}

static int
conf_set_bytes(
    uint64_t *field, const struct conf_row *row, const char *text, char reason[CONF_REASON])
{
	uint64_t v;

	if (text_to_bytes(text, &v) != E_OK)
		return conf_refuse(reason, "is not a size: a number, with k, M, G or T behind it");
	if (conf_bound(row, (double)v, reason) != E_OK)
		return E_CONFIG;
	*field = v;
	return E_OK;
}

static int
conf_set_msec(
    int64_t *field, const struct conf_row *row, const char *text, char reason[CONF_REASON])
{
	int64_t v;

	if (text_to_msec(text, &v) != E_OK)
		return conf_refuse(reason, "is not a time: a number, with ms, s, m or h behind it");
	if (conf_bound(row, (double)v, reason) != E_OK)
		return E_CONFIG;
	*field = v;
	return E_OK;
}

int
conf_value_set(
    struct conf *c, const struct conf_row *row, const char *text, char reason[CONF_REASON])
{
	void *field = conf_field(c, row);

	switch (row->type) {
	case CONF_STR:
		return conf_set_text(field, row->size, text, reason);
	case CONF_SECRET:
		return conf_set_secret(field, row->size, text, reason);
	case CONF_URL:
		return conf_set_url(field, row, text, reason);
	case CONF_ADDR:
		return conf_set_addr(field, row, text, reason);
	case CONF_CHOICE:
		return conf_set_choice(field, row, text, reason);
	case CONF_BOOL:
		return conf_set_bool(field, text, reason);
	case CONF_COUNT:
		return conf_set_count(field, row, text, reason);
	case CONF_BYTES:
		return conf_set_bytes(field, row, text, reason);
	case CONF_MSEC:
		return conf_set_msec(field, row, text, reason);
	}
	return conf_refuse(reason, "is of no type");
}

int
conf_text(const struct conf *c, const struct conf_row *row, char *out, size_t size)
{
	const void *field = conf_field_of(c, row);
	char number[32];

	switch (row->type) {
	case CONF_BOOL:
		(void)text_copy(number, sizeof(number), *(const bool *)field ? "true" : "false");
		break;
	case CONF_COUNT:
	case CONF_MSEC:
		conf_number_text(
		    row->type, (double)*(const int64_t *)field, number, sizeof(number));
		break;
	case CONF_BYTES:
		conf_number_text(
		    row->type, (double)*(const uint64_t *)field, number, sizeof(number));
		break;
	default:
		if (strlen(field) >= size)
			return E_FULL;
		return text_copy(out, size, field);
	}
	if (strlen(number) >= size)
		return E_FULL;
	return text_copy(out, size, number);
}

const char *
conf_type_text(enum conf_type type)
{
	static const char *const texts[] = { [CONF_STR] = "TEXT",
		[CONF_URL] = "URL",
		[CONF_ADDR] = "HOST:PORT",
		[CONF_SECRET] = "SECRET",
		[CONF_CHOICE] = "WORD",
		[CONF_BOOL] = "true|false",
		[CONF_COUNT] = "NUMBER",
		[CONF_BYTES] = "BYTES",
		[CONF_MSEC] = "TIME" };

	return texts[type];
}
