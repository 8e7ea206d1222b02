/* main.c - opitios-alpaca: opens what the workers share, starts them, and stays to watch. */
#include "master_room.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "build_config.h"
#include "clock.h"
#include "handover.h"
#include "log.h"
#include "mem.h"
#include "proc.h"
#include "text.h"

#define MASTER_ADDRESS_FILE "http.address"

extern char **environ;

/* A descriptor of ours must not become one of the standard three, which children inherit. */
static void
master_open_standard(void)
{
	int fd;

	do {
		if ((fd = open("/dev/null", O_RDWR)) < 0)
			exit(EXIT_WITH_SYSTEM);
	} while (fd <= STDERR_FILENO);
	close(fd);
}

static void
master_on_child(evutil_socket_t number, short what, void *arg)
{
	(void)number, (void)what;
	reap_children(arg);
}

/* Handled, because pid 1 has no default actions: there it would be ignored. */
static void
master_on_quit(evutil_socket_t number, short what, void *arg)
{
	struct master *m = arg;

	(void)what;
	log_info("%s: ending at once", strsignal((int)number));
	stop_now(m, m->stop.code);
}

static void
master_on_stop(evutil_socket_t number, short what, void *arg)
{
	struct master *m = arg;

	(void)what;
	log_info("%s", strsignal((int)number));
	/* A person at the terminal does not wait for balancers to notice. */
	stop_begin(m, number == SIGINT ? 0 : m->conf.supervisor_drain_delay);
}

/* Whoever asked by a signal finds the answer in the log, where reload and upgrade have written it. */
static void
master_told(void *arg, int error, const char *text)
{
	(void)arg, (void)error, (void)text;
}

static void
master_on_reload(evutil_socket_t number, short what, void *arg)
{
	(void)number, (void)what;
	reload_begin(arg, master_told, arg);
}

static void
master_on_upgrade(evutil_socket_t number, short what, void *arg)
{
	(void)number, (void)what;
	upgrade_begin(arg, master_told, arg);
}

static void
master_on_reopen(evutil_socket_t number, short what, void *arg)
{
	(void)number, (void)what;
	if (master_log_reopen(arg) == E_OK)
		log_info("log: opened anew");
}

struct master_signal {
	int number;
	event_callback_fn handler;
};

static const struct master_signal master_signals[] = {
	{ SIGCHLD, master_on_child },
	{ SIGQUIT, master_on_quit },
	{ SIGTERM, master_on_stop },
	{ SIGINT, master_on_stop },
	{ SIGHUP, master_on_reload },
	{ SIGUSR1, master_on_reopen },
	{ SIGUSR2, master_on_upgrade },
};

#define MASTER_SIGNALS (sizeof(master_signals) / sizeof(master_signals[0]))
_Static_assert(MASTER_SIGNALS <= MASTER_SIGNALS_MAX, "master.signals is too short");

static void
master_signals_open(struct master *m)
{
	size_t i;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* LimitFSIZE=: a write that fails, as on a full disk */
	for (i = 0; i < MASTER_SIGNALS; i++) {
		m->signals[i] = evsignal_new(
		    loop_base(m->loop), master_signals[i].number, master_signals[i].handler, m);
		if (m->signals[i] == NULL || event_add(m->signals[i], NULL) != 0)
			fatal(EXIT_WITH_SYSTEM, "signals cannot be watched");
	}
}

static void
master_signals_close(struct master *m)
{
	size_t i;

	/* The end is under way: nothing that asks for it may cut it short. */
	for (i = 0; i < MASTER_SIGNALS; i++) {
		event_free(m->signals[i]);
		signal(master_signals[i].number, SIG_IGN);
	}
}

