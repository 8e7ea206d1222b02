/* health.h - whether this gateway can do its work: facts, rules, and the answers that tell.
 *
 *   in this order, the first that holds decides the word; every one that holds is told as a reason
 *
 *   rule                                                       code                word       ready
 *   the gateway is stopping                                    stopping            unhealthy  no
 *   no fetcher has ever been ready since the gateway started   starting            unhealthy  no
 *   the fetcher has failed: its processes die too often        fetcher_failed      unhealthy  no
 *   the cache-writer has failed                                cache_writer_failed unhealthy  no
 *   every http worker has failed or is not ready               http_not_ready      unhealthy  no
 *   the fetcher is not ready                                   fetcher_not_ready   degraded
 *   a worker has failed                                        worker_failed       degraded
 *   a worker that has to run is not ready                      worker_not_ready    degraded
 *   external_api failed last time                              upstream_fails      degraded
 *   external_api was not tried yet, or not for three periods   upstream_unknown    degraded
 *   database failed last time                                  store_fails         degraded
 *   database was not tried yet, or not for three periods       store_unknown       degraded
 *   cache failed                                               cache_fails         degraded
 *   none of these                                                                  healthy    yes
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

struct health_facts {
	bool	stopping;
	bool	fetcher_ever_ready;
	bool	fetcher_ready;
	bool	fetcher_failed, writer_failed, http_down;
	bool	any_failed;
	bool	all_ready;
	enum check_state external_api, database, cache;
};

void	health_gather(const struct board *, const struct health_own *, int64_t now_ns, struct health_facts *);

struct health_reason {
	const char	*code;		/* for programs */
	const char	*text;		/* for people */
	enum health	 health;
	bool		 unready;	/* /readyz says no */
};
#define HEALTH_REASONS_MAX 16
/* The word; the reasons are static, *count of them. */
enum health health_judge(const struct health_facts *, const struct health_reason *reasons[HEALTH_REASONS_MAX],
		size_t *count);

enum health_page { HEALTH_SHORT, HEALTH_DETAILED, HEALTH_LIVE, HEALTH_READY, HEALTH_STARTUP };
/* Appends the body of an answer, JSON; returns its status: 200, 503, or 500 when the buffer's limit was reached. */
int	health_answer(enum health_page, const struct board *, const struct health_own *, struct buf *);

/* Processor time in seconds and memory in bytes; NaN when there is no such process. */
void	process_read(pid_t, double *cpu, double *rss);

#endif /* HEALTH_H */
