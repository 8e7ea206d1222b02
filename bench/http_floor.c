/* http_floor.c - the HTTP room alone, answering a fixed body: as fast as a worker can be.
 *
 * usage: http_floor PORT FILE. Serves the bytes of FILE as JSON on 127.0.0.1:PORT (0 picks one)
 * at every path and prints the port in a line.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "http.h"
#include "log.h"
#include "mem.h"

#define FLOOR_BODY_MAX 65536

struct floor {
	char body[FLOOR_BODY_MAX];
	size_t body_len;
};

static void
floor_on_request(struct http_request *r, void *owner)
{
	struct floor *f = owner;
	struct http_answer a = { .status = 200, .type = "application/json" };

	a.body = f->body;
	a.body_len = f->body_len;
	http_reply(r, &a);
}

static void
floor_on_refused(struct http_request *r, int error, void *owner)
{
	struct http_answer a = { .status = err_status(error), .type = "text/plain" };

	(void)owner;
	a.body = err_text(error);
	a.body_len = strlen(err_text(error));
	http_reply(r, &a);
}

static void
floor_read(struct floor *f, const char *path)
{
	FILE *in = fopen(path, "r");

	if (in == NULL)
		fatal(EXIT_WITH_SYSTEM, "%s: cannot be opened", path);
	f->body_len = fread(f->body, 1, sizeof(f->body), in);
	fclose(in);
}

static int
floor_listen(const char *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	at.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 4096) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) != 0)
		fatal(EXIT_WITH_SYSTEM, "port %s: cannot be listened on", port);
	printf("%u\n", ntohs(at.sin_port));
	fflush(stdout);
	return fd;
}

int
main(int argc, char **argv)
{
	const struct http_limits limits = { .connections_max = 20000,
		.request_line_max = 8192,
		.headers_max = 16384,
		.body_max = 65536,
		.header_timeout_ms = 10000,
		.body_timeout_ms = 10000,
		.idle_timeout_ms = 75000,
		.total_timeout_ms = 60000 };
	const struct http_hooks hooks = { .request = floor_on_request,
		.refused = floor_on_refused };
	struct floor *f = mem_alloc(sizeof(*f));
	struct http_server *server;
	struct loop *loop;

	log_open("floor", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	if (argc != 3)
		fatal(EXIT_WITH_USAGE, "usage: http_floor PORT FILE");
	floor_read(f, argv[2]);
	loop = loop_new();
	server = http_server_new(loop, &limits, &hooks, f);
	if (http_server_listen(server, floor_listen(argv[1])) != E_OK)
		fatal(EXIT_WITH_SYSTEM, "the loop refused the listening socket");
	loop_run(loop);
	http_server_free(&server);
	loop_free(&loop);
	mem_free(&f);
	return 0;
}