/* The secrets stay here to be handed to the next worker: no core of them, no tracer. */
static void
master_confine(void)
{
	struct rlimit files;

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		log_warn("cores cannot be refused: %s", strerror(errno));
	/* Descriptors on their way to workers count as this process's. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

/* Where the data comes from, for all to show; what stands before an @ may be a password. */
static void
master_upstream_copy(char *to, size_t size, const char *url)
{
	const char *host = strstr(url, "://"), *end, *at;

	host = host != NULL ? host + 3 : url;
	end = host + strcspn(host, "/?#");
	for (at = end; at > host && at[-1] != '@'; at--)
		;
	(void)text_copy_n(to, size, url, (size_t)(host - url));
	(void)text_copy(to + strlen(to), size - strlen(to), at);
}

static void
master_board_open(struct master *m)
{
	m->board = board_create(&m->board_rw, &m->board_ro);
	m->board->started_ns = clock_wall();
	m->generation = m->board->generation = 1;
	(void)text_copy(m->board->version, sizeof(m->board->version), PACKAGE_VERSION);
	(void)text_copy(
	    m->board->environment, sizeof(m->board->environment), m->conf.main_environment);
	(void)text_copy(m->board->http_address, sizeof(m->board->http_address), m->http.address);
	master_upstream_copy(
	    m->board->upstream, sizeof(m->board->upstream), m->conf.alpaca_data_url);
}

/* What only one process can have, and what clients see: from the system, or from the image before this one. */
static void
master_take(struct master *m, struct handover *h)
{
	int r;

	if (m->options->handover == NULL) {
		m->lock_fd = state_dir_lock(m->conf.state_dir);
		listen_open(&m->http, "http", m->conf.http_address, (int)m->conf.http_backlog);
		master_board_open(m);
		return;
	}
	handover_read(m, h);
	if ((r = board_adopt(m->board_rw, &m->board)) != E_OK)
		fatal(EXIT_WITH_PROTOCOL, "the statistics of the earlier image cannot be used: %s",
		    err_text(r));
	log_info("going on as %s after %s", PACKAGE_VERSION, m->board->version);
	(void)text_copy(m->board->version, sizeof(m->board->version), PACKAGE_VERSION);
}

/* Gone back to: the workers' files that this image had opened, whatever lies at their paths. */
static void
master_keep_executables(struct master *m, struct handover *h)
{
	size_t i;

	for (i = 0; i < WORKER_ROLES; i++) {
		m->executables[i] = h->previous_executables[i];
		h->previous_executables[i].fd = -1;
	}
}

static void
master_open(struct master *m, struct handover *h)
{
	/* At a start a person sees it; a gateway that runs goes on with what it has. */
	if (proc_log_open("master", &m->conf) != E_OK && m->options->handover == NULL)
		fatal(EXIT_WITH_CONFIG, "log.file, log.access_file: see above");
	listen_receive(m);
	master_confine();
	m->http.fd = m->admin_listener.fd = -1;
	master_take(m, h);
	m->loop = loop_new();
	page_open(m);
	stop_open(m);
	wire_open(m);
	slots_open(m);
	metric_set(&m->stats, M_HTTP_WORKERS, 0, 0, m->http_workers);
	look_open(m);
	if (m->options->handover != NULL && h->rollback)
		master_keep_executables(m, h);
	else
		spawn_find_workers(m);
	admin_open(m);
	ctl_open(m);
	master_signals_open(m);
	state_dir_tell_address(m, &m->http);
	notify_open(m);
	notify_store(m);
}

/* What happened to the workers while there were no handlers: signals waited, deaths are looked for. */
static void
master_go_on(struct master *m, struct handover *h)
{
	sigset_t none;

	handover_adopt(m, h);
	m->handed_workers = 0; /* from here on slots are this image's own */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	reap_children(m);
	upgrade_go_on(m, h);
}

static void
master_close(struct master *m)
{
	state_dir_remove(m->conf.state_dir, MASTER_ADDRESS_FILE);
	ctl_close(m);
	notify_close(m);
	master_signals_close(m);
	look_close(m);
	slots_close(m);
	spawn_forget_workers(m);
	wire_close(m);
	stop_close(m);
	page_close(m);
	/* Last: health was told while the workers drained. */
	admin_close(m);
	loop_free(&m->loop);
	close(m->board_rw);
	close(m->board_ro);
	listen_close(&m->http);
	state_dir_unlock(m->conf.state_dir, &m->lock_fd);
	conf_wipe_secrets(&m->conf);
}

static int
master_run(struct master *m, struct handover *handover)
{
	enum exit_code code;

	master_open(m, handover);
	log_info("opitios-alpaca %s, pid %d, state in %s", PACKAGE_VERSION, (int)getpid(),
	    m->conf.state_dir);
	if (m->options->handover != NULL)
		master_go_on(m, handover);
	slots_start(m);
	loop_run(m->loop);
	code = m->stop.code;
	master_close(m);
	log_info("ended: exit %d (%s)", (int)code, exit_name((int)code));
	log_flush();
	return (int)code;
}

/* From all layers, or as the image before left it. Whatever is wrong from here on is more than this process's. */
static void
master_configure(struct master *m, struct handover *h)
{
	char why[CONF_ERROR];

	if (m->options->mode == MODE_TRIAL)
		trial_tell_fatal();
	if (m->options->mode == MODE_RUN && m->options->handover != NULL) {
		handover_load(m->options->handover, h);
		way_back_open(m, h);
		if (way_back_conf(h, &m->conf))
			return;
	}
	if (m->options->mode < MODE_VERSION &&
	    options_conf(m->options, m->environment, &m->conf, why) != E_OK)
		fatal(EXIT_WITH_CONFIG, "%s", why);
}

int
main(int argc, char **argv)
{
	struct handover handover = HANDOVER_NONE;
	struct master *m;
	struct options options;
	const char *reason, *word;
	int code;

	/* Executed through its descriptor an image would be called by the number. */
	(void)prctl(PR_SET_NAME, "opitios-alpaca", 0, 0, 0);
	master_open_standard();
	log_open("master", LOG_FORMAT_AUTO, LOG_LEVEL_INFO);
	if (options_parse(argc, argv, &options, &reason, &word) != E_OK)
		/* Without its value: a mistyped name may stand before a secret. */
		fatal(EXIT_WITH_USAGE, "\"%.*s\" %s: see --help", (int)strcspn(word, "="), word,
		    reason);
	m = mem_alloc(sizeof(*m));
	m->options = &options;
	m->environment = environ;
	m->arguments = argv;
	master_configure(m, &handover);
	if (options.mode == MODE_TRIAL)
		code = trial_run(m);
	else if (options.mode == MODE_RUN)
		code = master_run(m, &handover);
	else
		code = options_show(&options, &m->conf);
	mem_free(&m);
	return code;
}
