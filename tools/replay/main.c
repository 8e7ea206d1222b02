/* main.c - opitios-replay: an upstream in Alpaca's shape, served from a recording. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "clock.h"
#include "fault.h"
#include "log.h"
#include "replay.h"
#include "server.h"

#define SIGNALS 2

static int
complain(int code, const char *why)
{
	fprintf(stderr, "opitios-replay: %s\n", why);
	return code;
}

/* The last day that has ticks, or the one asked for. INT64_MIN: nothing but bars. */
static int64_t
last_tick(const struct recording *r, int64_t day, int64_t *last)
{
	const struct instrument *i;
	const struct series *s;
	int64_t found = INT64_MIN, time;
	size_t at;

	for (i = r->instruments; i != NULL; i = i->hh.next)
		for (s = i->series; s != NULL; s = s->next) {
			if (s->count == 0 || (s->kind != KIND_QUOTES && s->kind != KIND_TRADES))
				continue;
			at = day == INT64_MIN ? s->count
					      : series_from(s, session_instant(day + 1, 0));
			if (at == 0)
				continue;
			time = s->events[at - 1].time;
			if (found == INT64_MIN || time > found)
				found = time;
		}
	*last = found;
	return found != INT64_MIN ? session_day(found) : INT64_MIN;
}

/* When everything has happened. */
static int64_t
recording_end(const struct recording *r)
{
	const struct instrument *i;
	const struct series *s;
	int64_t end = 0, time;

	for (i = r->instruments; i != NULL; i = i->hh.next)
		for (s = i->series; s != NULL; s = s->next)
			if (s->count > 0 && (time = series_end_of(s, s->count - 1)) > end)
				end = time;
	return end;
}

static void
story_begin(struct story *story, const struct recording *r, const struct options *o)
{
	int64_t last, day = last_tick(r, o->day, &last);

	story->began_mono = clock_mono();
	story->loops = o->loops;
	story->speed = r->clock_stands ? 0 : o->speed;
	if (o->day != INT64_MIN)
		day = o->day;
	if (day == INT64_MIN) {
		story->start = story->end = r->clock_start != 0 ? r->clock_start : recording_end(r);
		story->speed = 0;
		return;
	}
	story->start = o->start_of_day >= 0  ? session_instant(day, o->start_of_day)
		       : r->clock_start != 0 ? r->clock_start
					     : session_open_of(day);
	story->end = last > story->start ? last : story->start;
}

static int
load(struct replay *r, char why[LOAD_WHY])
{
	size_t i;
	int e = E_OK;

	recording_init(&r->recording);
	for (i = 0; e == E_OK && i < r->options.recording_count; i++)
		e = recording_load(&r->recording, r->options.recordings[i], why);
	for (i = 0; e == E_OK && i < r->options.journal_count; i++)
		e = journal_load(&r->recording, r->options.journals[i], why);
	if (e == E_OK)
		e = recording_finish(&r->recording, why);
	if (e == E_OK && r->recording.events == 0) {
		snprintf(why, LOAD_WHY, "%s: nothing is recorded there",
		    r->options.recording_count > 0 ? r->options.recordings[0]
						   : r->options.journals[0]);
		e = E_ABSENT;
	}
	if (e == E_OK && r->options.journal_count > 0 && r->options.start_of_day < 0 &&
	    r->options.day == INT64_MIN) {
		r->recording.clock_start = recording_end(&r->recording);
		r->recording.clock_stands = true;
	}
	if (e == E_OK)
		story_begin(&r->story, &r->recording, &r->options);
	return e;
}

static int
announce(const struct options *o, uint16_t port, char why[LOAD_WHY])
{
	bool six = strchr(o->address, ':') != NULL;
	FILE *file;

	if (o->port_file != NULL) {
		file = fopen(o->port_file, "we");
		if (file == NULL || fprintf(file, "%u\n", port) < 0 || fclose(file) != 0) {
			snprintf(
			    why, LOAD_WHY, "--port-file %s: %s", o->port_file, strerror(errno));
			return E_SYSTEM;
		}
	}
	printf("listening on http://%s%s%s:%u\n", six ? "[" : "", o->address, six ? "]" : "", port);
	return fflush(stdout) == 0 ? E_OK : E_SYSTEM;
}

static void
on_signal(evutil_socket_t fd, short what, void *owner)
{
	(void)fd;
	(void)what;
	loop_stop(owner);
}

static int
serve(struct replay *r, char why[LOAD_WHY])
{
	static const int signals[SIGNALS] = { SIGTERM, SIGINT };
	struct event *events[SIGNALS];
	char now[CLOCK_TEXT];
	uint16_t port;
	size_t i;
	int code = EXIT_WITH_OK;

	if (server_open(r, &r->server, &port, why) != E_OK)
		return complain(EXIT_WITH_ADDRESS, why);
	for (i = 0; i < SIGNALS; i++) {
		events[i] = evsignal_new(loop_base(r->loop), signals[i], on_signal, r->loop);
		event_add(events[i], NULL);
	}
	clock_format(replay_now(r), now);
	log_info("%s: %llu events, the clock shows %s%s", r->recording.name,
	    (unsigned long long)r->recording.events, now,
	    r->story.speed > 0 ? " and moves" : " and stands");
	if (announce(&r->options, port, why) == E_OK)
		loop_run(r->loop);
	else
		code = complain(EXIT_WITH_SYSTEM, why);
	for (i = 0; i < SIGNALS; i++)
		event_free(events[i]);
	server_close(&r->server);
	return code;
}

static int
add_faults(struct replay *r, char why[LOAD_WHY])
{
	size_t i;

	r->faults = faults_new();
	for (i = 0; i < r->options.fault_count; i++)
		if (faults_add_text(r->faults, r->options.faults[i]) != E_OK) {
			snprintf(why, LOAD_WHY, "--fault: \"%.100s\" is not KIND[:COUNT[:PATH]]",
			    r->options.faults[i]);
			return E_INVALID_PARAMETER;
		}
	return E_OK;
}

static int
replay_run(struct replay *r)
{
	char why[LOAD_WHY] = "";
	int code;

	if (add_faults(r, why) != E_OK)
		code = complain(EXIT_WITH_USAGE, why);
	else if (load(r, why) != E_OK)
		code = complain(EXIT_WITH_INPUT, why);
	else {
		limiter_init(&r->limiter, r->options.rate_per_minute);
		r->route_calls = mem_array(route_count() + 1, sizeof(*r->route_calls));
		r->loop = loop_new();
		code = serve(r, why);
		loop_free(&r->loop);
	}
	limiter_fini(&r->limiter);
	recording_fini(&r->recording);
	mem_free(&r->route_calls);
	faults_free(&r->faults);
	return code;
}

int
main(int argc, char **argv)
{
	struct replay replay = { .loop = NULL };
	char why[LOAD_WHY] = "";
	pid_t parent = getppid();
	int e;

	e = options_read(&replay.options, argc, argv, why);
	if (e == E_CLOSED)
		return EXIT_WITH_OK;
	if (e != E_OK)
		return complain(EXIT_WITH_USAGE, why);
	log_open(
	    "replay", LOG_FORMAT_AUTO, replay.options.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	signal(SIGPIPE, SIG_IGN);
	/* The parent may have ended before the kernel was told to tell. */
	if (replay.options.with_parent &&
	    (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent))
		return complain(EXIT_WITH_ORPHANED, "the process that started this one is gone");
	return replay_run(&replay);
}
