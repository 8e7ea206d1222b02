/* ctl_room.h - opitios-ctl: what its files share. */
#ifndef CTL_ROOM_H
#define CTL_ROOM_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "buf.h"
#include "err.h"

#define CTL_PATH  4096
#define CTL_LINE  512		/* what a person is told, at most */
#define CTL_WORDS 8		/* a command and its arguments */
#define CTL_GIVEN 32		/* options of one command */

/* client.c: one connection to a master. */
struct client {
	char		 path[CTL_PATH];	/* of the socket */
	int64_t		 timeout_ms;		/* of connecting, and of a query's answer */
	int		 fd;			/* -1: not connected */
	struct buf	 in;
};
void	client_init(struct client *, const char *path, int64_t timeout_ms);
void	client_close(struct client *);
/* Both say in one line why not. E_CLOSED, E_REQUEST_TIMEOUT, E_SYSTEM, E_PROTOCOL. */
int	client_open(struct client *, char why[CTL_LINE]) MUST_CHECK;
/* Connects first where there is no connection. `limit` 0: none. The answer, good or a refusal, is the caller's. */
int	client_ask(struct client *, const char *command, const char *const *args, unsigned limit,
	    int64_t timeout_ms, json_t **answer, char why[CTL_LINE]) MUST_CHECK;
/* The answer as it came, for --json. */
void	client_print(const json_t *answer);
bool	answer_is_ok(const json_t *);

/* command.c: commands.def as the client sees it. */
struct ctl_options {
	bool		 json, once;
	bool		 colour;		/* of stdout */
	unsigned	 count;			/* -n; 0: not given */
	int64_t		 timeout_ms;		/* -1: not given */
	double		 interval;		/* of top, seconds */
	const char	*words[CTL_WORDS + 1];	/* the command and its arguments, ended by null */
	size_t		 word_count;
	const char	*state_dir, *config;	/* as given; null: not */
	struct {
		const char *name, *value;	/* an OPTION_OF; a flag's value is "" */
	} given[CTL_GIVEN];
	size_t		 given_count;
};
enum command_kind { COMMAND_QUERY, COMMAND_ACTION, COMMAND_CLIENT, COMMAND_LOCAL };
struct command {
	const char	*name;
	enum command_kind kind;
	const char	*arguments, *help;
	void		(*show)(const json_t *, const struct ctl_options *);	/* of a QUERY or ACTION */
	int		(*run)(struct client *, const struct ctl_options *);	/* of a CLIENT or LOCAL; an exit code */
};
const struct command *command_find(const char *name);
/* The name somebody may have meant; null: none is near. */
const char *command_nearest(const char *name);
bool	command_takes(const struct command *, size_t words);
void	command_help(FILE *);
/* Whether the word is an OPTION_OF: 1 with a value, 0 a flag, else E_ABSENT. */
int	option_of_take(const char *word, const char **name);
bool	command_takes_option(const struct command *, const char *name);
/* Its value, "" of a flag; the last one given. Null: not given. */
const char *option_text(const struct ctl_options *, const char *name);
/* How many letters have to be put in, taken out, changed or exchanged with their neighbour. */
unsigned text_distance(const char *, const char *);

/* format.c: numbers for people. Each returns `out`. "-" stands for what is not known (NaN). */
#define FORMAT_TEXT 32
char	*format_age(double seconds, char out[FORMAT_TEXT]);	/* 4.2s 12m03s 4h12m 3d04h */
char	*format_bytes(double, char out[FORMAT_TEXT]);		/* 812K 12.3M */
char	*format_rate(double, char out[FORMAT_TEXT]);		/* 0 4.2 1234 12.3k */
char	*format_latency(double seconds, char out[FORMAT_TEXT]);	/* 85us 1.2ms 2.4s */
char	*format_count(double, char out[FORMAT_TEXT]);
char	*format_percent(double, char out[FORMAT_TEXT]);
/* Text of a report or a page on a terminal: what is not printable becomes a question mark. In place. */
char	*format_clean(char *);

enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_GOOD, STYLE_WARN, STYLE_BAD, STYLE_TITLE };
const char *style_code(enum style);		/* the escape sequence */
enum style style_of_state(const char *state, bool failed);
enum style style_of_health(const char *health);

/* Members of an answer. */
double	member_number(const json_t *, const char *name);	/* NaN: null or none */
const char *member_text(const json_t *, const char *name);	/* "": null or none */
bool	member_true(const json_t *, const char *name);

/* table.c: cells in columns as wide as their widest. */
struct table;
enum table_align { TABLE_LEFT, TABLE_RIGHT };
struct table *table_new(void);
void	table_free(struct table **);
void	table_column(struct table *, const char *title, enum table_align);
void	table_cell(struct table *, enum style, const char *text);	/* the next of the row, rows one after another */
void	table_print(const struct table *, FILE *, bool colour);

