/* record.c - one record of a journal: its bytes, and how to find the next good one among bad bytes.
 *
 *	offset	bytes
 *	0	4	sync: f5 'o' 'a' 'j'
 *	4	4	CRC-32 of everything from offset 8 to the end of the payload
 *	8	4	length of the payload
 *	12	2	type (a number of values.def)
 *	14	2	version of that type's fields
 *	16	8	sequence
 *	24	8	appended, nanoseconds since the epoch
 *	32	length	payload: what msg_encode() made of the value
 *
 * Numbers are little-endian. The checksum stands in front so that what it covers is one stretch.
 */
#include "journal_room.h"

#include <string.h>

#include "hash.h"

static const uint8_t record_sync[4] = { 0xf5, 'o', 'a', 'j' };

static void
put(uint8_t *p, uint64_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t
get(const uint8_t *p, int bytes)
{
	uint64_t v = 0;

	for (int i = bytes - 1; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

void
record_begin(uint8_t *out, enum msg_type type, unsigned version, size_t payload_len, int64_t now_ns)
{
	memcpy(out, record_sync, sizeof(record_sync));
	put(out + 8, payload_len, 4);
	put(out + 12, type, 2);
	put(out + 14, version, 2);
	put(out + 24, (uint64_t)now_ns, 8);
}

size_t
record_bytes(const uint8_t *sealed)
{
	return RECORD_HEADER + (size_t)get(sealed + 8, 4);
}

enum msg_type
record_type(const uint8_t *sealed)
{
	return (enum msg_type)get(sealed + 12, 2);
}

void
record_seal(uint8_t *out, uint64_t sequence)
{
	put(out + 16, sequence, 8);
	put(out + 4, hash_crc32(out + 8, record_bytes(out) - 8), 4);
}

enum record_state
record_check(const uint8_t *bytes, size_t len, struct record_view *view)
{
	size_t known = len < sizeof(record_sync) ? len : sizeof(record_sync);
	size_t payload;

	if (memcmp(bytes, record_sync, known) != 0)
		return RECORD_BAD;
	if (len < RECORD_HEADER)
		return RECORD_SHORT;
	payload = (size_t)get(bytes + 8, 4);
	if (payload > RECORD_PAYLOAD_MAX)
		return RECORD_BAD;
	if (len < RECORD_HEADER + payload)
		return RECORD_SHORT;
	if (hash_crc32(bytes + 8, RECORD_HEADER - 8 + payload) != get(bytes + 4, 4))
		return RECORD_BAD;
	view->type = (uint16_t)get(bytes + 12, 2);
	view->version = (uint16_t)get(bytes + 14, 2);
	view->sequence = get(bytes + 16, 8);
	view->appended_ns = (int64_t)get(bytes + 24, 8);
	view->payload = bytes + RECORD_HEADER;
	view->payload_len = payload;
	view->total = RECORD_HEADER + payload;
	return view->sequence > 0 && view->sequence <= SEQUENCE_MAX ? RECORD_GOOD : RECORD_BAD;
}

int
record_find(const uint8_t *bytes, size_t len, size_t *at, struct record_view *view)
{
	size_t i = *at;
	const uint8_t *sync;

	while (i < len) {
		if (record_check(bytes + i, len - i, view) == RECORD_GOOD) {
			*at = i;
			return 1;
		}
		sync = memmem(bytes + i + 1, len - i - 1, record_sync, sizeof(record_sync));
		if (sync == NULL)
			return 0;
		i = (size_t)(sync - bytes);
	}
	return 0;
}
