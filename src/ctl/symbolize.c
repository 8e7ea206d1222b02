/* symbolize.c - names for the addresses of a crash report: none in this build. */
#include "symbolize.h"

int
symbol_find(const char *executable, const char *build_id, uint64_t offset, char *out, size_t size)
{
	(void)executable, (void)build_id, (void)offset, (void)out, (void)size;
	return E_NOT_IMPLEMENTED;
}
