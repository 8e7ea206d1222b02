/* options.c - the command line, and what it asks for beside running. */
#include "master_room.h"

#include <event2/event.h>
#include <msgpack.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "build_config.h"
#include "log.h"
#include "mem.h"
#include "redis.h"
#include "revision.h"
#include "store.h"
#include "text.h"

#define OPTIONS_HELP_MAX (256u * 1024)

static const char options_usage[] =
    "usage: opitios-alpaca [--config FILE] [--state-dir DIR] [--section.key=VALUE]...\n"
    "       opitios-alpaca --check-config | --print-config | --version | --help\n"
    "\n"
    "  --config FILE          read this INI file; the environment and the command line win over "
    "it\n"
    "  --state-dir DIR        the same as --state.dir=DIR\n"
    "  --section.key=VALUE    any key below\n"
    "  --check-config         say whether the configuration is acceptable, and end\n"
    "  --print-config         print the whole of it, secrets hidden, and end\n"
    "  --version              version, revision, features and libraries\n"
    "  --help                 this\n"
    "\n"
    "Ends with 0 when asked to, 64 on an unknown option, 73 when the state directory cannot be "
    "used or\n"
    "is another's, 77 when an address cannot be had, 78 when the configuration is not acceptable.\n"
    "\n";

struct options_flag {
	const char *name;
	enum options_mode mode;
};

static const struct options_flag options_flags[] = {
	{ "--check-config", MODE_CHECK },
	{ "--print-config", MODE_PRINT },
	{ "--version", MODE_VERSION },
	{ "--help", MODE_HELP },
	{ "-h", MODE_HELP },
};

/* `--name VALUE` and `--name=VALUE`: 1 when it was this one, and the value is there; -1 without a value. */
static int
options_value(const char *name, char **argv, int argc, int *at, const char **value)
{
	size_t len = strlen(name);

	if (strncmp(argv[*at], name, len) != 0)
		return 0;
	if (argv[*at][len] == '=') {
		*value = argv[*at] + len + 1;
		return 1;
	}
	if (argv[*at][len] != '\0')
		return 0;
	if (*at + 1 >= argc)
		return -1;
	*value = argv[++*at];
	return 1;
}

static bool
options_flag(const char *word, struct options *o)
{
	size_t i;

	for (i = 0; i < sizeof(options_flags) / sizeof(options_flags[0]); i++)
		if (strcmp(word, options_flags[i].name) == 0) {
			o->mode = options_flags[i].mode;
			return true;
		}
	return false;
}

/* --section.key=VALUE of a key that exists; its value is checked later, as configuration. */
static bool
options_setting(const char *word, struct options *o)
{
	const char *equals = strchr(word, '=');
	char key[64];

	if (!text_starts(word, "--") || equals == NULL || o->set_count == OPTIONS_SET_MAX)
		return false;
	if (text_copy_n(key, sizeof(key), word + 2, (size_t)(equals - word - 2)) != E_OK ||
	    conf_find(key) == NULL)
		return false;
	o->set[o->set_count++] = word + 2;
	return true;
}

/* What one image of the master gives to the next; no option of an operator's. */
static bool
options_image(const char *word, struct options *o)
{
	if (text_starts(word, "--handover=")) {
		o->handover = word + strlen("--handover=");
		return true;
	}
	if (text_starts(word, "--trial-keeps=") && o->keeps_count < OPTIONS_KEEPS_MAX) {
		o->trial_keeps[o->keeps_count++] = word + strlen("--trial-keeps=");
		return true;
	}
	if (!text_starts(word, "--trial="))
		return false;
	o->trial = word + strlen("--trial=");
	o->mode = MODE_TRIAL;
	return true;
}

int
options_parse(int argc, char **argv, struct options *o, const char **why, const char **word)
{
	int at, file, dir;

	memset(o, 0, sizeof(*o));
	for (at = 1; at < argc; at++) {
		*word = argv[at];
		file = options_value("--config", argv, argc, &at, &o->file);
		dir = file != 0 ? 0 : options_value("--state-dir", argv, argc, &at, &o->state_dir);
		if (options_image(argv[at], o))
			continue;
		if (file < 0 || dir < 0) {
			*why = "wants a value";
			return E_INVALID_PARAMETER;
		}
		if (file > 0 || dir > 0 || options_flag(*word, o) || options_setting(*word, o))
			continue;
		*why = "is no option";
		return E_INVALID_PARAMETER;
	}
	return E_OK;
}

