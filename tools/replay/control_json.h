/* control_json.h - the order that POST /_replay/fault carries.
 *
 * Apart from the rest, for jansson and json_write.h both have a json_null.
 */
#ifndef CONTROL_JSON_H
#define CONTROL_JSON_H
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct control_order {
	char	kind[24], path[256], variant[24];
	int64_t	count, delay_ms;	/* 1, and -1 when not given */
};

/* E_MALFORMED_REQUEST: not an object of these members and types. `why` is a static text. */
int	control_json_read(const void *, size_t, struct control_order *,
	    const char **why) MUST_CHECK;

#endif /* CONTROL_JSON_H */
