/* master_room.h - the supervisor: what its files share. */
#ifndef MASTER_ROOM_H
#define MASTER_ROOM_H
#include <sys/types.h>

#include "backoff.h"
#include "chan.h"
#include "conf.h"
#include "err.h"
#include "health.h"
#include "label.h"
#include "limit.h"
#include "loop.h"
#include "metric.h"
#include "role.h"

enum slot_state {
#define STATE(NAME, text, help) SLOT_##NAME,
#include "tables/slot_states.def"
	SLOT_STATES
};
enum slot_event {
#define EVENT(NAME, text, help) SLOT_ON_##NAME,
#include "tables/slot_states.def"
	SLOT_EVENTS
};

/* Every action a row of slot_states.def may name; all but the first two are functions slot_<name>. */
#define SLOT_ACTIONS(X) X(impossible) X(nothing) X(spawn) X(serve) X(steady) X(await_end) X(delay) X(mourn) X(fail) \
	X(renew) X(kill) X(await_kill) X(outlive) X(kill_stray) X(abort_late) X(abort_hung) X(abort_slow) X(await_dump) X(drain) X(bury) X(rest)
enum slot_action {
#define X(name) SLOT_DO_##name,
	SLOT_ACTIONS(X)
#undef X
	SLOT_ACTION_COUNT
};

/* Why a process ends, where the master itself had a hand in it. */
enum slot_cause { CAUSE_NONE, CAUSE_NOT_READY, CAUSE_PROTOCOL, CAUSE_HANG, CAUSE_SLOW_DRAIN, CAUSE_OOM, CAUSE_RELOAD,
	CAUSE_UPGRADE, CAUSE_RECYCLE, CAUSE_ASKED, CAUSE_STRATEGY, CAUSE_STOP };

struct master;
struct slot;
typedef void slot_action_fn(struct slot *);

/* How something that takes time ended: E_OK, or why not; `text` is one line for a person. Called once. */
typedef void done_fn(void *arg, int error, const char *text);

struct hang_sight {		/* what the kernel says of a process */
	bool		 known;		/* the two sums are */
	char		 state;		/* of /proc/PID/stat; '?': not asked */
	uint64_t	 ran_ns, waited_ns; /* of /proc/PID/schedstat: on a processor, and waiting for one */
};

struct hang_watch {		/* hang.c: how long the slot's loop has stood still */
	uint64_t	 beats;
	int64_t		 still_ns;	/* counted by the master's own ticks, less what the process waited for a processor */
	bool		 sighted;	/* the next two are of the last look */
	uint64_t	 ran_ns, waited_ns;
	int64_t		 disk_ns;	/* waiting for a disk, with patience asked for */
};

#define SLOT_DEATHS_MAX 1000 /* as many as supervisor.fail_deaths may be */

struct slot {			/* one seat of a slot; outlives its processes */
	struct master	*master;
	char		 name[SLOT_NAME];	/* of the seat: http-0, http-0.1 */
	char		 label[SLOT_NAME];	/* of the slot: http-0 */
	enum role	 role;
	unsigned	 number;	/* of the slot within its role: 0 for http-0 */
	struct slot	*twin;		/* the other seat; null where a successor cannot start before the end */
	bool		 current;	/* this seat is the slot's; exactly one of two */
	bool		 wanted;	/* of the current seat: the gateway wants this slot to run */
	bool		 required;
	enum slot_state	 state;
	slot_action_fn *const *actions;	/* slot_actions; a test brings its own */
	struct slot_page *page;
	struct stats	 stats;		/* of that page: the master's own cells */
	pid_t		 pid;		/* 0: none */
	struct chan	*control;	/* null: none, or not spoken to any more */
	struct limit	 talk;		/* messages the process may send */
	int64_t		 accused_ns;	/* monotonic: its process said that another breaks the protocol; 0: never */
	unsigned	 outlived;	/* times that its process was looked for after SIGKILL */
	unsigned	 handed;	/* descriptors it was sent in this turn; see wire.c */
	struct loop_timer timer;	/* what it means depends on the state */
	int64_t		 ready_ms;	/* how long a process may take to be ready */
	struct backoff	 backoff;
	bool		 died_lately;	/* since it was last steady: the next delay is not zero */
	bool		 was_ready;	/* ever */
	bool		 steady;	/* its process has been ready for long enough */
	uint64_t	 births;	/* processes that were tried */
	int64_t		 due_ns;	/* monotonic: when a waiting slot tries again */
	enum slot_cause	 cause;		/* why the process was killed, when it was */
	int		 wait_status;	/* of the last process */
	long		 peak_rss_kb;	/* of the last process, from wait4 */
	int64_t		*deaths_ns;	/* monotonic, of those that counted; a ring, null before the first */
	unsigned	 death_count;
	bool		 failed;	/* dies too often; until it was steady */
	int64_t		 failed_ns;	/* monotonic, since when */
	const struct conf *conf;	/* what its next process is told: the master's, or a candidate's */
	struct hang_watch hang;
	struct crash_seen *seen;	/* crash.c: what the kernel said before it was aborted; null: nothing */
	int64_t		 spawned_mono_ns;
	uint64_t	 recycle_base;	/* requests of the page, when this process was spawned */
	double		 recycle_share;	/* 0.9 to 1: by chance, so that workers do not go together */
};

