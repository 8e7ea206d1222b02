/* err.c - texts of error and exit codes, from their tables. */
#include "err.h"

#include <stddef.h>

#define ERR_RETRY    0
#define ERR_FINAL    1
#define EXIT_RESTART 0
#define EXIT_FATAL   1

struct err_row {
	int number;
	int status;
	int final;
	const char *name, *type, *text, *action;
};

static const struct err_row err_rows[] = {
#define ERROR(NAME, number, status, again, type, text, action)                                     \
	{ -(number), (status), ERR_##again, #NAME, (type), (text), (action) },
#include "tables/errors.def"
};

struct exit_row {
	int code;
	int fatal;
	const char *name;
};

static const struct exit_row exit_rows[] = {
#define EXIT(NAME, code, restart, help) { (code), EXIT_##restart, #NAME },
#include "tables/exits.def"
};

#define ROWS(a) (sizeof(a) / sizeof((a)[0]))

static const struct err_row *
err_row(int code)
{
	const struct err_row *unknown = NULL;
	size_t i;

	for (i = 0; i < ROWS(err_rows); i++) {
		if (err_rows[i].number == code)
			return &err_rows[i];
		if (err_rows[i].number == E_INTERNAL_SERVICE_ERROR)
			unknown = &err_rows[i];
	}
	return unknown;
}

const char *
err_name(int code)
{
	return code == E_OK ? "OK" : err_row(code)->name;
}

const char *
err_text(int code)
{
	return code == E_OK ? "no error" : err_row(code)->text;
}

const char *
err_type(int code)
{
	return err_row(code)->type;
}

const char *
err_action(int code)
{
	return err_row(code)->action;
}

int
err_status(int code)
{
	return code == E_OK ? 200 : err_row(code)->status;
}

int
err_is_final(int code)
{
	return err_row(code)->final;
}

const char *
exit_name(int code)
{
	size_t i;

	for (i = 0; i < ROWS(exit_rows); i++)
		if (exit_rows[i].code == code)
			return exit_rows[i].name;
	return "UNLISTED";
}

int
exit_is_fatal(int code)
{
	size_t i;

	for (i = 0; i < ROWS(exit_rows); i++)
		if (exit_rows[i].code == code)
			return exit_rows[i].fatal;
	return 0;
}
