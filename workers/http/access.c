/* access.c - the access log: a line a request answered. */
#include <string.h>

#include "http_worker.h"
#include "label.h"
#include "text.h"

void
access_configure(struct access *a, const struct conf *conf)
{
	*a = (struct access){ .kind = ACCESS_OFF, .one_in = (uint64_t)conf->log_access_sample };
	if (strcmp(conf->log_access, "full") == 0)
		a->kind = ACCESS_FULL;
	else if (strcmp(conf->log_access, "sampled") == 0)
		a->kind = ACCESS_SAMPLED;
}

const char *
asker_trace_id(const struct asker *a, struct trace_texts *texts)
{
	if (!trace_is(&a->context))
		return NULL;
	trace_format_id(&a->context, texts->id);
	return texts->id;
}

/* Without tracing the span in the context is the client's, which is no line's of ours. */
static const char *
asker_span_id(const struct asker *a, struct trace_texts *texts)
{
	char whole[TRACEPARENT_LEN + 1];

	if (!trace_is(&a->context) || !a->worker->tracing.on)
		return NULL;
	trace_format(&a->context, whole);
	(void)text_copy_n(texts->span, sizeof(texts->span), whole + 36, TRACE_SPAN_LEN);
	return texts->span;
}

struct log_about
asker_about(const struct asker *a, struct trace_texts *texts)
{
	return (struct log_about){ .request_id = a->id,
		.trace_id = asker_trace_id(a, texts),
		.span_id = asker_span_id(a, texts),
		.symbol = a->symbol,
		.code = a->code,
		.route = label_text(LABELS_route, a->route) };
}

/* The path goes in as it was sent, its query does not: clients put keys there. */
void
access_answered(struct access *access, const struct asker *a, const struct http_answer *answer,
    int64_t duration_ns)
{
	const struct http_request *r = a->request;
	struct trace_texts texts;
	struct log_about about;

	if (access->kind == ACCESS_SAMPLED && access->seen++ % access->one_in != 0)
		return;
	about = asker_about(a, &texts);
	about.status = answer->status;
	about.method = http_method(r);
	about.path = http_path(r);
	about.bytes = http_is_head(r)
			  ? 0
			  : (int64_t)(answer->body_len + answer->body2_len + answer->body3_len);
	about.duration_ms = duration_ns / 1000;
	about.client = http_client(r);
	about.user_agent = http_header(r, "User-Agent");
	about.cache = a->cache;
	log_access(&about);
}