struct link {			/* a channel between two slots, as far as the master knows */
	uint64_t	 number;
	struct slot	*a, *b;		/* null: not in use */
	bool		 lost;		/* one end says that it is over */
};

enum stop_phase { STOP_NOT, STOP_DELAY, STOP_DRAIN, STOP_KILL, STOP_DONE };

struct stop {
	enum stop_phase	 phase;
	unsigned	 step;		/* of the roles, in the order they are drained */
	bool		 told;		/* the role of this step */
	int64_t		 deadline_ns;	/* monotonic, of all draining */
	struct loop_timer timer;
	struct loop_timer limit;	/* all draining together: then SIGKILL */
	enum exit_code	 code;
};

struct oom {			/* oom.c: the kernel's count */
	uint64_t	 before;	/* ten to twenty seconds ago */
	uint64_t	 recent;	/* less than ten seconds ago */
	int64_t		 looked_ns;	/* monotonic, when that was; 0: never */
};

struct listener {
	int		 fd;		/* -1: none */
	char		 name[32];	/* http, admin; also its FDNAME at systemd */
	char		 address[64];	/* as bound */
	int		 passed;	/* handed to this process at its start; 0: none, the address is bound */
	bool		 unstored;	/* systemd is to keep it across a restart and has not taken it yet */
};

#define MASTER_SIGNALS_MAX 8

/* The file of a role's executable, open: whoever is started belongs to the build of the master that runs, whatever
 * lies at the path by then. */
#define WORKER_ROLES 4
struct executable {
	enum role	 role;
	int		 fd;		/* -1: none */
};
extern const enum role worker_roles[WORKER_ROLES];

struct master {
	struct conf	 conf;
	struct loop	*loop;
	char		 worker_dir[512];
	struct executable executables[WORKER_ROLES];
	char		**arguments;	/* of the command line */
	unsigned	 handed_workers; /* http workers an earlier image had; 0: there was none */
	int		 lock_fd;
	struct listener	 http;
	struct board	*board;
	int		 board_rw, board_ro;
	struct slot	 slots[BOARD_SLOTS];
	size_t		 slot_count;
	struct link	*links;
	size_t		 link_count;
	uint64_t	 link_number;	/* of the newest */
	struct loop_timer rewire;
	bool		 handing, postponed; /* wire.c: descriptors went out in this turn; more are due */
	uint64_t	 generation;
	struct stop	 stop;
	struct event	*signals[MASTER_SIGNALS_MAX];
	char		**environment;	/* as it was at the start */
	struct options	*options;	/* the command line: a reload reads all layers anew */
	struct stats	 stats;		/* the master's own page */
	struct loop_timer tick;		/* look.c: what is looked at again and again */
	int64_t		 ticked_ns;	/* monotonic */
	bool		 moved;		/* a slot moved in this turn: whoever waits for one looks at its end */
	struct replacing *replacing;	/* replace.c: under way */
	struct reload	*reload;	/* null: none under way */
	struct strategy	*strategy;	/* null: none under way */
	struct scale	*scale;		/* null: none under way */
	unsigned	 crash_number;	/* of the next report; 0: not known yet */
	struct oom	 oom;
	int64_t		 recycled_ns;	/* monotonic: when processes were last looked at */
	struct upgrade	*upgrade;	/* null: none under way */
	struct admin	*admin;		/* null: admin.address is off */
	struct ctl_server *ctl;		/* the control socket */
	int		 ctl_handed;	/* of an earlier image, listening; 0: none */
	struct notify	*notify;	/* null: no NOTIFY_SOCKET */
	unsigned	 http_workers;	/* wanted */
	unsigned	 cpus;		/* usable */
	struct listener	 admin_listener;	/* fd -1 before admin_open, unless it was inherited */
	struct loop_timer beat;		/* page.c: that the master's own loop turns */
	struct usage	 usage;
	struct system_look look;
};

