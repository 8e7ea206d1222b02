/* latest_send.c - a batch on its way to Redis, and what its answers mean.
 *
 * A batch is good when every command of it was answered well; only then do the positions move. Anything else and all
 * of it is read and sent again: it is idempotent, but for entries of streams, which then may stand there twice.
 */
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "latest_room.h"
#include "log.h"
#include "text.h"

#define POSITION_KEY   96
#define ROWS_A_TURN    1024
#define ENTRIES_A_TURN 1024
#define TOGETHER_MS    1000 /* before it looks again whether it writes alone */
#define POSITION_MS                                                                                \
	(INT64_C(7) * 86400 * 1000) /* so long a gateway may be away and go on where it was */

/* Of values that are sent now. */
struct lives {
	int64_t crypto_ms, other_ms;
};

static struct lives
lives_now(const struct latest *l)
{
	int64_t open = l->conf->redis_ttl_open, age = clock_wall() - l->clock.received;

	if (session_of(&l->clock, age > 0 ? age : 0) == SESSION_CLOSED)
		return (struct lives){ open, l->conf->redis_ttl_closed };
	return (struct lives){ open, open };
}

void
latest_failed(struct latest *l, unsigned cause, const char *why)
{
	metric_add(l->stats, M_REDIS_ERRORS, cause, 0, 1);
	metric_set(l->stats, M_REDIS_UP, 0, 0, 0);
	check_store(l->stats, CHECK_CACHE, E_STORE, 0, why);
	if (!l->failing) {
		log_error("redis %s: %s; what is to be written waits in the journal, trying again",
		    redis_where(l->redis), why);
		l->failing = true;
		l->failing_since = clock_mono();
	}
	latest_drain_check(l);
}

void
latest_works(struct latest *l)
{
	metric_set(l->stats, M_REDIS_UP, 0, 0, 1);
	backoff_reset(&l->backoff);
	l->refused = false;
	if (l->failing)
		log_info("redis %s: works again after %" PRId64 " s", redis_where(l->redis),
		    (clock_mono() - l->failing_since) / CLOCK_SEC);
	l->failing = false;
}

static void
position_kept(const struct redis_answer *a, void *arg)
{
	struct latest *l = arg;

	l->positions--;
	if (a->cause != REDIS_WELL && a->reply != NULL)
		metric_add(l->stats, M_REDIS_ERRORS, a->cause, 0, 1);
	latest_drain_check(l);
}

static void
position_key(const struct latest_source *s, char key[POSITION_KEY])
{
	(void)snprintf(key, POSITION_KEY, LATEST_PREFIX "position:%s", s->origin);
}

/* Kept in Redis itself, beside what was written: whoever takes the values away takes the position too. */
static void
position_keep(struct latest *l, const struct latest_source *s)
{
	struct buf *b = &l->command;
	char key[POSITION_KEY];

	position_key(s, key);
	buf_reset(b);
	if (redis_words(b, 5) == E_OK && redis_word_text(b, "SET") == E_OK &&
	    redis_word_text(b, key) == E_OK && redis_word_number(b, (int64_t)s->acked) == E_OK &&
	    redis_word_text(b, "PX") == E_OK && redis_word_number(b, POSITION_MS) == E_OK &&
	    redis_send(l->redis, key, buf_data(b), buf_len(b), position_kept, l) == E_OK)
		l->positions++;
}

static void
position_answered(const struct redis_answer *a, void *arg)
{
	struct latest_source *s = arg;
	uint64_t position;

	if (s->begun != SOURCE_ASKING)
		return;
	s->begun = SOURCE_UNKNOWN;
	if (a->cause != REDIS_WELL)
		return;
	if (a->reply->type != REDIS_REPLY_STRING || text_to_u64(a->reply->str, &position) != E_OK)
		position = 0;
	source_begin(s, position);
	loop_timer_set(s->work, 0);
}

void
latest_position_ask(struct latest *l, struct latest_source *s)
{
	struct buf *b = &l->command;
	char key[POSITION_KEY];

	position_key(s, key);
	buf_reset(b);
	if (redis_words(b, 2) == E_OK && redis_word_text(b, "GET") == E_OK &&
	    redis_word_text(b, key) == E_OK &&
	    redis_send(l->redis, key, buf_data(b), buf_len(b), position_answered, s) == E_OK)
		s->begun = SOURCE_ASKING;
}

static void
ping_answered(const struct redis_answer *a, void *arg)
{
	struct latest *l = arg;
	int64_t took = clock_mono() - l->pinged_ns;

	l->pinged_ns = 0;
	if (a->reply == NULL)
		return; /* the end of the connection is told as well */
	if (a->cause != REDIS_WELL)
		latest_failed(l, a->cause, a->why);
	else if (!l->refused) {
		latest_works(l);
		check_store(l->stats, CHECK_CACHE, E_OK, took, "");
	}
}

