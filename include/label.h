/* label.h - indices of metric labels, made from labels.def, routes.def, errors.def and endpoints.def. */
#ifndef LABEL_H
#define LABEL_H

/* One enum a set cannot be made from one flat table; label_value gives the index inside its set. */
enum label_value {
#define LABEL_VALUE(set, NAME, text) LABEL_##set##_##NAME,
#include "tables/labels.def"
	LABEL_VALUE_COUNT
};
/* Index inside its set: metric_add(s, M_X, LABEL(lane, INTERACTIVE), 0, 1). */
unsigned	label_of(enum label_value);
#define LABEL(set, NAME) label_of(LABEL_##set##_##NAME)

enum route {
#define ROUTE(METHOD, path, handler, permission, help) ROUTE_##handler,
#define PARAM(handler, in, name, type, need, help)
#include "tables/routes.def"
	ROUTE_NONE,		/* no route matched */
	ROUTE_COUNT
};

#endif /* LABEL_H */
