/* hash.h - keyed hashing, so that clients cannot choose colliding keys; uthash set up to use it. */
#ifndef HASH_H
#define HASH_H
#include <stddef.h>
#include <stdint.h>

/* SipHash-1-3 under a key drawn at the first use in this process. */
uint64_t	hash_keyed(const void *, size_t);
/* FNV-1a: the same in every process and version. */
uint64_t	hash_stable(const void *, size_t);
uint64_t	hash_stable_more(uint64_t so_far, const void *, size_t);
/* CRC-32 as zlib has it. */
uint32_t	hash_crc32(const void *, size_t);
/* Random bytes from the kernel. */
void		hash_random(void *, size_t);

#define HASH_FUNCTION(key, len, value) ((value) = (unsigned)hash_keyed((key), (len)))
#define uthash_malloc(bytes) mem_alloc(bytes)
#define uthash_free(p, bytes) free(p)
#include <stdlib.h>
#include <uthash.h>

#include "mem.h"

#endif /* HASH_H */
