/* latest_known.c - what Redis is known to hold of the values this sink wrote, while nobody else writes there.
 *
 * A key that says who wrote last is looked at by every call of the script. As long as it is this sink, what its own
 * calls wrote is what is held: a newer value needs no comparing in Redis, which is the greater part of a call's price.
 * Whoever else writes takes that key away, and then nothing is known. Bounded: what has no place is not known.
 */
#include "latest_known.h"
#include "clock.h"
#include "mem.h"

#define VALUES_FIRST 1024
#define VALUES_MAX   262144 /* some 12 MB, taken by those who have so many keys */
#define NEIGHBOURS   8
#define LIFE_SHARES  32 /* a key's life is not begun anew within such a share of it */

_Static_assert(offsetof(struct latest_id, field) == sizeof(((struct latest_id *)0)->key),
    "key and field are hashed as one");

uint64_t
known_name(const struct latest_id *id)
{
	return hash_keyed(id, sizeof(id->key) + sizeof(id->field));
}

static bool
value_is(const struct latest_known *k, const struct known_value *v, uint64_t name)
{
	return v->round == k->round && v->name == name;
}

static struct known_value *
known_find(const struct latest_known *k, uint64_t name)
{
	for (size_t i = 0; k->capacity > 0 && i < NEIGHBOURS; i++)
		if (value_is(k, &k->values[(name + i) & (k->capacity - 1)], name))
			return &k->values[(name + i) & (k->capacity - 1)];
	return NULL;
}

/* A free place; where there is none, one that is taken. */
static struct known_value *
known_place(struct latest_known *k, uint64_t name)
{
	struct known_value *v;

	for (size_t i = 0; i < NEIGHBOURS; i++) {
		v = &k->values[(name + i) & (k->capacity - 1)];
		if (v->round != k->round) {
			k->used++;
			return v;
		}
	}
	return &k->values[name & (k->capacity - 1)];
}

static void
known_grow(struct latest_known *k)
{
	struct latest_known more = { .round = k->round,
		.capacity = k->capacity > 0 ? k->capacity * 2 : VALUES_FIRST };

	more.values = mem_array(more.capacity, sizeof(*more.values));
	for (size_t i = 0; i < k->capacity; i++)
		if (k->values[i].round == k->round)
			*known_place(&more, k->values[i].name) = k->values[i];
	mem_free(&k->values);
	*k = more;
}

void
known_clear(struct latest_known *k)
{
	k->used = 0;
	k->round++;
}

void
known_close(struct latest_known *k)
{
	mem_free(&k->values);
	*k = (struct latest_known){ .round = k->round };
}

bool
known_is_older(const struct latest_known *k, uint64_t name, const struct latest_id *id,
    int64_t ttl_ms, int64_t now_ns)
{
	const struct known_value *v = known_find(k, name);

	if (v == NULL || v->ttl_ms != ttl_ms ||
	    now_ns - v->begun_ns > ttl_ms * CLOCK_MS / LIFE_SHARES)
		return false;
	if (v->event_ns != id->event_ns)
		return v->event_ns < id->event_ns;
	return v->received_ns <= id->received_ns;
}

void
known_note(struct latest_known *k, uint64_t name, const struct latest_id *id)
{
	struct known_value *v = known_find(k, name);

	if (v == NULL)
		return;
	v->event_ns = id->event_ns;
	v->received_ns = id->received_ns;
}

void
known_begin(struct latest_known *k, uint64_t name, const struct latest_id *id, int64_t ttl_ms,
    int64_t now_ns)
{
	struct known_value *v = known_find(k, name);

	if (v == NULL) {
		if (k->used >= k->capacity / 2 && k->capacity < VALUES_MAX)
			known_grow(k);
		v = known_place(k, name);
	}
	*v = (struct known_value){ name, id->event_ns, id->received_ns, now_ns, ttl_ms, k->round };
}

void
known_forget(struct latest_known *k, uint64_t name)
{
	struct known_value *v = known_find(k, name);

	if (v != NULL)
		v->round = k->round - 1;
}
