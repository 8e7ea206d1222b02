/* metric.h - the statistics board: shared memory the master creates, one slot page per worker.
 *
 * A page outlives the processes that use it: counters never fall, a dead or hung worker can still be read.
 * Only the slot's worker writes its cells, only the master writes the rest; readers need no lock.
 *
 * Rows of ROLE_MASTER are about every slot. worker_up is 1 while `state` is "ready" and `pid` is not 0,
 * worker_start_time_seconds is `spawned_ns`, worker_heartbeat_seconds is `heartbeat_ns`: their cells are not
 * used. worker_restarts_total is cells, of which the master is the one writer: on each page, through
 * struct stats { .mine = page }. Rows of ROLE_GATEWAY are on the master's own page alone.
 */
#ifndef METRIC_H
#define METRIC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "log.h"
#include "role.h"

enum metric {
#define METRIC(NAME, name, kind, unit, label1, label2, roles, help) M_##NAME,
#include "tables/metrics.def"
	METRIC_COUNT
};
enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
enum metric_unit { UNIT_ONE, UNIT_MILLI, UNIT_NANO, UNIT_STAMP };

#define LABEL_SETS(X) X(none) X(route) X(code) X(endpoint) X(layer) X(hit) X(outcome) X(cause) X(lane) \
	X(kind) X(family) X(store) X(drop) X(result) X(redis) X(flag) X(lost) X(trouble)
enum label_set {
#define X(set) LABELS_##set,
	LABEL_SETS(X)
#undef X
	LABEL_SET_COUNT
};
/* Index of each value inside its set, made in label.h. */

#define METRIC_BUCKETS_MAX 24	/* of one histogram, the one without a bound among them: bounds.def */
#define METRIC_CELLS   4096	/* of 8 bytes; that the tables fit is checked when compiling */
#define BOARD_SLOTS    544	/* 256 http workers with two seats each, and the rest */
#define BOARD_CHECKS   4
#define BOARD_TROUBLES 8

struct check_result {		/* a round trip somebody made; seqlock-free: fields are single words */
	int64_t		 checked_ns;	/* wall clock; 0: never */
	int64_t		 ok_ns;		/* last success, wall clock */
	int64_t		 failed_ns;	/* last failure, wall clock; 0: none */
	uint64_t	 response_us;	/* 0: it was not measured */
	int64_t		 error;		/* of the last one: E_OK or why it failed */
	char		 text[96];	/* of the last failure, also after a success */
};
/* What a process met that an operator should know of although it serves on: a kind for each label of `trouble`. */
struct trouble {
	int64_t		 at_ns;		/* the last time, wall clock; 0: never. Written last */
	char		 text[120];	/* what it was */
};
/* So long after the last time it counts as present: one look a minute sees it. */
#define TROUBLE_RECENT_NS (INT64_C(60) * 1000000000)

enum check_name { CHECK_DATABASE, CHECK_CACHE, CHECK_EXTERNAL_API };

#define CRASH_FRAMES 48

/* What a process wrote about its own death, from inside the signal's handler. `signal` is written last. */
struct crash_note {
	int32_t		 signal;		/* 0: it wrote nothing */
	int32_t		 code;			/* si_code */
	uint64_t	 address;		/* si_addr */
	int64_t		 at_ns;			/* wall */
	uint64_t	 instruction;		/* where it happened */
	uint32_t	 thread;		/* kernel's number */
	uint32_t	 frames;
	struct {
		uint64_t address;		/* innermost first */
		uint64_t offset;		/* in the file of its module */
		char	 module[40];		/* "libc.so.6" */
	} frame[CRASH_FRAMES];
};

/* A slot is what people name: http-0. It has one seat, or two where a successor starts before the predecessor
 * ends; each seat has a page of its own, because a page has one writer. What is shown of a slot is the sum of its
 * pages' cells, and the fields of the current seat's. */
