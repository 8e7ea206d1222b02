/* conf.h - the configuration, made from config.def: defaults < file < environment < command line. */
#ifndef CONF_H
#define CONF_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "role.h"

#define CONF_TYPE_STR(f)    char f[256];
#define CONF_TYPE_URL(f)    char f[256];
#define CONF_TYPE_ADDR(f)   char f[128];
#define CONF_TYPE_SECRET(f) char f[512];
#define CONF_TYPE_CHOICE(f) char f[32];
#define CONF_TYPE_BOOL(f)   bool f;
#define CONF_TYPE_COUNT(f)  int64_t f;
#define CONF_TYPE_BYTES(f)  uint64_t f;
#define CONF_TYPE_MSEC(f)   int64_t f;

struct conf {		/* fields are section_key: http_address, alpaca_key */
#define CONFIG(section, key, TYPE, def, min, max, roles, when, env, help) CONF_TYPE_##TYPE(section##_##key)
#include "tables/config.def"
};

enum conf_type {
	CONF_STR, CONF_URL, CONF_ADDR, CONF_SECRET, CONF_CHOICE, CONF_BOOL, CONF_COUNT, CONF_BYTES, CONF_MSEC
};
enum conf_when { WHEN_RELOAD, WHEN_RESTART };

struct conf_row {
	const char	*section, *key;
	enum conf_type	 type;
	const char	*def;
	const char	*choices;	/* CHOICE */
	double		 min, max;	/* COUNT, BYTES, MSEC */
	unsigned	 roles;
	enum conf_when	 when;
	const char	*env;		/* second environment name, or "" */
	const char	*help;
	size_t		 offset, size;
};

#define CONF_ERROR 512	/* size of `why`: "http.workers: \"many\" is not a number (from OPITIOS_HTTP_WORKERS)" */

const struct conf_row *conf_rows(size_t *count);
const struct conf_row *conf_find(const char *dotted_key);	/* null: no such key */

void	conf_defaults(struct conf *);
/* `origin` is where the text came from, for the error line. Secrets never appear in it. */
int	conf_set(struct conf *, const char *dotted_key, const char *text, const char *origin, char why[CONF_ERROR]) MUST_CHECK;
int	conf_file_read(struct conf *, const char *path, char why[CONF_ERROR]) MUST_CHECK;
int	conf_env_read(struct conf *, char **environment, char why[CONF_ERROR]) MUST_CHECK; /* *_FILE too */
/* Once all is read: what one key alone cannot tell (floor not above ceiling and the like), and what follows from
 * the keys: main.debug turns log.level to debug. */
int	conf_check(struct conf *, char why[CONF_ERROR]) MUST_CHECK;

/* Value as text that conf_set reads back to the same; secrets too. E_FULL when it does not fit. */
int	conf_text(const struct conf *, const struct conf_row *, char *out, size_t size) MUST_CHECK;
/* A number of such a row (a default, a bound) as an operator would write it: 5s, 64M, 200. */
void	conf_number_text(enum conf_type, double, char *out, size_t size);
/* The whole as an INI file; secrets are written as <set> or left empty. */
int	conf_print(const struct conf *, struct buf *) MUST_CHECK;
/* Help of every key, for --help. */
int	conf_help(struct buf *) MUST_CHECK;
void	conf_wipe_secrets(struct conf *);

/* host:port, [v6]:port -> parts. E_CONFIG when it is not one. */
int	conf_address(const char *address, char host[112], uint16_t *port) MUST_CHECK;

#endif /* CONF_H */
