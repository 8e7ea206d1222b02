/* proc.c - the life every worker shares.
 *
 * The master is watched by the control channel: when it vanishes the channel ends, and so does the worker.
 * (The kernel also kills it then; the channel is for the case that this was lost, as a change of user
 * does.) Signals are events of the loop; before the loop runs they wait.
 */
#include "proc.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "label.h"
#include "log.h"
#include "mem.h"
#include "proc_room.h"
#include "text.h"

#define PROC_HEARTBEAT_MS 250
#define PROC_BEATS	  4
#define PROC_LOOK_NS	  (INT64_C(1000) * CLOCK_MS) /* between looks at what it uses */
#define PROC_SETTLE_MS	  10000 /* the master sends the configuration at once */
#define PROC_DRAIN_MS	  30000 /* told by a signal, which carries no time */
#define PROC_OOM_RAISE	  200	/* the kernel takes a worker before the master */

/* Ends the loop; what ends first gives the exit code. */
void
proc_stop(struct proc *p, enum exit_code code)
{
	if (!p->over)
		p->exit_code = (int)code;
	p->over = true;
	loop_stop(p->loop);
}

static void
proc_deadline(void *arg)
{
	struct proc *p = arg;

	log_warn("not drained in time: ending with work in hand");
	proc_stop(p, EXIT_WITH_OK);
}

void
proc_drain(struct proc *p, int64_t timeout_ms)
{
	if (p->draining)
		return;
	p->draining = true;
	log_debug("draining");
	loop_timer_set(&p->deadline, timeout_ms);
	if (!p->running)
		return; /* the worker has not made what its hook would use: proc_loop ends at once */
	if (p->hooks->drain != NULL)
		p->hooks->drain(timeout_ms, p->owner);
	else
		proc_stop(p, EXIT_WITH_OK);
}

void
proc_finished(struct proc *p)
{
	proc_stop(p, EXIT_WITH_OK);
}

static void
proc_on_signal(evutil_socket_t number, short what, void *arg)
{
	struct proc *p = arg;

	(void)what;
	log_info("%s: %s", strsignal((int)number), p->draining ? "ending at once" : "draining");
	if (p->draining)
		proc_stop(p, EXIT_WITH_OK);
	else
		proc_drain(p, PROC_DRAIN_MS);
}

static void
proc_signals_open(struct proc *p)
{
	static const int numbers[] = { SIGTERM, SIGINT };
	size_t i;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* LimitFSIZE=: a write that fails, as on a full disk */
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		p->signals[i] = evsignal_new(loop_base(p->loop), numbers[i], proc_on_signal, p);
		if (p->signals[i] == NULL || event_add(p->signals[i], NULL) != 0)
			fatal(EXIT_WITH_SYSTEM, "signals cannot be watched");
	}
}

/* Four in the time after which silence is a hang. */
static int64_t
proc_heartbeat_ms(const struct proc *p)
{
	int64_t ms = p->conf.supervisor_hang_timeout / PROC_BEATS;

	return ms > 0 && ms < PROC_HEARTBEAT_MS ? ms : PROC_HEARTBEAT_MS;
}

/* Not with every beat: those may be many a second. */
static void
proc_look(struct proc *p)
{
	int64_t now = clock_mono();

	metric_set(&p->stats, M_CHANNEL_QUEUED, 0, 0, peer_queued_all(p));
	if (p->looked_ns != 0 && now - p->looked_ns < PROC_LOOK_NS)
		return;
	p->looked_ns = now;
	usage_look(&p->usage, &p->stats);
}

static void
proc_heartbeat(void *arg)
{
	struct proc *p = arg;
	int64_t now = clock_wall();

	if (p->stats.mine != NULL) {
		p->stats.mine->heartbeat_ns = now;
		__atomic_store_n(&p->stats.mine->beats, p->stats.mine->beats + 1, __ATOMIC_RELAXED);
	}
	metric_set(&p->stats, M_WORKER_HEARTBEAT, 0, 0, (uint64_t)now);
	proc_log_tick(&p->stats);
	proc_look(p);
	loop_timer_set(&p->heartbeat, proc_heartbeat_ms(p));
}

/* When memory is short the kernel shall take a worker, which is replaced, and not the master. */
static void
proc_oom_raise(void)
{
	FILE *f = fopen("/proc/self/oom_score_adj", "r+e");
	int score;

	if (f == NULL)
		return;
	if (fscanf(f, "%d", &score) == 1) {
		rewind(f);
		fprintf(f, "%d\n", score + PROC_OOM_RAISE > 1000 ? 1000 : score + PROC_OOM_RAISE);
	}
	fclose(f);
}

