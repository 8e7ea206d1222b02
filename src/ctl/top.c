/* top.c - the live screen: the terminal, its keys and signals, and the rhythm.
 *
 * Whatever ends it, the terminal is left as it was found.
 */
#include "top.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "clock.h"

#define TOP_FIRST_MS 250 /* until the second look, so that there are rates soon */
#define TOP_WIDTH    132 /* without a terminal */
#define TOP_ENTER    "\033[?1049h\033[?25l\033[2J"
#define TOP_LEAVE    "\033[?25h\033[?1049l"

static volatile sig_atomic_t top_end, top_stopped, top_resized;
static struct termios top_before;
static bool top_entered;

static void
on_signal(int number)
{
	if (number == SIGWINCH)
		top_resized = 1;
	else if (number == SIGTSTP)
		top_stopped = 1;
	else
		top_end = number;
}

static void
terminal_write(const char *text, size_t len)
{
	ssize_t n;

	while (len > 0) {
		if ((n = write(STDOUT_FILENO, text, len)) > 0) {
			text += n;
			len -= (size_t)n;
		} else if (errno != EINTR && errno != EAGAIN) {
			top_end = SIGHUP;
			return;
		}
	}
}

static void
terminal_enter(void)
{
	struct termios raw = top_before;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	terminal_write(TOP_ENTER, strlen(TOP_ENTER));
	top_entered = true;
}

static void
terminal_leave(void)
{
	if (!top_entered)
		return;
	top_entered = false;
	terminal_write(TOP_LEAVE, strlen(TOP_LEAVE));
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &top_before);
}

/* Signals come only while it waits, so none is missed. */
static void
signals_open(sigset_t *waiting)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP };
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t blocked;

	sigemptyset(&blocked);
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		sigaddset(&blocked, numbers[i]);
		(void)sigaction(numbers[i], &action, NULL);
	}
	(void)sigprocmask(SIG_BLOCK, &blocked, waiting);
}

/* A person wants the shell back for a while. */
static void
top_pause(void)
{
	top_stopped = 0;
	terminal_leave();
	(void)raise(SIGSTOP);
	terminal_enter();
}

/* False: to be ended. */
static bool
top_key(struct top *t, const char *keys, ssize_t n)
{
	for (ssize_t i = 0; i < n; i++) {
		bool arrow = i + 2 < n && keys[i] == '\033' && keys[i + 1] == '[';
		char key = arrow ? keys[i + 2] : keys[i];

		i += arrow ? 2 : 0;
		if (!arrow && (key == 'q' || key == 'Q'))
			return false;
		if (!arrow && key == 's')
			t->order = (enum top_order)((t->order + 1) % TOP_ORDERS);
		else if ((arrow && key == 'B') || (!arrow && key == 'j'))
			t->first++;
		else if (((arrow && key == 'A') || (!arrow && key == 'k')) && t->first > 0)
			t->first--;
	}
	return true;
}

static void
top_show(struct top *t)
{
	struct winsize size = { .ws_col = 80, .ws_row = 24 };
	struct screen s;

	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	screen_begin(&s, size.ws_col > 0 ? size.ws_col : 80, size.ws_row > 0 ? size.ws_row : 24,
	    getenv("NO_COLOR") == NULL, true);
	top_sort(t);
	top_draw(t, &s);
	terminal_write((const char *)buf_data(&s.out), buf_len(&s.out));
	buf_fini(&s.out);
}

/* Until the next look is due, a key asks for the end, or a signal does. False: end. */
static bool
top_wait(struct top *t, int64_t ms, const sigset_t *waiting)
{
	int64_t end = clock_mono() + ms * CLOCK_MS, left;
	char keys[64];
	ssize_t n;

	while (top_end == 0 && (left = end - clock_mono()) > 0) {
		struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
		struct timespec wait = { .tv_sec = left / CLOCK_SEC, .tv_nsec = left % CLOCK_SEC };
		int r = ppoll(&p, 1, &wait, waiting);

		if (top_stopped)
			top_pause();
		if (r > 0) {
			n = read(STDIN_FILENO, keys, sizeof(keys));
			if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
				return false;
			if (!top_key(t, keys, n))
				return false;
		}
		if (r > 0 || top_resized || r < 0) {
			top_resized = 0;
			top_show(t);
		}
	}
	return top_end == 0;
}

static int
top_live(struct top *t, struct client *c, const struct ctl_options *o)
{
	int64_t ms = (int64_t)(o->interval * 1000);
	sigset_t waiting;
	bool first = true;

	if (tcgetattr(STDIN_FILENO, &top_before) != 0) {
		say_error(o, "standard input is no terminal: use --once", EXIT_WITH_USAGE);
		return EXIT_WITH_USAGE;
	}
	signals_open(&waiting);
	terminal_enter();
	do {
		top_read(t, c);
		top_show(t);
		ms = first && ms > TOP_FIRST_MS ? TOP_FIRST_MS : (int64_t)(o->interval * 1000);
		first = false;
	} while (top_wait(t, ms, &waiting));
	terminal_leave();
	return top_end == 0 || top_end == SIGINT || top_end == SIGTERM ? EXIT_WITH_OK
								       : EXIT_WITH_SYSTEM;
}

/* For a pipe, a file or a test: so many screens as text, each with rates. */
static int
top_plain(struct top *t, struct client *c, const struct ctl_options *o)
{
	const char *wide = getenv("COLUMNS");
	long width = wide != NULL ? strtol(wide, NULL, 10) : 0;
	unsigned count = o->once || o->count == 0 ? 1 : o->count;
	struct screen s;

	top_read(t, c);
	for (unsigned i = 0; i < count && !t->lost; i++) {
		(void)poll(NULL, 0, (int)(o->interval * 1000));
		top_read(t, c);
		if (t->lost)
			break;
		if (o->json) {
			client_print(t->workers);
			continue;
		}
		screen_begin(&s, width >= 40 && width < 1000 ? (size_t)width : TOP_WIDTH, 0,
		    o->colour, false);
		top_draw(t, &s);
		terminal_write((const char *)buf_data(&s.out), buf_len(&s.out));
		buf_fini(&s.out);
	}
	if (t->lost)
		say_error(o, t->note, EXIT_WITH_UNAVAILABLE);
	return t->lost ? EXIT_WITH_UNAVAILABLE : EXIT_WITH_OK;
}

int
run_top(struct client *c, const struct ctl_options *o)
{
	struct top t = { .last_seconds = NAN };
	bool live = !o->json && !o->once && o->count == 0 && isatty(STDOUT_FILENO);
	int code;

	(void)setlocale(LC_CTYPE, "");
	code = live ? top_live(&t, c, o) : top_plain(&t, c, o);
	top_fini(&t);
	return code;
}
