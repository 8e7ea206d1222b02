/* mem.h - memory that never comes back null: out of memory ends the process. */
#ifndef MEM_H
#define MEM_H
#include <stddef.h>

/* Sizes from outside must be bounded before they arrive here. All memory is zeroed. */
void	*mem_alloc(size_t bytes);
void	*mem_array(size_t count, size_t bytes);		/* overflow of the product panics */
void	*mem_grow(void *, size_t old_bytes, size_t new_bytes); /* new part zeroed; old may be null */
char	*mem_text(const char *);			/* copy */
void	*mem_copy(const void *, size_t);

/* Called with the size before the process ends for want of memory; it may not ask for any. */
void	 mem_on_refused(void (*)(size_t bytes, void *arg), void *arg);

/* Frees what *p points to and nulls it; null is fine. `p` is the address of a pointer. */
#define mem_free(p) mem_free_at((void *)(p))
void	 mem_free_at(void *address_of_pointer);
/* Makes the pages at once that are about to be written to; what they hold stays. Only a matter of time saved. */
void	 mem_touch(void *, size_t bytes);
/* Overwrites in a way the compiler must not leave out. */
void	 mem_wipe(void *, size_t);

#endif /* MEM_H */
