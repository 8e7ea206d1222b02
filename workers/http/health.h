/* health.h - whether this gateway can do its work: facts and rules. Room header.
 *
 *   in this order, the first that holds decides the word; every one that holds is told as a reason
 *
 *   rule                                                       word
 *   the gateway is stopping                                    unhealthy
 *   no fetcher has ever been ready since the gateway started   unhealthy
 *   the fetcher is not ready                                   degraded
 *   a worker that has to run is not ready                      degraded
 *   external_api failed last time                              degraded
 *   external_api was not tried yet, or not for three periods   degraded
 *   database failed last time                                  degraded
 *   database was not tried yet, or not for three periods       degraded
 *   cache failed                                               degraded
 *   none of these                                              healthy
 *
 * unhealthy is answered with 503, the others with 200: a failing upstream is no reason to
 * replace a gateway that still serves what it holds.
 */
#ifndef HEALTH_H
#define HEALTH_H
#include <stdbool.h>
#include <stdint.h>

#include "json_write.h"
#include "metric.h"

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

struct health_facts {
	bool	stopping;
	bool	fetcher_ever_ready;
	bool	fetcher_ready;
	bool	all_ready;
	enum check_state external_api, database, cache;
};

/* What the board says, for a gateway whose own cache check came out as given. */
void	health_gather(const struct board *, bool fetcher_was_ready, int cache_error, int64_t now_ns,
	    struct health_facts *);

#define HEALTH_REASONS_MAX 12
/* The word; the reasons are static texts, *count of them. */
enum health health_judge(const struct health_facts *, const char *reasons[HEALTH_REASONS_MAX],
		size_t *count);

/* First page of a role, null when there is none. */
const struct slot_page *board_first(const struct board *, enum role);
bool	slot_is_ready(const struct slot_page *);

/* Members `system`: uptime, memory, cpu, disk. What the kernel does not tell is null. */
void	system_render(struct json *, const struct board *, const char *state_dir, int64_t now_ns);

#endif /* HEALTH_H */
