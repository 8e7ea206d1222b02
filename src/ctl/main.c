/* main.c - opitios-ctl: asks a running gateway, or tells it what to do. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build_config.h"
#include "conf.h"
#include "ctl_room.h"
#include "log.h"
#include "revision.h"
#include "text.h"

#define CTL_QUERY_MS	5000
#define CTL_ACTION_MS	600000 /* a reload of many workers, each of which may drain */
#define CTL_COUNT_MAX	1000000
#define CTL_SOCKET_FILE "control.sock"

static const char usage[] = "usage: opitios-ctl [OPTION]... COMMAND [ARGUMENT]...\n\n";

static const char usage_end[] = "\n"
				"Ends with 0 when done, 1 when the gateway refused or could not "
				"(its line is on stderr), 64 when\n"
				"the command or an option is unknown, 65 when a journal is "
				"damaged, 66 when a file or the store\n"
				"cannot be read, 69 when no gateway answers, 74 when output cannot "
				"be written, 78 when --config is\nnot acceptable.\n";

struct ctl_call {
	struct ctl_options options;
	const char *socket;
};

static void die(enum exit_code, const char *, ...) PRINTF_LIKE(2, 3) NORETURN;

static void
die(enum exit_code code, const char *fmt, ...)
{
	char why[CTL_LINE];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	(void)fprintf(stderr, "opitios-ctl: %s\n", format_clean(why));
	exit((int)code);
}

static void show_help(void) NORETURN;

static void
show_help(void)
{
	(void)fputs(usage, stdout);
	command_help(stdout);
	(void)fputs(usage_end, stdout);
	exit(fflush(stdout) == 0 ? EXIT_WITH_OK : EXIT_WITH_SYSTEM);
}

static double
seconds_of(const char *text, const char *option)
{
	double seconds;

	if (text_to_f64(text, &seconds) != E_OK || seconds < 0.01 || seconds > 86400)
		die(EXIT_WITH_USAGE, "%s \"%s\" is no number of seconds from 0.01 to 86400", option,
		    text);
	return seconds;
}

static unsigned
count_of(const char *text)
{
	uint64_t n;

	if (text_to_u64(text, &n) != E_OK || n < 1 || n > CTL_COUNT_MAX)
		die(EXIT_WITH_USAGE, "-n \"%s\" is no number from 1 to %d", text, CTL_COUNT_MAX);
	return (unsigned)n;
}

static bool
take_flag(struct ctl_call *c, const char *word)
{
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		show_help();
	if (strcmp(word, "--version") == 0) {
		(void)printf("opitios-ctl %s (%s)\n", PACKAGE_VERSION, REVISION);
		exit(fflush(stdout) == 0 ? EXIT_WITH_OK : EXIT_WITH_SYSTEM);
	}
	if (strcmp(word, "--json") == 0)
		return c->options.json = true;
	if (strcmp(word, "--once") == 0)
		return c->options.once = true;
	return false;
}

static const char *const value_options[] = { "--state-dir", "--config", "--socket", "--timeout",
	"-n", "-d" };
enum value_option { VALUE_STATE_DIR, VALUE_CONFIG, VALUE_SOCKET, VALUE_TIMEOUT, VALUE_N, VALUE_D };
#define VALUE_OPTIONS (sizeof(value_options) / sizeof(value_options[0]))

static void
take_value(struct ctl_call *c, enum value_option option, const char *value)
{
	switch (option) {
	case VALUE_STATE_DIR:
		c->options.state_dir = value;
		break;
	case VALUE_CONFIG:
		c->options.config = value;
		break;
	case VALUE_SOCKET:
		c->socket = value;
		break;
	case VALUE_TIMEOUT:
		c->options.timeout_ms = (int64_t)(seconds_of(value, "--timeout") * 1000);
		break;
	case VALUE_N:
		c->options.count = count_of(value);
		break;
	case VALUE_D:
		c->options.interval = seconds_of(value, "-d");
		break;
	}
}

/* `--name VALUE` or `--name=VALUE`; how many words it took, 0: it is none of these. */
static int
take_option(struct ctl_call *c, char **argv)
{
	for (size_t i = 0; i < VALUE_OPTIONS; i++) {
		size_t len = strlen(value_options[i]);
		const char *value = argv[1];

		if (strncmp(argv[0], value_options[i], len) != 0)
			continue;
		if (argv[0][len] == '=' && len > 2)
			value = argv[0] + len + 1;
		else if (argv[0][len] != '\0')
			continue;
		if (value == NULL)
			die(EXIT_WITH_USAGE, "%s wants a value: see --help", argv[0]);
		take_value(c, (enum value_option)i, value);
		return value == argv[1] ? 2 : 1;
	}
	return 0;
}

/* An option of one command only: whose it is is checked when that is known. How many words it took. */
static int
take_option_of(struct ctl_options *o, char **argv)
{
	const char *name, *equals = strchr(argv[0], '=');
	int valued = option_of_take(argv[0], &name);
	const char *value = equals != NULL ? equals + 1 : argv[1];

	if (valued < 0)
		return 0;
	if (valued && value == NULL)
		die(EXIT_WITH_USAGE, "%s wants a value: see --help", argv[0]);
	if (o->given_count == CTL_GIVEN)
		die(EXIT_WITH_USAGE, "too many options: see --help");
	o->given[o->given_count].name = name;
	o->given[o->given_count++].value = valued ? value : "";
	return valued && value == argv[1] ? 2 : 1;
}

