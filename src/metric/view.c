/* view.c - the slots of a board as people see them, and what their cells hold together.
 *
 * A seat's page can be written by its own process, which may have gone mad: no index, text or bit read here is
 * believed. Two seats are one slot when they say so of each other, or when one says so and both have the same name;
 * a name that is taken is not shown twice.
 */
#include <string.h>

#include "hash.h"
#include "mem.h"
#include "metric_room.h"

static bool
view_is_pair(const struct board *b, uint32_t i, uint32_t other)
{
	const struct slot_page *p = &b->slots[i], *q = &b->slots[other];

	return q->in_use != 0 && p->role == q->role &&
	       (q->twin == i + 1 || memcmp(p->label, q->label, sizeof(p->label)) == 0);
}

/* Index of the other seat; `count` when there is none that could be one. */
static uint32_t
view_twin(const struct board *b, uint32_t i, uint32_t count, const bool taken[BOARD_SLOTS])
{
	uint32_t other = __atomic_load_n(&b->slots[i].twin, __ATOMIC_RELAXED);

	if (other == 0 || other > count || other - 1 == i || taken[other - 1] ||
	    !view_is_pair(b, i, other - 1))
		return count;
	return other - 1;
}

static void
view_set(struct slot_view *v, const struct slot_page *first, const struct slot_page *second)
{
	bool is_second = second != NULL && second->current != 0 && first->current == 0;

	*v = (struct slot_view){ .current = is_second ? second : first,
		.other = is_second ? first : second,
		.role = (enum role)first->role };
	memcpy(v->label, first->label, strnlen(first->label, sizeof(v->label) - 1));
}

static bool
view_is_known(const uint64_t names[BOARD_SLOTS], size_t count, uint64_t name)
{
	bool is_known = false;

	for (size_t i = 0; i < count; i++)
		is_known |= names[i] == name;
	return is_known;
}

size_t
board_view(const struct board *b, struct slot_view out[BOARD_SLOTS])
{
	uint32_t count = __atomic_load_n(&b->slot_count, __ATOMIC_ACQUIRE), other;
	bool taken[BOARD_SLOTS] = { false };
	uint64_t names[BOARD_SLOTS];
	size_t n = 0;

	if (count > BOARD_SLOTS)
		count = BOARD_SLOTS;
	for (uint32_t i = 0; i < count; i++) {
		if (taken[i] || b->slots[i].in_use == 0)
			continue;
		if ((other = view_twin(b, i, count, taken)) < count)
			taken[other] = true;
		view_set(&out[n], &b->slots[i], other < count ? &b->slots[other] : NULL);
		names[n] = hash_stable(out[n].label, sizeof(out[n].label));
		if (!view_is_known(names, n, names[n]))
			n++;
	}
	return n;
}

bool
slot_view_is_ready(const struct slot_view *v)
{
	return slot_page_is_ready(v->current);
}

bool
slot_page_is_ready(const struct slot_page *p)
{
	return p->pid > 0 && strncmp(p->state, "ready", sizeof(p->state)) == 0;
}

/* Room for so many cells more. */
static void
cells_reserve(struct cells *c, size_t more)
{
	size_t room = c->room;

	while (c->count + more > room)
		room = room > 0 ? room * 2 : 4096;
	if (room > c->room)
		c->at = mem_grow(c->at, c->room * sizeof(*c->at), room * sizeof(*c->at));
	c->room = room;
}

/* From the last cell to the first: the sum of a histogram stands behind its buckets and is read before them, so that
 * it is never of observations the buckets do not have yet. */
static void
cells_fill(struct cell *end, const struct slot_view *v, const uint64_t used[METRIC_CELLS / 64])
{
	for (unsigned w = METRIC_CELLS / 64; w-- > 0;) {
		for (uint64_t bits = used[w]; bits != 0;) {
			unsigned bit = 63u - (unsigned)__builtin_clzll(bits);
			size_t cell = (size_t)w * 64 + bit;

			bits &= ~(UINT64_C(1) << bit);
			end--;
			end->cell = (uint32_t)cell;
			end->value = metric_cell(v->current, cell);
			if (v->other != NULL)
				end->value += metric_cell(v->other, cell);
		}
	}
}

size_t
cells_read(struct cells *c, const struct slot_view *v)
{
	uint64_t used[METRIC_CELLS / 64];
	size_t n = 0;

	for (unsigned w = 0; w < METRIC_CELLS / 64; w++) {
		used[w] = __atomic_load_n(&v->current->used[w], __ATOMIC_RELAXED);
		if (v->other != NULL)
			used[w] |= __atomic_load_n(&v->other->used[w], __ATOMIC_RELAXED);
		n += (size_t)__builtin_popcountll(used[w]);
	}
	cells_reserve(c, n);
	cells_fill(c->at + c->count + n, v, used);
	c->count += n;
	return n;
}

void
cells_fini(struct cells *c)
{
	mem_free(&c->at);
	*c = (struct cells){ 0 };
}