static int
options_set(const struct options *o, struct conf *c, char why[CONF_ERROR])
{
	const char *equals;
	char key[64];
	size_t i;
	int r;

	for (i = 0; i < o->set_count; i++) {
		equals = strchr(o->set[i], '=');
		(void)text_copy_n(key, sizeof(key), o->set[i], (size_t)(equals - o->set[i]));
		if ((r = conf_set(c, key, equals + 1, "the command line", why)) != E_OK)
			return r;
	}
	if (o->state_dir == NULL)
		return E_OK;
	return conf_set(c, "state.dir", o->state_dir, "the command line", why);
}

/* Refused before anything starts. Never with a part of it: it may hold a password. One that cannot be checked on a machine
 * short of something passes: the cache-writer tells what is wrong with it, and a master that ends stays ended. */
static int
options_check_url(const char *key, const char *url, char why[CONF_ERROR])
{
	char reason[STORE_WHY];
	int r;

	if (url[0] == '\0' || (r = store_postgres_check(url, reason)) == E_OK)
		return E_OK;
	if (r == E_SYSTEM) {
		log_warn("%s: %s; goes on with it as it is", key, reason);
		return E_OK;
	}
	snprintf(why, CONF_ERROR, "%s: %s", key, reason);
	return E_CONFIG;
}

/* What the room of the configuration cannot know: it stands below Redis. */
static int
options_check_redis(const struct conf *c, char why[CONF_ERROR])
{
	char reason[REDIS_WHY];
	struct redis_url url;
	int r = E_OK;

	if (c->redis_url[0] != '\0' && (r = redis_url_parse(c->redis_url, &url, reason)) != E_OK)
		(void)snprintf(why, CONF_ERROR, "redis.url: %s", reason);
	mem_wipe(&url, sizeof(url));
	return r;
}

int
options_conf(const struct options *o, char **environment, struct conf *c, char why[CONF_ERROR])
{
	int r = E_OK;

	conf_defaults(c);
	if (o->file != NULL)
		r = conf_file_read(c, o->file, why);
	if (r == E_OK)
		r = conf_env_read(c, environment, why);
	if (r == E_OK)
		r = options_set(o, c, why);
	if (r == E_OK)
		r = conf_check(c, why);
	if (r == E_OK)
		r = options_check_url("postgres.url", c->postgres_url, why);
	if (r == E_OK)
		r = options_check_url("postgres.read_url", c->postgres_read_url, why);
	if (r == E_OK)
		r = options_check_redis(c, why);
	return r;
}

static int
options_write(struct buf *text)
{
	size_t len = buf_len(text);
	int failed;

	failed = fwrite(buf_data(text), 1, len, stdout) != len || fflush(stdout) != 0;
	buf_fini(text);
	return failed ? EXIT_WITH_SYSTEM : EXIT_WITH_OK;
}

static int
options_version(void)
{
#ifdef WITH_SANITIZERS
	const char *sanitizers = "sanitizers";
#else
	const char *sanitizers = "no sanitizers";
#endif
	printf("opitios-alpaca %s (%s)\n", PACKAGE_VERSION, REVISION);
	printf("features: %s, workers in %s\n", sanitizers, PKGLIBEXECDIR);
	printf("libraries: libevent %s, msgpack-c %s, inih %s\n", event_get_version(),
	    msgpack_version(), INIH_VERSION);
	return fflush(stdout) != 0 ? EXIT_WITH_SYSTEM : EXIT_WITH_OK;
}

int
options_show(const struct options *o, const struct conf *c)
{
	struct buf text;
	int r = E_OK;

	if (o->mode == MODE_VERSION)
		return options_version();
	buf_init(&text, OPTIONS_HELP_MAX);
	if (o->mode == MODE_PRINT) {
		r = conf_print(c, &text);
	} else if (o->mode == MODE_HELP) {
		r = buf_add_text(&text, options_usage);
		if (r == E_OK)
			r = conf_help(&text);
	} else {
		r = buf_add_text(&text, "the configuration is acceptable\n");
	}
	if (r != E_OK)
		panic("the text does not fit its buffer");
	return options_write(&text);
}