static void
call_read(struct ctl_call *c, char **argv)
{
	struct ctl_options *o = &c->options;
	int taken;

	*c = (struct ctl_call){ .options = { .timeout_ms = -1, .interval = 1 } };
	while (*argv != NULL) {
		if ((*argv)[0] != '-') {
			if (o->word_count == CTL_WORDS)
				die(EXIT_WITH_USAGE, "too many arguments: see --help");
			o->words[o->word_count++] = *argv++;
		} else if (take_flag(c, *argv)) {
			argv++;
		} else if ((taken = take_option(c, argv)) > 0 ||
			   (taken = take_option_of(o, argv)) > 0) {
			argv += taken;
		} else {
			die(EXIT_WITH_USAGE, "\"%.60s\" is no option: see --help", *argv);
		}
	}
	o->colour = !o->json && isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
}

/* As the master finds it: command line, environment, file, default. */
static void
call_socket(const struct ctl_call *c, char path[CTL_PATH])
{
	static struct conf conf;
	const char *dir = getenv("OPITIOS_STATE_DIR");
	char why[CONF_ERROR];

	if (c->socket != NULL) {
		if (text_copy(path, CTL_PATH, c->socket) != E_OK)
			die(EXIT_WITH_USAGE, "--socket is too long");
		return;
	}
	conf_defaults(&conf);
	if (c->options.config != NULL && conf_file_read(&conf, c->options.config, why) != E_OK)
		die(EXIT_WITH_CONFIG, "%s", why);
	if (c->options.state_dir != NULL)
		dir = c->options.state_dir;
	else if (dir == NULL || dir[0] == '\0')
		dir = conf.state_dir;
	if ((size_t)snprintf(path, CTL_PATH, "%s/%s", dir, CTL_SOCKET_FILE) >= CTL_PATH)
		die(EXIT_WITH_USAGE, "the state directory's path is too long");
	conf_wipe_secrets(&conf);
}

static const struct command *
call_command(const struct ctl_options *o)
{
	const struct command *command;
	const char *near;

	if (o->word_count == 0)
		die(EXIT_WITH_USAGE, "no command: see --help");
	if ((command = command_find(o->words[0])) == NULL) {
		near = command_nearest(o->words[0]);
		die(EXIT_WITH_USAGE, "there is no command \"%.60s\"%s%s%s", o->words[0],
		    near != NULL ? ": did you mean " : ": see --help", near != NULL ? near : "",
		    near != NULL ? "?" : "");
	}
	if (!command_takes(command, o->word_count - 1))
		die(EXIT_WITH_USAGE, "%s takes %s: see --help", command->name,
		    command->arguments[0] != '\0' ? command->arguments : "no argument");
	for (size_t i = 0; i < o->given_count; i++)
		if (!command_takes_option(command, o->given[i].name))
			die(EXIT_WITH_USAGE, "%s takes no %s: see --help", command->name,
			    o->given[i].name);
	return command;
}

/* The process that was asked became another, so it cannot answer: that one answers now says it is done. */
static int
upgrade_confirm(struct client *c, const struct ctl_options *o, char why[CTL_LINE])
{
	json_t *answer = NULL;
	int r, tries;

	for (tries = 0; tries < 100; tries++) {
		(void)usleep(100000);
		if (client_ask(c, "status", NULL, 0, c->timeout_ms, &answer, why) == E_OK)
			break;
	}
	r = answer != NULL && answer_is_ok(answer) ? EXIT_WITH_OK : EXIT_WITH_UNAVAILABLE;
	if (r != EXIT_WITH_OK)
		say_error(o, why, EXIT_WITH_UNAVAILABLE);
	else if (o->json)
		client_print(answer);
	else
		(void)printf("upgraded: version %s answers, pid %.0f\n",
		    member_text(answer, "version"), member_number(answer, "pid"));
	json_decref(answer);
	return r;
}

static int
call_ask(struct client *c, const struct command *command, const struct ctl_options *o)
{
	int64_t ms = command->kind == COMMAND_ACTION ? CTL_ACTION_MS : CTL_QUERY_MS;
	unsigned limit = strcmp(command->name, "crashes") == 0 ? o->count : 0;
	char why[CTL_LINE];
	json_t *answer;
	int r;

	if (o->timeout_ms >= 0)
		ms = o->timeout_ms;
	r = client_ask(c, command->name, o->words + 1, limit, ms, &answer, why);
	if (r == E_CLOSED && strcmp(command->name, "upgrade") == 0)
		return upgrade_confirm(c, o, why);
	if (r != E_OK) {
		say_error(o, why, EXIT_WITH_UNAVAILABLE);
		return EXIT_WITH_UNAVAILABLE;
	}
	r = answer_is_ok(answer) ? EXIT_WITH_OK : EXIT_WITH_REFUSED;
	if (o->json)
		client_print(answer);
	else if (r == EXIT_WITH_OK)
		command->show(answer, o);
	else
		(void)fprintf(stderr, "opitios-ctl: %s\n", member_text(answer, "error"));
	json_decref(answer);
	return r;
}

int
main(int argc, char **argv)
{
	const struct command *command;
	struct client client;
	struct ctl_call call;
	char path[CTL_PATH];
	int code;

	(void)argc;
	log_open("opitios-ctl", LOG_FORMAT_TEXT, LOG_LEVEL_WARN);
	call_read(&call, argv + 1);
	command = call_command(&call.options);
	call_socket(&call, path);
	client_init(
	    &client, path, call.options.timeout_ms >= 0 ? call.options.timeout_ms : CTL_QUERY_MS);
	code = command->run != NULL ? command->run(&client, &call.options)
				    : call_ask(&client, command, &call.options);
	client_close(&client);
	if (fflush(stdout) != 0 && code == EXIT_WITH_OK)
		code = command->kind == COMMAND_LOCAL ? EXIT_WITH_OUTPUT : EXIT_WITH_SYSTEM;
	return code;
}