/* options.c */
enum options_mode { MODE_RUN, MODE_TRIAL, MODE_CHECK, MODE_PRINT, MODE_VERSION, MODE_HELP };
#define OPTIONS_SET_MAX 256
#define OPTIONS_KEEPS_MAX 4
struct options {
	enum options_mode mode;
	const char	*file;		/* borrowed from argv; null: none */
	const char	*set[OPTIONS_SET_MAX]; /* "http.workers=2", borrowed */
	const char	*state_dir;	/* --state-dir; null: not given */
	size_t		 set_count;
	const char	*handover;	/* --handover=FD: an earlier image's state; null: none */
	const char	*trial;		/* --trial=TABLES: what the running image's tables are */
	const char	*trial_keeps[OPTIONS_KEEPS_MAX]; /* --trial-keeps=KEY=VALUE: what only a restart changes */
	size_t		 keeps_count;
};
/* E_INVALID_PARAMETER with *why (static) and *word for what is unknown or incomplete. */
int	options_parse(int argc, char **argv, struct options *, const char **why, const char **word) MUST_CHECK;
/* All four layers, each over the one before. */
int	options_conf(const struct options *, char **environment, struct conf *, char why[CONF_ERROR]) MUST_CHECK;
/* Does what --help, --version, --print-config, --check-config ask for; returns the exit code. */
int	options_show(const struct options *, const struct conf *);

/* state_dir.c: fatal when it cannot be used or is another's. */
int	state_dir_lock(const char *dir);	/* made if missing; returns the lock's descriptor */
void	state_dir_unlock(const char *dir, int *fd);
/* Writes <dir>/<name> so that a reader sees all or nothing. */
int	state_dir_write(const char *dir, const char *name, const char *text) MUST_CHECK;
/* <dir>/<listener's name>.address; left alone where it says that already. E_SYSTEM. */
int	state_dir_write_address(const char *dir, const struct listener *) MUST_CHECK;
/* The same in the master's own; fatal at a start when it cannot be written. */
void	state_dir_tell_address(const struct master *, const struct listener *);
void	state_dir_remove(const char *dir, const char *name);

/* cpus.c */
unsigned cpus_usable(void);		/* at least 1 */
/* Quota in whole CPUs, rounded up; 0: none. The paths are /proc/self/cgroup and /sys/fs/cgroup but in tests. */
unsigned cpus_quota(const char *self_cgroup, const char *mount);
unsigned cpus_within(const char *self_cgroup, const char *mount); /* the lesser of that and affinity */

/* listen.c: fatal when the address cannot be had. `name` also names the file with the address. */
void	listen_open(struct listener *, const char *name, const char *address, int backlog);
void	listen_close(struct listener *);	/* others may hold the socket: it is not shut down */
/* Before anything is opened to stay: what LISTEN_FDS hands over goes out of the way of the numbers a child expects, and to the
 * listeners by its name; the variables are unset. What is no listening socket of ours is closed with a warning. */
void	listen_receive(struct master *);

/* slot.c: the table and its interpreter. */
extern slot_action_fn *const slot_actions[SLOT_ACTION_COUNT];
const char *slot_state_name(enum slot_state);
const char *slot_event_name(enum slot_event);
void	slot_move(enum slot_state, enum slot_event, enum slot_state *next, enum slot_action *);
void	slot_event(struct slot *, enum slot_event);
/* Number of the configuration its next process gets. */
uint64_t slot_generation(const struct slot *);

/* act.c: the actions; called by slot_event only. */
#define X(name) slot_action_fn slot_##name;
SLOT_ACTIONS(X)
#undef X
/* Delay before the next process of a slot whose last one ended: none the first time. */
uint32_t slot_delay_ms(struct slot *);
bool	slot_has_process(const struct slot *);
void	slot_forget(struct slot *);		/* whatever was held against its earlier processes */

/* slots.c */
/* Without a collector, or a trace that could ever be sampled, there is nothing to do for a tracer. */
bool	slots_want_tracer(const struct conf *);
void	slots_open(struct master *);		/* as roles.def and http.workers say */
/* A live process of an earlier image is this seat's: ready, with its timer. */
void	slot_adopt(struct slot *);
void	slots_close(struct master *);
void	slots_start(struct master *);		/* every current seat of a slot that is wanted */
/* The slots of a role with numbers from 0: made if missing, told whether they are wanted; nothing is started. */
void	slots_want(struct master *, enum role, unsigned count);
void	slots_apply_conf(struct master *);	/* what the configuration says of restarts */
void	slots_event(struct master *, enum role, enum slot_event);
void	slots_cause(struct master *, enum role, enum slot_cause); /* of what ends from now on */
unsigned slots_http_workers(const struct conf *);
bool	slots_are_idle(const struct master *, enum role);
struct slot *slots_find_pid(struct master *, pid_t);
void	slots_note_ready(struct master *);	/* a slot became ready: are they all? */

