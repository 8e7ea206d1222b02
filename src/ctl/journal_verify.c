/* journal_verify.c - opitios-ctl journal verify: every record and its checksum, and a line for all that is wrong. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "conf.h"
#include "ctl_room.h"
#include "journal_scan.h"
#include "json_write.h"
#include "mem.h"
#include "text.h"

#define VERIFY_LINES  1000 /* about damage, of one journal; then a count */
#define VERIFY_EVERY  4096 /* items between looks at the progress */
#define VERIFY_LINE   8192
#define VERIFY_ERRORS 100 /* segments that cannot be read */

struct verify {
	const struct ctl_options *options;
	const char *source;
	uint64_t expected; /* bytes, when we began */
	uint64_t of_type[MSG_TYPE_MAX];
	uint64_t segments, records, unknown, gaps, missing, damages, bad_bytes, newer, steps, torn;
	uint64_t first, last;
	int64_t first_ns, last_ns;
	uint64_t lines;
	struct progress progress;
};

static const char *
kind_name(enum scan_kind kind)
{
	static const char *const names[] = { "segment", "record", "unknown", "gap", "step",
		"damage", "torn", "newer", "end" };

	return names[kind];
}

void
scan_print(const struct scan_item *i, char *out, size_t size)
{
	switch (i->kind) {
	case SCAN_UNKNOWN:
		(void)snprintf(out, size,
		    "record %" PRIu64 " is of type %u version %u, which this program does not "
		    "know: run the newer program",
		    i->sequence, i->type, i->version);
		break;
	case SCAN_GAP:
		(void)snprintf(out, size,
		    "%" PRIu64 " record(s) behind sequence %" PRIu64
		    " are missing, it goes on at %" PRIu64,
		    i->count, i->after, i->sequence);
		break;
	case SCAN_DAMAGE:
	case SCAN_TORN:
		(void)snprintf(out, size,
		    "segment %" PRIu64 ": %s%" PRIu64 " bytes at %" PRIu64 ": %s", i->segment,
		    i->kind == SCAN_TORN ? "torn end, " : "", i->bytes, i->offset, i->why);
		break;
	case SCAN_NEWER:
		(void)snprintf(out, size,
		    "segment %" PRIu64 " is of a newer format than this program knows: run the "
		    "newer program",
		    i->segment);
		break;
	case SCAN_STEP:
		(void)snprintf(out, size,
		    "sequences go on at %" PRIu64 " after %" PRIu64 ", on purpose", i->sequence,
		    i->after);
		break;
	case SCAN_SEGMENT:
	case SCAN_RECORD:
	case SCAN_END:
		(void)snprintf(out, size, "%s", kind_name(i->kind));
		break;
	}
}

static void
json_line(struct json *j, struct buf *line)
{
	json_object_close(j);
	if (json_end(j) == E_OK)
		(void)printf("%.*s\n", (int)buf_len(line), (const char *)buf_data(line));
	buf_fini(line);
}

static void
finding_json(const struct verify *v, const struct scan_item *i, const char *text)
{
	struct json j;
	struct buf line;

	buf_init(&line, VERIFY_LINE);
	json_begin(&j, &line);
	json_object_open(&j, NULL);
	json_text(&j, "journal", v->source);
	json_text(&j, "finding", kind_name(i->kind));
	json_u64(&j, "segment", i->segment);
	json_u64(&j, "offset", i->offset);
	json_u64(&j, "bytes", i->bytes);
	json_u64(&j, "after", i->after);
	json_u64(&j, "sequence", i->sequence);
	json_u64(&j, "missing", i->count);
	json_text(&j, "text", text);
	json_line(&j, &line);
}

/* A line for each, up to a bound: a hostile file may hold millions. */
static void
finding_print(struct verify *v, const struct scan_item *i)
{
	char text[CTL_LINE];

	if (v->lines++ >= VERIFY_LINES)
		return;
	progress_clear(&v->progress);
	scan_print(i, text, sizeof(text));
	if (v->options->json)
		finding_json(v, i, text);
	else
		(void)printf("%s: %s\n", v->source, text);
}

static void
record_count(struct verify *v, const struct scan_item *i)
{
	v->records++;
	if (i->type < MSG_TYPE_MAX)
		v->of_type[i->type]++;
	if (v->first == 0) {
		v->first = i->sequence;
		v->first_ns = i->appended_ns;
	}
	v->last = i->sequence;
	v->last_ns = i->appended_ns;
}

static void
item_count(struct verify *v, const struct scan_item *i)
{
	switch (i->kind) {
	case SCAN_SEGMENT:
		v->segments++;
		return;
	case SCAN_RECORD:
		record_count(v, i);
		return;
	case SCAN_END:
		return;
	case SCAN_STEP:
		v->steps++;
		break;
	case SCAN_UNKNOWN:
		v->unknown++;
		break;
	case SCAN_GAP:
		v->gaps++;
		v->missing += i->count;
		break;
	case SCAN_DAMAGE:
		v->damages++;
		v->bad_bytes += i->bytes;
		break;
	case SCAN_TORN:
		v->torn++;
		break;
	case SCAN_NEWER:
		v->newer++;
		break;
	}
	finding_print(v, i);
}

static void
progress_draw(struct verify *v, const struct journal_scan *scan)
{
	uint64_t done = journal_scan_bytes(scan);
	double share = v->expected > 0 ? (double)done / (double)v->expected : NAN;
	char a[FORMAT_TEXT], b[FORMAT_TEXT], c[FORMAT_TEXT];

	progress_show(&v->progress, share < 1 ? share : 1,
	    "%s: %s of %s, %" PRIu64 " records, %s left", v->source, format_bytes((double)done, a),
	    format_bytes((double)v->expected, b), v->records,
	    format_age(progress_left(&v->progress, share), c));
}

