/* verdict.c - what an upstream answer means: status and body into an error, and whether to try again. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "exchange.h"
#include "text.h"

/* Alpaca's own code for "subscription does not permit". */
#define CODE_NOT_ENTITLED INT64_C(42210000)

static void
verdict_set(struct verdict *v, int error, enum label_outcome outcome, const char *reason)
{
	v->error = error;
	v->outcome = outcome;
	text_copy(v->reason, sizeof(v->reason), reason);
}

/* The exchange did not come to its end. A certificate that does not hold will not hold the next time either,
 * but who answers then may be another machine: it is tried again as any other failure to connect. */
static void
verdict_of_end(struct verdict *v, const struct exchange *c)
{
	switch (c->end) {
	case EXCHANGE_ANSWERED:
		break;
	case EXCHANGE_TIMED_OUT:
		verdict_set(v, E_UPSTREAM_TIMEOUT, LABEL_outcome_TIMEOUT, c->text);
		v->again = v->failing = true;
		break;
	case EXCHANGE_UNREACHABLE:
		verdict_set(v, E_UPSTREAM_SERVICE_ERROR, LABEL_outcome_UNREACHABLE, c->text);
		v->again = v->failing = true;
		break;
	case EXCHANGE_TOO_LARGE:
		verdict_set(v, E_DATA_VALIDATION_ERROR, LABEL_outcome_INVALID,
		    "the body is longer than upstream.response_max");
		break;
	case EXCHANGE_GARBLED:
		verdict_set(v, E_UPSTREAM_SERVICE_ERROR, LABEL_outcome_INVALID, c->text);
		v->again = v->failing = true;
		break;
	}
}

/* Longest text the message may be where a culprit is looked for. */
static void
verdict_find_culprit(struct verdict *v, const char *message)
{
	static const char opening[] = "invalid symbol: ";
	const char *at = strcasestr(message, opening);
	size_t len;

	if (at == NULL)
		return;
	at += sizeof(opening) - 1;
	len = strcspn(at, " ,;\"'");
	if (text_copy_n(v->culprit, sizeof(v->culprit), at, len) != E_OK)
		v->culprit[0] = '\0';
}

static int
message_is_about_plan(const char *message, int64_t code)
{
	return code == CODE_NOT_ENTITLED || strcasestr(message, "subscription") != NULL ||
	       strcasestr(message, "not permit") != NULL ||
	       strcasestr(message, "not entitled") != NULL;
}

static void
verdict_of_request(struct verdict *v, const char *message)
{
	int error = E_INVALID_PARAMETER;

	verdict_find_culprit(v, message);
	v->refused = true;
	v->names_symbol = strcasestr(message, "symbol") != NULL;
	if (strcasestr(message, "invalid symbol") != NULL)
		error = E_INVALID_SYMBOL_FORMAT;
	else if (strcasestr(message, "end should not be before start") != NULL ||
		 strcasestr(message, "parameter start") != NULL ||
		 strcasestr(message, "parameter end") != NULL)
		error = E_INVALID_DATE_RANGE;
	verdict_set(v, error, LABEL_outcome_REFUSED, message);
}

/* 4xx. Only 401 is never JSON upstream; a 403 may be, and then its message tells plan from key. */
static void
verdict_of_client_error(struct verdict *v, const struct exchange *c)
{
	char message[sizeof(v->reason)] = "";
	int64_t code = 0;

	if (v->body != NULL)
		body_message(v->body, message, sizeof(message), &code);
	if (message[0] == '\0')
		snprintf(message, sizeof(message), "upstream answered %ld", c->status);
	if (c->status == 429) {
		verdict_set(v, E_OVERLOADED, LABEL_outcome_RATE_LIMITED, message);
		v->again = v->failing = true;
	} else if (c->status == 401) {
		verdict_set(v, E_UPSTREAM_AUTHENTICATION_FAILED, LABEL_outcome_UNAUTHENTICATED,
		    "upstream answered 401: the key is wrong or was revoked");
		v->failing = true;
	} else if ((c->status == 402 || c->status == 403 || c->status == 422) &&
		   message_is_about_plan(message, code)) {
		verdict_set(v, E_NOT_ENTITLED, LABEL_outcome_NOT_ENTITLED, message);
	} else if (c->status == 403) {
		verdict_set(
		    v, E_UPSTREAM_AUTHENTICATION_FAILED, LABEL_outcome_UNAUTHENTICATED, message);
		v->failing = true;
	} else if (c->status == 404 && v->body != NULL) {
		verdict_set(v, E_NOT_FOUND, LABEL_outcome_NOT_FOUND, message);
		v->absent = true;
	} else if ((c->status == 400 || c->status == 422) && v->body != NULL) {
		verdict_of_request(v, message);
	} else {
		verdict_set(v, E_UPSTREAM_SERVICE_ERROR, LABEL_outcome_REFUSED, message);
	}
}

static void
verdict_of_status(struct verdict *v, const struct exchange *c)
{
	char text[64];

	if (c->status >= 400 && c->status < 500) {
		verdict_of_client_error(v, c);
		return;
	}
	snprintf(text, sizeof(text), "upstream answered %ld", c->status);
	v->again = v->failing = c->status >= 500;
	if (c->status == 504)
		verdict_set(v, E_UPSTREAM_TIMEOUT, LABEL_outcome_SERVER_ERROR, text);
	else if (c->status >= 500)
		verdict_set(v, E_UPSTREAM_SERVICE_ERROR, LABEL_outcome_SERVER_ERROR, text);
	else
		verdict_set(v, E_UPSTREAM_SERVICE_ERROR, LABEL_outcome_INVALID, text);
}

void
verdict_read(struct verdict *v, const struct exchange *c)
{
	const char *why = "";
	int r = E_ABSENT;

	*v = (struct verdict){ .error = E_OK, .outcome = LABEL_outcome_OK };
	if (c->end != EXCHANGE_ANSWERED) {
		verdict_of_end(v, c);
		return;
	}
	if (c->status != 401 && c->status < 500)
		r = body_parse(buf_data(&c->body), buf_len(&c->body), &v->body, &why);
	if (c->status != 200)
		verdict_of_status(v, c);
	else if (r != E_OK)
		verdict_set(v, E_DATA_VALIDATION_ERROR, LABEL_outcome_INVALID, why);
}

void
verdict_fini(struct verdict *v)
{
	body_free(&v->body);
}