void
latest_ping(struct latest *l)
{
	static const char ping[] = "*1\r\n$4\r\nPING\r\n";

	if (l->pinged_ns == 0 && redis_is_up(l->redis) &&
	    redis_send(l->redis, NULL, ping, sizeof(ping) - 1, ping_answered, l) == E_OK)
		l->pinged_ns = clock_mono();
}

/* Of what Redis holds now, as it said. */
static void
rows_learn(struct latest *l, const struct latest_batch *b)
{
	const struct latest_row *row;

	if (b->row_count == 0 || redis_is_cluster(l->redis))
		return;
	if (!l->alone) {
		if (l->sole || l->begins)
			l->together_until = clock_mono() + TOGETHER_MS * CLOCK_MS;
		l->sole = false;
		known_clear(&l->known);
		return;
	}
	l->sole = true;
	for (size_t i = 0; i < b->row_count; i++) {
		row = &b->rows[i];
		if (!row->won)
			known_forget(&l->known, row->name);
		else if (row->known)
			known_note(&l->known, row->name, &row->id);
		else
			known_begin(&l->known, row->name, &row->id, row->ttl_ms, l->flight_ns);
	}
}

static void
flight_landed(struct latest *l)
{
	struct latest_batch *b = l->flying;

	rows_learn(l, b);
	for (size_t i = 0; i < b->row_count; i++)
		metric_add(l->stats, M_REDIS_VALUES,
		    (unsigned)label_index(LABELS_kind, msg_desc(b->rows[i].type)->name), 0, 1);
	metric_add(l->stats, M_REDIS_STREAMED, 0, 0, b->entry_count);
	metric_add(l->stats, M_REDIS_COALESCED, 0, 0, b->coalesced);
	metric_observe(l->stats, M_REDIS_BATCH, 0, clock_mono() - l->flight_ns);
	for (struct latest_source *s = l->sources; s != NULL; s = s->next) {
		if (s->begun != SOURCE_BEGUN || s->acked == s->sent)
			continue;
		s->acked = s->sent;
		position_keep(l, s);
	}
	if (b->row_count > 0)
		l->whole_script = false;
	latest_works(l);
	batch_reset(b);
}

/* Refused, not gone: the server answers, and does not take it. */
static void
flight_refused(struct latest *l)
{
	uint32_t wait_ms = backoff_next_jittered_ms(&l->backoff, 20);

	latest_rewind(l);
	if (l->flight_cause == LABEL(redis, NOSCRIPT) && !l->whole_script) {
		l->whole_script = true; /* it was restarted or told to forget: no failure */
		backoff_reset(&l->backoff);
		loop_timer_set(&l->work, 0);
		return;
	}
	l->refused = true;
	latest_failed(l, l->flight_cause, l->flight_why);
	loop_timer_set(&l->work, wait_ms);
	if (l->flight_cause == LABEL(redis, READONLY) || l->flight_cause == LABEL(redis, AUTH))
		redis_suspect(l->redis, l->flight_cause, l->flight_why);
}

static bool
latest_is_sent(const struct latest *l)
{
	return l->flight_cause != REDIS_WELL ||
	       (l->rows_sent == l->flying->row_count && l->entries_sent == l->flying->entry_count);
}

static void
flight_over(struct latest *l)
{
	l->flight = false;
	if (l->flight_cause == REDIS_WELL) {
		flight_landed(l);
		loop_timer_set(&l->work, 0);
	} else {
		flight_refused(l);
	}
}

static void
flight_answered(const struct redis_answer *a, void *arg)
{
	struct latest *l = arg;

	l->outstanding--;
	if (!l->flight)
		return; /* it was given up when the connection ended */
	if (a->reply == NULL) {
		l->flight = false; /* told by latest_down, which rewinds */
		return;
	}
	if (a->cause != REDIS_WELL && l->flight_cause == REDIS_WELL) {
		l->flight_cause = a->cause;
		(void)text_copy(l->flight_why, sizeof(l->flight_why), a->why);
	}
	if (l->outstanding == 0 && latest_is_sent(l))
		flight_over(l);
	else if (l->outstanding == 0)
		loop_timer_set(&l->work, 0);
}

