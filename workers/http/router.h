/* router.h - routes.def at work: handlers and parameters of requests. Room header. */
#ifndef ROUTER_H
#define ROUTER_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "http.h"
#include "http_fault.h"
#include "label.h"

struct visit;

enum param_in { IN_PATH, IN_QUERY, IN_BODY };
enum param_type { TYPE_STRING, TYPE_INTEGER, TYPE_NUMBER, TYPE_TIME, TYPE_LIST };
enum param_need { NEED_MUST, NEED_MAY };

struct param_row {
	enum route	 route;
	enum param_in	 in;
	const char	*name;
	enum param_type	 type;
	enum param_need	 need;
	const char	*help;
};

struct route_row {
	enum route	 route;
	const char	*method;	/* "GET" or "POST" */
	const char	*path;		/* "/api/v1/stocks/{symbol}/quote" */
	const char	*name;		/* "stock_quote" */
	bool		 is_open;	/* needs no key */
	const char	*help;
	void		(*answer)(struct visit *);
};

const struct route_row	*route_row(enum route);			/* null for ROUTE_NONE */
const struct param_row	*param_rows(enum route, size_t *count);	/* in the order of the table */

/* Handlers, one a row: workers/http/<family>.c */
#define ROUTE(METHOD, path, handler, permission, help) void route_##handler(struct visit *);
#define PARAM(handler, in, name, type, need, help)
#include "tables/routes.def"

#define ROUTE_SEGMENTS_MAX 8
#define ROUTE_PARAMS_MAX   2	/* in a path */

struct route_match {
	const struct route_row	*row;		/* null: none */
	unsigned		 methods;	/* enum route_method, or-ed; 0: no such path */
	const char		*values[ROUTE_PARAMS_MAX]; /* of {param}, unescaped; in `text` */
	char			 text[512];
};
enum route_method { METHOD_GET = 1, METHOD_POST = 2 };

struct router;
struct router	*router_new(void);
void		 router_free(struct router **);
/* `method` is the request's; HEAD finds GET's row. */
void		 router_find(const struct router *, const char *method, const char *path,
		    struct route_match *);
/* "GET, HEAD, OPTIONS" for Allow. */
const char	*router_allow(unsigned methods);

#define PARAMS_MAX	 16		/* rows of one route */
#define PARAM_ITEMS_MAX	 1001		/* one more than http.batch_max may be */

struct param {
	const struct param_row	*row;
	bool			 given;
	const char		*text;		/* STRING and TIME */
	double			 number;	/* NUMBER and INTEGER */
	int64_t			 integer;	/* INTEGER */
};

struct params {			/* of the request in hand; borrowed texts die with params_clear */
	struct param	 at[PARAMS_MAX];
	size_t		 count;
	const char	*items[PARAM_ITEMS_MAX];	/* of the LIST there is at most one of */
	size_t		 item_count;
	json_t		*body;
	char		*memory;	/* of what was unescaped */
	size_t		 memory_size, memory_used;
};

void	params_init(struct params *, size_t memory_size);
void	params_fini(struct params *);
void	params_clear(struct params *);
/* Path, query and body against the rows of the route. E_INVALID_PARAMETER or E_MALFORMED_REQUEST
 * with *fault filled. */
int	params_read(struct params *, const struct route_match *, const struct http_request *,
	    struct fault *) MUST_CHECK;
/* The same from parts, for tests. */
int	params_read_parts(struct params *, const struct route_match *, const char *query,
	    const void *body, size_t body_len, struct fault *) MUST_CHECK;

#endif /* ROUTER_H */
