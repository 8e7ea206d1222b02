/* log_journal.c - fields to systemd's journal, by its native protocol: a datagram of NAME=value lines.
 *
 * Lines are at most as long as any line of the log, so that no memory file is ever needed. No library: the protocol
 * is these few calls, and promised to stay.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log_room.h"
#include "text.h"

static struct {
	int fd;
	struct sockaddr_un to;
} journal = { .fd = -1 };

bool
log_journal_is(const char *journal_stream, int fd)
{
	uint64_t device, inode;
	struct stat is;
	char end;

	if (journal_stream == NULL ||
	    sscanf(journal_stream, "%" SCNu64 ":%" SCNu64 "%c", &device, &inode, &end) != 2)
		return false;
	return fstat(fd, &is) == 0 && is.st_dev == device && is.st_ino == inode;
}

bool
log_journal_open(const char *path)
{
	log_journal_close();
	journal.to.sun_family = AF_UNIX;
	if (text_copy(journal.to.sun_path, sizeof(journal.to.sun_path), path) != E_OK)
		return false;
	journal.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return journal.fd >= 0;
}

bool
log_journal_in_use(void)
{
	return journal.fd >= 0;
}

void
log_journal_close(void)
{
	if (journal.fd >= 0)
		close(journal.fd);
	journal.fd = -1;
}

/* By name each time: a journal that was started again has another socket there. */
int
log_journal_send(const char *fields, size_t len)
{
	ssize_t n;

	do {
		n = sendto(journal.fd, fields, len, MSG_DONTWAIT | MSG_NOSIGNAL,
		    (const struct sockaddr *)&journal.to, sizeof(journal.to));
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 1;
	return errno == EAGAIN || errno == ENOBUFS ? 0 : -1;
}
