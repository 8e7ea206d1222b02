/* conf_room.h - what the files of the configuration room share. */
#ifndef CONF_ROOM_H
#define CONF_ROOM_H
#include "conf.h"

#define CONF_REASON 160		/* bytes of a reason: "is not a whole number" */

enum {
#define CONFIG(section, key, TYPE, def, min, max, roles, when, env, help) CONF_ROW_##section##_##key,
#include "tables/config.def"
	CONF_ROWS
};

/* Reads `text` as the row's type into its field of the struct. On failure nothing changed and `reason`
 * says what is wrong with the value without repeating it. */
int	conf_value_set(struct conf *, const struct conf_row *, const char *text, char reason[CONF_REASON]) MUST_CHECK;

/* "COUNT", "host:port": how the manual and --help call the type. */
const char *conf_type_text(enum conf_type);

/* The field of a row. */
void		*conf_field(struct conf *, const struct conf_row *);
const void	*conf_field_of(const struct conf *, const struct conf_row *);

#endif /* CONF_ROOM_H */
