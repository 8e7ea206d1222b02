/* ctl_request.c - a request of the control socket, read from a line anybody may have written. */
#include "ctl.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

static int
request_arguments(const json_t *args, struct ctl_request *q, char *why, size_t size)
{
	const json_t *word;
	size_t i;

	if (args == NULL)
		return E_OK;
	if (!json_is_array(args) || json_array_size(args) > CTL_ARGS_MAX) {
		(void)snprintf(
		    why, size, "\"args\" is not a list of at most %d words", CTL_ARGS_MAX);
		return E_INVALID_PARAMETER;
	}
	json_array_foreach(args, i, word)
	{
		if (!json_is_string(word) ||
		    text_copy(q->args[i], CTL_ARG_MAX, json_string_value(word)) != E_OK ||
		    !text_is_printable(q->args[i], strlen(q->args[i]))) {
			(void)snprintf(why, size,
			    "\"args\"[%zu] is not a word of at most %d printable characters", i,
			    CTL_ARG_MAX - 1);
			return E_INVALID_PARAMETER;
		}
		q->argc++;
	}
	return E_OK;
}

static int
request_limit(const json_t *limit, struct ctl_request *q, char *why, size_t size)
{
	json_int_t n = json_integer_value(limit);

	if (limit == NULL)
		return E_OK;
	if (!json_is_integer(limit) || n < 1 || n > CTL_NEWEST_MAX) {
		(void)snprintf(why, size, "\"limit\" is not a number from 1 to %d", CTL_NEWEST_MAX);
		return E_INVALID_PARAMETER;
	}
	q->limit = (unsigned)n;
	return E_OK;
}

static int
request_members(const json_t *object, struct ctl_request *q, char *why, size_t size)
{
	const json_t *command = json_object_get(object, "command");
	int r;

	if (!json_is_string(command) ||
	    text_copy(q->command, sizeof(q->command), json_string_value(command)) != E_OK ||
	    q->command[0] == '\0' || !text_is_printable(q->command, strlen(q->command))) {
		(void)snprintf(why, size, "\"command\" is missing or not a word");
		return E_INVALID_PARAMETER;
	}
	if ((r = request_arguments(json_object_get(object, "args"), q, why, size)) != E_OK)
		return r;
	return request_limit(json_object_get(object, "limit"), q, why, size);
}

/* The line is short, and jansson refuses to go deeper than its own bound. */
int
ctl_request_read(const char *line, size_t len, struct ctl_request *q, char *why, size_t size)
{
	json_error_t error;
	json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	int r;

	memset(q, 0, sizeof(*q));
	if (object == NULL) {
		(void)snprintf(why, size, "the line is not JSON, at column %d", error.column);
		return E_MALFORMED_REQUEST;
	}
	if (json_is_object(object)) {
		r = request_members(object, q, why, size);
	} else {
		(void)snprintf(
		    why, size, "the line is not an object with \"command\" and \"args\"");
		r = E_MALFORMED_REQUEST;
	}
	json_decref(object);
	return r;
}
