/* libcurl.h - libcurl, loaded behind the back of the start.
 *
 * libcurl brings thirty libraries with it. Loading them takes four fifths of the time from exec to ready, and
 * nobody needs them before the first call leaves: so they are not linked but loaded by a thread of their own
 * while the worker already takes fetches. The thread does nothing else and ends when it is done.
 */
#ifndef LIBCURL_H
#define LIBCURL_H
#include <curl/curl.h>

#include "loop.h"

#define LIBCURL_FUNCTIONS(X)                                                                       \
	X(getdate) X(global_init) X(global_cleanup) X(easy_init) X(easy_cleanup) X(easy_setopt)              \
	X(easy_getinfo) X(easy_strerror) X(multi_init) X(multi_cleanup)                           \
	 X(multi_setopt) X(multi_assign) X(multi_add_handle)                      \
	X(multi_remove_handle) X(multi_info_read) X(multi_socket_action)

struct libcurl {		/* curl->easy_init() is curl_easy_init() */
#define X(name) __typeof__(curl_##name) *name;
	LIBCURL_FUNCTIONS(X)
#undef X
};

struct libcurl_loader;

/* Begins to load; `done` is called from the loop, once, with the functions. Fatal when it cannot be loaded. */
struct libcurl_loader	*libcurl_load(struct loop *, void (*done)(const struct libcurl *, void *owner), void *owner);
void			 libcurl_unload(struct libcurl_loader **);	/* waits for the thread if it still runs */

#endif /* LIBCURL_H */
