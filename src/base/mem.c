/* mem.c - memory that never comes back null. */
#include "mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"

#define MEM_TOUCH_LEAST 65536

static void (*mem_refused)(size_t bytes, void *arg);
static void *mem_refused_arg;

void
mem_on_refused(void (*hook)(size_t bytes, void *arg), void *arg)
{
	mem_refused = hook;
	mem_refused_arg = arg;
}

static void *
mem_must(void *p, size_t bytes)
{
	if (p == NULL && mem_refused != NULL)
		mem_refused(bytes, mem_refused_arg);
	if (p == NULL)
		fatal(EXIT_WITH_SYSTEM, "out of memory: %zu bytes were refused", bytes);
	return p;
}

void *
mem_alloc(size_t bytes)
{
	return mem_must(calloc(1, bytes ? bytes : 1), bytes);
}

void *
mem_array(size_t count, size_t bytes)
{
	if (bytes != 0 && count > SIZE_MAX / bytes)
		panic("an array of %zu times %zu bytes cannot be", count, bytes);
	return mem_alloc(count * bytes);
}

void *
mem_grow(void *old, size_t old_bytes, size_t new_bytes)
{
	void *p = mem_must(realloc(old, new_bytes ? new_bytes : 1), new_bytes);

	if (new_bytes > old_bytes)
		memset((char *)p + old_bytes, 0, new_bytes - old_bytes);
	return p;
}

char *
mem_text(const char *text)
{
	return mem_copy(text, strlen(text) + 1);
}

void *
mem_copy(const void *from, size_t bytes)
{
	void *p = mem_must(malloc(bytes ? bytes : 1), bytes);

	if (bytes)
		memcpy(p, from, bytes);
	return p;
}

void
mem_free_at(void *address_of_pointer)
{
	void *p;

	/* memcpy: the caller's pointer has its own type, and that must not be aliased as void *. */
	memcpy(&p, address_of_pointer, sizeof(p));
	free(p);
	p = NULL;
	memcpy(address_of_pointer, &p, sizeof(p));
}

void
mem_touch(void *p, size_t bytes)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)p, to = from + bytes;

	from = (from + page - 1) & ~(page - 1);
	to &= ~(page - 1);
	if (p == NULL || bytes < MEM_TOUCH_LEAST || from >= to)
		return;
#ifdef MADV_POPULATE_WRITE
	/* Older kernels refuse it, and make the pages one by one. */
	(void)madvise((char *)p + (from - (uintptr_t)p), to - from, MADV_POPULATE_WRITE);
#endif
}

void
mem_wipe(void *p, size_t bytes)
{
	explicit_bzero(p, bytes);
}
