/* libpq.c - libpq, loaded when history is read out of PostgreSQL for the first time.
 *
 * It maps twenty libraries (TLS, Kerberos, LDAP) and weighs more than the worker. These functions stand in
 * for its own, so the reader of src/history is written as for any program; they run in the reader's thread.
 */
#include <dlfcn.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

/* The name of the interface, the same since 2006. */
#define LIBPQ_FILE "libpq.so.5"

/* Takes X(function, result, parameters, arguments) for each that returns something. */
#define LIBPQ_FUNCTIONS(X)                                                                         \
	X(PQconnectPoll, PostgresPollingStatusType, (PGconn * c), (c))                             \
	X(PQconsumeInput, int, (PGconn * c), (c))                                                  \
	X(PQescapeLiteral, char *, (PGconn * c, const char *text, size_t len), (c, text, len))     \
	X(PQflush, int, (PGconn * c), (c))                                                         \
	X(PQgetCopyData, int, (PGconn * c, char **out, int async), (c, out, async))                \
	X(PQgetResult, PGresult *, (PGconn * c), (c))                                              \
	X(PQgetisnull, int, (const PGresult *r, int row, int column), (r, row, column))            \
	X(PQgetlength, int, (const PGresult *r, int row, int column), (r, row, column))            \
	X(PQgetvalue, char *, (const PGresult *r, int row, int column), (r, row, column))          \
	X(PQisBusy, int, (PGconn * c), (c))                                                        \
	X(PQnfields, int, (const PGresult *r), (r))                                                \
	X(PQntuples, int, (const PGresult *r), (r))                                                \
	X(PQresultErrorMessage, char *, (const PGresult *r), (r))                                  \
	X(PQresultStatus, ExecStatusType, (const PGresult *r), (r))                                \
	X(PQsendQuery, int, (PGconn * c, const char *q), (c, q))                                   \
	X(PQsendQueryParams, int,                                                                  \
	    (PGconn * c, const char *q, int n, const Oid *types, const char *const *values,        \
		const int *lengths, const int *formats, int format),                               \
	    (c, q, n, types, values, lengths, formats, format))                                    \
	X(PQsetnonblocking, int, (PGconn * c, int on), (c, on))                                    \
	X(PQsocket, int, (const PGconn *c), (c))                                                   \
	X(PQstatus, ConnStatusType, (const PGconn *c), (c))

/* What is called before there is a connection, or returns nothing. */
#define LIBPQ_OTHERS(X)                                                                            \
	X(PQclear, , , )                                                                           \
	X(PQconnectStart, , , )                                                                    \
	X(PQconninfoFree, , , )                                                                    \
	X(PQconninfoParse, , , ) X(PQerrorMessage, , , ) X(PQfinish, , , ) X(PQfreemem, , , )

#define MEMBER(name, result, parameters, arguments) __typeof__(name) *name;
#define FIND(name, result, parameters, arguments)   all = all && libpq_find(#name, &libpq.name);
#define CALL(name, result, parameters, arguments)                                                  \
	result name parameters                                                                     \
	{                                                                                          \
		return libpq.name arguments;                                                       \
	}

/* Written once, behind `once`; why: empty when all is there. */
static struct {
	LIBPQ_FUNCTIONS(MEMBER)
	LIBPQ_OTHERS(MEMBER)
	void *library;
	char why[256];
} libpq;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Copied as bytes: ISO C knows no way from an object pointer to a function. */
static bool
libpq_find(const char *name, void *out)
{
	void *symbol = dlsym(libpq.library, name);

	if (symbol == NULL)
		(void)snprintf(libpq.why, sizeof(libpq.why), LIBPQ_FILE " has no %s", name);
	else
		memcpy(out, &symbol, sizeof(symbol));
	return symbol != NULL;
}

static void
libpq_load(void)
{
	bool all = true;

	if ((libpq.library = dlopen(LIBPQ_FILE, RTLD_NOW | RTLD_LOCAL)) == NULL) {
		(void)text_copy_n(libpq.why, sizeof(libpq.why), dlerror(), sizeof(libpq.why) - 1);
		return;
	}
	LIBPQ_FUNCTIONS(FIND)
	LIBPQ_OTHERS(FIND)
	if (!all)
		libpq.library = NULL;
}

static bool
libpq_is_there(void)
{
	return pthread_once(&once, libpq_load) == 0 && libpq.library != NULL;
}

LIBPQ_FUNCTIONS(CALL)

/* Null, as without memory, where there is no libpq. */
PGconn *
PQconnectStart(const char *conninfo)
{
	return libpq_is_there() ? libpq.PQconnectStart(conninfo) : NULL;
}

PQconninfoOption *
PQconninfoParse(const char *conninfo, char **why)
{
	if (libpq_is_there())
		return libpq.PQconninfoParse(conninfo, why);
	if (why != NULL)
		*why = NULL;
	return NULL;
}

char *
PQerrorMessage(const PGconn *conn)
{
	return conn != NULL ? libpq.PQerrorMessage(conn) : libpq.why;
}

/* These take a null, which is all there is without a library. */
void
PQclear(PGresult *result)
{
	if (result != NULL)
		libpq.PQclear(result);
}

void
PQconninfoFree(PQconninfoOption *options)
{
	if (options != NULL)
		libpq.PQconninfoFree(options);
}

void
PQfinish(PGconn *conn)
{
	if (conn != NULL)
		libpq.PQfinish(conn);
}

void
PQfreemem(void *memory)
{
	if (memory != NULL)
		libpq.PQfreemem(memory);
}
