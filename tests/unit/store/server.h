/* server.h - a private PostgreSQL for this program's tests, begun before the first and ended behind the last. */
#ifndef SERVER_H
#define SERVER_H
#include <stdbool.h>
#include <stddef.h>

/* URL of a new, empty database. False: no server is installed. */
bool server_database(char *url, size_t size);
/* First column of the first row; "NULL", or "none" without a row. */
const char *server_ask(const char *url, const char *sql);

#endif /* SERVER_H */
