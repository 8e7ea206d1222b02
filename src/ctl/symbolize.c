/* symbolize.c - names for the addresses of a crash report, from the executable that is still there.
 *
 * Only a file of the same build id is asked: another build's names would be lies. Function names need the symbols
 * of the file, lines its debug information; what is stripped gives less, or nothing.
 */
#include "symbolize.h"

#include <elfutils/libdwfl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

#define BUILD_ID_TEXT 44
#define GONE	      " (deleted)"

static const Dwfl_Callbacks symbol_callbacks = {
	.find_debuginfo = dwfl_standard_find_debuginfo,
	.section_address = dwfl_offline_section_address,
};

static int
symbol_same_build(Dwfl_Module *module, const char *build_id)
{
	const unsigned char *bits;
	char text[BUILD_ID_TEXT];
	GElf_Addr at;
	int n = dwfl_module_build_id(module, &bits, &at), i;

	if (n <= 0 || n * 2 >= BUILD_ID_TEXT)
		return 0;
	for (i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", bits[i]);
	return strcmp(text, build_id) == 0;
}

static int
symbol_describe(Dwfl_Module *module, uint64_t offset, char *out, size_t size)
{
	Dwarf_Addr start = 0, address;
	const char *name, *file, *slash;
	GElf_Off within = 0;
	Dwfl_Line *line;
	GElf_Sym symbol;
	int number = 0, n;

	(void)dwfl_module_info(module, NULL, &start, NULL, NULL, NULL, NULL, NULL);
	address = start + offset;
	name = dwfl_module_addrinfo(module, address, &within, &symbol, NULL, NULL, NULL);
	if (name == NULL)
		return E_ABSENT;
	n = snprintf(out, size, "%s+0x%" PRIx64, name, (uint64_t)within);
	line = dwfl_module_getsrc(module, address);
	file = line != NULL ? dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL) : NULL;
	if (file == NULL || n < 0 || (size_t)n >= size)
		return E_OK;
	slash = strrchr(file, '/');
	(void)snprintf(
	    out + n, size - (size_t)n, " %s:%d", slash != NULL ? slash + 1 : file, number);
	return E_OK;
}

int
symbol_find(const char *executable, const char *build_id, uint64_t offset, char *out, size_t size)
{
	size_t len = strlen(executable), gone = sizeof(GONE) - 1;
	char path[300];
	Dwfl *dwfl;
	Dwfl_Module *module;
	int r = E_ABSENT;

	if (len > gone && strcmp(executable + len - gone, GONE) == 0)
		len -= gone;
	if (text_copy_n(path, sizeof(path), executable, len) != E_OK || path[0] == '\0' ||
	    (dwfl = dwfl_begin(&symbol_callbacks)) == NULL)
		return E_ABSENT;
	module = dwfl_report_offline(dwfl, "", path, -1);
	(void)dwfl_report_end(dwfl, NULL, NULL);
	if (module != NULL)
		r = symbol_same_build(module, build_id) ? symbol_describe(module, offset, out, size)
							: E_VERSION;
	dwfl_end(dwfl);
	return r;
}
