/* test_latest.c - what goes to Redis at once, and where reading goes on when the journal has let go. */
#include "latest_known.h"
#include "latest_sink.h"
#include "writer_help.h"

static struct latest_batch batch;

static void
setup(void)
{
	help_setup();
	batch_open(&batch);
}

static void
teardown(void)
{
	batch_close(&batch);
	help_teardown();
}

TestSuite(latest_sink, .init = setup, .fini = teardown);

static struct journal_record
trade(const char *symbol, int64_t event, int64_t received, double price)
{
	struct journal_record r = { .sequence = 7, .type = MSG_TRADE, .desc = msg_desc(MSG_TRADE) };
	struct trade *t = &r.value.trade;

	t->asset = ASSET_STOCK;
	t->source = SOURCE_LATEST;
	snprintf(t->symbol, sizeof(t->symbol), "%s", symbol);
	strcpy(t->feed, "iex");
	t->event = event;
	t->received = received;
	t->price = price;
	return r;
}

static void
add(struct journal_record r)
{
	cr_assert_eq(batch_add(&batch, &r, "gateway/journal", 0), E_OK);
}

Test(latest_sink, of_a_batch_the_newest_of_each_key_is_sent)
{
	add(trade("A", 10, 1, 1));
	add(trade("A", 12, 1, 2));
	add(trade("A", 11, 9, 3)); /* an older event, received later */
	add(trade("B", 10, 5, 4));
	add(trade("B", 10, 6, 5)); /* the same event, received later */
	add(trade("B", 10, 4, 6));
	cr_assert_eq(batch.row_count, 2u);
	cr_expect_eq(batch.rows[0].value.trade.price, 2);
	cr_expect_eq(batch.rows[1].value.trade.price, 5);
	cr_expect_eq(batch.coalesced, 4u);
	batch_reset(&batch);
	add(trade("A", 1, 1, 7));
	cr_expect_eq(batch.rows[0].value.trade.price, 7, "nothing is left of the batch before");
}

Test(latest_sink, a_call_names_keys_then_pairs_of_field_and_life_and_values)
{
	static const char wanted[] =
	    "*16\r\n$7\r\nEVALSHA\r\n$4\r\n0123\r\n$1\r\n3\r\n$18\r\nopitios:v2:trade:A\r\n"
	    "$18\r\nopitios:v2:trade:B\r\n$17\r\nopitios:v2:writer\r\n$2\r\nme\r\n$1\r\n1\r\n"
	    "$2\r\n\x01\x82\r\n$1\r\n2\r\n$3\r\niex\r\n$4\r\n1234\r\n$3\r\niex\r\n$1\r\n1\r\n$";
	struct latest_call how = { "0123", "me", true };
	struct buf b;

	buf_init(&b, 1 << 20);
	add(trade("A", 10, 1, 1));
	add(trade("B", 10, 1, 1));
	batch.rows[0].ttl_ms = 1234;
	batch.rows[1].ttl_ms = 1;
	batch.rows[1].known = true;
	cr_assert_eq(batch_write_rows(&batch, 0, 2, &how, &b), E_OK);
	cr_assert_eq(buf_add(&b, "", 1), E_OK);
	cr_expect_eq(
	    memcmp(buf_data(&b), wanted, sizeof(wanted) - 1), 0, "%.300s", (char *)buf_data(&b));
	buf_reset(&b);
	batch.rows[0].ttl_ms = 1;
	how = (struct latest_call){ NULL, "", false };
	cr_assert_eq(batch_write_rows(&batch, 0, 1, &how, &b), E_OK);
	cr_expect_eq(
	    memcmp(buf_data(&b), "*11", 3), 0, "no key of a writer: %.9s", (char *)buf_data(&b));
	buf_fini(&b);
}

static struct latest_id
id_of(unsigned symbol, int64_t event)
{
	struct latest_id id = { .event_ns = event, .received_ns = 5 };

	snprintf(id.key, sizeof(id.key), "opitios:v2:trade:S%u", symbol);
	strcpy(id.field, "iex");
	return id;
}

