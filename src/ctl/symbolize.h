/* symbolize.h - names for the addresses of a crash report. */
#ifndef SYMBOLIZE_H
#define SYMBOLIZE_H
#include <stddef.h>
#include <stdint.h>

#include "err.h"

/* "function file.c:12" of an offset in an executable that is still the one of this build id. Else not E_OK. */
int	symbol_find(const char *executable, const char *build_id, uint64_t offset, char *out, size_t size) MUST_CHECK;

#endif /* SYMBOLIZE_H */
