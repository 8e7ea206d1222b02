/* again.c - records under sequences which the store knows from others are appended once more, behind a step.
 *
 * A journal put back from a copy, of the same boot of the machine, goes on with sequences that were given before. A
 * remote store is beyond them: whoever reads the journal for it passes over the new records. When the store tells where
 * it stands, sequences step beyond that and what was written meanwhile is appended again. That is all since the store was
 * last heard of to be where this journal is: a small file in the folder tells where that begins, and how far we are, to
 * the process that comes after us, which goes on at the very record. The folder's own reader knows nothing of it: for it
 * the records come by once, as the first ones are below its position.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "journal_room.h"
#include "log.h"
#include "text.h"

#define AGAIN_FILE	"again"
#define AGAIN_TEXT	128
#define AGAIN_BATCH	(JOURNAL_GATHER / 2) /* bytes between two notes of how far we are */
#define AGAIN_BATCHES	8		     /* in one call: some milliseconds each */
#define AGAIN_SKIPS_MAX 1000		     /* damages passed in one batch */

static int
again_path(const struct journal *j, const char *end, char path[JOURNAL_PATH])
{
	return snprintf(path, JOURNAL_PATH, "%s/" AGAIN_FILE "%s", j->dir, end) < JOURNAL_PATH
		   ? E_OK
		   : E_LIMIT;
}

static void
again_forget(const struct journal *j)
{
	char path[JOURNAL_PATH];

	if (again_path(j, "", path) == E_OK)
		(void)unlink(path);
}

/* `begun`: the sequence that the first record of the batch in hand gets; 0 between batches. */
static int
again_note(const struct journal *j, uint64_t begun)
{
	char path[JOURNAL_PATH], new[JOURNAL_PATH], text[AGAIN_TEXT];
	int len = snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
	    j->again.from, j->again.to, begun, j->again.base);
	bool done;
	int fd;

	if (again_path(j, "", path) != E_OK || again_path(j, ".new", new) != E_OK ||
	    (fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640)) < 0)
		return E_SYSTEM;
	done = write(fd, text, (size_t)len) == len;
	close(fd);
	if (done && rename(new, path) == 0)
		return E_OK;
	(void)unlink(new);
	return E_SYSTEM;
}

/* Four numbers of a whole line, or nothing. */
static bool
again_read(const struct journal *j, struct journal_again *again, uint64_t *begun)
{
	uint64_t *const numbers[] = { &again->from, &again->to, begun, &again->base };
	char path[JOURNAL_PATH], text[AGAIN_TEXT + 1], *rest = text, *one;
	ssize_t n;
	int fd;

	if (again_path(j, "", path) != E_OK ||
	    (fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) < 0)
		return false;
	n = read(fd, text, AGAIN_TEXT);
	close(fd);
	if (n <= 1 || text[n - 1] != '\n')
		return false;
	text[n - 1] = '\0';
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (rest == NULL || (one = text_split(&rest, ' ')) == NULL ||
		    text_to_u64(one, numbers[i]) != E_OK || *numbers[i] > SEQUENCE_MAX)
			return false;
	return rest == NULL && again->from > 0;
}

/* All is appended again, and not heard of to be stored yet. */
static void
again_end(struct journal *j)
{
	j->again.from = j->again.base;
	j->again.to = 0;
	j->again.heard = false;
	if (again_note(j, 0) != E_OK)
		log_warn("journal %s: %s: %s", j->source, AGAIN_FILE, strerror(errno));
}

/* Gathers the next of them until the batch is full or `count` are passed. *from: behind the last one; *end: there are
 * no more. */
