/* tables.c - writes the documents that follow from include/tables: tables FOLDER. */
#include "tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "role.h"

static const struct document {
	const char *path; /* below the folder */
	void (*write)(FILE *);
} documents[] = {
	{ "doc/reference/configuration.md", tables_configuration },
	{ "doc/reference/metrics.md", tables_metrics },
	{ "doc/reference/errors.md", tables_errors },
	{ "doc/reference/exits.md", tables_exits },
	{ "doc/reference/routes.md", tables_routes },
	{ "doc/reference/admin.md", tables_admin },
	{ "doc/reference/health.md", tables_health },
	{ "doc/reference/messages.md", tables_messages },
	{ "doc/reference/values.md", tables_values },
	{ "doc/reference/endpoints.md", tables_endpoints },
	{ "doc/reference/roles.md", tables_roles },
	{ "doc/reference/slots.md", tables_slots },
	{ "doc/reference/commands.md", tables_commands },
	{ "doc/reference/log_fields.md", tables_log_fields },
	{ "doc/man/opitios-ctl.8", tables_manual_ctl },
	{ "doc/man/opitios-alpaca.8", tables_manual_master },
	{ "completions/opitios-ctl.bash", tables_completion },
	{ "doc/man/opitios-alpaca.conf.5", tables_manual },
	{ "examples/opitios-alpaca.conf", tables_example },
};

#define DOCUMENTS (sizeof(documents) / sizeof(documents[0]))

static void
tables_die(const char *path)
{
	(void)fprintf(stderr, "tables: %s: %s\n", path, strerror(errno));
	exit(1);
}

/* Makes every folder of the path but the last part, which is the file. */
static void
tables_make_folders(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0777) != 0 && errno != EEXIST)
			tables_die(path);
		*slash = '/';
	}
}

static void
tables_write(const char *folder, const struct document *d)
{
	char path[4096];
	FILE *out;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, d->path) >= sizeof(path)) {
		errno = ENAMETOOLONG;
		tables_die(folder);
	}
	tables_make_folders(path);
	if ((out = fopen(path, "w")) == NULL)
		tables_die(path);
	d->write(out);
	if (ferror(out) || fclose(out) != 0)
		tables_die(path);
}

void
tables_title(FILE *out, const char *title, const char *what)
{
	(void)fprintf(out, "# %s\n\n%s\n%s\n\n", title, what, TABLES_NOTE);
}

const char *
tables_role_names(unsigned roles)
{
	static char names[256];
	size_t used = 0;

	if (roles == ROLE_ANY)
		return "all";
	names[0] = '\0';
	for (unsigned bit = 1; bit < ROLE_ANY && used < sizeof(names); bit <<= 1)
		if (roles & bit)
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
			    used > 0 ? ", " : "", role_name((enum role)bit));
	return names;
}

/* `--list` names the documents, so that the makefile need not. */
int
main(int argc, char **argv)
{
	if (argc != 2) {
		(void)fprintf(stderr, "usage: tables FOLDER | --list\n");
		return 64;
	}
	for (size_t i = 0; i < DOCUMENTS; i++) {
		if (strcmp(argv[1], "--list") == 0)
			(void)printf("%s\n", documents[i].path);
		else
			tables_write(argv[1], &documents[i]);
	}
	return 0;
}
