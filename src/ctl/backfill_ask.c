/* backfill_ask.c - one page of bars over the gateway's own HTTP address. */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "backfill.h"
#include "mem.h"
#include "text.h"

#define ASK_BODY_MAX   (64u << 20)
#define ASK_CONNECT_MS 5000L
#define ASK_TIMEOUT_MS 120000L /* longer than the gateway waits for its upstream */

struct backfill_ask {
	CURL *curl;
	char base[BACKFILL_URL];
	struct buf body;
};

static size_t
ask_on_body(char *bytes, size_t size, size_t count, void *owner)
{
	struct backfill_ask *a = owner;

	return buf_add(&a->body, bytes, size * count) == E_OK ? size * count : 0;
}

static int
ask_on_progress(void *owner, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	(void)owner, (void)a, (void)b, (void)c, (void)d;
	return local_interrupted();
}

struct backfill_ask *
backfill_ask_new(const char *base)
{
	struct backfill_ask *a = mem_alloc(sizeof(*a));

	(void)text_copy(a->base, sizeof(a->base), base);
	buf_init(&a->body, ASK_BODY_MAX);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
	    (a->curl = curl_easy_init()) == NULL) {
		mem_free(&a);
		return NULL;
	}
	curl_easy_setopt(a->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(a->curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(a->curl, CURLOPT_CONNECTTIMEOUT_MS, ASK_CONNECT_MS);
	curl_easy_setopt(a->curl, CURLOPT_TIMEOUT_MS, ASK_TIMEOUT_MS);
	curl_easy_setopt(a->curl, CURLOPT_USERAGENT, "opitios-ctl");
	curl_easy_setopt(a->curl, CURLOPT_WRITEFUNCTION, ask_on_body);
	curl_easy_setopt(a->curl, CURLOPT_WRITEDATA, a);
	curl_easy_setopt(a->curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(a->curl, CURLOPT_XFERINFOFUNCTION, ask_on_progress);
	return a;
}

void
backfill_ask_free(struct backfill_ask **ask)
{
	if (*ask == NULL)
		return;
	curl_easy_cleanup((*ask)->curl);
	buf_fini(&(*ask)->body);
	mem_free(ask);
}

char *
backfill_escape(struct backfill_ask *a, const char *text)
{
	return curl_easy_escape(a->curl, text, 0);
}

void
backfill_escape_free(char *text)
{
	curl_free(text);
}

/* What the answer says of itself; a body that is none of ours is refused. */
static enum page_result
page_read(const json_t *body, struct page *page, char why[CTL_LINE])
{
	const json_t *data = json_object_get(body, "data");
	const json_t *bars = json_object_get(data, "bars");

	if (!json_is_array(bars) || text_copy(page->token, sizeof(page->token),
					member_text(data, "next_page_token")) != E_OK) {
		(void)snprintf(why, CTL_LINE, "what answers is no gateway of this kind: see --url");
		return PAGE_REFUSED;
	}
	page->rows = json_array_size(bars);
	page->fetched =
	    strcmp(member_text(json_object_get(body, "metadata"), "cache"), "miss") == 0;
	return PAGE_GOOD;
}

/* Busy, late, or short of budget: the gateway means it for later. */
static enum page_result
page_refused(const json_t *body, long status, char why[CTL_LINE])
{
	const json_t *error = json_object_get(body, "error");
	const char *code = member_text(error, "code"), *message = member_text(error, "message");

	(void)snprintf(
	    why, CTL_LINE, "the gateway answered %ld %.60s: %.300s", status, code, message);
	format_clean(why);
	return status == 429 || status == 502 || status == 503 || status == 504 ? PAGE_AGAIN
										: PAGE_REFUSED;
}

/* Nothing in the range is an answer too. */
static bool
is_empty_range(const json_t *body, long status)
{
	return status == 404 && strcmp(member_text(json_object_get(body, "error"), "code"),
				    "HISTORICAL_DATA_UNAVAILABLE") == 0;
}

static enum page_result
page_judge(struct backfill_ask *a, struct page *page, double *wait_s, char why[CTL_LINE])
{
	json_t *body = json_loadb((const char *)buf_data(&a->body), buf_len(&a->body), 0, NULL);
	enum page_result result;
	curl_off_t after = 0;
	long status = 0;

	(void)curl_easy_getinfo(a->curl, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(a->curl, CURLINFO_RETRY_AFTER, &after);
	*wait_s = (double)after;
	if (status == 200)
		result = page_read(body, page, why);
	else if (is_empty_range(body, status)) {
		*page = (struct page){ .fetched = true };
		result = PAGE_GOOD;
	} else
		result = page_refused(body, status, why);
	json_decref(body);
	return result;
}

enum page_result
backfill_ask_page(
    struct backfill_ask *a, const char *path, struct page *page, double *wait_s, char why[CTL_LINE])
{
	char url[BACKFILL_URL + 4 * BACKFILL_TOKEN];
	CURLcode r;

	*wait_s = 0;
	*page = (struct page){ 0 };
	buf_reset(&a->body);
	if ((size_t)snprintf(url, sizeof(url), "%s%s", a->base, path) >= sizeof(url)) {
		(void)snprintf(why, CTL_LINE, "the request is too long");
		return PAGE_REFUSED;
	}
	curl_easy_setopt(a->curl, CURLOPT_URL, url);
	r = curl_easy_perform(a->curl);
	if (local_interrupted())
		return PAGE_INTERRUPTED;
	if (r == CURLE_OK)
		return page_judge(a, page, wait_s, why);
	(void)snprintf(why, CTL_LINE, "%.300s: %.150s", a->base, curl_easy_strerror(r));
	return r == CURLE_URL_MALFORMAT || r == CURLE_UNSUPPORTED_PROTOCOL || r == CURLE_WRITE_ERROR
		   ? PAGE_REFUSED
		   : PAGE_AGAIN;
}
