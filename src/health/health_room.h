/* health_room.h - what the files of the health room share. */
#ifndef HEALTH_ROOM_H
#define HEALTH_ROOM_H
#include "health.h"
#include "json_write.h"

/* A worker gone mad may have written anything: what is taken off a page goes through these. */
/* Text of a field that may lack its end; "" is null. */
void	page_text(struct json *, const char *name, const char *field, size_t size);
#define PAGE_TEXT(j, name, field) page_text((j), (name), (field), sizeof(field))
void	page_time(struct json *, const char *name, int64_t wall_ns);	/* what is no time of ours: null */
double	page_seconds(int64_t then, int64_t now);			/* NaN where that is none */

/* The slots of a board; the first one of a role, null when there is none. */
struct health_slots {
	size_t		 count;
	struct slot_view at[BOARD_SLOTS];
};
void	slots_read(struct health_slots *, const struct board *); /* without those that were scaled away */
const struct slot_view *slots_first(const struct health_slots *, enum role);

/* What the cache-writer has against the cache, Redis; null when nothing. */
const struct check_result *cache_fault_of_writer(const struct health_slots *, int64_t now_ns);

/* Files of /proc and /sys are made when they are read: no disk is waited for. False when there is none. */
#define SMALL_FILE 4096
bool	file_read(const char *path, char out[SMALL_FILE]);

/* Members `system`: uptime, memory, cpu, disk. What the kernel does not tell is null. */
void	system_render(struct json *, const struct board *, const struct health_slots *, const char *state_dir,
		int64_t now_ns);

#endif /* HEALTH_ROOM_H */
