/* fuzz_redis.c - any bytes as what a Redis server sends, as a value it holds, as the URL of one.
 *
 * Invariants: the reader takes no more than its bound and never what only was announced; a value that is accepted is
 * written and read back to the same; a URL that is refused says why without repeating it.
 */
#include <string.h>

#include "fuzz.h"
#include "latest.h"
#include "redis_room.h"

static void
fuzz_value(enum msg_type type, const char *data, size_t size)
{
	union msg_any first, again;
	const char *why = NULL;
	struct buf b;

	if (latest_read(type, data, size, &first, &why) != E_OK) {
		must_hold(why != NULL);
		return;
	}
	buf_init(&b, (size_t)1 << 20);
	must_hold(latest_write(type, &first, &b) == E_OK);
	if (buf_len(&b) <= LATEST_TEXT) {
		must_hold(
		    latest_read(type, (char *)buf_data(&b), buf_len(&b), &again, &why) == E_OK);
		must_hold(again.quote.received == first.quote.received);
		must_hold(strcmp(again.quote.symbol, first.quote.symbol) == 0);
	}
	buf_fini(&b);
}

static void
fuzz_reader(const char *data, size_t size)
{
	struct redis_reader reader;
	redisReply *reply;
	size_t part = size / 3 + 1;
	int r = E_OK;

	redis_reader_open(&reader);
	for (size_t at = 0; at < size && r != E_PROTOCOL; at += part) {
		if ((r = redis_reader_feed(
			 &reader, data + at, at + part < size ? part : size - at)) != E_OK)
			break;
		while ((r = redis_reader_next(&reader, &reply)) == E_OK)
			freeReplyObject(reply);
	}
	must_hold(reader.elements <= READER_ELEMENTS_MAX);
	redis_reader_close(&reader);
}

static void
fuzz_url(const char *data, size_t size)
{
	char text[2048], shown[256], why[REDIS_WHY] = "";
	struct redis_url url;

	memcpy(text, data, size < sizeof(text) - 1 ? size : sizeof(text) - 1);
	text[size < sizeof(text) - 1 ? size : sizeof(text) - 1] = '\0';
	if (redis_url_parse(text, &url, why) != E_OK) {
		must_hold(why[0] != '\0');
		return;
	}
	must_hold(
	    url.host_count <= REDIS_HOSTS_MAX && (url.host_count > 0) == (url.form != REDIS_UNIX));
	redis_url_show(&url, shown, sizeof(shown));
	must_hold(strlen(shown) < sizeof(shown));
	(void)redis_slot(text, strlen(text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *data = (const char *)bytes + 1;

	if (size == 0)
		return 0;
	switch (bytes[0] % 4) {
	case 0:
		fuzz_value(MSG_QUOTE, data, size - 1);
		break;
	case 1:
		fuzz_value(MSG_TRADE, data, size - 1);
		break;
	case 2:
		fuzz_reader(data, size - 1);
		break;
	default:
		fuzz_url(data, size - 1);
	}
	return 0;
}
