/* conf_read.c - settings from a file, from the environment and from systemd's credentials.
 *
 * The file is read line by line by libinih through our own reader, which knows the line's number, refuses
 * what does not fit a line, and takes leading blanks away: libinih would take an indented line for more of
 * the value above it. A section or key nobody knows is an error: a setting with a typing mistake must not
 * be a setting silently left out.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_room.h"
#include "log.h"
#include "mem.h"
#include "text.h"

#define FILE_MAX     (1024 * 1024)
#define PREFIX	     "OPITIOS_"
#define OTEL_PREFIX  "OTEL_"
#define FILE_SUFFIX  "_FILE"
#define CREDENTIALS  "CREDENTIALS_DIRECTORY"
#define NAME_MAX_LEN 96
#define PATH_MAX_LEN 512
#define VALUE_MAX    512 /* longer than any field */

struct conf_file {
	FILE *stream;
	const char *path;
	struct conf *conf;
	char *why; /* first error; "" while there is none */
	unsigned line;
	size_t bytes;
	bool seen[CONF_ROWS]; /* by row: given in this file already */
};

static int
conf_file_fail(struct conf_file *f, const char *what, const char *reason)
{
	if (f->why[0] == '\0')
		(void)snprintf(f->why, CONF_ERROR, "%.64s%s (from %.250s line %u)", what, reason,
		    f->path, f->line);
	return 0;
}

static bool
conf_section_is_known(const char *name, size_t len)
{
	size_t count;
	const struct conf_row *rows = conf_rows(&count);

	for (size_t i = 0; i < count; i++)
		if (strlen(rows[i].section) == len && memcmp(rows[i].section, name, len) == 0)
			return true;
	return false;
}

/* A section without keys would never reach the handler: it is looked at here. */
static bool
conf_file_section(struct conf_file *f, const char *line)
{
	size_t len = strcspn(line, "]");
	char name[64];

	if (line[0] != '[' || line[len] != ']' || conf_section_is_known(line + 1, len - 1))
		return true;
	(void)text_copy_n(name, sizeof(name), line, len + 1);
	return conf_file_fail(f, name, ": no such section") != 0;
}

/* fgets for libinih: one line without leading blanks; null at the end and after an error. */
static char *
conf_file_line(char *out, int size, void *arg)
{
	struct conf_file *f = arg;
	int c, n = 0;

	if (f->why[0] != '\0')
		return NULL;
	f->line++;
	while ((c = getc(f->stream)) != EOF && c != '\n') {
		if (++f->bytes > FILE_MAX || c == '\0' || n > size - 3) {
			conf_file_fail(f, "line",
			    c == '\0'		  ? " holds a NUL byte"
			    : f->bytes > FILE_MAX ? "s after this would pass 1 MiB"
						  : " is too long");
			return NULL;
		}
		if (n > 0 || !isspace(c))
			out[n++] = (char)c;
	}
	if (c == EOF && n == 0)
		return NULL;
	out[n++] = '\n';
	out[n] = '\0';
	return conf_file_section(f, out) ? out : NULL;
}

static int
conf_file_pair(void *arg, const char *section, const char *name, const char *value)
{
	struct conf_file *f = arg;
	char key[NAME_MAX_LEN], origin[300];
	const struct conf_row *row;
	size_t count, at;

	if (f->why[0] != '\0')
		return 0;
	if (section[0] == '\0')
		return conf_file_fail(f, name, ": stands before the first [section]");
	(void)snprintf(key, sizeof(key), "%s.%s", section, name);
	if ((row = conf_find(key)) == NULL)
		return conf_file_fail(f, key, ": no such key");
	at = (size_t)(row - conf_rows(&count));
	if (f->seen[at])
		return conf_file_fail(f, key, ": given twice");
	f->seen[at] = true;
	(void)snprintf(origin, sizeof(origin), "%.250s line %u", f->path, f->line);
	return conf_set(f->conf, key, value, origin, f->why) == E_OK;
}

int
conf_file_read(struct conf *c, const char *path, char why[CONF_ERROR])
{
	struct conf_file f = { .path = path, .conf = c, .why = why };
	int line;

	why[0] = '\0';
	if ((f.stream = fopen(path, "re")) == NULL) {
		(void)snprintf(why, CONF_ERROR, "%.250s: %s", path, strerror(errno));
		return E_CONFIG;
	}
	line = ini_parse_stream(conf_file_line, &f, conf_file_pair, &f);
	if (why[0] == '\0' && ferror(f.stream))
		(void)snprintf(why, CONF_ERROR, "%.250s: cannot be read", path);
	(void)fclose(f.stream);
	/* libinih goes on behind a line it does not understand: what comes first is told. */
	if (line > 0 && (why[0] == '\0' || (unsigned)line < f.line))
		(void)snprintf(why, CONF_ERROR,
		    "line %d is neither [section] nor key = value (from %.250s)", line, path);
	else if (line < 0 && why[0] == '\0')
		(void)snprintf(why, CONF_ERROR, "%.250s: out of memory", path);
	return why[0] == '\0' ? E_OK : E_CONFIG;
}

