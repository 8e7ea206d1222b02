/* log_repeat.c - lines that come too often.
 *
 * Of the same text from the same place a second's first few are written, the rest are counted and told in a line
 * every ten seconds. Places that say something else each time have a bound of their own, except errors, of which each
 * text is something an operator may have to know, and debug, which was asked for. The first line of an episode
 * is always written. The table is small and fixed: what is put out of it is summed up then.
 */
#include <stdio.h>
#include <string.h>

#include "hash.h"
#include "log_room.h"
#include "text.h"

#define REPEAT_EPISODES 64
#define REPEAT_WAYS	4
#define REPEAT_TEXT	512

struct episode {
	const struct log_site *site; /* null: free */
	uint64_t key;		     /* of the text; 0: of any text of the place */
	int64_t window_ns, seen_ns, held_ns;
	uint64_t held;
	unsigned in_window, level;
	char text[REPEAT_TEXT]; /* of the first that was held */
};

static struct episode episodes[REPEAT_EPISODES];

void
log_repeat_reset(void)
{
	memset(episodes, 0, sizeof(episodes));
}

static void
episode_sum(struct episode *e, int64_t now_ns, log_sum_fn *tell)
{
	char message[REPEAT_TEXT + 64];
	struct log_about about = { .repeated = (int64_t)e->held };
	const struct log_event event = {
		.level = e->level, .message = message, .about = &about, .site = e->site
	};
	uint64_t held = e->held;

	if (held == 0)
		return;
	snprintf(message, sizeof(message), "%s ... %s %llu times in %.1f s", e->text,
	    e->key != 0 ? "repeated" : "and others like it", (unsigned long long)held,
	    (double)(now_ns - e->held_ns) / 1e9);
	e->held = 0;
	e->in_window = 0;
	e->window_ns = now_ns;
	tell(&event, held);
}

static struct episode *
episode_find(const struct log_site *site, uint64_t key, int64_t now_ns, log_sum_fn *tell)
{
	uint64_t at = (uint64_t)(uintptr_t)site / 8 + key;
	struct episode *set = &episodes[at % (REPEAT_EPISODES / REPEAT_WAYS) * REPEAT_WAYS],
		       *oldest = set;
	size_t i;

	for (i = 0; i < REPEAT_WAYS; i++) {
		if (set[i].site == site && set[i].key == key)
			return &set[i];
		if (set[i].seen_ns < oldest->seen_ns)
			oldest = &set[i];
	}
	episode_sum(oldest, now_ns, tell);
	memset(oldest, 0, offsetof(struct episode, text));
	oldest->site = site;
	oldest->key = key;
	oldest->window_ns = now_ns;
	return oldest;
}

static bool
episode_hold(struct episode *e, const struct log_event *event, unsigned burst, int64_t now_ns)
{
	e->seen_ns = now_ns;
	if (e->held > 0) {
		e->held++;
		return true;
	}
	if (now_ns - e->window_ns >= LOG_REPEAT_WINDOW_NS) {
		e->window_ns = now_ns;
		e->in_window = 0;
	}
	if (++e->in_window <= burst)
		return false;
	e->held = 1;
	e->held_ns = now_ns;
	e->level = event->level;
	(void)text_copy(e->text, sizeof(e->text), event->message);
	return true;
}

/* An error without the symbol in its text is another error for another symbol. */
static uint64_t
repeat_key(const struct log_event *event)
{
	const struct log_about *about = event->about;
	uint64_t key = hash_keyed(event->message, strlen(event->message));

	if (about != NULL && about->symbol != NULL)
		key = key * 3 + hash_keyed(about->symbol, strlen(about->symbol));
	if (about != NULL && about->code != NULL)
		key = key * 5 + hash_keyed(about->code, strlen(about->code));
	return key | 1;
}

bool
log_repeat_hold(const struct log_event *event, int64_t now_ns, log_sum_fn *tell)
{
	struct episode *e;

	log_repeat_sum(now_ns, false, tell);
	e = episode_find(event->site, repeat_key(event), now_ns, tell);
	if (episode_hold(e, event, LOG_REPEAT_BURST, now_ns))
		return true;
	if (event->level != LOG_LEVEL_INFO && event->level != LOG_LEVEL_WARN)
		return false;
	e = episode_find(event->site, 0, now_ns, tell);
	return episode_hold(e, event, LOG_REPEAT_BURST_SITE, now_ns);
}

void
log_repeat_sum(int64_t now_ns, bool all, log_sum_fn *tell)
{
	size_t i;

	for (i = 0; i < REPEAT_EPISODES; i++)
		if (episodes[i].held > 0 &&
		    (all || now_ns - episodes[i].held_ns >= LOG_REPEAT_SUM_NS))
			episode_sum(&episodes[i], now_ns, tell);
}
