/* budget.c - what may be spent upstream, written down so that a new process does not spend it again.
 *
 * The upstream's bucket does not know that this process was killed. So the level stands in a small mapped
 * file: a store into it is in the kernel's hands at once and survives SIGKILL, and it is made before the
 * call leaves. A mark half written fails its check and the one before it counts: its token had not been
 * spent yet.
 */
#include "budget.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "err.h"
#include "hash.h"
#include "log.h"

/* Longest time one 429 closes the bucket: a reset far away is a broken clock, not a wish. */
#define CLOSE_MAX_NS (60 * CLOCK_SEC)
/* More calls a minute than any upstream allows: a header that says so is garbage. */
#define HEARD_MAX INT64_C(1000000)

static uint64_t
mark_check(const struct budget_mark *m)
{
	return hash_stable(m, offsetof(struct budget_mark, check));
}

static void
budget_write(struct budget *b)
{
	struct budget_mark m = { .sequence = ++b->sequence,
		.tokens = b->limit.tokens,
		.mono_ns = b->limit.updated_ns,
		.wall_ns = clock_wall(),
		.refusals = b->refusals,
		.boot = b->boot };

	if (b->marks == NULL)
		return;
	if (b->limit.closed_until_ns > m.mono_ns)
		m.closed_for_ns = b->limit.closed_until_ns - m.mono_ns;
	m.check = mark_check(&m);
	b->marks[m.sequence % BUDGET_MARKS] = m;
}

static const struct budget_mark *
budget_newest(const struct budget *b, bool *broken)
{
	const struct budget_mark *best = NULL;

	*broken = false;
	for (int i = 0; i < BUDGET_MARKS; i++) {
		const struct budget_mark *m = &b->marks[i];

		if (m->sequence == 0 && m->check == 0)
			continue; /* never written: a new file is all zeros */
		if (m->sequence == 0 || m->check != mark_check(m))
			*broken = true;
		else if (best == NULL || m->sequence > best->sequence)
			best = m;
	}
	return best;
}

/* Time between the mark and now. Another boot: only the wall clock can tell, and it may have been set. */
static int64_t
mark_age(const struct budget_mark *m, uint64_t boot, int64_t mono)
{
	int64_t age = m->boot == boot ? mono - m->mono_ns : clock_wall() - m->wall_ns;

	return age > 0 ? age : 0;
}

static void
budget_resume(struct budget *b, int64_t now)
{
	bool broken;
	const struct budget_mark *m = budget_newest(b, &broken);
	int64_t age;

	if (m == NULL && !broken)
		return;
	if (m == NULL) {
		log_warn("budget: the kept level is unreadable, starting from an empty bucket");
		limit_lower(&b->limit, 0, now);
		return;
	}
	age = mark_age(m, b->boot, now);
	limit_lower(&b->limit, m->tokens + (double)age / 1e9 * b->limit.per_second, now);
	if (m->closed_for_ns > age)
		limit_close(&b->limit,
		    m->closed_for_ns - age < CLOSE_MAX_NS ? m->closed_for_ns - age : CLOSE_MAX_NS,
		    now);
	b->refusals = m->refusals;
	b->sequence = m->sequence;
}

void
budget_init(
    struct budget *b, double per_minute, double reserve, struct budget_mark *marks, uint64_t boot)
{
	int64_t now = clock_mono();

	memset(b, 0, sizeof(*b));
	limit_init(&b->limit, per_minute, per_minute / 60, now);
	b->per_minute = per_minute;
	b->reserve = reserve < per_minute - 1 ? reserve : per_minute - 1;
	b->boot = boot;
	b->marks = marks;
	if (marks != NULL)
		budget_resume(b, now);
	budget_write(b);
}

/* A bucket the upstream made smaller than the reserve still gives its last token but one: else none, for ever. */
static double
budget_reserve(const struct budget *b)
{
	return b->reserve < b->limit.burst - 1 ? b->reserve : b->limit.burst - 1;
}

int
budget_take(struct budget *b)
{
	if (!limit_take(&b->limit, budget_reserve(b), clock_mono()))
		return 0;
	budget_write(b);
	return 1;
}

void
budget_charge(struct budget *b, unsigned calls)
{
	int64_t now = clock_mono();

	limit_lower(&b->limit, limit_left(&b->limit, now) - calls, now);
	budget_write(b);
}

int64_t
budget_wait_ns(struct budget *b, unsigned calls)
{
	return limit_wait_ns(
	    &b->limit, budget_reserve(b) + (calls > 0 ? calls - 1 : 0), clock_mono());
}

double
budget_left(struct budget *b)
{
	return limit_left(&b->limit, clock_mono());
}

void
budget_hear(struct budget *b, int64_t limit, int64_t remaining)
{
	int64_t now = clock_mono();
	double burst;

	if (limit > 0 && limit <= HEARD_MAX) {
		burst = (double)limit < b->per_minute ? (double)limit : b->per_minute;
		burst = burst > 1 ? burst : 1;
		(void)limit_left(&b->limit, now); /* what passed counts at the old rate */
		b->limit.burst = burst;
		b->limit.per_second = burst / 60;
		limit_lower(&b->limit, burst, now);
	}
	if (remaining >= 0)
		limit_lower(&b->limit, (double)remaining, now);
	budget_write(b);
}

void
budget_refused(struct budget *b, int64_t reset_ns)
{
	int64_t now = clock_mono(), wait;

	b->refusals++;
	wait = reset_ns;
	if (wait <= 0)
		wait = (int64_t)(60e9 / b->per_minute * (double)b->refusals);
	limit_lower(&b->limit, 0, now);
	limit_close(&b->limit, wait < CLOSE_MAX_NS ? wait : CLOSE_MAX_NS, now);
	budget_write(b);
}

void
budget_accepted(struct budget *b)
{
	b->refusals = 0;
}

/* The whole file gets its blocks: a store into a mapped hole would be a SIGBUS on a full disk. */
static int
budget_file_fill(int fd, off_t bytes)
{
	struct stat st;
	int r;

	if (fstat(fd, &st) != 0)
		return E_SYSTEM;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return E_SYSTEM;
	}
	if (st.st_size != bytes && ftruncate(fd, bytes) != 0)
		return E_SYSTEM;
	if ((r = posix_fallocate(fd, 0, bytes)) != 0) {
		errno = r;
		return E_SYSTEM;
	}
	return E_OK;
}

struct budget_mark *
budget_file_open(const char *path, unsigned count)
{
	size_t bytes = count * BUDGET_MARKS * sizeof(struct budget_mark);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	void *p = MAP_FAILED;

	if (fd != -1 && budget_file_fill(fd, (off_t)bytes) == E_OK)
		p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		log_warn("%s: the budget is not kept over restarts: %s", path, strerror(errno));
	if (fd != -1)
		close(fd);
	return p != MAP_FAILED ? p : NULL;
}

void
budget_file_close(struct budget_mark **marks, unsigned count)
{
	if (*marks == NULL)
		return;
	munmap(*marks, count * BUDGET_MARKS * sizeof(struct budget_mark));
	*marks = NULL;
}

uint64_t
budget_boot(void)
{
	char text[64];
	ssize_t n = -1;
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	if (fd != -1) {
		n = read(fd, text, sizeof(text));
		close(fd);
	}
	return n > 0 ? hash_stable(text, (size_t)n) : 0;
}
