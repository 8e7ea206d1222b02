/* value_json.h - a value of values.def as members of a JSON object, each field by its name. */
#ifndef VALUE_JSON_H
#define VALUE_JSON_H
#include <stdint.h>

#include "json_write.h"
#include "msg.h"

/* Members of the open object: all fields in the table's order, null where there is none. Times are ISO
 * 8601, lists arrays, enumerations names; a number without a name stays a number. */
void	 value_put_json(const struct msg_desc *, const void *value, struct json *);
/* A list as a member; text that is not UTF-8 is made so. */
void	 list_put_json(struct json *, const char *name, const char *list);
/* The name of a number in a U64 field ("stock" of asset 1); null: the field has none, or the number. */
const char *value_enum_name(const struct msg_field *, uint64_t number);

#endif /* VALUE_JSON_H */
