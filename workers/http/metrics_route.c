/* metrics_route.c - /metrics: the statistics of every worker, whoever of them is asked. */
#include "http_worker.h"

void
route_metrics(struct visit *c)
{
	struct fault fault = { .code = E_INTERNAL_SERVICE_ERROR };
	struct buf out;

	buf_init(&out, ANSWER_BYTES_MAX);
	if (c->worker->proc->stats.all != NULL &&
	    metric_expose(c->worker->proc->stats.all, &out) == E_OK)
		answer_plain(&c->asker, 200, "text/plain; version=0.0.4", buf_data(&out),
		    buf_len(&out), NULL);
	else
		answer_fault(&c->asker, &fault);
	buf_fini(&out);
}
