/* openapi.h - what openapi.c and openapi_paths.c share. */
#ifndef OPENAPI_H
#define OPENAPI_H
#include "http_worker.h"
#include "json_write.h"

/* The object `schemas` of the components. */
void	openapi_render_schemas(struct json *);
/* A response component for each error a client may see; they are told apart by `code`. */
void	openapi_render_error_responses(struct json *);
/* Into the open object: statuses of errors.def, each once, with the codes it stands for. */
void	openapi_render_errors(struct json *);
/* Into the open object: the content of a good answer of this route. */
void	openapi_render_answer(struct json *, enum route);

#endif /* OPENAPI_H */