/* OPITIOS_HTTP_WORKERS of http.workers. */
static void
conf_env_name(const struct conf_row *row, char out[NAME_MAX_LEN])
{
	(void)snprintf(out, NAME_MAX_LEN, PREFIX "%s_%s", row->section, row->key);
	text_upper(out);
}

/* Value of a name; null when it is not there or empty: compose files pass names they have no value for. */
static const char *
conf_env_get(char **environment, const char *name, size_t name_len)
{
	for (; *environment != NULL; environment++)
		if (strncmp(*environment, name, name_len) == 0 && (*environment)[name_len] == '=' &&
		    (*environment)[name_len + 1] != '\0')
			return *environment + name_len + 1;
	return NULL;
}

/* Up to VALUE_MAX - 1 bytes of a regular file, as text. Null, or why not. */
static const char *
conf_env_read_file(int fd, char value[VALUE_MAX])
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return "is no regular file";
	if ((n = read(fd, value, VALUE_MAX)) < 0)
		return strerror(errno);
	if (n == VALUE_MAX || memchr(value, '\0', (size_t)n) != NULL)
		return "holds more than a value";
	value[n] = '\0';
	return NULL;
}

/* A mounted secret, without the newline editors put behind it. Null, or why not. */
static const char *
conf_env_file(const char *path, char value[VALUE_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	const char *reason;
	size_t len;

	if (fd < 0)
		return strerror(errno);
	reason = conf_env_read_file(fd, value);
	(void)close(fd);
	if (reason != NULL)
		return reason;
	len = strlen(value);
	if (len > 0 && value[len - 1] == '\n')
		value[--len] = '\0';
	if (len > 0 && value[len - 1] == '\r')
		value[--len] = '\0';
	return NULL;
}

/* As OpenTelemetry means it: its times are whole milliseconds, its words may be written in capitals. */
static int
conf_env_set_otel(
    struct conf *c, const char *key, const char *value, const char *name, char why[CONF_ERROR])
{
	enum conf_type type = conf_find(key)->type;
	char text[64];
	size_t len = strlen(value);

	if (type == CONF_MSEC) {
		if (len > 18 || strspn(value, "0123456789") != len) {
			(void)snprintf(why, CONF_ERROR,
			    "%s: the value is no whole number of milliseconds (from %s)", key,
			    name);
			return E_CONFIG;
		}
		(void)snprintf(text, sizeof(text), "%sms", value);
		return conf_set(c, key, text, name, why);
	}
	if (type != CONF_CHOICE || len >= sizeof(text))
		return conf_set(c, key, value, name, why);
	for (size_t i = 0; i <= len; i++)
		text[i] = (char)tolower((unsigned char)value[i]);
	return conf_set(c, key, text, name, why);
}

/* A name of OpenTelemetry's is for all programs of a place and may hold what others can do alone: as its specification
 * has it, that is told and left out, as if it were not there. */
static int
conf_env_set(struct conf *c, const char *key, const char *value, const char *name, bool *found,
    char why[CONF_ERROR])
{
	if (!text_starts(name, OTEL_PREFIX))
		return conf_set(c, key, value, name, why);
	if (conf_env_set_otel(c, key, value, name, why) == E_OK)
		return E_OK;
	log_warn("environment: %s; left out", why);
	why[0] = '\0';
	*found = false;
	return E_OK;
}

/* One name and its _FILE variant. *found tells whether either was there. */
static int
conf_env_row(struct conf *c, const char *key, char **environment, const char *name, bool *found,
    char why[CONF_ERROR])
{
	char with_file[NAME_MAX_LEN + sizeof(FILE_SUFFIX)], value[VALUE_MAX];
	const char *plain, *path, *reason;
	int r;

	(void)snprintf(with_file, sizeof(with_file), "%s" FILE_SUFFIX, name);
	plain = conf_env_get(environment, name, strlen(name));
	path = conf_env_get(environment, with_file, strlen(with_file));
	*found = plain != NULL || path != NULL;
	if (plain != NULL && path != NULL) {
		(void)snprintf(
		    why, CONF_ERROR, "%s: given twice (from %s and %s)", key, name, with_file);
		return E_CONFIG;
	}
	if (plain != NULL)
		return conf_env_set(c, key, plain, name, found, why);
	if (path == NULL)
		return E_OK;
	if ((reason = conf_env_file(path, value)) == NULL) {
		r = conf_env_set(c, key, value, with_file, found, why);
	} else {
		(void)snprintf(
		    why, CONF_ERROR, "%s: %.250s: %s (from %s)", key, path, reason, with_file);
		r = E_CONFIG;
	}
	mem_wipe(value, sizeof(value));
	return r;
}

/* The name without _FILE; its length. */
static size_t
conf_env_stem(const char *name, size_t len)
{
	size_t suffix = sizeof(FILE_SUFFIX) - 1;

	if (len > suffix && memcmp(name + len - suffix, FILE_SUFFIX, suffix) == 0)
		return len - suffix;
	return len;
}

/* What Kubernetes puts there for a Service of our name: OPITIOS_ALPACA_SERVICE_HOST, OPITIOS_ALPACA_PORT_8081_TCP. */
static bool
conf_env_is_service_link(const char *name, size_t len)
{
	return memmem(name, len, "_SERVICE_", 9) != NULL || memmem(name, len, "_PORT", 5) != NULL;
}

static bool
conf_env_names_section(const char *name)
{
	size_t count, n;
	const struct conf_row *rows = conf_rows(&count);
	const char *rest = name + sizeof(PREFIX) - 1;

	for (size_t i = 0; i < count; i++) {
		n = strlen(rows[i].section);
		if (strncasecmp(rest, rows[i].section, n) == 0 && rest[n] == '_')
			return true;
	}
	return false;
}

/* A typing mistake must not be silent: within a section it is an error, elsewhere a warning. */
static int
conf_env_strangers(char **environment, char why[CONF_ERROR])
{
	char name[NAME_MAX_LEN];
	size_t count, len;
	const struct conf_row *rows = conf_rows(&count);

	for (; *environment != NULL; environment++) {
		bool known = false;

		if (!text_starts(*environment, PREFIX))
			continue;
		len = conf_env_stem(*environment, strcspn(*environment, "="));
		for (size_t i = 0; i < count && !known; i++) {
			conf_env_name(&rows[i], name);
			known = strlen(name) == len && memcmp(name, *environment, len) == 0;
		}
		if (known || conf_env_is_service_link(*environment, len))
			continue;
		if (!conf_env_names_section(*environment)) {
			log_warn("environment: %.*s names no setting", (int)(len < 128 ? len : 128),
			    *environment);
			continue;
		}
		(void)snprintf(why, CONF_ERROR, "%.*s: no such key (from the environment)",
		    (int)(len < 128 ? len : 128), *environment);
		return E_CONFIG;
	}
	return E_OK;
}

/* Null: there is none. In a container whose mounts are private systemd names a folder that stays root's and empty. */
static const char *
conf_credentials(char **environment)
{
	const char *dir = conf_env_get(environment, CREDENTIALS, sizeof(CREDENTIALS) - 1);

	if (dir == NULL || access(dir, X_OK) == 0)
		return dir;
	log_warn("%s: %.250s: %s: going on without credentials", CREDENTIALS, dir, strerror(errno));
	return NULL;
}

/* A secret systemd hands over (LoadCredential=): a file of the second name in the folder it tells. Only this process may
 * read it, and unlike an environment nobody sees it in /proc.
 */
static int
conf_credential_row(struct conf *c, const char *key, const char *dir, const struct conf_row *row,
    bool given, char why[CONF_ERROR])
{
	char path[PATH_MAX_LEN], value[VALUE_MAX];
	const char *reason;
	int r;

	if (dir == NULL || row->type != CONF_SECRET || row->env[0] == '\0')
		return E_OK;
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, row->env) >= sizeof(path))
		reason = "the path is too long";
	else if (access(path, F_OK) != 0 && errno == ENOENT)
		return E_OK;
	else if (given)
		reason = "given in the environment as well";
	else
		reason = conf_env_file(path, value);
	if (reason == NULL) {
		r = conf_set(c, key, value, "a credential", why);
	} else {
		(void)snprintf(why, CONF_ERROR, "%s: credential %.64s: %s", key, row->env, reason);
		r = E_CONFIG;
	}
	mem_wipe(value, sizeof(value));
	return r;
}

