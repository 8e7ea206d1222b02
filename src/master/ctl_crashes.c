/* ctl_crashes.c - `crashes`: reports of <state.dir>/crashes, each a file NNNNNN.json.
 *
 * Whoever writes them bounds how many there are; what does not parse is left out, so that an answer is always one
 * line of JSON.
 */
#include "ctl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "mem.h"
#include "text.h"

#define CRASHES_SCAN_MAX   4096 /* names of the folder that are looked at */
#define CRASHES_FILE_MAX   (256u << 10)
#define CRASHES_NEWEST	   20
#define CRASHES_NUMBER_MAX 999999999

/* The number of a report's file; 0: it is none. */
static unsigned
crashes_number(const char *name)
{
	uint64_t number;
	char digits[16];
	size_t len = strspn(name, "0123456789");

	if (len == 0 || len > 9 || strcmp(name + len, ".json") != 0)
		return 0;
	(void)text_copy_n(digits, sizeof(digits), name, len);
	return text_to_u64(digits, &number) == E_OK ? (unsigned)number : 0;
}

static DIR *
crashes_open(const struct master *m)
{
	char path[sizeof(m->conf.state_dir) + 16];

	(void)snprintf(path, sizeof(path), "%s/crashes", m->conf.state_dir);
	return opendir(path);
}

/* The newest numbers, newest first; returns how many there are in all. */
static unsigned
crashes_scan(DIR *dir, unsigned *newest, size_t room)
{
	const struct dirent *e;
	unsigned count = 0, scanned = 0, number;
	size_t i, have = 0;

	while (scanned++ < CRASHES_SCAN_MAX && (e = readdir(dir)) != NULL) {
		if ((number = crashes_number(e->d_name)) == 0)
			continue;
		count++;
		for (i = have < room ? have++ : room - 1; i > 0 && newest[i - 1] < number; i--)
			newest[i] = newest[i - 1];
		if (newest[i] < number)
			newest[i] = number;
	}
	return count;
}

unsigned
ctl_crashes_count(const struct master *m, unsigned *newest)
{
	DIR *dir = crashes_open(m);
	unsigned count;

	*newest = 0;
	if (dir == NULL)
		return 0;
	count = crashes_scan(dir, newest, 1);
	closedir(dir);
	return count;
}

/* A report; null: there is none, or it is not one. */
static json_t *
crashes_load(DIR *dir, unsigned number)
{
	json_t *report = NULL;
	char name[24], *text;
	ssize_t n;
	int fd;

	(void)snprintf(name, sizeof(name), "%06u.json", number);
	if ((fd = openat(dirfd(dir), name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)) < 0)
		return NULL;
	text = mem_alloc(CRASHES_FILE_MAX);
	n = read(fd, text, CRASHES_FILE_MAX);
	close(fd);
	if (n > 0)
		report = json_loadb(text, (size_t)n, 0, NULL);
	mem_free(&text);
	if (report != NULL && !json_is_object(report)) {
		json_decref(report);
		report = NULL;
	}
	return report;
}

/* As one line, freed by the caller; null as above. */
static char *
crashes_read(DIR *dir, unsigned number)
{
	json_t *report = crashes_load(dir, number);
	char *line = report != NULL ? json_dumps(report, JSON_COMPACT) : NULL;

	json_decref(report);
	return line;
}

static const char *
crashes_member(const json_t *report, const char *name)
{
	const char *text = json_string_value(json_object_get(report, name));

	return text != NULL ? text : "";
}

static void
crashes_recall_one(struct board *b, DIR *dir, unsigned number)
{
	struct crash_line line = { .at_ns = 0 };
	json_t *report = crashes_load(dir, number);

	if (report == NULL)
		return;
	if (clock_parse(crashes_member(report, "time"), &line.at_ns) != E_OK)
		line.at_ns = 0;
	line.pid = (int32_t)json_integer_value(json_object_get(report, "pid"));
	(void)text_copy(line.slot, sizeof(line.slot), crashes_member(report, "slot"));
	(void)text_copy(line.cause, sizeof(line.cause), crashes_member(report, "cause"));
	(void)text_copy(line.ended, sizeof(line.ended), crashes_member(report, "ended"));
	crash_line_put(b, number, &line);
	json_decref(report);
}

void
ctl_crashes_recall(const struct master *m)
{
	unsigned newest[BOARD_CRASHES] = { 0 };
	DIR *dir = crashes_open(m);

	if (dir == NULL)
		return;
	(void)crashes_scan(dir, newest, BOARD_CRASHES);
	for (size_t i = 0; i < BOARD_CRASHES && newest[i] != 0; i++)
		crashes_recall_one(m->board, dir, newest[i]);
	closedir(dir);
}

int
ctl_crash_report(const struct master *m, const char *id, struct buf *out)
{
	char *line = NULL;
	uint64_t number;
	DIR *dir;
	int r = E_ABSENT;

	if (text_to_u64(id, &number) != E_OK || number == 0 || number > CRASHES_NUMBER_MAX)
		return E_INVALID_PARAMETER;
	if ((dir = crashes_open(m)) == NULL)
		return E_ABSENT;
	if ((line = crashes_read(dir, (unsigned)number)) != NULL)
		r = buf_add_text(out, line);
	free(line);
	closedir(dir);
	return r;
}

static bool
crashes_put(struct json *j, DIR *dir, unsigned number)
{
	char *line = crashes_read(dir, number);

	if (line == NULL)
		return false;
	json_raw(j, NULL, line, strlen(line));
	free(line);
	return true;
}

static void
crashes_put_one(struct ctl_answer *a, DIR *dir, const char *id)
{
	uint64_t number;

	json_array_open(a->json, "crashes");
	if (text_to_u64(id, &number) != E_OK || number == 0 || number > CRASHES_NUMBER_MAX)
		ctl_refuse(a, E_INVALID_PARAMETER, "\"%s\" is no number of a crash report", id);
	else if (dir == NULL || !crashes_put(a->json, dir, (unsigned)number))
		ctl_refuse(a, E_ABSENT,
		    "there is no crash report %s: `crashes` lists those that are kept", id);
	json_array_close(a->json);
}

void
ctl_crashes(struct ctl_answer *a, const struct ctl_request *q)
{
	unsigned newest[CTL_NEWEST_MAX] = { 0 }, count = 0;
	size_t room = q->limit > 0 ? q->limit : CRASHES_NEWEST;
	DIR *dir = crashes_open(a->master);

	if (q->argc > 0) {
		crashes_put_one(a, dir, q->args[0]);
	} else {
		if (dir != NULL)
			count = crashes_scan(dir, newest, room);
		json_u64(a->json, "kept", count);
		json_array_open(a->json, "crashes");
		for (size_t i = 0; i < room && newest[i] != 0; i++)
			(void)crashes_put(a->json, dir, newest[i]);
		json_array_close(a->json);
	}
	if (dir != NULL)
		closedir(dir);
}
