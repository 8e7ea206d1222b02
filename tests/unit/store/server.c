/* server.c - a private PostgreSQL for this program's tests, begun before the first and ended behind the last. */
#include "server.h"

#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define AS_NOBODY "setpriv --reuid=nobody --regid=nogroup --clear-groups --pdeathsig TERM "
#define FOLDER	  "OPITIOS_TEST_PG" /* in the environment of the tests' processes */

static const char *const binaries[] = { "/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/16/bin",
	"/usr/lib/postgresql/17/bin" };
static pid_t server_pid;
static char server_folder[64];

static const char *
server_binaries(void)
{
	char path[128];

	for (size_t i = 0; i < sizeof(binaries) / sizeof(binaries[0]); i++) {
		snprintf(path, sizeof(path), "%s/initdb", binaries[i]);
		if (access(path, X_OK) == 0)
			return binaries[i];
	}
	return NULL;
}

static bool
server_make(const char *bin)
{
	const char *as = geteuid() == 0 ? AS_NOBODY : "";
	char command[1024];

	snprintf(server_folder, sizeof(server_folder), "/tmp/test_store_pg.XXXXXX");
	if (mkdtemp(server_folder) == NULL || chmod(server_folder, 0755) != 0)
		return false;
	snprintf(command, sizeof(command),
	    "cd / && { [ $(id -u) != 0 ] || chown nobody %s; } && %s %s/initdb -D %s/data -U "
	    "postgres -A trust -E "
	    "UTF8 --no-sync --no-instructions >/dev/null && printf 'local all keeper "
	    "scram-sha-256\\n"
	    "local all all trust\\n' >%s/data/pg_hba.conf",
	    server_folder, as, bin, server_folder, server_folder);
	return system(command) == 0;
}

static void
server_run(const char *bin)
{
	const char *as = geteuid() == 0 ? AS_NOBODY : "";
	char command[1024];

	if ((server_pid = fork()) != 0)
		return;
	snprintf(command, sizeof(command),
	    "cd / && exec %s %s/postgres -D %s/data -k %s -c listen_addresses= -c fsync=off -c "
	    "full_page_writes=off "
	    ">%s/log 2>&1",
	    as, bin, server_folder, server_folder, server_folder);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(1);
}

ReportHook(PRE_ALL)(struct criterion_test_set *set)
{
	const char *bin = server_binaries();
	char url[160];

	(void)set;
	if (bin == NULL || !server_make(bin))
		return;
	server_run(bin);
	snprintf(url, sizeof(url), "postgresql://postgres@/postgres?host=%s", server_folder);
	for (int i = 0; i < 500 && PQping(url) != PQPING_OK; i++)
		usleep(10000);
	setenv(FOLDER, server_folder, 1);
}

ReportHook(POST_ALL)(struct criterion_global_stats *stats)
{
	char command[128];

	(void)stats;
	if (server_pid <= 0)
		return;
	kill(server_pid, SIGQUIT);
	waitpid(server_pid, NULL, 0);
	snprintf(command, sizeof(command), "rm -rf %s", server_folder);
	if (system(command) != 0)
		fprintf(stderr, "%s is left\n", server_folder);
}

const char *
server_ask(const char *url, const char *sql)
{
	static char answer[4096];
	PGconn *conn = PQconnectdb(url);
	PGresult *result;

	cr_assert_eq(PQstatus(conn), CONNECTION_OK, "%s", PQerrorMessage(conn));
	result = PQexec(conn, sql);
	cr_assert(
	    PQresultStatus(result) == PGRES_TUPLES_OK || PQresultStatus(result) == PGRES_COMMAND_OK,
	    "%s: %s", sql, PQerrorMessage(conn));
	if (PQntuples(result) == 0)
		snprintf(answer, sizeof(answer), "none");
	else
		snprintf(answer, sizeof(answer), "%s",
		    PQgetisnull(result, 0, 0) ? "NULL" : PQgetvalue(result, 0, 0));
	PQclear(result);
	PQfinish(conn);
	return answer;
}

bool
server_database(char *url, size_t size)
{
	const char *folder = getenv(FOLDER);
	char sql[64], first[160];

	if (folder == NULL)
		return false;
	snprintf(first, sizeof(first), "postgresql://postgres@/postgres?host=%s", folder);
	snprintf(sql, sizeof(sql), "CREATE DATABASE t%ld", (long)getpid());
	server_ask(first, sql);
	snprintf(url, size, "postgresql://postgres@/t%ld?host=%s", (long)getpid(), folder);
	return true;
}
