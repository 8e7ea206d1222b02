/* health.h - whether this gateway can do its work: facts, rules, and the answers that tell.
 *
 * The rule is tables/health.def: in its order the first row that holds decides the word, and every one that holds is told.
 *
 * unhealthy is answered with 503, the others with 200: a failing upstream is no reason to
 * replace a gateway that still serves what it holds. All is read off the board when it is asked, by
 * an http worker as by the master; nothing is remembered and nothing waited for.
 */
#ifndef HEALTH_H
#define HEALTH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "buf.h"
#include "metric.h"

#define SERVICE_NAME "opitios-alpaca"

enum health { HEALTHY, DEGRADED, UNHEALTHY };
const char	*health_name(enum health);

/* Of one check. UNKNOWN: never made, or too long ago to say anything. */
enum check_state { CHECK_STATE_HEALTHY, CHECK_STATE_UNHEALTHY, CHECK_STATE_UNKNOWN };
const char	*check_state_name(enum check_state);

/* The fetcher tries the upstream at least once a minute, the cache-writer its store several
 * times. */
#define HEALTH_PERIOD_NS (INT64_C(60) * 1000000000)
#define HEALTH_TOO_OLD_NS (3 * HEALTH_PERIOD_NS)

enum check_state health_check_state(const struct check_result *, int64_t now_ns);

/* What the asking process knows itself. */
struct health_own {
	bool	fetcher_was_ready;		/* it met a fetcher, whatever the board says */
	const struct check_result *cache;	/* of its own cache; null: the last one of an http worker counts */
	const char *state_dir;
};

/* Both must hold: 5 % of a large disk is no shortage, and less than 1 GiB is all that a small one has. */
static inline bool
health_disk_is_low(uint64_t all, uint64_t left)
{
	return all > 0 && left < (UINT64_C(1) << 30) && left < all / 20;
}

struct health_facts {
	bool	stopping;
	bool	fetcher_ever_ready;
	bool	fetcher_ready;
	bool	fetcher_failed, writer_failed, http_down;
	bool	any_failed;
	bool	all_ready;
	enum check_state external_api, database, cache;
	bool	breaker_open;			/* of a family that somebody asks for */
	bool	journal_blocked;
	bool	disk_low;			/* of the state directory, where it is known */
	struct health_trouble {			/* the newest of each kind that is recent */
		char		slot[SLOT_NAME];	/* who met it; "": nobody */
		char		text[sizeof(((struct trouble *)0)->text)];
		int64_t		at_ns;
		unsigned	others;		/* processes that met the like */
	} troubles[BOARD_TROUBLES];
};

void	health_gather(const struct board *, const struct health_own *, int64_t now_ns, struct health_facts *);

struct health_reason {
	const char	*code;		/* for programs */
	const char	*text;		/* for people */
	enum health	 health;
	bool		 unready;	/* /readyz says no */
	int		 trouble;	/* index of LABELS_trouble when it is about one, else -1 */
};
#define HEALTH_REASONS_MAX 32
#define HEALTH_REASON_TEXT 448
/* A reason in full: whom it is about and what was met, where the facts say so. */
const char	*health_reason_text(const struct health_facts *, const struct health_reason *, char out[HEALTH_REASON_TEXT]);

/* Of a control group: what holds the processes in, the least of its own and its ancestors'. 0: none, or not told. */
struct cgroup_limits {
	uint64_t	memory_bytes;
	uint64_t	memory_used_bytes;	/* of the group itself */
	uint64_t	memory_file_bytes;	/* of these: pages of files that are in use */
	uint64_t	cpu_milli;		/* thousandths of a processor */
	uint64_t	throttled_ns;		/* so long the group had to wait for its quota, in all */
};
/* v2 and v1. The paths are /proc/self/cgroup and /sys/fs/cgroup but in tests. */
void	cgroup_read(const char *self_cgroup, const char *mount, struct cgroup_limits *);

/* Near its limit of memory: a trouble of who asks. */
void	cgroup_note(struct stats *, const struct cgroup_limits *);

/* The master's look at machine and control group, once a second, onto its page: whoever answers reads it there. */
struct system_look {
	uint64_t	busy, all;		/* ticks of the machine's processors, at the last look */
	uint64_t	throttled_ns;
};
void	system_look(struct system_look *, struct stats *);
/* The word; the reasons are static, *count of them. */
enum health health_judge(const struct health_facts *, const struct health_reason *reasons[HEALTH_REASONS_MAX],
		size_t *count);

enum health_page { HEALTH_SHORT, HEALTH_DETAILED, HEALTH_LIVE, HEALTH_READY, HEALTH_STARTUP };
/* Appends the body of an answer, JSON; returns its status: 200, 503, or 500 when the buffer's limit was reached. */
int	health_answer(enum health_page, const struct board *, const struct health_own *, struct buf *);

/* Processor time in seconds and memory in bytes; NaN when there is no such process. */
void	process_read(pid_t, double *cpu, double *rss);

#endif /* HEALTH_H */
