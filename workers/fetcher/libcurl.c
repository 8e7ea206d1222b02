/* libcurl.c - libcurl, loaded behind the back of the start. */
#include "libcurl.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "log.h"
#include "mem.h"
#include "text.h"

/* The name of the interface, the same since 2006. */
#define LIBCURL_FILE "libcurl.so.4"

struct libcurl_loader {
	struct libcurl curl;
	struct event *event;
	pthread_t thread;
	int bell; /* rung by the thread when it is done */
	bool joined;
	char why[256]; /* the thread's until it rang: empty when all went well */
	void (*done)(const struct libcurl *, void *owner);
	void *owner;
};

/* A function by its name. Copied as bytes: ISO C knows no way from an object pointer to a function. */
static int
libcurl_find(struct libcurl_loader *l, void *library, const char *name, void *out)
{
	void *symbol = dlsym(library, name);

	if (symbol == NULL)
		text_copy(l->why, sizeof(l->why), name);
	else
		memcpy(out, &symbol, sizeof(symbol));
	return symbol != NULL;
}

static int
libcurl_find_all(struct libcurl_loader *l, void *library)
{
	int all = 1;

#define X(name) all = all && libcurl_find(l, library, "curl_" #name, &l->curl.name);
	LIBCURL_FUNCTIONS(X)
#undef X
	return all;
}

static void *
libcurl_thread(void *owner)
{
	struct libcurl_loader *l = owner;
	const uint64_t one = 1;
	void *library = dlopen(LIBCURL_FILE, RTLD_NOW | RTLD_LOCAL);

	if (library == NULL)
		text_copy(l->why, sizeof(l->why), dlerror());
	else if (libcurl_find_all(l, library) && l->curl.global_init(CURL_GLOBAL_DEFAULT) != 0)
		text_copy(l->why, sizeof(l->why), "it refuses to start");
	if (write(l->bell, &one, sizeof(one)) != sizeof(one))
		panic("libcurl: its bell cannot be rung: %s", strerror(errno));
	return NULL;
}

static void
libcurl_join(struct libcurl_loader *l)
{
	if (!l->joined)
		pthread_join(l->thread, NULL);
	l->joined = true;
}

static void
libcurl_on_bell(evutil_socket_t fd, short what, void *owner)
{
	struct libcurl_loader *l = owner;

	(void)fd, (void)what;
	libcurl_join(l);
	if (l->why[0] != '\0')
		fatal(EXIT_WITH_SYSTEM, LIBCURL_FILE ": cannot be used: %s", l->why);
	l->done(&l->curl, l->owner);
}

/* Signals are the main thread's business. */
static int
thread_start(struct libcurl_loader *l)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&l->thread, NULL, libcurl_thread, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

struct libcurl_loader *
libcurl_load(struct loop *loop, void (*done)(const struct libcurl *, void *owner), void *owner)
{
	struct libcurl_loader *l = mem_alloc(sizeof(*l));
	int r;

	l->done = done;
	l->owner = owner;
	if ((l->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) == -1)
		fatal(EXIT_WITH_SYSTEM, "libcurl: no descriptor: %s", strerror(errno));
	l->event = event_new(loop_base(loop), l->bell, EV_READ, libcurl_on_bell, l);
	if (l->event == NULL || event_add(l->event, NULL) != 0)
		fatal(EXIT_WITH_SYSTEM, "libcurl: its bell cannot be watched");
	if ((r = thread_start(l)) != 0)
		fatal(EXIT_WITH_SYSTEM, "libcurl: no thread to load it: %s", strerror(r));
	return l;
}

void
libcurl_unload(struct libcurl_loader **lp)
{
	struct libcurl_loader *l = *lp;

	if (l == NULL)
		return;
	libcurl_join(l);
	if (l->why[0] == '\0')
		l->curl.global_cleanup();
	event_free(l->event);
	close(l->bell);
	mem_free(lp);
}
