/* view.c - the slots of a board as people see them, and what their cells hold together.
 *
 * A seat's page can be written by its own process, which may have gone mad: names, roles and pairs are therefore not
 * taken from there but from the board's head, which is the master's alone.
 */
#include <string.h>

#include "hash.h"
#include "mem.h"
#include "metric_room.h"

/* Index of the slot of this name among those found so far; n when it is a new one. */
static size_t
view_find(const uint64_t names[BOARD_SLOTS], size_t n, uint64_t name)
{
	size_t found = n;

	for (size_t i = n; i-- > 0;)
		found = names[i] == name ? i : found;
	return found;
}

/* The second seat of a slot. Which one is current is on the pages, and believed: it is of this slot only. */
static void
view_pair(struct slot_view *v, const struct slot_page *second)
{
	bool is_second = second->current != 0 && v->current->current == 0;

	v->other = is_second ? v->current : second;
	v->current = is_second ? second : v->current;
}

size_t
board_view(const struct board *b, struct slot_view out[BOARD_SLOTS])
{
	uint32_t count = __atomic_load_n(&b->slot_count, __ATOMIC_ACQUIRE);
	uint64_t names[BOARD_SLOTS];
	size_t n = 0, at;

	for (uint32_t i = 0; i < count && i < BOARD_SLOTS; i++) {
		const struct seat_id *id = &b->seats[i];

		if (b->slots[i].in_use == 0)
			continue;
		names[n] = hash_stable(id->label, strlen(id->label));
		if ((at = view_find(names, n, names[n])) < n) {
			if (out[at].other == NULL)
				view_pair(&out[at], &b->slots[i]);
			out[at].retired = out[at].retired && id->retired != 0;
			continue;
		}
		out[n++] = (struct slot_view){ .current = &b->slots[i],
			.role = (enum role)id->role,
			.label = id->label,
			.retired = id->retired != 0 };
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
