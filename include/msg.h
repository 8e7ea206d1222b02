/* msg.h - messages between processes: structs, descriptors and codec, made from messages.def and values.def. */
#ifndef MSG_H
#define MSG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "role.h"
#include "value.h"

#define MESSAGE(name, NAME, number, senders, receivers, help) struct msg_##name {
#define FIELD(name, KIND, field, bound, help) FIELD_TYPE_##KIND(field, bound)
#define MESSAGE_END(name) };
#include "tables/messages.def"

enum msg_type {
#define VALUE(name, NAME, number, version, stored, table, help) MSG_##NAME = (number),
#define FIELD(name, KIND, field, bound, help)
#define VALUE_END(name)
#include "tables/values.def"
#define MESSAGE(name, NAME, number, senders, receivers, help) MSG_##NAME = (number),
#define FIELD(name, KIND, field, bound, help)
#define MESSAGE_END(name)
#include "tables/messages.def"
};
#define MSG_TYPE_MAX 64

enum msg_kind { KIND_U64, KIND_I64, KIND_F64, KIND_BOOL, KIND_TIME, KIND_STR, KIND_LIST };

struct msg_field {
	const char	*name;
	enum msg_kind	 kind;
	size_t		 bound;		/* bytes, NUL included; STR and LIST */
	size_t		 offset;
	const char	*help;
};

struct msg_desc {
	const char	*name;
	enum msg_type	 type;
	unsigned	 version;	/* values: of the journal record; messages: 0 */
	bool		 stored;	/* values: journalled and written to `table` */
	const char	*table;
	unsigned	 senders, receivers; /* or-ed ROLE_ bits */
	const struct msg_field *fields;
	size_t		 field_count;
	size_t		 size;		/* of the struct */
	const char	*help;
};

/* The largest struct of the table; a decoded message owns nothing. */
union msg_any {
#define VALUE(name, NAME, number, version, stored, table, help) struct name name;
#define FIELD(name, KIND, field, bound, help)
#define VALUE_END(name)
#include "tables/values.def"
#define MESSAGE(name, NAME, number, senders, receivers, help) struct msg_##name name;
#define FIELD(name, KIND, field, bound, help)
#define MESSAGE_END(name)
#include "tables/messages.def"
};

/* Null for an unknown type. */
const struct msg_desc	*msg_desc(unsigned type);
/* Hash over both tables as expanded: peers that differ refuse one another. */
uint64_t		 msg_protocol_id(void);

/* Appends one message: a msgpack array [type, field...]. E_FULL at the buffer's limit, E_LIMIT for a
 * text that is not ended within its bound (a bug of the caller); then nothing was added. */
int	msg_encode(enum msg_type, const void *message, struct buf *) MUST_CHECK;
/* Reads one message off `data`. E_PARTIAL: more bytes are needed; E_PROTOCOL with *why (static): not a
 * message of the table. Never allocates. The message may be half written on failure. Texts are bytes without
 * NUL: whether they are UTF-8 is the business of whoever shows them. */
int	msg_decode(const uint8_t *data, size_t len, size_t *used, enum msg_type *, union msg_any *,
	    const char **why) MUST_CHECK;
/* One line for logs, cut at `size`; values of settings are hidden, they may be keys. */
void	msg_print(enum msg_type, const void *message, char *out, size_t size);

#endif /* MSG_H */
