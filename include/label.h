/* label.h - indices of metric labels, made from labels.def, routes.def and endpoints.def. */
#ifndef LABEL_H
#define LABEL_H

/* An enum a set; LABEL_layer_COUNT is how many values it has. */
#define LABEL_SET(set)		     enum label_##set {
#define LABEL_VALUE(set, NAME, text) LABEL_##set##_##NAME,
#define LABEL_SET_END(set)	     LABEL_##set##_COUNT };
#include "tables/labels.def"

/* Index inside its set, a constant: metric_add(s, M_FETCH_QUEUE, LABEL(lane, INTERACTIVE), 0, 1). */
#define LABEL(set, NAME) ((unsigned)LABEL_##set##_##NAME)

/* A metric without a label has the one index 0. */
enum { LABEL_none_COUNT = 1 };

enum route {
#define ROUTE(METHOD, path, handler, permission, help) ROUTE_##handler,
#define PARAM(handler, in, name, type, need, help)
#include "tables/routes.def"
	ROUTE_NONE,		/* no route matched */
	ROUTE_COUNT,
	LABEL_route_COUNT = ROUTE_COUNT
};

/* Statuses this server answers; 0 stands for any other. Every status of errors.def must be here. */
#define LABEL_CODES(X) X(0) X(200) X(204) X(304) X(400) X(401) X(403) X(404) X(405) X(406) X(408) X(411) X(413) \
	X(414) X(415) X(417) X(426) X(429) X(431) X(500) X(501) X(502) X(503) X(504) X(505)
enum label_code {
#define X(status) LABEL_code_##status,
	LABEL_CODES(X)
#undef X
	LABEL_code_COUNT
};
/* Index of an HTTP status in the set `code`; an unknown one counts as "other". */
unsigned	label_code(int status);

/* Same order and index as in struct endpoint_row. */
enum {
#define ENDPOINT(NAME, number, name, asset, host, shape, merge, key, path, help) LABEL_endpoint_##NAME,
#include "tables/endpoints.def"
	LABEL_endpoint_COUNT
};

#endif /* LABEL_H */