static void
proc_arguments(struct proc *p, int argc, char **argv)
{
	int fd;

	if (argc == 2 && strcmp(argv[1], "--tables") == 0) {
		printf("%016" PRIx64 "-%016" PRIx64 "\n", msg_protocol_id(), board_layout());
		exit(fflush(stdout) == 0 ? EXIT_WITH_OK : EXIT_WITH_SYSTEM);
	}
	if (argc != 3 || strcmp(argv[1], "--slot") != 0 || role_of_slot(argv[2]) != p->role)
		fatal(EXIT_WITH_USAGE, "this is a worker of opitios-alpaca, which starts it; "
				       "it takes --slot NAME");
	if (text_copy(p->slot, sizeof(p->slot), argv[2]) != E_OK)
		fatal(EXIT_WITH_USAGE, "%s: the name is too long for a slot", argv[2]);
	for (fd = PROC_FD_CONTROL; fd < PROC_FD_FIRST_FREE; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			fatal(EXIT_WITH_USAGE,
			    "descriptor %d is missing: only opitios-alpaca can start this", fd);
}

static void
proc_on_refused(size_t bytes, void *arg)
{
	struct proc *p = arg;

	trouble_note(&p->stats, LABEL(trouble, MEMORY), "%zu bytes were refused: it ended", bytes);
}

struct proc *
proc_begin(enum role role, int argc, char **argv)
{
	struct proc *p = mem_alloc(sizeof(*p));
	char label[SLOT_NAME];
	int r;

	p->role = role;
	/* Executed by descriptor, whose number the kernel would show as its name. */
	(void)prctl(PR_SET_NAME, role_executable(role), 0, 0, 0);
	log_open(role_name(role), LOG_FORMAT_AUTO, LOG_LEVEL_INFO);
	proc_arguments(p, argc, argv);
	role_slot_label(p->slot, label);
	log_open(label, LOG_FORMAT_AUTO, LOG_LEVEL_INFO);
	conf_defaults(&p->conf);
	proc_oom_raise();
	r = board_attach(PROC_FD_BOARD_RW, PROC_FD_BOARD_RO, p->slot, &p->stats);
	if (r != E_OK)
		fatal(r == E_VERSION ? EXIT_WITH_PROTOCOL : EXIT_WITH_SYSTEM,
		    "the statistics board cannot be used: %s", err_text(r));
	crash_open(p);
	mem_on_refused(proc_on_refused, p);
	p->loop = loop_new();
	loop_timer_open(p->loop, &p->heartbeat, proc_heartbeat, p);
	loop_timer_open(p->loop, &p->deadline, proc_deadline, p);
	proc_signals_open(p);
	control_open(p);
	return p;
}

static bool
proc_holds_secrets(const struct proc *p)
{
	const struct conf_row *rows;
	size_t count, i;

	rows = conf_rows(&count);
	for (i = 0; i < count; i++)
		if (rows[i].type == CONF_SECRET && (rows[i].roles & (unsigned)p->role) != 0)
			return true;
	return false;
}

void
proc_confine(struct proc *p)
{
	struct rlimit files;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fatal(EXIT_WITH_SYSTEM, "privileges cannot be given up");
	/* A core would hold the secrets, and so could any process of this user read them. */
	if (proc_holds_secrets(p) && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		fatal(EXIT_WITH_SYSTEM, "cores cannot be refused");
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &files) != 0)
			log_warn("the limit of open files stays low");
	}
}

static const struct proc_hooks proc_no_hooks;

void
proc_connect(
    struct proc *p, const struct proc_hooks *hooks, const struct msg_handler *handlers, void *owner)
{
	int r;

	p->hooks = hooks != NULL ? hooks : &proc_no_hooks;
	p->handlers = handlers;
	p->owner = owner;
	r = chan_wait(p->master, &p->settled, PROC_SETTLE_MS);
	if (r == E_OK)
		return;
	if (r == E_CLOSED)
		fatal(EXIT_WITH_ORPHANED, "the master vanished before the configuration came");
	fatal(EXIT_WITH_PROTOCOL, "the configuration did not come: %s", err_text(r));
}

void
proc_ready(struct proc *p)
{
	struct msg_ready ready = { .generation = p->generation };

	proc_heartbeat(p);
	if (chan_send(p->master, MSG_READY, &ready) != E_OK)
		proc_stop(p, EXIT_WITH_ORPHANED);
}

void
proc_loop(struct proc *p)
{
	p->running = true;
	if (!p->over && !p->draining)
		control_late_handle(p);
	else
		p->over = true; /* loop_stop does not outlive the start of the loop */
	if (!p->over)
		loop_run(p->loop);
	p->over = true;
	p->running = false;
}

int
proc_end(struct proc *p)
{
	int code = p->exit_code;
	size_t i;

	p->over = true;
	/* What the hooks would use was closed between proc_loop and here. */
	p->hooks = &proc_no_hooks;
	control_late_drop(p);
	peer_drop_all(p);
	chan_close(&p->master);
	loop_timer_close(&p->deadline);
	loop_timer_close(&p->heartbeat);
	for (i = 0; i < sizeof(p->signals) / sizeof(p->signals[0]); i++)
		if (p->signals[i] != NULL)
			event_free(p->signals[i]);
	loop_free(&p->loop);
	log_flush();
	crash_close();
	mem_on_refused(NULL, NULL);
	conf_wipe_secrets(&p->conf);
	mem_free(&p);
	return code;
}
