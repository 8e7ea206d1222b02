/* fuzz_unpack.c - any bytes through the bounded reader, beside msgpack-c's own where those are accepted.
 *
 * Invariants: what is taken for a message is one well-formed object of the same length; encoded again it reads
 * back equal, and from then on to the same bytes; a shorter piece of it is never taken for whole.
 */
#include <msgpack.h>
#include <string.h>

#include "fuzz.h"
#include "ipc_room.h"
#include "sample.h"

static void
check_object(const uint8_t *data, size_t size)
{
	const char *why = NULL;
	msgpack_unpacked theirs;
	size_t used = 0, off = 0;
	int r = unpack_check(data, size, &used, &why);

	must_hold(r == E_OK || (r == E_PROTOCOL && why != NULL));
	if (r != E_OK)
		return;
	must_hold(used > 0 && used <= size);
	msgpack_unpacked_init(&theirs);
	must_hold(
	    msgpack_unpack_next(&theirs, (const char *)data, used, &off) == MSGPACK_UNPACK_SUCCESS);
	must_hold(off == used);
	msgpack_unpacked_destroy(&theirs);
}

static void
encode(enum msg_type type, const union msg_any *message, struct buf *b)
{
	buf_init(b, CHAN_FRAME_MAX);
	must_hold(msg_encode(type, message, b) == E_OK);
	must_hold(buf_len(b) <= msg_worsts[type]);
}

static void
check_again(enum msg_type type, const union msg_any *message)
{
	const char *why = NULL;
	union msg_any again;
	enum msg_type type_again;
	struct buf first, second;
	size_t used;

	encode(type, message, &first);
	must_hold(msg_decode(buf_data(&first), buf_len(&first), &used, &type_again, &again, &why) ==
		  E_OK);
	must_hold(type_again == type && used == buf_len(&first));
	must_hold(sample_equal(msg_desc(type), message, &again));
	encode(type, &again, &second);
	must_hold(buf_len(&first) == buf_len(&second));
	must_hold(memcmp(buf_data(&first), buf_data(&second), buf_len(&first)) == 0);
	buf_fini(&first);
	buf_fini(&second);
}

static void
check_cut(const uint8_t *data, size_t used)
{
	const char *why = NULL;
	union msg_any message;
	enum msg_type type;
	size_t cut, ignored;

	/* Every cut of a long one would take all day. */
	for (cut = 0; cut < used; cut += 1 + used / 16)
		must_hold(msg_decode(data, cut, &ignored, &type, &message, &why) == E_PARTIAL);
}

static void
check_message(const uint8_t *data, size_t size)
{
	const char *why = NULL;
	union msg_any message;
	enum msg_type type;
	size_t used = 0, object = 0;
	char line[64];
	int r = msg_decode(data, size, &used, &type, &message, &why);

	must_hold(r == E_OK || r == E_PARTIAL || (r == E_PROTOCOL && why != NULL));
	must_hold(r == E_OK || used == 0);
	if (r != E_OK)
		return;
	must_hold(used > 0 && used <= size && used <= MSG_WIRE_MAX);
	must_hold(unpack_check(data, size, &object, &why) == E_OK && object == used);
	check_again(type, &message);
	check_cut(data, used);
	msg_print(type, &message, line, sizeof(line));
	must_hold(strnlen(line, sizeof(line)) < sizeof(line));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_object(data, size);
	check_message(data, size);
	return 0;
}