struct slot_page {
	/* the master's; a worker gone mad can write here, so the master reads it back for display only, bounded */
	char		 slot[SLOT_NAME];	/* of the seat: "http-0", "http-0.1" */
	char		 label[SLOT_NAME];	/* of the slot: "http-0" */
	uint32_t	 role;
	uint32_t	 in_use;
	uint32_t	 twin;			/* index of the other seat's page + 1; 0: there is none */
	uint32_t	 current;		/* 1: this seat is the slot's; the other one is a successor or drains */
	char		 state[16];		/* name of slot_states.def */
	int32_t		 pid;			/* 0: none */
	uint32_t	 generation;
	int64_t		 spawned_ns;		/* wall */
	int64_t		 ready_ns;		/* wall; 0 while not ready */
	uint64_t	 restarts;		/* processes that died unasked */
	char		 last_exit[96];		/* "signal 9 (Killed)", "" when it never ended */
	int64_t		 last_exit_ns;		/* wall */
	int64_t		 failed_ns;		/* wall: since when it dies too often; 0: it does not */
	/* the worker's */
	int64_t		 heartbeat_ns;		/* wall, for display */
	uint64_t	 beats;			/* turns of the heartbeat timer: what hang detection looks at */
	uint64_t	 patience_ms;		/* it says: so long it may wait for a disk; 0: as configured */
	char		 doing[192];		/* the request or job in hand, or the last one; "" none yet */
	int64_t		 doing_ns;		/* wall, when that began */
	uint32_t	 doing_on;		/* 1: still in hand */
	char		 build_id[44];		/* of the executable, hex */
	char		 executable[256];	/* its path */
	uint64_t	 image_base, image_end;	/* where it is loaded: a frame minus image_base is in the file */
	struct crash_note crash;
	struct log_ring	 log;			/* its last lines */
	struct check_result checks[BOARD_CHECKS];
	struct trouble	 troubles[BOARD_TROUBLES];	/* they outlive the process that met them */
	char		 note[128];		/* what a reader should know: "breaker of stock open" */
	uint64_t	 used[METRIC_CELLS / 64];	/* a bit for each cell that was ever other than 0 */
	uint64_t	 cells[METRIC_CELLS];
} __attribute__((aligned(4096)));

/* Whose page is whose. Workers can read this and not write it, unlike the names on their pages. */
struct seat_id {
	char		 seat[SLOT_NAME];	/* "http-0.1" */
	char		 label[SLOT_NAME];	/* "http-0": seats of one label are one slot */
	uint32_t	 role;
	uint32_t	 retired;		/* 1: not wanted any more, and without a process */
};

#define BOARD_CRASHES 8

struct crash_line {		/* of a crash report, the master's; "opitios-ctl crashes ID" has all of it */
	uint32_t	 id;		/* 0: none; written last */
	int64_t		 at_ns;		/* wall */
	int32_t		 pid;
	char		 slot[SLOT_NAME];
	char		 cause[96];	/* why, in words of the report */
	char		 ended[96];	/* "signal 11 (Segmentation fault)" */
};

struct board {
	uint64_t	 magic;
	uint64_t	 layout;		/* hash of the tables: a stranger does not attach */
	uint32_t	 slot_count;		/* pages in use, from 0; never shrinks */
	uint32_t	 stopping;		/* drain began: not ready any more */
	int64_t		 started_ns;		/* wall */
	int64_t		 all_ready_ns;		/* wall; 0 until every required slot was ready once */
	char		 version[32];
	char		 environment[64];
	char		 upstream[256];		/* data URL without credentials */
	char		 http_address[64];	/* as bound */
	char		 admin_address[64];	/* as bound; "" when there is none */
	uint64_t	 generation;		/* of the configuration that serves */
	struct crash_line crashes[BOARD_CRASHES]; /* report number id stands at id % BOARD_CRASHES */
	struct seat_id	 seats[BOARD_SLOTS];	/* of the pages, by index */
	struct slot_page slots[BOARD_SLOTS];
} __attribute__((aligned(4096)));

/* What a process holds of it. */
struct stats {
	struct slot_page	*mine;		/* null in a process without a page: metric_* do nothing */
	const struct board	*all;
};

/* Master: a new board, fatal when the system refuses; *fd_rw and *fd_ro (close-on-exec) are for the workers. */
struct board	*board_create(int *fd_rw, int *fd_ro);
/* Master: the board that another image of this process made. E_VERSION when it is laid out otherwise, E_SYSTEM. */
int		 board_adopt(int fd_rw, struct board **) MUST_CHECK;
/* What two programs must agree on before one reads what the other wrote: a hash of the tables. */
uint64_t	 board_layout(void);
/* The page of a slot, made at the first call; null when all are taken. */
struct slot_page *board_slot(struct board *, const char *slot, enum role);
/* A process of this slot is gone: gauges, heartbeat and note to zero. Not while it may still write. */
void		 board_slot_clear(struct slot_page *);
/* Worker: maps its own page writable and the whole read-only; closes both. E_VERSION, E_ABSENT, E_SYSTEM. */
int		 board_attach(int fd_rw, int fd_ro, const char *slot, struct stats *) MUST_CHECK;