Test(latest_sink, what_is_known_of_a_key_ends_with_its_order_its_life_and_the_round)
{
	struct latest_known k = { .round = 1 };
	struct latest_id id = id_of(1, 100);
	int64_t ttl = 320000, share = 10 * CLOCK_SEC;

	cr_expect_not(known_is_older(&k, known_name(&id), &id, ttl, 0), "nothing is known");
	known_begin(&k, known_name(&id), &id, ttl, 0);
	cr_expect(known_is_older(&k, known_name(&id), &id, ttl, share), "as new");
	id.received_ns--;
	cr_expect_not(known_is_older(&k, known_name(&id), &id, ttl, 0), "received before");
	id = id_of(1, 99);
	cr_expect_not(known_is_older(&k, known_name(&id), &id, ttl, 0), "an older event");
	id = id_of(1, 101);
	cr_expect(known_is_older(&k, known_name(&id), &id, ttl, 0));
	cr_expect_not(known_is_older(&k, known_name(&id), &id, ttl + 1, 0), "another life");
	cr_expect_not(
	    known_is_older(&k, known_name(&id), &id, ttl, share + 1), "its life is to begin anew");
	known_note(&k, known_name(&id), &id);
	id = id_of(1, 100);
	cr_expect_not(known_is_older(&k, known_name(&id), &id, ttl, 0), "the newer one was noted");
	id = id_of(2, 200);
	known_note(&k, known_name(&id), &id);
	cr_expect_not(
	    known_is_older(&k, known_name(&id), &id, ttl, 0), "noted of a key that is not known");
	id = id_of(1, 102);
	known_forget(&k, known_name(&id));
	cr_expect_not(known_is_older(&k, known_name(&id), &id, ttl, 0), "forgotten");
	known_begin(&k, known_name(&id), &id, ttl, 0);
	known_clear(&k);
	cr_expect_not(known_is_older(&k, known_name(&id), &id, ttl, 0), "cleared");
	known_close(&k);
}

Test(latest_sink, what_is_known_is_bounded_and_never_wrong)
{
	struct latest_known k = { .round = 1 };
	unsigned known = 0;
	struct latest_id id;

	for (unsigned i = 0; i < 400000; i++) {
		id = id_of(i, 100 + i);
		known_begin(&k, known_name(&id), &id, 1000, 0);
	}
	for (unsigned i = 0; i < 400000; i++) {
		id = id_of(i, 99 + i);
		cr_assert_not(known_is_older(&k, known_name(&id), &id, 1000, 0), "%u", i);
		id = id_of(i, 100 + i);
		known += known_is_older(&k, known_name(&id), &id, 1000, 0);
	}
	cr_expect_eq(k.capacity, 262144u);
	cr_expect(known > 200000 && known <= 262144, "%u", known);
	known_close(&k);
}

Test(latest_sink, a_batch_is_bounded_in_keys_and_in_entries)
{
	struct journal_record r;
	char symbol[16];

	for (int i = 0; i < BATCH_KEYS; i++) {
		snprintf(symbol, sizeof(symbol), "S%d", i);
		add(trade(symbol, 1, 1, 1));
	}
	r = trade("ONE.MORE", 1, 1, 1);
	cr_expect_eq(batch_add(&batch, &r, "g/j", 0), E_FULL);
	cr_expect_eq(batch.row_count, (size_t)BATCH_KEYS);
	batch_reset(&batch);
	r = trade("A", 1, 1, 1);
	while (batch_add(&batch, &r, "g/j", 100) == E_OK)
		;
	cr_expect(batch.entry_count == BATCH_ENTRIES ||
		      buf_len(&batch.stream) > BATCH_STREAM_BYTES - LATEST_TEXT,
	    "%zu entries", batch.entry_count);
	cr_expect_eq(buf_len(&batch.stream) % batch.entry_count, 0u, "no half entry is left");
}

Test(latest_sink, what_the_journal_let_go_of_is_counted_and_passed_over)
{
	struct journal *j = help_journal(SOURCE);
	uint64_t first = help_append(j, 1, 1), last = help_append(j, 2, 60000), skipped = 0;
	struct latest_source s = { .name = SOURCE, .state_dir = help_dir };
	struct journal_record record;

	source_begin(&s, 0);
	cr_assert_eq(source_read(&s, &record, &skipped), E_OK);
	cr_expect_eq(record.sequence, first);
	s.sent = s.acked = s.read;
	source_close(&s);
	journal_passed(j, last - 10); /* the history store is far ahead, Redis was away */
	while (source_read(&s, &record, &skipped) == E_OK)
		;
	cr_expect_gt(skipped, 1000u, "segments went");
	cr_expect_lt(skipped, last - first, "but not all that is there");
	cr_expect_eq(record.sequence, last, "and it goes on to the end");
	source_rewind(&s);
	cr_expect_eq(s.read, first, "a failure leads back to what Redis has");
	source_close(&s);
	journal_close(&j);
}