/* The row's other names, "A|B": the first that is there, and can be taken. */
static int
conf_env_others(struct conf *c, const char *key, char **environment, const struct conf_row *row,
    bool *found, char why[CONF_ERROR])
{
	char name[NAME_MAX_LEN];
	const char *at = row->env;
	size_t len;
	int r;

	for (; !*found && (len = strcspn(at, "|")) > 0; at += len + (at[len] == '|')) {
		(void)text_copy_n(name, sizeof(name), at, len);
		if ((r = conf_env_row(c, key, environment, name, found, why)) != E_OK)
			return r;
	}
	return E_OK;
}

/* The gateway's own name counts before the others, which other programs may mean as well. */
int
conf_env_read(struct conf *c, char **environment, char why[CONF_ERROR])
{
	char name[NAME_MAX_LEN], key[NAME_MAX_LEN];
	size_t count;
	const struct conf_row *rows = conf_rows(&count);
	const char *credentials = conf_credentials(environment);
	bool found;
	int r;

	for (size_t i = 0; i < count; i++) {
		conf_env_name(&rows[i], name);
		(void)snprintf(key, sizeof(key), "%s.%s", rows[i].section, rows[i].key);
		if ((r = conf_env_row(c, key, environment, name, &found, why)) != E_OK)
			return r;
		if ((r = conf_env_others(c, key, environment, &rows[i], &found, why)) != E_OK)
			return r;
		if ((r = conf_credential_row(c, key, credentials, &rows[i], found, why)) != E_OK)
			return r;
	}
	return conf_env_strangers(environment, why);
}