/* spawn.c */
int	spawn_process(struct slot *) MUST_CHECK;	/* E_SYSTEM; else pid and control are set */
char  **spawn_environment(char **from);		/* only what a worker may see; one block, mem_free */
/* Where the workers are, and their files; fatal when one is missing. */
void	spawn_find_workers(struct master *);
void	spawn_forget_workers(struct master *);
/* Executes an open file; comes back when that fails. */
void	spawn_exec(int executable, char *const argv[], char *const environment[]);
void	spawn_signals_reset(void);

/* control.c: what a child says. */
extern const struct chan_hooks control_hooks;
void	control_drop(struct slot *);		/* closes the channel after the turn */
void	control_break(struct slot *, const char *why); /* it costs the worker its life */

/* wire.c: what a child is told. Each may break the slot: it is then killed when the turn ends. */
void	wire_open(struct master *);
void	wire_close(struct master *);
void	wire_settings(struct slot *);
void	wire_listeners(struct slot *);
bool	wire_can_hand(const struct master *, size_t count); /* so many descriptors at once: the process may have them */
void	wire_peers(struct slot *);		/* both ends of every link it lacks */
void	wire_forget(struct slot *);		/* its process is gone */
/* A channel that stands between two slots, made by an earlier image. */
void	wire_adopt(struct master *, uint64_t number, struct slot *a, struct slot *b);
void	wire_lost(struct slot *from, const struct msg_peer_lost *);

/* reap.c */
void	reap_children(struct master *);
void	reap_text(int wait_status, char *out, size_t size);	/* "signal 9 (Killed)" */

/* replace.c: another process for a slot, ready before the old one is told to end where the slot has two seats, else
 * right after it. Refused with E_FULL while the slot is being replaced already. */
void	replace_begin(struct master *, struct slot *current, enum slot_cause, done_fn *, void *arg);
/* The same, but the successor stays beside until replace_commit; `conf` is what it is told. */
void	replace_prepare(struct master *, struct slot *current, const struct conf *conf, enum slot_cause, done_fn *, void *arg);
bool	replace_commit(struct slot *current);	/* false: what served goes on, the successor is being ended */
bool	replace_all_are_prepared(const struct master *); /* each successor is ready at this moment */
void	replace_cancel(struct slot *current);	/* the successor ends; done of replace_prepare is not called */
bool	replace_is_due(const struct slot *current); /* it is being replaced */
size_t	replace_count(const struct master *);	/* of slots that are */
void	replace_look(struct master *);
void	replace_cancel_all(struct master *, const char *why);

/* reload.c: reads the configuration anew and brings it to the workers; `done` tells when all serve with it or why
 * everything stays as it was. */
void	reload_begin(struct master *, done_fn *, void *arg);

/* conf_change.c: what differs between the configuration that serves and the next. */
/* One more in a list: "http.backlog, http-1"; `key` may be "". */
void	conf_name(char *list, size_t size, const char *name, const char *key);
/* What a restart key was set to does not count; that it was changed is told in `kept`. */
void	conf_keep(struct conf *next, const struct conf *now, char *kept, size_t size);
bool	conf_concerns(const struct conf *next, const struct conf *now, enum role); /* it sees anything that has changed */

/* upgrade.c: the same pid goes on as another executable. On success `done` is never called: the process is another. */
void	upgrade_begin(struct master *, done_fn *, void *arg);

/* recycle.c: processes that served long or grew large. */
void	recycle_begin(struct slot *);		/* its process was spawned */
void	recycle_look(struct master *);

/* strategy.c: who else is replaced when one dies. */
void	strategy_begin(struct slot *dead);
void	strategy_look(struct master *);
void	strategy_cancel(struct master *);

/* look.c: what is looked at in turns, and at the end of a turn in which a slot moved. */
void	look_open(struct master *);
void	look_close(struct master *);
void	look_soon(struct master *);

void	reload_look(struct master *);
void	reload_tick(struct master *, int64_t now);
void	reload_cancel(struct master *, const char *why);
/* Every worker anew, with the configuration that serves, for the sake of their executables. */
void	reload_everything(struct master *, done_fn *, void *arg);
/* It takes too long: back to what was. */
void	reload_give_up(struct master *, const char *why);
void	upgrade_look(struct master *);
void	upgrade_cancel(struct master *);
void	upgrade_take_back_executables(struct master *);
struct handover;
void	upgrade_go_on(struct master *, struct handover *);	/* in the image that took over */

