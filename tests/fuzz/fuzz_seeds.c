/* fuzz_seeds.c - writes the seeds of the fuzz targets from the message table: fuzz_seeds FOLDER. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "msg.h"
#include "sample.h"

static void
write_seed(const char *folder, const char *target, const char *name, const void *data, size_t len)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/%s", folder, target, name);
	f = fopen(path, "wb");
	if (f == NULL || fwrite(data, 1, len, f) != len || fclose(f) != 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
}

static void
make_folder(const char *folder, const char *target)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s%s%s", folder, target ? "/" : "", target ? target : "");
	if (mkdir(path, 0777) != 0 && errno != EEXIST) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
}

/* One byte that chooses how the stream is cut, a head, the messages. */
static void
write_frame(const char *folder, const char *name, const struct buf *messages, uint32_t flags)
{
	uint32_t head = htonl((uint32_t)buf_len(messages) | flags);
	struct buf b;

	buf_init(&b, 1 << 20);
	must_hold(buf_add(&b, "\x03", 1) == E_OK && buf_add(&b, &head, 4) == E_OK);
	must_hold(buf_add(&b, buf_data(messages), buf_len(messages)) == E_OK);
	write_seed(folder, "fuzz_frame", name, buf_data(&b), buf_len(&b));
	buf_fini(&b);
}

static void
write_row(const char *folder, const struct msg_desc *d, struct buf *all)
{
	static const char *const names[] = { "plain", "least", "most", "random" };
	uint64_t seed = 1 + (uint64_t)d->type;
	union msg_any message;
	char name[128];
	struct buf b;
	int style;

	for (style = SAMPLE_PLAIN; style <= SAMPLE_RANDOM; style++) {
		sample_fill(d, (enum sample_style)style, &seed, &message);
		buf_init(&b, 1 << 20);
		must_hold(msg_encode(d->type, &message, &b) == E_OK);
		must_hold(buf_add(all, buf_data(&b), buf_len(&b)) == E_OK);
		snprintf(name, sizeof(name), "%s-%s", d->name, names[style]);
		write_seed(folder, "fuzz_unpack", name, buf_data(&b), buf_len(&b));
		write_frame(folder, name, &b, style == SAMPLE_LEAST ? 0x80000000U : 0);
		buf_fini(&b);
	}
}

#define WRITE_BYTES(name, text) write_seed(folder, "fuzz_unpack", (name), (text), sizeof(text) - 1)

/* What no row of the table looks like. */
static void
write_oddities(const char *folder)
{
	WRITE_BYTES("array32-bomb", "\xdd\xff\x00\x00\x00");
	WRITE_BYTES("map32-bomb", "\xdf\xff\xff\xff\xff");
	WRITE_BYTES("deep", "\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\xc0");
	WRITE_BYTES("long-text", "\x93\x21\xdb\xff\xff\xff\xff");
	WRITE_BYTES("ext", "\x93\xc7\x01\x05x\xd8\x05"
			   "0123456789abcdef"
			   "\x81\xc4\x01x\xca\x00\x00\x00\x00");
	WRITE_BYTES("wide", "\xdd\x00\x00\x00\x02\xcf\x00\x00\x00\x00\x00\x00\x00\x25\xd3\x00\x00"
			    "\x00\x00\x00\x00\x00\x07");
}

int
main(int argc, char **argv)
{
	const struct msg_desc *d;
	struct buf all;
	unsigned type;

	if (argc != 2) {
		fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
		return 2;
	}
	make_folder(argv[1], NULL);
	make_folder(argv[1], "fuzz_unpack");
	make_folder(argv[1], "fuzz_frame");
	buf_init(&all, 1 << 20);
	for (type = 0; type < MSG_TYPE_MAX; type++)
		if ((d = msg_desc(type)) != NULL)
			write_row(argv[1], d, &all);
	write_frame(argv[1], "all-in-one", &all, 0);
	write_oddities(argv[1]);
	buf_fini(&all);
	return 0;
}
