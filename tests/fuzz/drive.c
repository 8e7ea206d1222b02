/* drive.c - runs a fuzz target where there is no libFuzzer: every seed, then mutations of them for a time.
 *
 * usage: <target> [-max_total_time=SECONDS] [-seed=N] [-runs=N] SEEDS_FOLDER
 * The options are libFuzzer's, so that both kinds of build are run by one command. The mutations depend on the seed
 * only; an input that breaks the target is left in ./crash-<target>.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define SEEDS_MAX 1024
#define INPUT_MAX (64 * 1024)

struct seed {
	uint8_t *data;
	size_t size;
};

/* A signal handler has nowhere else to look. */
static struct {
	uint8_t data[INPUT_MAX];
	size_t size;
	char crash[128];
} now;

static void
on_crash(int sig)
{
	int fd = open(now.crash, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	ssize_t n = fd >= 0 ? write(fd, now.data, now.size) : -1;

	(void)n;
	signal(sig, SIG_DFL);
	raise(sig);
}

static uint64_t
draw(uint64_t *state, uint64_t below)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (*state >> 11) % below;
}

static void
load_seed(const char *path, struct seed *s)
{
	FILE *f = fopen(path, "rb");

	s->data = malloc(INPUT_MAX);
	if (f == NULL || s->data == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(2);
	}
	s->size = fread(s->data, 1, INPUT_MAX, f);
	fclose(f);
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static size_t
load_folder(const char *folder, struct seed *seeds)
{
	struct dirent **names;
	char path[4096];
	struct stat st;
	size_t count = 0;
	int i, n;

	if ((n = scandir(folder, &names, NULL, by_name)) < 0) {
		fprintf(stderr, "%s: %s\n", folder, strerror(errno));
		exit(2);
	}
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
		if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && count < SEEDS_MAX)
			load_seed(path, &seeds[count++]);
		free(names[i]);
	}
	free(names);
	return count;
}

static void
insert(size_t at, const void *data, size_t len)
{
	if (now.size + len > INPUT_MAX)
		return;
	memmove(now.data + at + len, now.data + at, now.size - at);
	memcpy(now.data + at, data, len);
	now.size += len;
}

static void
mutate(uint64_t *state, const struct seed *other)
{
	static const char odd[][6] = { "\xdd\xff\0\0\0", "\xdf\xff\xff\xff\xff",
		"\xdb\xff\xff\xff\xff", "\xda\xff\xff", "\xd9\xff", "\xcb\x7f\xf8", "\xcf\x80",
		"\x9f", "\xc1", "\xc0", "\xff" };
	size_t at = now.size ? draw(state, now.size) : 0, len;
	uint8_t byte = (uint8_t)draw(state, 256);

	switch (draw(state, 6)) {
	case 0:
		if (now.size)
			now.data[at] ^= (uint8_t)(1 << draw(state, 8));
		break;
	case 1:
		if (now.size)
			now.data[at] = byte;
		break;
	case 2:
		insert(at, &byte, 1);
		break;
	case 3:
		len = draw(state, 8) + 1;
		len = len < now.size - at ? len : now.size - at;
		memmove(now.data + at, now.data + at + len, now.size - at - len);
		now.size -= len;
		break;
	case 4:
		insert(at, odd[draw(state, sizeof(odd) / sizeof(odd[0]))], 5);
		break;
	default:
		if (other->size) {
			len = draw(state, other->size) + 1;
			insert(at, other->data + other->size - len, len < 512 ? len : 512);
		}
	}
}

/* In memory of exactly its size, so that a sanitizer sees a read past the end. */
static void
run_once(void)
{
	uint8_t *copy = malloc(now.size ? now.size : 1);

	if (copy == NULL)
		abort();
	memcpy(copy, now.data, now.size);
	LLVMFuzzerTestOneInput(copy, now.size);
	free(copy);
}

static void
take_seed(const struct seed *s)
{
	memcpy(now.data, s->data, s->size);
	now.size = s->size;
}

static uint64_t
run_mutations(const struct seed *seeds, size_t count, uint64_t state, long seconds, uint64_t runs)
{
	time_t end = time(NULL) + seconds;
	uint64_t done = 0, i;

	while (done < runs && (done % 256 != 0 || time(NULL) < end)) {
		take_seed(&seeds[draw(&state, count)]);
		for (i = 1 + draw(&state, 6); i > 0; i--)
			mutate(&state, &seeds[draw(&state, count)]);
		run_once();
		done++;
	}
	return done;
}

int
main(int argc, char **argv)
{
	static struct seed seeds[SEEDS_MAX];
	const char *name = strrchr(argv[0], '/');
	unsigned long long state = 1, runs = UINT64_MAX;
	size_t count = 0, i;
	long seconds = 10;
	uint64_t done;

	name = name ? name + 1 : argv[0];
	snprintf(now.crash, sizeof(now.crash), "crash-%s", name);
	for (i = 1; i < (size_t)argc; i++)
		if (sscanf(argv[i], "-max_total_time=%ld", &seconds) != 1 &&
		    sscanf(argv[i], "-seed=%llu", &state) != 1 &&
		    sscanf(argv[i], "-runs=%llu", &runs) != 1 && argv[i][0] != '-')
			count = load_folder(argv[i], seeds);
	if (count == 0 || state == 0) {
		fprintf(stderr, "usage: %s [-max_total_time=SECONDS] [-seed=N] [-runs=N] FOLDER\n",
		    name);
		return 2;
	}
	signal(SIGABRT, on_crash);
	signal(SIGSEGV, on_crash);
	signal(SIGBUS, on_crash);
	for (i = 0; i < count; i++) {
		take_seed(&seeds[i]);
		run_once();
	}
	done = run_mutations(seeds, count, state, seconds, runs);
	printf("%s: %zu seeds and %llu mutations passed\n", name, count, (unsigned long long)done);
	for (i = 0; i < count; i++)
		free(seeds[i].data);
	return 0;
}
