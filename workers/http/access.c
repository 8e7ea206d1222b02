/* access.c - the access log: a line a request answered. */
#include <string.h>

#include "http_worker.h"
#include "label.h"

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
asker_trace_id(const struct asker *a, char trace[TRACE_ID_LEN + 1])
{
	if (a->trace[0] == '\0')
		return NULL;
	memcpy(trace, a->trace + 3, TRACE_ID_LEN);
	trace[TRACE_ID_LEN] = '\0';
	return trace;
}

struct log_about
asker_about(const struct asker *a, char trace[TRACE_ID_LEN + 1])
{
	return (struct log_about){ .request_id = a->id,
		.trace_id = asker_trace_id(a, trace),
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
	char trace[TRACE_ID_LEN + 1];
	struct log_about about;

	if (access->kind == ACCESS_SAMPLED && access->seen++ % access->one_in != 0)
		return;
	about = asker_about(a, trace);
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
