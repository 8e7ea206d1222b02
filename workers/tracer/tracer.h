/* tracer.h - the process that sends spans to a collector. Room header. */
#ifndef TRACER_H
#define TRACER_H
#include "buf.h"
#include "conf.h"
#include "metric.h"
#include "msg.h"
#include "proc.h"

/* pairs.c: name=value,name=value with values percent-encoded, as OpenTelemetry's environment has it. */
struct pair {
	const char *name, *value;
};
/* Takes the list apart in place. E_CONFIG: a member is none, or they are more than `max`. */
int	pairs_read(char *list, struct pair *out, size_t max, size_t *count) MUST_CHECK;

/* otlp.c: protobuf, as opentelemetry-proto's trace.proto, resource.proto and trace_service.proto have it. */
#define OTLP_ATTRIBUTES_MAX 64
/* One Span. */
int	otlp_span(struct buf *, const struct msg_span *, const char *slot) MUST_CHECK;
/* The Resource that all spans share. */
int	otlp_resource(struct buf *, const struct pair *attributes, size_t count) MUST_CHECK;
/* A field of bytes that goes before them: tag and length. */
int	otlp_bytes(struct buf *, unsigned field, const void *, size_t) MUST_CHECK;
/* ExportTraceServiceRequest of one Resource and of Span fields, as otlp_bytes(.., OTLP_SPANS, ..) wrote them. */
#define OTLP_SPANS 2
int	otlp_request(struct buf *, const struct buf *resource, const struct buf *spans) MUST_CHECK;

/* otlp_answer.c: spans an ExportTraceServiceResponse says it did not take; 0 also for what is none. */
uint64_t	otlp_rejected(const uint8_t *, size_t);

/* pack.c: appends the body as gzip. E_FULL: it passes the limit. */
int	pack_gzip(const struct buf *body, struct buf *out) MUST_CHECK;

/* queue.c: spans that wait, encoded. */
struct queue {
	struct queued {
		uint8_t	*bytes;
		size_t	 len;
	} *at;
	size_t	 first, count, max;
};
void	queue_init(struct queue *, size_t max);
void	queue_fini(struct queue *);
/* False: it is full. Copies. */
bool	queue_add(struct queue *, const void *, size_t);
/* Moves up to `most` of them into a buffer of Span fields; how many. */
size_t	queue_take(struct queue *, size_t most, struct buf *);

/* export.c: one request to the collector at a time, by libcurl on the loop. */
struct exporter;
struct exporter_ends {
	/* E_OK: taken but for `rejected`; E_UPSTREAM_SERVICE_ERROR: try again, not before `retry_ms` (0: nothing said); another: never. */
	void	(*done)(int result, int64_t retry_ms, uint64_t rejected, const char *why,
		    void *owner);
	void	*owner;
};
/* Bodies are gzip where trace.compression says so: it tells, and does not pack. */
struct exporter	*exporter_new(struct loop *, const struct conf *, const struct exporter_ends *);
void		 exporter_free(struct exporter **);	/* without `done` */
/* `body` is borrowed until `done`, which is never called from within. */
void		 exporter_send(struct exporter *, const struct buf *body, int64_t timeout_ms);

#endif /* TRACER_H */
