/* claim.c - tells the original of a state directory from its copies, where they share a store.
 *
 * The file `owner` holds two numbers: the highest claim that is known to be ours, and the one that is to be. It is on the
 * disk before the store hears of it, so that no power cut makes us strangers to our own claim. It is read anew with every
 * attempt, as another process of this directory may have claimed meanwhile, and an operator may have removed it: then
 * whatever the store says is ours. A disk that is full takes no new claim, and it is the store that empties it: so the old
 * one has to do then.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cache_writer.h"
#include "clock.h"
#include "log.h"
#include "text.h"

#define CLAIM_PATH 512
#define CLAIM_TEXT 64

static int
claim_failed(const char *doing, char why[STORE_WHY])
{
	snprintf(why, STORE_WHY, "the file `owner`: %s: %s", doing, strerror(errno));
	return E_SYSTEM;
}

/* E_ABSENT: there is none. */
static int
claim_read(const char *path, uint64_t *known, uint64_t *next, char why[STORE_WHY])
{
	char text[CLAIM_TEXT + 1], *second;
	ssize_t n;
	int fd;

	if ((fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) < 0)
		return errno == ENOENT ? E_ABSENT : claim_failed("open", why);
	n = read(fd, text, CLAIM_TEXT);
	close(fd);
	if (n < 0)
		return claim_failed("read", why);
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if ((second = strchr(text, ' ')) != NULL) {
		*second++ = '\0';
		if (text_to_u64(text, known) == E_OK && text_to_u64(second, next) == E_OK &&
		    *known <= CLAIM_ANY && *next < CLAIM_ANY)
			return E_OK;
	}
	(void)text_copy(why, STORE_WHY,
	    "the file `owner` does not hold two numbers: remove it, if no other gateway runs on a "
	    "copy of this state directory");
	return E_SYSTEM;
}

/* A rename is on the disk when its folder is. Some file systems know no such thing: then it is as good as it gets. */
static void
folder_sync(const char *state_dir)
{
	int fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)fsync(fd);
	close(fd);
}

static int
claim_write(const char *path, uint64_t known, uint64_t next, char why[STORE_WHY])
{
	char aside[CLAIM_PATH + 8], text[CLAIM_TEXT];
	int len = snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64 "\n", known, next);
	int fd, r = E_OK;

	snprintf(aside, sizeof(aside), "%s.new", path);
	if ((fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640)) < 0)
		return claim_failed("create", why);
	if (write(fd, text, (size_t)len) != len || fsync(fd) != 0)
		r = claim_failed("write", why);
	close(fd);
	if (r == E_OK && rename(aside, path) != 0)
		r = claim_failed("rename", why);
	return r;
}

static int
claim_path(const char *state_dir, char path[CLAIM_PATH], char why[STORE_WHY])
{
	if (snprintf(path, CLAIM_PATH, "%s/owner", state_dir) < CLAIM_PATH)
		return E_OK;
	(void)text_copy(why, STORE_WHY, "the path is too long");
	return E_SYSTEM;
}

/* The file may have been removed because of a claim that is higher than ours. */
static uint64_t
claim_new(uint64_t above)
{
	uint64_t now = (uint64_t)(clock_wall() / 1000);

	return now > above ? now : above + 1;
}

/* There is no room for another claim: the one that is on the disk, or none at all where nothing is. */
static void
claim_keep(struct claim *c, uint64_t noted, const char *why)
{
	c->mine = noted;
	if (!c->told)
		log_warn("store: %s; goes on with the claim of an earlier start, so a copy of this "
			 "state "
			 "directory may not be noticed before the next one: make room",
		    why);
	c->told = true;
}

int
claim_prepare(struct claim *c, const char *state_dir, char why[STORE_WHY])
{
	uint64_t next = 0, noted;
	char path[CLAIM_PATH];
	int r;

	if ((r = claim_path(state_dir, path, why)) != E_OK)
		return r;
	if ((r = claim_read(path, &c->known, &next, why)) == E_ABSENT)
		c->known = CLAIM_ANY;
	else if (r != E_OK)
		return r;
	/* One that was noted and maybe not heard of is ours as well. */
	noted = c->known == CLAIM_ANY || next > c->known ? next : c->known;
	if (r == E_ABSENT)
		c->mine = claim_new(c->mine);
	else if (c->mine == 0 && noted == c->known)
		c->mine = claim_new(noted);
	else if (c->mine < noted)
		c->mine = noted; /* of a process before us, or beside us */
	if (c->mine > noted && claim_write(path, c->known, c->mine, why) != E_OK)
		claim_keep(c, noted, why);
	else if (c->mine != c->known)
		folder_sync(state_dir);
	return E_OK;
}

int
claim_confirm(struct claim *c, const char *state_dir, char why[STORE_WHY])
{
	char path[CLAIM_PATH];
	int r;

	if (c->mine == 0 || (c->known != CLAIM_ANY && c->mine <= c->known))
		return E_OK;
	if ((r = claim_path(state_dir, path, why)) != E_OK ||
	    (r = claim_write(path, c->mine, c->mine, why)) != E_OK)
		return r;
	c->known = c->mine;
	return E_OK;
}
