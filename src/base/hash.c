/* hash.c - keyed and stable hashing.
 *
 * The keyed hash is SipHash-1-3 (Aumasson and Bernstein's design, one compression and three finalisation
 * rounds), written from its specification: keys come from clients, and a table must not be made slow by them.
 */
#include "hash.h"

#include <string.h>
#include <sys/random.h>
#include <zlib.h>

#include "log.h"

struct sip {
	uint64_t a, b, c, d;
};

static uint64_t
hash_rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static inline void
hash_round(struct sip *s)
{
	s->a += s->b;
	s->b = hash_rotate(s->b, 13) ^ s->a;
	s->a = hash_rotate(s->a, 32);
	s->c += s->d;
	s->d = hash_rotate(s->d, 16) ^ s->c;
	s->a += s->d;
	s->d = hash_rotate(s->d, 21) ^ s->a;
	s->c += s->b;
	s->b = hash_rotate(s->b, 17) ^ s->c;
	s->c = hash_rotate(s->c, 32);
}

static const uint64_t *
hash_key(void)
{
	static uint64_t key[2];

	if (key[0] == 0)
		hash_random(key, sizeof(key));
	return key;
}

uint64_t
hash_keyed(const void *data, size_t len)
{
	const uint64_t *key = hash_key();
	const uint8_t *p = data;
	struct sip s = { key[0] ^ UINT64_C(0x736f6d6570736575),
		key[1] ^ UINT64_C(0x646f72616e646f6d), key[0] ^ UINT64_C(0x6c7967656e657261),
		key[1] ^ UINT64_C(0x7465646279746573) };
	uint64_t word, last = (uint64_t)len << 56;
	size_t rest = len % 8;

	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&word, p, 8);
		s.d ^= word;
		hash_round(&s);
		s.a ^= word;
	}
	while (rest > 0) {
		rest--;
		last |= (uint64_t)p[rest] << (8 * rest);
	}
	s.d ^= last;
	hash_round(&s);
	s.a ^= last;
	s.c ^= 0xff;
	hash_round(&s);
	hash_round(&s);
	hash_round(&s);
	return s.a ^ s.b ^ s.c ^ s.d;
}

uint64_t
hash_stable_more(uint64_t h, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (; len > 0; len--, p++)
		h = (h ^ *p) * UINT64_C(0x100000001b3);
	return h;
}

uint64_t
hash_stable(const void *data, size_t len)
{
	return hash_stable_more(UINT64_C(0xcbf29ce484222325), data, len);
}

uint32_t
hash_crc32(const void *data, size_t len)
{
	return (uint32_t)crc32_z(0, data, len);
}

void
hash_random(void *to, size_t len)
{
	if (getrandom(to, len, 0) != (ssize_t)len)
		fatal(EXIT_WITH_SYSTEM, "the kernel gave no random bytes");
}
