/* find.c - the journals a process goes through: by their folders, so that one whose fetcher is gone is found as well.
 *
 * A folder counts by its whole name only. A copy that somebody made beside it (fetcher-rest.bak) holds records that are
 * stored already, and would be stored again as the journal of somebody else.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "hash.h"
#include "journal_room.h"
#include "log.h"
#include "role.h"
#include "text.h"

#define STRANGERS_MAX 16 /* told one by one */
#define NAME_SHOWN    64

static bool
folder_is_told(const char *name)
{
	static uint64_t told[STRANGERS_MAX];
	static unsigned count;
	uint64_t hash = hash_stable(name, strlen(name));

	for (unsigned i = 0; i < count; i++)
		if (told[i] == hash)
			return true;
	if (count == STRANGERS_MAX)
		return true;
	told[count++] = hash;
	return false;
}

/* What a file system of its own brings along is no mistake of anybody. */
static void
folder_is_strange(const char *name)
{
	char shown[NAME_SHOWN];

	if (strcmp(name, "lost+found") != 0 && !folder_is_told(name))
		log_warn("journal: the folder %s is no journal of a fetcher and is left alone: put "
			 "copies elsewhere",
		    text_safe(shown, sizeof(shown), name));
}

void
journal_find(const char *state_dir, void (*found)(const char *source, void *owner), void *owner)
{
	char path[JOURNAL_PATH];
	struct dirent *entry;
	DIR *dir;

	if (snprintf(path, sizeof(path), "%s/journal", state_dir) >= (int)sizeof(path) ||
	    (dir = opendir(path)) == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' || entry->d_type == DT_REG)
			continue;
		if (role_is_fetcher_slot(entry->d_name))
			found(entry->d_name, owner);
		else
			folder_is_strange(entry->d_name);
	}
	closedir(dir);
}
