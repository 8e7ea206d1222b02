/* list_text.h - lists as stores keep them, back into values. */
#ifndef LIST_TEXT_H
#define LIST_TEXT_H
#include <stdbool.h>
#include <stddef.h>

#include "err.h"

/* A JSON array of texts into a LIST; null is null. False: it is none, or more than the list takes. */
bool	list_from_text(const char *json, char *out, size_t size) MUST_CHECK;

#endif /* LIST_TEXT_H */
