/* metrics_route.c - /metrics: the statistics of every worker, whoever of them is asked. */
#include "http_worker.h"

void
route_metrics(struct visit *c)
{
	struct fault fault = { .code = E_INTERNAL_SERVICE_ERROR };
	const struct board *board = c->worker->proc->stats.all;
	enum metric_format format;
	struct buf out;

	format = metric_format_wanted(http_header(c->asker.request, "accept"));
	buf_init(&out, ANSWER_BYTES_MAX);
	if (board != NULL && metric_expose_as(board, format, &out) == E_OK)
		answer_plain(&c->asker, 200, metric_format_type(format), buf_data(&out),
		    buf_len(&out), "Vary: Accept\r\n");
	else
		answer_fault(&c->asker, &fault);
	buf_fini(&out);
}
