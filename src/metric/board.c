/* board.c - the shared memory behind the statistics: made by the master, mapped by its workers.
 *
 * A worker maps the whole board through a descriptor that cannot write, and only its own page through one
 * that can, and closes both: a worker gone mad can spoil its own statistics and no others.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "hash.h"
#include "log.h"
#include "metric_room.h"
#include "text.h"

#define BOARD_MAGIC UINT64_C(0x6f7069626f617264) /* "opiboard" */

static uint64_t
layout_text(uint64_t hash, const char *text)
{
	return hash_stable_more(hash, text, strlen(text) + 1);
}

static uint64_t
layout_number(uint64_t hash, uint64_t n)
{
	return hash_stable_more(hash, &n, sizeof(n));
}

/* Whatever two programs must agree on before one reads what the other wrote. */
uint64_t
board_layout(void)
{
	uint64_t hash = hash_stable("board", 5);

	hash = layout_number(hash, sizeof(struct board));
	hash = layout_number(hash, sizeof(struct slot_page));
	hash = layout_number(hash, offsetof(struct slot_page, cells));
	hash = layout_number(hash, offsetof(struct slot_page, log));
	for (unsigned set = 0; set < LABEL_SET_COUNT; set++)
		for (unsigned i = 0; i < label_count((enum label_set)set); i++)
			hash = layout_text(hash, label_text((enum label_set)set, i));
	for (unsigned m = 0; m < METRIC_COUNT; m++) {
		const struct metric_row *row = metric_row((enum metric)m);

		hash = layout_text(hash, row->name);
		hash = layout_number(hash, row->kind);
		hash = layout_number(hash, row->unit);
		hash = layout_number(hash, row->set1);
		hash = layout_number(hash, row->set2);
		hash = layout_number(hash, row->offset);
		for (unsigned b = 0; row->bounds != NULL && b < row->bounds->count; b++)
			hash = layout_number(hash, (uint64_t)row->bounds->at[b]);
	}
	return hash;
}