static int
again_walk(struct journal *j, uint64_t count, bool append, uint64_t *from, bool *end)
{
	struct journal_reader *reader = NULL;
	struct journal_record record;
	int r, skips = 0;

	*end = false;
	if ((r = journal_reader_open_dir(&reader, j->dir, j->source, *from - 1)) != E_OK)
		return r;
	while (count > 0 && buf_len(&j->gathered) < AGAIN_BATCH) {
		if ((r = journal_read(reader, &record)) == E_CORRUPT && skips++ < AGAIN_SKIPS_MAX) {
			*from = journal_reader_after(reader) + 1;
			continue;
		}
		if (r == E_PARTIAL || (r == E_OK && record.sequence > j->again.to)) {
			*end = true;
			r = E_OK;
			break;
		}
		if (r == E_OK && append)
			r = journal_append_at(j, record.type, &record.value, record.appended_ns);
		if (r != E_OK)
			break;
		*from = journal_reader_after(reader) + 1;
		count--;
	}
	journal_reader_close(&reader);
	return r;
}

/* One batch. What of it reached the files is told by the sequences, whatever else failed. */
static int
again_batch(struct journal *j)
{
	uint64_t begun, from = j->again.from, kept[MSG_TYPE_MAX];
	size_t lost = j->lost;
	bool end;
	int r, wrote;

	if ((r = gathered_flush(j)) != E_OK || (r = again_note(j, j->next)) != E_OK)
		return r;
	begun = j->next;
	lost = j->lost;
	memcpy(kept, j->kept, sizeof(kept));
	r = again_walk(j, UINT64_MAX, true, &from, &end);
	wrote = gathered_flush(j);
	if (wrote != E_OK && again_walk(j, j->next - begun, false, &j->again.from, &end) != E_OK)
		end = false;
	if (wrote == E_OK)
		j->again.from = from;
	/* They were counted when they came. */
	memcpy(j->kept, kept, sizeof(kept));
	j->lost = lost;
	if (r == E_OK && wrote == E_OK && end) {
		again_end(j);
		return E_OK;
	}
	if (again_note(j, 0) != E_OK)
		return E_SYSTEM;
	return r == E_OK ? wrote : r;
}

void
journal_again(struct journal *j)
{
	for (int i = 0; j->again.to != 0 && i < AGAIN_BATCHES; i++)
		if (again_batch(j) != E_OK)
			break;
}

void
again_open(struct journal *j)
{
	struct journal_again found = { 0 };
	uint64_t begun = 0;
	bool end;

	j->again = (struct journal_again){ .from = j->next };
	if (again_read(j, &found, &begun) && found.from <= j->next && found.to < j->next) {
		j->again = found;
		if (begun > 0 && j->last >= begun && found.to > 0 &&
		    again_walk(j, j->last - begun + 1, false, &j->again.from, &end) != E_OK)
			log_warn("journal %s: some records may come twice", j->source);
	}
	if (again_note(j, 0) != E_OK)
		log_warn("journal %s: %s: %s", j->source, AGAIN_FILE, strerror(errno));
}

/* The store is where this journal is: what is behind that is not known to it, so it is no one else's. */
void
again_heard(struct journal *j, uint64_t sequence)
{
	if (j->again.to != 0)
		return;
	if (sequence >= j->again.from)
		j->again.from = sequence + 1;
	if (!j->again.heard)
		again_forget(j);
	j->again.heard = true;
}

void
again_begin(struct journal *j, uint64_t sequence)
{
	uint64_t last = j->last;

	journal_step(j, sequence, "the store holds records this journal does not");
	if (last < j->again.from)
		return;
	log_error(
	    "journal %s: up to %" PRIu64 " record(s) since sequence %" PRIu64
	    " have numbers the store knows from others, as if the journal was put back from a "
	    "copy or another gateway runs on a copy of it: they are appended again from %" PRIu64
	    "; see doc/journal.md",
	    j->source, last - j->again.from + 1, j->again.from, j->next);
	j->again.to = last;
	j->again.base = j->next;
	if (again_note(j, 0) != E_OK)
		log_warn("journal %s: %s: %s", j->source, AGAIN_FILE, strerror(errno));
}
