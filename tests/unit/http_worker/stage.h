/* stage.h - an http worker without sockets: requests by hand, a fetcher that only writes down what it is asked. */
#ifndef STAGE_H
#define STAGE_H
#include <jansson.h>

#include "health.h"
#include "http_worker.h"

#define STAGE_WALL INT64_C(1700000000000000000) /* 2023-11-14T22:13:20Z */
#define STAGE_SENT 256

struct stage {
	struct proc proc;
	struct worker worker;
	struct board *board;
	struct slot_page *http, *fetcher_page, *writer_page;
	struct peer fetcher;
	struct msg_fetch sent[STAGE_SENT];
	size_t sent_count;
	bool with_history; /* set before stage_open: range.c finds a store, a fake one */
	bool is_unsure; /* errors told next are no verdict of upstream's */
	int send_error; /* what the next sends come to */
	int64_t wall, mono;
};

/* With a fetcher, every slot ready, and both clocks standing still. */
void stage_open(struct stage *);
void stage_close(struct stage *);
void stage_pass(struct stage *, int64_t ms); /* time passes */

/* A request as the server library hands it over. */
struct http_request {
	char method[16], path[1024], query[16384], headers[1024], body[65536];
	size_t body_len;
	void *tag;
	bool answered, streams;
	bool full; /* a stream whose client takes nothing */
	int cut;
	int status;
	char type[64], answer_headers[2048];
	char *answer;
	size_t answer_len;
	json_t *json; /* of the answer, when it is JSON */
};

/* `headers` are lines with CR LF, or null; `body` may be null. Freed by ask_free. */
struct http_request *ask(struct stage *, const char *method, const char *target, const char *headers, const char *body);
struct http_request *get(struct stage *, const char *target);
void ask_free(struct http_request *);
/* Header of the answer; "" when absent. Static. */
const char *answer_header(const struct http_request *, const char *name);
/* "error.code" and such, as text; "" when absent. Static, by turns. */
const char *member(const struct http_request *, const char *path);
json_t *at(const json_t *, const char *path); /* null when absent */

/* What the fetcher may say. `to` is a fetch that was sent; ticket 0: another worker's. */
void tell_begin(struct stage *, const struct msg_fetch *to, bool ours);
void tell_end(struct stage *, const struct msg_fetch *to, bool ours, int error, const char *reason, uint64_t count);
void tell_quote(struct stage *, const struct msg_fetch *to, const struct quote *);
void tell_error(struct stage *, const struct msg_fetch *to, int error, const char *reason);
void tell_bars(struct stage *, const struct msg_fetch *to, size_t count);
void tell_clock(struct stage *, bool is_open, int64_t next_in_ns);

/* The fetch sent last. */
const struct msg_fetch *last_sent(const struct stage *);
/* Asks for a quote and has the fetcher answer. */
void warm_quote(struct stage *, const char *symbol);
/* Asks; the answer is there at once and came this way. */
void expect_way(struct stage *, const char *target, const char *way);
/* Asks; it is fetched. */
struct http_request *expect_asked(struct stage *, const char *target);
/* Was refused so; frees the request. */
void expect_error(struct http_request *, int status, const char *code);

struct quote a_quote(struct stage *, const char *symbol);

#endif /* STAGE_H */
