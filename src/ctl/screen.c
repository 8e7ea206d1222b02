/* screen.c - lines for a terminal, cut at its width. */
#include <langinfo.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "top.h"

#define SCREEN_MAX  (4u << 20)
#define SCREEN_TEXT 512

static void
screen_raw(struct screen *s, const char *text, size_t len)
{
	if (buf_add(&s->out, text, len) != E_OK)
		buf_reset(&s->out); /* a screen of four million bytes is none */
}

static void
screen_code(struct screen *s, const char *code)
{
	if (s->colour)
		screen_raw(s, code, strlen(code));
}

void
screen_begin(struct screen *s, size_t width, size_t height, bool colour, bool full)
{
	memset(s, 0, sizeof(*s));
	buf_init(&s->out, SCREEN_MAX);
	s->width = width;
	s->height = height;
	s->colour = colour;
	s->full = full;
	s->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	if (full)
		screen_raw(s, "\033[H", 3);
}

/* Every character of ours is one column wide. */
static void
screen_text(struct screen *s, const char *text)
{
	while (*text != '\0' && s->at < s->width) {
		size_t len = 1;

		while (((unsigned char)text[len] & 0xc0) == 0x80)
			len++;
		screen_raw(s, text, len);
		text += len;
		s->at++;
	}
}

void
screen_put(struct screen *s, enum style style, const char *fmt, ...)
{
	char text[SCREEN_TEXT];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (style != STYLE_PLAIN)
		screen_code(s, style_code(style));
	screen_text(s, text);
	if (style != STYLE_PLAIN)
		screen_code(s, style_code(STYLE_PLAIN));
}

void
screen_pad(struct screen *s, enum style style, size_t column)
{
	if (column > s->at)
		screen_put(s, style, "%*s", (int)(column - s->at), "");
}

void
screen_end_line(struct screen *s)
{
	if (s->full)
		screen_raw(s, "\033[K", 3);
	s->lines++;
	/* Behind the last line a newline would scroll. */
	if (!s->full || s->lines < s->height)
		screen_raw(s, s->full ? "\r\n" : "\n", s->full ? 2 : 1);
	s->at = 0;
}

void
screen_curve(struct screen *s, enum style style, const double *values, size_t count)
{
	static const char *const steps[] = { "\u2581", "\u2582", "\u2583", "\u2584", "\u2585",
		"\u2586", "\u2587", "\u2588" };
	double top = 0;
	size_t i, step;

	for (i = 0; i < count; i++)
		if (isfinite(values[i]) && values[i] > top)
			top = values[i];
	for (i = 0; s->utf8 && i < count; i++) {
		step = isfinite(values[i]) && top > 0 ? (size_t)(values[i] / top * 7.49) : 0;
		screen_put(s, style, "%s", steps[step]);
	}
}

void
screen_bar(struct screen *s, enum style style, double share, size_t width)
{
	size_t i, filled;

	if (!isfinite(share) || share < 0)
		share = 0;
	filled = (size_t)((share < 1 ? share : 1) * (double)width + 0.5);
	for (i = 0; i < width; i++)
		screen_put(s, i < filled ? style : STYLE_DIM, "%s",
		    s->utf8 ? (i < filled ? "\u2588" : "\u2591") : (i < filled ? "#" : "."));
}
