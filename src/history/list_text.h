/* list_text.h - lists as stores keep them, back into values. */
#ifndef LIST_TEXT_H
#define LIST_TEXT_H
#include <stddef.h>

/* A JSON array of texts into a LIST; null is null. Elements that do not fit are left out: they never were in it. */
void	list_from_text(const char *json, char *out, size_t size);

#endif /* LIST_TEXT_H */
