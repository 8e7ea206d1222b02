/* way_back.c - to the image that ran before, when this one cannot take over.
 *
 * That image gets the configuration it ran with, not the file: the file may be the new executable's, with keys the
 * old one does not know. Between exec and the moment this image has taken over nothing has been touched that the
 * other one left, so whatever is fatal here, a disk that is full, an address in use, a file changed since the trial,
 * leads back too: the same handover, written once more, with the reason.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "handover.h"
#include "log.h"

struct way_back {
	struct master *master;
	struct handover *handover;
};

static struct way_back way_back;

int
way_back_conf_write(const struct conf *c)
{
	int fd = memfd_create("opitios-conf", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, c, sizeof(*c)) != (ssize_t)sizeof(*c)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Byte for byte the image that wrote it reads it: the struct is the same. */
bool
way_back_conf(struct handover *h, struct conf *c)
{
	bool whole;

	if (!h->rollback || h->conf < 0)
		return false;
	whole = lseek(h->conf, 0, SEEK_END) == (off_t)sizeof(*c) &&
		pread(h->conf, c, sizeof(*c), 0) == (ssize_t)sizeof(*c);
	close(h->conf);
	h->conf = -1;
	return whole;
}

static void
way_back_keep_member(const json_t *object, const char *name)
{
	const json_t *n = json_object_get(object, name);

	if (json_is_integer(n))
		handover_keep((int)json_integer_value(n), true);
}

static void
way_back_keep_each(const json_t *array, const char *name)
{
	size_t i;

	for (i = 0; i < json_array_size(array); i++)
		way_back_keep_member(json_array_get(array, i), name);
}

/* All that the handover names: it was closed across exec again as it was read. */
static void
way_back_keep(const json_t *root)
{
	static const char *const own[] = { "asker", "lock", "board_rw", "board_ro", "control",
		"conf" };
	const json_t *previous = json_object_get(root, "previous");
	size_t i;

	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		way_back_keep_member(root, own[i]);
	way_back_keep_member(previous, "master");
	for (i = 0; i < WORKER_ROLES; i++)
		way_back_keep_member(previous, role_executable(worker_roles[i]));
	way_back_keep_each(json_object_get(root, "listeners"), "fd");
	way_back_keep_each(json_object_get(root, "slots"), "control");
}

static int
way_back_write(json_t *root, const char *why)
{
	char *text;
	int fd = -1;

	if (json_object_set_new(root, "rollback", json_true()) != 0)
		return -1;
	/* A reason that is no text does not fit JSON; without one the way back is the same. */
	(void)json_object_set_new(root, "why", json_string(why));
	if ((text = json_dumps(root, JSON_COMPACT)) == NULL)
		return -1;
	if ((fd = memfd_create("opitios-handover", 0)) >= 0 &&
	    write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
		close(fd);
		fd = -1;
	}
	free(text);
	return fd;
}

/* Signals are blocked since before the exec. Comes back when it cannot be. */
static void
way_back_go(void *arg, const char *why)
{
	struct way_back *w = arg;
	char option[32], path[40];
	const char *argv[UPGRADE_ARGS];
	int fd = way_back_write(w->handover->root, why);

	if (fd < 0) {
		log_error("upgrade: there is no way back: %s", strerror(errno));
		return;
	}
	way_back_keep(w->handover->root);
	snprintf(option, sizeof(option), "--handover=%d", fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", w->handover->previous);
	upgrade_arguments(w->master, (const char *[]){ option, NULL }, argv);
	execve(path, (char **)(uintptr_t)argv, w->master->environment);
	log_error("upgrade: there is no way back: %s", strerror(errno));
}

void
way_back_open(struct master *m, struct handover *h)
{
	if (h->rollback || h->previous < 0)
		return;
	way_back = (struct way_back){ .master = m, .handover = h };
	log_on_fatal(way_back_go, &way_back);
}

void
way_back_close(void)
{
	log_on_fatal(NULL, NULL);
}