static int
verify_scan(struct verify *v, struct journal_scan *scan)
{
	struct scan_item item = { .kind = SCAN_SEGMENT };
	uint64_t errors = 0;

	for (uint64_t n = 1; item.kind != SCAN_END; n++) {
		if (journal_scan_next(scan, &item) != E_OK) {
			item.kind = SCAN_SEGMENT;
			progress_clear(&v->progress);
			(void)local_fail(v->options, EXIT_WITH_INPUT,
			    "journal %s: a segment cannot be read: %s", v->source, strerror(errno));
			if (++errors == VERIFY_ERRORS)
				break;
			continue;
		}
		item_count(v, &item);
		if (n % VERIFY_EVERY == 0)
			progress_draw(v, scan);
	}
	progress_clear(&v->progress);
	return errors > 0 ? EXIT_WITH_INPUT : EXIT_WITH_OK;
}

static void
sum_json(const struct verify *v, uint64_t bytes, bool good)
{
	struct json j;
	struct buf line;

	buf_init(&line, VERIFY_LINE);
	json_begin(&j, &line);
	json_object_open(&j, NULL);
	json_text(&j, "journal", v->source);
	json_bool(&j, "good", good);
	json_u64(&j, "segments", v->segments);
	json_u64(&j, "bytes", bytes);
	json_u64(&j, "records", v->records);
	json_u64(&j, "first", v->first);
	json_u64(&j, "last", v->last);
	json_time(&j, "first_time", v->first_ns);
	json_time(&j, "last_time", v->last_ns);
	json_object_open(&j, "types");
	for (unsigned t = 0; t < MSG_TYPE_MAX; t++)
		if (v->of_type[t] > 0)
			json_u64(&j, msg_desc(t)->name, v->of_type[t]);
	json_object_close(&j);
	json_u64(&j, "gaps", v->gaps);
	json_u64(&j, "missing", v->missing);
	json_u64(&j, "damages", v->damages);
	json_u64(&j, "bad_bytes", v->bad_bytes);
	json_u64(&j, "unknown_records", v->unknown);
	json_u64(&j, "newer_segments", v->newer);
	json_u64(&j, "steps", v->steps);
	json_u64(&j, "torn_ends", v->torn);
	json_line(&j, &line);
}

static void
sum_print(const struct verify *v, uint64_t bytes, bool good)
{
	char text[FORMAT_TEXT];
	const char *lead = ": ";

	if (v->lines > VERIFY_LINES)
		(void)printf("%s: %" PRIu64 " more lines of this kind\n", v->source,
		    v->lines - VERIFY_LINES);
	(void)printf("%s: %s: %" PRIu64 " records, %" PRIu64 " segments, %s", v->source,
	    good ? "good" : "DAMAGED", v->records, v->segments, format_bytes((double)bytes, text));
	for (unsigned t = 0; t < MSG_TYPE_MAX; t++)
		if (v->of_type[t] > 0) {
			(void)printf("%s%s %" PRIu64, lead, msg_desc(t)->name, v->of_type[t]);
			lead = ", ";
		}
	(void)printf("; %" PRIu64 " gaps (%" PRIu64 " records), %" PRIu64 " damages (%" PRIu64
		     " bytes), %" PRIu64 " of an unknown version\n",
	    v->gaps, v->missing, v->damages, v->bad_bytes, v->unknown + v->newer);
}

static int
verify_source(const struct ctl_options *o, const char *state_dir, const char *source)
{
	struct verify v = { .options = o, .source = source };
	struct scan_from from = { 0 };
	struct segment_info *infos;
	struct journal_scan *scan;
	struct survey_sum sum;
	uint64_t bytes;
	size_t count;
	bool good;
	int code;

	if (journal_survey(state_dir, source, &infos, &count) != E_OK ||
	    journal_scan_open(&scan, state_dir, source, &from) != E_OK)
		return local_fail(o, EXIT_WITH_INPUT, "%.300s/journal/%s: %s", state_dir, source,
		    strerror(errno));
	survey_add_up(infos, count, &sum);
	mem_free(&infos);
	v.expected = sum.bytes;
	progress_begin(&v.progress);
	code = verify_scan(&v, scan);
	bytes = journal_scan_bytes(scan);
	journal_scan_close(&scan);
	good = code == EXIT_WITH_OK && v.gaps + v.damages + v.unknown + v.newer == 0;
	if (o->json)
		sum_json(&v, bytes, good);
	else
		sum_print(&v, bytes, good);
	if (v.gaps + v.damages > 0)
		return EXIT_WITH_DAMAGED;
	return good ? EXIT_WITH_OK : EXIT_WITH_INPUT;
}

int
journal_verify(const struct ctl_options *o, const struct conf *conf, const char *source)
{
	char(*names)[JOURNAL_SOURCE];
	int code = EXIT_WITH_OK, one;
	size_t count;

	if (source != NULL)
		return verify_source(o, conf->state_dir, source);
	if (journal_sources(conf->state_dir, &names, &count) != E_OK)
		return local_fail(
		    o, EXIT_WITH_INPUT, "%.300s/journal: %s", conf->state_dir, strerror(errno));
	for (size_t i = 0; i < count; i++) {
		one = verify_source(o, conf->state_dir, names[i]);
		if (code != EXIT_WITH_DAMAGED && one != EXIT_WITH_OK)
			code = one;
	}
	if (count == 0 && !o->json)
		(void)printf("no journals in %s/journal\n", conf->state_dir);
	mem_free(&names);
	return code;
}
