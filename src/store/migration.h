/* migration.h - the steps from an empty store to the schema this program knows, made from .sql files. */
#ifndef MIGRATION_H
#define MIGRATION_H
#include <stddef.h>

struct migration {
	int		 number;	/* rising */
	const char	*name;
	const char	*sql;
};
extern const struct migration store_migrations[];	/* of SQLite: schema.c, generated */
extern const size_t store_migration_count;
extern const struct migration pg_migrations[];	/* of PostgreSQL: schema_pg.c, generated */
extern const size_t pg_migration_count;

#endif /* MIGRATION_H */
