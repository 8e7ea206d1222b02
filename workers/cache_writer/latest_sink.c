/* latest_sink.c - journals into Redis: latest values, and a stream a feed.
 *
 * Independent of the history store, by readers of its own. While one batch is on its way the next is gathered, of each
 * key the newest value: however far behind, what is read last is in Redis soon. Where each journal stands is kept in
 * Redis itself; a Redis that knows nothing is filled with all the journals hold. While Redis is away nothing is read and nothing held: the journal is the spool, and what it lets go of
 * meanwhile is counted and passed over.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "latest_room.h"
#include "log.h"
#include "text.h"

#define TURN_MS	       5 /* of reading before the loop turns again */
#define CHECK_MS       1000
#define DRAIN_LOOK_MS  50
#define CLOCK_EVERY    32 /* records between looks at the clock */
#define RETRY_FLOOR_MS 100
#define RETRY_LIMIT_MS 5000
#define COMMANDS_MAX   (BATCH_KEYS + BATCH_ENTRIES + 4 * WRITER_TAILS_MAX)
#define OUTPUT_MAX     ((size_t)32 << 20)
#define COMMAND_MAX    ((size_t)1 << 20)
#define PATH_SIZE      512

/* Journals of two gateways may have the same name: this tells them apart, and stays with the directory. */
static void
instance_read(struct latest *l)
{
	char path[PATH_SIZE];
	uint64_t drawn;
	ssize_t n = 0;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/redis.instance", l->conf->state_dir);
	if ((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0) {
		log_warn("redis: %s cannot be opened: positions are not found again", path);
	} else {
		n = read(fd, l->instance, 16);
	}
	if (n != 16 || strspn(l->instance, "0123456789abcdef") != 16) {
		hash_random(&drawn, sizeof(drawn));
		(void)snprintf(
		    l->instance, sizeof(l->instance), "%016llx", (unsigned long long)drawn);
		if (fd >= 0 && pwrite(fd, l->instance, 16, 0) != 16)
			log_warn(
			    "redis: %s cannot be written: positions are not found again", path);
	}
	if (fd >= 0)
		close(fd);
}

static struct latest_source *
source_of(struct latest *l, const char *name)
{
	struct latest_source *s;

	for (s = l->sources; s != NULL; s = s->next)
		if (strcmp(s->name, name) == 0)
			return s;
	if (l->source_count == WRITER_TAILS_MAX)
		return NULL;
	s = mem_alloc(sizeof(*s));
	(void)text_copy(s->name, sizeof(s->name), name);
	(void)snprintf(s->origin, sizeof(s->origin), "%s/%s", l->instance, name);
	s->state_dir = l->conf->state_dir;
	s->work = &l->work;
	s->next = l->sources;
	l->sources = s;
	l->source_count++;
	return s;
}

static void
journal_found(const char *source, void *owner)
{
	(void)source_of(owner, source);
}

void
latest_rewind(struct latest *l)
{
	batch_reset(l->gathered);
	batch_reset(l->flying);
	l->sole = false;
	known_clear(&l->known);
	for (struct latest_source *s = l->sources; s != NULL; s = s->next)
		if (s->begun == SOURCE_BEGUN)
			source_rewind(s);
}

/* Redis knows where it is. */
static bool
source_place(struct latest *l, struct latest_source *s)
{
	if (s->begun == SOURCE_UNKNOWN)
		latest_position_ask(l, s);
	return s->begun == SOURCE_BEGUN;
}

static void
record_note_clock(struct latest *l, const struct journal_record *record)
{
	const struct market_clock *c = &record->value.market_clock;

	if (record->type == MSG_MARKET_CLOCK && c->received >= l->clock.received)
		l->clock = *c;
}

static bool
batch_is_full(const struct latest_batch *b)
{
	return b->row_count == BATCH_KEYS || b->entry_count == BATCH_ENTRIES ||
	       buf_len(&b->stream) + LATEST_TEXT * 2 > BATCH_STREAM_BYTES;
}

/* Reads until the batch is full, the time is over, or there is no more. True: there is more. */
static bool
source_gather(struct latest *l, struct latest_source *s, int64_t until)
{
	struct journal_record record;
	uint64_t skipped = 0, before = s->read;
	bool more = true;
	int r = E_OK;

	for (unsigned n = 1; n % CLOCK_EVERY != 0 || clock_mono() < until; n++) {
		if (batch_is_full(l->gathered))
			break;
		before = s->read;
		if ((r = source_read(s, &record, &skipped)) != E_OK) {
			more = r == E_CORRUPT;
			break;
		}
		record_note_clock(l, &record);
		if (batch_add(l->gathered, &record, s->origin, l->conf->redis_stream_max) == E_OK)
			continue;
		/* It comes first next time. */
		source_close(s);
		s->read = before;
		break;
	}
	if (skipped > 0)
		metric_add(l->stats, M_REDIS_SKIPPED, 0, 0, skipped);
	return more;
}

static bool
sources_are_sent(const struct latest *l)
{
	for (const struct latest_source *s = l->sources; s != NULL; s = s->next)
		if (s->begun == SOURCE_BEGUN && s->read != s->acked)
			return false;
	return true;
}

static void
latest_work(void *arg)
{
	struct latest *l = arg;
	int64_t share = TURN_MS * CLOCK_MS / (l->source_count > 0 ? (int64_t)l->source_count : 1);
	bool more = false;

	if (!redis_is_up(l->redis))
		return;
	for (struct latest_source *s = l->sources; s != NULL; s = s->next) {
		if (!source_place(l, s))
			continue;
		if (batch_is_full(l->gathered))
			more = true;
		else
			more = source_gather(l, s, clock_mono() + share) || more;
	}
	l->more = more;
	if (latest_may_send(l))
		latest_send_more(l);
	else if (!l->flight && !sources_are_sent(l))
		latest_send(l);
	if (latest_may_send(l))
		loop_timer_set(&l->work, 0);
	else if (!loop_timer_is_set(&l->work) && !(l->flight && batch_is_full(l->gathered)))
		loop_timer_set(&l->work, more ? 0 : l->conf->store_poll_interval);
	latest_drain_check(l);
}

static void
lag_count(struct latest *l)
{
	uint64_t lag = 0, behind;

	/* What cannot be told counts as it did last. */
	for (struct latest_source *s = l->sources; s != NULL; s = s->next) {
		if (s->begun == SOURCE_BEGUN && source_behind(s, &behind) == E_OK)
			s->lag = behind;
		lag += s->lag;
	}
	metric_set(l->stats, M_REDIS_LAG, 0, 0, lag);
}

static void
latest_check(void *arg)
{
	struct latest *l = arg;

	journal_find(l->conf->state_dir, journal_found, l);
	lag_count(l);
	latest_ping(l);
	loop_timer_set(&l->check, l->drained != NULL ? DRAIN_LOOK_MS : CHECK_MS);
	latest_drain_check(l);
}

static void
latest_up(void *owner)
{
	struct latest *l = owner;

	l->whole_script = true;
	if (!l->failing)
		log_info("redis %s: connected", redis_where(l->redis));
	latest_ping(l); /* its answer ends an episode */
	loop_timer_set(&l->work, 0);
}

static void
latest_down(unsigned cause, const char *why, bool first, void *owner)
{
	struct latest *l = owner;

	(void)first;
	l->flight = false;
	latest_rewind(l);
	latest_failed(l, cause, why);
}

static const struct redis_hooks latest_hooks = { latest_up, latest_down };

struct latest *
latest_open(struct loop *loop, const struct conf *conf, struct stats *stats)
{
	struct redis_url url;
	char why[REDIS_WHY];
	struct latest *l;

	if (conf->redis_url[0] == '\0')
		return NULL;
	if (redis_url_parse(conf->redis_url, &url, why) != E_OK)
		fatal(EXIT_WITH_CONFIG, "redis.url: %s", why);
	l = mem_alloc(sizeof(*l));
	l->loop = loop;
	l->conf = conf;
	l->stats = stats;
	l->bounds = (struct redis_bounds){ .connect_ms = conf->redis_connect_timeout,
		.answer_ms = conf->redis_timeout,
		.commands_max = COMMANDS_MAX,
		.output_max = OUTPUT_MAX };
	l->backoff = (struct backoff){ .floor_ms = RETRY_FLOOR_MS, .ceiling_ms = RETRY_LIMIT_MS };
	instance_read(l);
	redis_sha1(latest_script, strlen(latest_script), l->sha);
	batch_open(&l->batches[0]);
	batch_open(&l->batches[1]);
	l->gathered = &l->batches[0];
	l->flying = &l->batches[1];
	buf_init(&l->command, COMMAND_MAX);
	known_clear(&l->known);
	loop_timer_open(loop, &l->work, latest_work, l);
	loop_timer_open(loop, &l->check, latest_check, l);
	l->redis = redis_open(loop, &url, &l->bounds, &latest_hooks, l);
	mem_wipe(&url, sizeof(url));
	latest_check(l);
	return l;
}

void
latest_close(struct latest **lp)
{
	struct latest *l = *lp;
	struct latest_source *s;

	if (l == NULL)
		return;
	redis_close(&l->redis);
	loop_timer_close(&l->work);
	loop_timer_close(&l->check);
	while ((s = l->sources) != NULL) {
		l->sources = s->next;
		source_close(s);
		mem_free(&s);
	}
	batch_close(&l->batches[0]);
	batch_close(&l->batches[1]);
	buf_fini(&l->command);
	known_close(&l->known);
	mem_free(lp);
}

void
latest_ring(struct latest *l)
{
	if (l != NULL && redis_is_up(l->redis) && !l->refused)
		loop_timer_set(&l->work, 0);
}

bool
latest_is_idle(const struct latest *l)
{
	return !l->more && l->outstanding == 0 && l->positions == 0 && !l->flight &&
	       sources_are_sent(l);
}

/* Over when all is sent, when it cannot be, or when the time is. */
void
latest_drain_check(struct latest *l)
{
	void (*drained)(void *) = l->drained;
	bool is_late = clock_mono() >= l->drain_until;

	if (drained == NULL)
		return;
	if (!is_late && !l->failing && redis_is_up(l->redis) && !latest_is_idle(l))
		return;
	l->drained = NULL;
	loop_timer_clear(&l->work);
	loop_timer_clear(&l->check);
	drained(l->drained_arg);
}

void
latest_drain(struct latest *l, int64_t timeout_ms, void (*done)(void *), void *arg)
{
	if (l == NULL) {
		done(arg);
		return;
	}
	journal_find(l->conf->state_dir, journal_found, l);
	l->drain_until = clock_mono() + timeout_ms * CLOCK_MS;
	l->drained = done;
	l->drained_arg = arg;
	l->more = true; /* for all we know */
	loop_timer_set(&l->check, DRAIN_LOOK_MS);
	loop_timer_set(&l->work, 0);
	if (l->failing || !redis_is_up(l->redis))
		latest_drain_check(l);
}