/* The board's memory, of a size nobody can change any more. */
static int
board_memory(void)
{
	int fd = memfd_create("opitios-board", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		fatal(EXIT_WITH_SYSTEM, "statistics: memfd_create: %s", strerror(errno));
	if (ftruncate(fd, sizeof(struct board)) != 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
		fatal(EXIT_WITH_SYSTEM, "statistics: %zu bytes: %s", sizeof(struct board),
		    strerror(errno));
	return fd;
}

/* The same memory behind a descriptor that cannot write. */
static int
board_read_only(int fd)
{
	char path[64];
	int ro;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if ((ro = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		fatal(EXIT_WITH_SYSTEM, "statistics: %s: %s", path, strerror(errno));
	return ro;
}

struct board *
board_create(int *fd_rw, int *fd_ro)
{
	int rw = board_memory();
	struct board *b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED, rw, 0);

	if (b == MAP_FAILED)
		fatal(EXIT_WITH_SYSTEM, "statistics: mmap: %s", strerror(errno));
	b->magic = BOARD_MAGIC;
	b->layout = board_layout();
	b->started_ns = clock_wall();
	*fd_rw = rw;
	*fd_ro = board_read_only(rw);
	return b;
}

int
board_adopt(int fd_rw, struct board **board)
{
	struct stat st;
	struct board *b;

	if (fstat(fd_rw, &st) != 0)
		return E_SYSTEM;
	if ((uint64_t)st.st_size != sizeof(*b))
		return E_VERSION;
	b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED, fd_rw, 0);
	if (b == MAP_FAILED)
		return E_SYSTEM;
	if (b->magic != BOARD_MAGIC || b->layout != board_layout()) {
		(void)munmap(b, sizeof(*b));
		return E_VERSION;
	}
	*board = b;
	return E_OK;
}

/* Index of the page of a slot; slot_count when it has none. */
static uint32_t
board_find(const struct board *b, const char *slot)
{
	uint32_t count = __atomic_load_n(&b->slot_count, __ATOMIC_ACQUIRE), i;

	for (i = 0; i < count && i < BOARD_SLOTS; i++)
		if (strcmp(b->seats[i].seat, slot) == 0)
			break;
	return i;
}

struct slot_page *
board_slot(struct board *b, const char *slot, enum role role)
{
	uint32_t i = board_find(b, slot);
	struct slot_page *page;

	if (i < b->slot_count)
		return &b->slots[i];
	if (i >= BOARD_SLOTS)
		return NULL;
	page = &b->slots[i];
	if (text_copy(page->slot, sizeof(page->slot), slot) != E_OK)
		panic("statistics: the slot's name %s is too long", slot);
	role_slot_label(slot, page->label);
	page->role = (uint32_t)role;
	memcpy(b->seats[i].seat, page->slot, sizeof(page->slot));
	memcpy(b->seats[i].label, page->label, sizeof(page->label));
	b->seats[i].role = page->role;
	page->in_use = 1;
	/* Readers count first: a page is whole before it is counted. */
	__atomic_store_n(&b->slot_count, i + 1, __ATOMIC_RELEASE);
	return page;
}

void
board_slot_clear(struct slot_page *page)
{
	for (unsigned m = 0; m < METRIC_COUNT; m++) {
		const struct metric_row *row = metric_row((enum metric)m);

		if (row->kind != METRIC_GAUGE)
			continue;
		for (size_t i = 0; i < (size_t)row->count1 * row->count2; i++)
			metric_cell_set(page, row->offset + i, 0);
	}
	__atomic_store_n(&page->heartbeat_ns, 0, __ATOMIC_RELAXED);
	page->patience_ms = 0;
	page->doing_on = 0;
	memset(page->note, 0, sizeof(page->note));
}

static int
board_check(const struct board *b)
{
	return b->magic == BOARD_MAGIC && b->layout == board_layout() ? E_OK : E_VERSION;
}

/* The whole, for reading. */
static int
board_map_all(int fd_ro, const struct board **all)
{
	struct stat st;
	struct board *b;

	if (fstat(fd_ro, &st) != 0)
		return E_SYSTEM;
	if ((uint64_t)st.st_size != sizeof(*b))
		return E_VERSION;
	if ((b = mmap(NULL, sizeof(*b), PROT_READ, MAP_SHARED, fd_ro, 0)) == MAP_FAILED)
		return E_SYSTEM;
	if (board_check(b) != E_OK) {
		(void)munmap(b, sizeof(*b));
		return E_VERSION;
	}
	*all = b;
	return E_OK;
}

/* One page, for writing. Where the system's pages are larger than ours the mapping begins before it. */
static int
board_map_page(int fd_rw, uint32_t index, struct slot_page **page)
{
	size_t at = offsetof(struct board, slots) + index * sizeof(struct slot_page);
	size_t before = at % (size_t)sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, before + sizeof(struct slot_page), PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd_rw, (off_t)(at - before));

	if (p == MAP_FAILED)
		return E_SYSTEM;
	*page = (struct slot_page *)(void *)(p + before);
	return E_OK;
}

static int
board_map(int fd_rw, int fd_ro, const char *slot, struct stats *s)
{
	struct stats found = { .mine = NULL };
	uint32_t index;
	int r;

	if ((r = board_map_all(fd_ro, &found.all)) != E_OK)
		return r;
	index = board_find(found.all, slot);
	r = index < found.all->slot_count ? board_map_page(fd_rw, index, &found.mine) : E_ABSENT;
	if (r != E_OK) {
		(void)munmap((void *)found.all, sizeof(*found.all));
		return r;
	}
	*s = found;
	return E_OK;
}

int
board_attach(int fd_rw, int fd_ro, const char *slot, struct stats *s)
{
	int r = board_map(fd_rw, fd_ro, slot, s);

	(void)close(fd_rw);
	(void)close(fd_ro);
	return r;
}
