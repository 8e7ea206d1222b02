/* tables.h - what the files of the document generator share. */
#ifndef TABLES_H
#define TABLES_H
#include <stdio.h>

#define TABLES_NOTE "Written by `make docs` from include/tables; changes here are lost."

/* Each writes one document from the tables. */
void	tables_configuration(FILE *);
void	tables_example(FILE *);
void	tables_manual(FILE *);
void	tables_metrics(FILE *);
void	tables_errors(FILE *);
void	tables_exits(FILE *);
void	tables_routes(FILE *);
void	tables_admin(FILE *);
void	tables_health(FILE *);
void	tables_messages(FILE *);
void	tables_values(FILE *);
void	tables_endpoints(FILE *);
void	tables_roles(FILE *);
void	tables_slots(FILE *);
void	tables_commands(FILE *);
void	tables_log_fields(FILE *);
void	tables_manual_ctl(FILE *);
void	tables_manual_master(FILE *);
void	tables_completion(FILE *);

/* Names of or-ed roles: "master, http"; "all". Static, overwritten by the next call. */
const char *tables_role_names(unsigned roles);
/* Text for a manual page, whatever it holds. */
void	tables_put_roff(FILE *, const char *);
/* Title and note of a Markdown document. */
void	tables_title(FILE *, const char *title, const char *what);

#endif /* TABLES_H */