/* Of one server, in the order they were sent. A call tells how many of its rows were written: all, or it is not told which. */
static void
rows_answered(const struct redis_answer *a, void *arg)
{
	struct latest *l = arg;
	const struct latest_batch *b = l->flying;
	size_t to = l->rows_answered + ROWS_A_CALL, count;
	int64_t said = a->cause == REDIS_WELL && a->reply != NULL ? a->reply->integer : -1;

	if (l->flight && l->rows_answered < b->row_count) {
		to = to < b->row_count ? to : b->row_count;
		count = to - l->rows_answered;
		l->alone = l->alone && said >= 0;
		while (l->rows_answered < to)
			b->rows[l->rows_answered++].won = said == (int64_t)count;
	}
	flight_answered(a, arg);
}

static int
send_command(struct latest *l, const char *key, const void *bytes, size_t len, REDIS_DONE(done))
{
	int r = redis_send(l->redis, key, bytes, len, done, l);

	if (r == E_OK)
		l->outstanding++;
	return r;
}

static void
rows_prepare(const struct latest *l, struct latest_batch *b, size_t from, size_t to)
{
	const struct lives lives = lives_now(l);
	int64_t now = clock_mono();

	for (struct latest_row *row = &b->rows[from]; row < &b->rows[to]; row++) {
		row->ttl_ms = row->id.asset == ASSET_CRYPTO ? lives.crypto_ms : lives.other_ms;
		row->known =
		    l->sole && known_is_older(&l->known, row->name, &row->id, row->ttl_ms, now);
	}
}

static int
send_rows(struct latest *l, struct latest_batch *b)
{
	bool cluster = redis_is_cluster(l->redis);
	size_t step = cluster ? 1 : ROWS_A_CALL, from, to;
	struct latest_call how = { l->whole_script ? NULL : l->sha, cluster ? "" : l->writer,
		false };
	int r = E_OK;

	for (size_t n = 0; n < ROWS_A_TURN && l->rows_sent < b->row_count && r == E_OK; n += step) {
		from = l->rows_sent;
		to = from + step < b->row_count ? from + step : b->row_count;
		how.begins = l->begins && from == 0;
		rows_prepare(l, b, from, to);
		buf_reset(&l->command);
		if ((r = batch_write_rows(b, from, to, &how, &l->command)) == E_OK)
			r = send_command(l, b->rows[from].id.key, buf_data(&l->command),
			    buf_len(&l->command), cluster ? flight_answered : rows_answered);
		l->rows_sent = to;
	}
	return r;
}

static int
send_entries(struct latest *l, struct latest_batch *b)
{
	const struct latest_entry *e;
	int r = E_OK;

	for (size_t n = 0; n < ENTRIES_A_TURN && l->entries_sent < b->entry_count && r == E_OK;
	     n++) {
		e = &b->entries[l->entries_sent++];
		r = send_command(l, e->key, buf_data(&b->stream), e->len, flight_answered);
		buf_consume(&b->stream, e->len);
	}
	return r;
}

/* Entries follow when all rows were taken well: what is refused must not leave the same entries behind at every try. */
bool
latest_may_send(const struct latest *l)
{
	if (!l->flight || latest_is_sent(l))
		return false;
	return l->rows_sent < l->flying->row_count || l->entries_sent > 0 || l->outstanding == 0;
}

/* A part of it, so that Redis works on one while we write the next, and the loop turns between them. */
void
latest_send_more(struct latest *l)
{
	struct latest_batch *b = l->flying;
	int r = E_OK;

	if (l->rows_sent < b->row_count)
		r = send_rows(l, b);
	else if (latest_may_send(l))
		r = send_entries(l, b);
	if (r != E_OK) {
		/* Part of it is on its way: when that is answered, all is sent again. */
		l->flight_cause = LABEL(redis, CLOSED);
		(void)text_copy(l->flight_why, sizeof(l->flight_why), err_text(r));
	}
	if (l->outstanding > 0 || !latest_is_sent(l))
		return;
	flight_over(l); /* nothing of what was read was worth sending, or nothing could be sent */
}

/* Whoever wrote before this batch, or does so while it is on its way, is noticed: by the key of who wrote last. */
static void
flight_begin_alone(struct latest *l)
{
	uint64_t drawn;

	l->alone = true;
	l->rows_answered = 0;
	l->begins = !l->sole && clock_mono() >= l->together_until;
	if (!l->begins && l->writer[0] != '\0')
		return;
	hash_random(&drawn, sizeof(drawn));
	(void)snprintf(l->writer, sizeof(l->writer), "%016" PRIx64, drawn);
}

void
latest_send(struct latest *l)
{
	struct latest_batch *b = l->gathered;

	l->gathered = l->flying;
	l->flying = b;
	l->flight = true;
	l->flight_ns = clock_mono();
	l->flight_cause = REDIS_WELL;
	l->rows_sent = l->entries_sent = 0;
	flight_begin_alone(l);
	for (struct latest_source *s = l->sources; s != NULL; s = s->next)
		s->sent = s->read;
	latest_send_more(l);
}
