/* progress.c - how far a long command is: one line on stderr, drawn anew a few times a second. */
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "ctl_room.h"

#define PROGRESS_EVERY (100 * CLOCK_MS)
#define PROGRESS_BAR   20
#define PROGRESS_LINE  160
#define PROGRESS_SURE  (CLOCK_SEC / 2) /* before that a guess of what is left is worth nothing */

void
progress_begin(struct progress *p)
{
	memset(p, 0, sizeof(*p));
	p->shown = isatty(STDERR_FILENO) == 1;
	p->began = clock_mono();
}

double
progress_left(const struct progress *p, double share)
{
	int64_t spent = clock_mono() - p->began;

	if (!isfinite(share) || share <= 0 || spent < PROGRESS_SURE)
		return NAN;
	return (double)spent / (double)CLOCK_SEC * (1 - share) / share;
}

static size_t
bar_put(char *line, size_t size, double share)
{
	int done = (int)(share * PROGRESS_BAR);
	int n;

	if (!isfinite(share))
		return 0;
	done = done < 0 ? 0 : done > PROGRESS_BAR ? PROGRESS_BAR : done;
	n = snprintf(line, size, "[%.*s%.*s] %3.0f%%  ", done, "####################",
	    PROGRESS_BAR - done, "....................", share * 100);
	return n > 0 ? (size_t)n : 0;
}

void
progress_show(struct progress *p, double share, const char *fmt, ...)
{
	char line[PROGRESS_LINE + 1];
	int64_t now = clock_mono();
	size_t at;
	va_list args;

	if (!p->shown || (p->drawn != 0 && now - p->drawn < PROGRESS_EVERY))
		return;
	p->drawn = now;
	at = bar_put(line, sizeof(line), share);
	va_start(args, fmt);
	(void)vsnprintf(line + at, sizeof(line) - at, fmt, args);
	va_end(args);
	format_clean(line);
	(void)fprintf(stderr, "\r%s%*s", line,
	    p->width > strlen(line) ? (int)(p->width - strlen(line)) : 0, "");
	(void)fflush(stderr);
	p->width = strlen(line);
}

void
progress_clear(struct progress *p)
{
	if (p->width == 0)
		return;
	(void)fprintf(stderr, "\r%*s\r", (int)p->width, "");
	(void)fflush(stderr);
	p->width = 0;
	p->drawn = 0;
}