/* show.c, crashes.c: an answer for a person. */
void	show_status(const json_t *, const struct ctl_options *);
void	show_workers(const json_t *, const struct ctl_options *);
void	show_crashes(const json_t *, const struct ctl_options *);
void	show_log_level(const json_t *, const struct ctl_options *);
void	show_reopen_logs(const json_t *, const struct ctl_options *);
void	show_done(const json_t *, const struct ctl_options *);
int	run_health(struct client *, const struct ctl_options *);
int	run_top(struct client *, const struct ctl_options *);
uint64_t crash_report_id(const json_t *report);	/* 0: it has none */
/* One line about a report: when, where, why, and the first frame of our own. */
void	crash_line(const json_t *report, char *out, size_t size);
void	say_error(const struct ctl_options *, const char *why, enum exit_code);

/* local.c: what commands share that need no master. */
struct conf;
/* The configuration as the gateway reads it: file, environment, --state-dir. Says why not. The caller wipes. */
int	local_conf(const struct ctl_options *, struct conf *) MUST_CHECK;
/* One line on stderr, or as JSON on stdout with --json; returns the code. */
int	local_fail(const struct ctl_options *, enum exit_code, const char *, ...) PRINTF_LIKE(3, 4);
/* From now on an interrupt is noted instead of ending us; so is a reader that left. */
void	local_signals(void);
bool	local_interrupted(void);
/* A number from 1 on; 0 where it is not given. */
int	local_limit(const struct ctl_options *, uint64_t *) MUST_CHECK;
/* RFC 3339, or YYYY-MM-DD for the beginning of that day in UTC. E_INVALID_PARAMETER. */
int	local_time(const char *, int64_t *ns) MUST_CHECK;
/* The same for the end of a range, which is not part of it: a day is its end. */
int	local_time_end(const char *, int64_t *ns) MUST_CHECK;
/* --from and --to; zero where not given. Says why not. */
int	local_range(const struct ctl_options *, int64_t *from_ns, int64_t *to_ns) MUST_CHECK;

/* progress.c: a line on stderr that is drawn again and again, where that is a terminal. */
struct progress {
	bool		 shown;			/* stderr is a terminal */
	int64_t		 began, drawn;		/* monotonic */
	size_t		 width;			/* of the line now on the screen */
};
void	progress_begin(struct progress *);
/* `share` from 0 to 1, NaN where not known. Draws a few times a second only. */
void	progress_show(struct progress *, double share, const char *fmt, ...) PRINTF_LIKE(3, 4);
void	progress_clear(struct progress *);
/* What is left at the pace so far, in seconds; NaN: not known yet. */
double	progress_left(const struct progress *, double share);

/* output.c: what a command makes, on stdout or into a file that is complete or not there. */
struct output {
	FILE		*file;
	const char	*path;			/* null: stdout */
	char		 temporary[CTL_PATH];
	int		 error;			/* errno of the first failure */
};
/* E_SYSTEM with errno. */
int	output_open(struct output *, const char *path) MUST_CHECK;
int	output_write(struct output *, const void *, size_t) MUST_CHECK;
/* Puts the file in its place. */
int	output_keep(struct output *) MUST_CHECK;
void	output_drop(struct output *);	/* after a keep as well */

/* value_print.c: a value of the market as a line. */
struct msg_desc;
/* Appends name=value of what is there. */
int	value_print_text(const struct msg_desc *, const void *value, struct buf *) MUST_CHECK;
/* The field of this name as text; null: the value has no such text. */
const char *value_text(const struct msg_desc *, const void *value, const char *name);

int	run_export(struct client *, const struct ctl_options *);
int	run_backfill(struct client *, const struct ctl_options *);

/* journal*.c: LOCAL. */
struct scan_item;
/* What is wrong, in a line. */
void	scan_print(const struct scan_item *, char *out, size_t size);
int	run_journal(struct client *, const struct ctl_options *);
int	journal_ls(const struct ctl_options *, const struct conf *, const char *source);
int	journal_cat(const struct ctl_options *, const struct conf *, const char *source);
int	journal_verify(const struct ctl_options *, const struct conf *, const char *source);

/* rates.c: what two looks at a slot tell. */
#define RATE_BUCKETS 32
struct rate_sample {
	uint64_t	 requests;
	uint64_t	 buckets[RATE_BUCKETS];	/* not cumulative */
	double		 cpu_seconds;		/* of process `pid` */
	int64_t		 pid;
};
struct rates {				/* NaN: not known */
	double		 requests;	/* a second */
	double		 p99;		/* seconds */
	double		 cpu;		/* per cent of one processor */
};
/* `bounds` are the upper ends of all buckets but the last. Counters that fell are of another master: not known. */
void	rates_between(const struct rate_sample *before, const struct rate_sample *after, double seconds,
	    const double *bounds, size_t bound_count, struct rates *);
/* Between the ends of the bucket it falls into; its lower end where there is no upper. NaN: there is nothing. */
double	rates_quantile(const uint64_t *buckets, const double *bounds, size_t bound_count, double q);
void	rate_sample_add(struct rate_sample *to, const struct rate_sample *);

#endif /* CTL_ROOM_H */
