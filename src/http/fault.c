/* fault.c - errors as clients read them, and the ids of requests. */
#include "http_fault.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "hash.h"
#include "http.h"
#include "json_write.h"
#include "text.h"

int64_t
fault_retry_after(const struct fault *f)
{
	int64_t seconds = (int64_t)((f->retry_ms + 999) / 1000);

	if (err_is_final(f->code))
		return -1;
	return seconds > 0 ? seconds : 1;
}

int
fault_write_error(struct buf *out, const struct fault *f)
{
	char text[320];
	struct json j;

	json_begin(&j, out);
	json_object_open(&j, NULL);
	json_text(&j, "code", err_name(f->code));
	json_text(&j, "message", err_text(f->code));
	json_text(&j, "type", err_type(f->code));
	json_object_open(&j, "details");
	if (f->symbol != NULL && f->symbol[0] != '\0')
		json_text(&j, "symbol", text_safe(text, sizeof(text), f->symbol));
	if (f->parameter != NULL)
		json_text(&j, "parameter", text_safe(text, sizeof(text), f->parameter));
	if (f->reason != NULL)
		json_text(&j, "reason", text_safe(text, sizeof(text), f->reason));
	json_object_close(&j);
	json_object_close(&j);
	return json_end(&j);
}

int
fault_write(struct buf *out, const struct fault *f, const char *request_id, const char *time,
    const char *path)
{
	int64_t retry_after = fault_retry_after(f);
	char safe[512];
	struct json j;
	int r;

	if ((r = buf_add_text(out, "{\"error\":")) != E_OK ||
	    (r = fault_write_error(out, f)) != E_OK ||
	    (r = buf_add_text(out, ",\"metadata\":")) != E_OK)
		return r;
	json_begin(&j, out);
	json_object_open(&j, NULL);
	json_text(&j, "request_id", request_id);
	json_text(&j, "timestamp", time);
	json_text(&j, "endpoint", text_safe(safe, sizeof(safe), path));
	json_text(&j, "suggested_action", err_action(f->code));
	if (retry_after >= 0)
		json_i64(&j, "retry_after", retry_after);
	else
		json_absent(&j, "retry_after");
	json_object_close(&j);
	if ((r = json_end(&j)) != E_OK)
		return r;
	return buf_add(out, "}", 1);
}

static bool
is_sane_id(const char *id)
{
	size_t n = 0;

	for (; id[n] != '\0'; n++)
		if (n == REQUEST_ID_MAX || !(isalnum((unsigned char)id[n]) || id[n] == '.' ||
					       id[n] == '_' || id[n] == '-'))
			return false;
	return n > 0;
}

static void
id_make(struct request_ids *ids, char out[REQUEST_ID_MAX + 1])
{
	static const char hex[] = "0123456789abcdef";
	uint64_t n = ids->count++;
	size_t len = strlen(ids->prefix);

	memcpy(out, ids->prefix, len);
	for (int shift = 44; shift >= 0; shift -= 4)
		out[len++] = hex[n >> shift & 15];
	out[len] = '\0';
}

void
request_ids_init(struct request_ids *ids)
{
	uint32_t random;

	hash_random(&random, sizeof(random));
	(void)snprintf(ids->prefix, sizeof(ids->prefix), "%08x-", random);
	ids->count = 0;
}

void
request_id(
    struct request_ids *ids, const struct http_request *request, char out[REQUEST_ID_MAX + 1])
{
	const char *id = http_header(request, "X-Request-Id");

	if (id != NULL && is_sane_id(id))
		memcpy(out, id, strlen(id) + 1);
	else
		id_make(ids, out);
}