/* l1, l2: label indices, 0 where the row has none. Out of range, or of another kind, is a bug: panics. A gauge
 * may be added to as well, with wrap-around: (uint64_t)-1 takes one away. */
void		 metric_add(struct stats *, enum metric, unsigned l1, unsigned l2, uint64_t n);
void		 metric_set(struct stats *, enum metric, unsigned l1, unsigned l2, uint64_t v);
/* In the unit of its bounds: ns, or how many. */
void		 metric_observe(struct stats *, enum metric, unsigned l1, int64_t value);
void		 metric_observe_many(struct stats *, enum metric, unsigned l1, int64_t value, uint64_t times);
/* Of a histogram: how many observations. */
uint64_t	 metric_read(const struct slot_page *, enum metric, unsigned l1, unsigned l2);
uint64_t	 metric_sum(const struct board *, enum metric);	/* over all slots and labels */
uint64_t	 metric_total(const struct slot_page *, enum metric);	/* of one page, over all labels */
/* Adds the buckets of a histogram, not cumulative, over all labels. */
void		 metric_buckets_add(const struct slot_page *, enum metric, uint64_t to[METRIC_BUCKETS_MAX]);
unsigned	 metric_bucket_count(enum metric);	/* of a histogram */
/* Upper bound of a bucket in the unit of its cells; the last one has none: INT64_MAX. */
int64_t		 metric_bucket_bound(enum metric, unsigned bucket);

/* A slot as people see it, with one seat or two. */
struct slot_view {
	const struct slot_page	*current;
	const struct slot_page	*other;		/* a successor or a predecessor; null: the slot has one seat */
	enum role		 role;
	const char		*label;
	bool			 retired;	/* scaled away: only its numbers count */
};
/* The slots of a board, in the order of their first pages; returns how many. Whatever is on the pages, names and
 * pairs are the master's. */
size_t		 board_view(const struct board *, struct slot_view[BOARD_SLOTS]);
bool		 slot_page_is_ready(const struct slot_page *);
bool		 slot_view_is_ready(const struct slot_view *);	/* its current seat */

/* What is in hand from now on, for whoever has to explain a hang or a crash: the words one after another. Never a
 * secret: paths without queries, symbols, numbers. */
void		 stats_doing(struct stats *, const char *, const char *, const char *);
void		 stats_done(struct stats *);	/* the text stays, as the last one */
/* For so long the loop may wait for a disk without being taken for one that hangs; 0: as configured. Around what is
 * long but under control, such as a commit. */
void		 stats_patience(struct stats *, int64_t ms);

/* A trouble was met, of this index of LABELS_trouble: counted, and told by health for a while. Log it where it is news.
 * The text may be cut. Never a secret. */
void		 trouble_note(struct stats *, unsigned trouble, const char *fmt, ...) PRINTF_LIKE(3, 4);
bool		 trouble_is_recent(const struct trouble *, int64_t now_ns);
/* A level that is nearly reached: 19 parts of 20 of a limit. 0: there is no limit. */
bool		 trouble_is_near(uint64_t used, uint64_t limit);

/* What a process used, onto its page; for its own use, by a timer: a few files of /proc are read. */
struct usage {
	uint64_t	cpu_ns;		/* counted so far */
	unsigned	turn;
	bool		near_fds, near_memory;	/* at the last look: near its limit */
};
void		 usage_look(struct usage *, struct stats *);

/* The whole board, as Prometheus text 0.0.4 or OpenMetrics 1.0.0. */
enum metric_format { METRIC_TEXT, METRIC_OPENMETRICS };
int		 metric_expose_as(const struct board *, enum metric_format, struct buf *) MUST_CHECK;
int		 metric_expose(const struct board *, struct buf *) MUST_CHECK;	/* as text */
/* What a header Accept asks for; null and whatever is not understood is text. */
enum metric_format metric_format_wanted(const char *accept);
const char	*metric_format_type(enum metric_format);	/* for Content-Type */
/* The reference of every metric, as Markdown rows. */
int		 metric_reference(struct buf *) MUST_CHECK;

/* Labels. label_index finds a text in a set, -1 when it is not there. */
unsigned	 label_count(enum label_set);
const char	*label_text(enum label_set, unsigned index);
int		 label_index(enum label_set, const char *);

/* Of a round trip that was made now. `text` says why it failed; it is kept until the next failure. */
void		 check_store(struct stats *, enum check_name, int error, int64_t response_ns, const char *text);

#endif /* METRIC_H */