/* trial.c: whether an executable could take over. */
#define TRIAL_TABLES 40
#define TRIAL_FD     3
void	trial_tables(char out[TRIAL_TABLES]);	/* of this image: hashes of messages and statistics */
int	trial_run(struct master *);	/* the exit code */
/* In the image that runs: a child that is the file at the path, and what it says why not. */
int	trial_start(const struct master *, const char *path, pid_t *, int *reason_fd) MUST_CHECK;
/* From here on whatever is fatal is told to whoever asked, too. */
void	trial_tell_fatal(void);

/* The control socket's side of an upgrade: the connection that waits for its outcome goes to the next image. */
int	ctl_release(struct master *, void *arg);		/* its descriptor, -1: none */
void	*ctl_adopt(struct master *, int fd, done_fn **done);
/* A child that is no slot's ended; whether it was the upgrade's. */
bool	upgrade_reaped(struct master *, pid_t, int wait_status);

/* scale.c */
void	scale_http(struct master *, unsigned workers, done_fn *, void *arg);	/* 1 to 256 */
void	scale_look(struct master *);
/* The current seat of a slot by its label; null: there is no such slot. */
struct slot *slots_find(struct master *, const char *label);
/* debug, info, warn, error: for the master and all workers, until the next reload. E_INVALID_PARAMETER. */
int	master_log_level(struct master *, const char *level) MUST_CHECK;
int	master_log_reopen(struct master *);	/* the files, everywhere; E_SYSTEM: not here */

/* ctl_server.c: <state.dir>/control.sock. Fatal when it cannot be had; done_fn's it handed out are not to be called after
 * ctl_close. */
void	ctl_open(struct master *);
int	ctl_listener(const struct master *);	/* its descriptor; -1: none */
void	ctl_close(struct master *);

/* hang.c: looks at every ready slot; raises SLOT_ON_HUNG. */
void	hang_look(struct master *, int64_t since_last_ns);
void	hang_text(pid_t, char *out, size_t size);	/* "state D, waiting in nfs_wait_bit" */
/* One look; `beats` as the page has them. */
void	hang_add(struct hang_watch *, uint64_t beats, int64_t since_ns, const struct hang_sight *);
/* crash.c: the death of s's process becomes a report in <state.dir>/crashes; called before its page is cleared. */
void	crash_report(struct slot *, const char *cause);
/* Among those the status page shows. */
void	crash_line_put(struct board *, unsigned id, struct crash_line *);
/* What the kernel says about a process that hangs, to be kept for its report; before SIGABRT. */
void	crash_look(struct slot *);
void	crash_forget(struct slot *);	/* what was seen belongs to a process that is gone */

/* oom.c: kills for want of memory, which the kernel counts for the whole machine. */
bool	oom_is_due(const struct oom *, int64_t now_ns);
void	oom_look(struct oom *, uint64_t kills, int64_t now_ns);	/* when it is due */
bool	oom_grew(struct oom *, uint64_t kills);	/* since some ten seconds ago; a kill is told once */
uint64_t oom_kills(const char *vmstat);
#define OOM_VMSTAT "/proc/vmstat"

/* admin.c: nothing when admin.address is off; fatal when it cannot be had. */
void	admin_open(struct master *);
void	admin_close(struct master *);

/* page.c: the master's own page on the board, m->stats. */
void	page_open(struct master *);
/* The system did not give `who` a `what`: for health to tell, as a want of what `error`, an errno, says. */
unsigned page_trouble(int error);
void	page_refused(struct master *, const char *who, const char *what, int error);
void	page_close(struct master *);

/* notify.c: what systemd is told, if it listens (NOTIFY_SOCKET): without it each of these does nothing. None waits. */
void	notify_open(struct master *);
void	notify_close(struct master *);
void	notify_store(struct master *);		/* listening sockets opened here outlive a restart */
void	notify_ready(struct master *);		/* every required slot was ready */
void	notify_reloading(struct master *);
void	notify_reloaded(struct master *);	/* or refused: it serves, one way or the other */
void	notify_stopping(struct master *);
void	notify_status(struct master *);		/* one line, when it changed and the last one is a second old */
void	notify_look(struct master *);		/* heartbeats, watchdog, what could not be told; the timer's */

/* stop.c */
void	stop_open(struct master *);
void	stop_begin(struct master *, int64_t delay_ms); /* the second time at once */
void	stop_now(struct master *, enum exit_code);
void	stop_look(struct master *);		/* a slot came to rest */
void	stop_close(struct master *);

#endif /* MASTER_ROOM_H */
