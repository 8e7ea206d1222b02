/* rest.c - a worker at rest holds little memory.
 *
 * Loading libcurl and its thirty libraries touches most of their pages once, to relocate them and to run their
 * constructors; nearly all are never looked at again. The parts of a library that nothing can write to are
 * the file itself: dropping those pages costs a read from the page cache for the few that are needed again.
 */
#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fetcher.h"

/* Writable segments are left alone, those made read-only after relocation too: they are not what is in the file. */
static int
rest_drop(struct dl_phdr_info *object, size_t size, void *page_size)
{
	uintptr_t page = *(const uintptr_t *)page_size, begin, end;

	(void)size;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &object->dlpi_phdr[i];

		if (p->p_type != PT_LOAD || (p->p_flags & PF_W) != 0)
			continue;
		begin = (object->dlpi_addr + p->p_vaddr + page - 1) / page * page;
		end = (object->dlpi_addr + p->p_vaddr + p->p_filesz) / page * page;
		if (end > begin && object->dlpi_name[0] != '\0')
			(void)madvise(
			    (void *)begin, end - begin, MADV_DONTNEED); /* advice: it may fail */
	}
	return 0;
}

void
rest_give_back(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	malloc_trim(0);
	dl_iterate_phdr(rest_drop, &page);
}
