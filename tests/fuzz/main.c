/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Runs a fuzz target without a fuzz engine: every file of the directories on the command line (default: the corpus of
 * this program's name, fuzz_FORMAT -> tests/fuzz/corpus/FORMAT), as it is and mutated. Mutations come from a generator
 * seeded with the file, so a failure repeats. A file named *.hex holds hex digits; white space in it is ignored.
 * FUZZ_RUNS=N in the environment sets the number of mutations per file.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define RUNS_DEFAULT 256
#define SECONDS_PER_FILE 60
#define INPUT_MAX (4 * 1024 * 1024)

struct input {
	uint8_t *data;
	size_t len;
};

static char now_running[PATH_MAX + 64]; /* for the last words */
static unsigned long inputs_run, files_run;

static void die(const char *what, const char *name)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, name, what);
	exit(99);
}

static void *must_alloc(size_t n)
{
	void *p = malloc(n ? n : 1);

	if (!p)
		die("out of memory", "");
	return p;
}

static void last_words(void)
{
	static const char text[] = "\nfuzz target failed on: ";

	if (write(2, text, sizeof(text) - 1) < 0 || write(2, now_running, strlen(now_running)) < 0 || write(2, "\n", 1) < 0)
		_exit(1);
}

static void on_signal(int sig)
{
	last_words();
	signal(sig, SIG_DFL);
	raise(sig);
}

#ifdef __SANITIZE_ADDRESS__
void __asan_set_death_callback(void (*callback)(void)); /* the sanitizer reports crashes itself */
#endif

static void catch_failures(void)
{
#ifdef __SANITIZE_ADDRESS__
	__asan_set_death_callback(last_words);
#else
	signal(SIGSEGV, on_signal);
	signal(SIGBUS, on_signal);
	signal(SIGFPE, on_signal);
#endif
	signal(SIGABRT, on_signal);
	signal(SIGALRM, on_signal);
}

static uint64_t rng_state;

/* xorshift64* */
static uint64_t rng(void)
{
	rng_state ^= rng_state >> 12;
	rng_state ^= rng_state << 25;
	rng_state ^= rng_state >> 27;
	return rng_state * UINT64_C(0x2545f4914f6cdd1d);
}

static size_t below(size_t n)
{
	return n ? (size_t)(rng() % n) : 0;
}

static void seed_from(const struct input *in)
{
	rng_state = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < in->len; i++)
		rng_state = (rng_state ^ in->data[i]) * UINT64_C(0x100000001b3);
	rng_state |= 1;
}

/* Replaces `cut` bytes at `at` by `len` bytes. */
static void splice(struct input *in, size_t at, size_t cut, const uint8_t *with, size_t len)
{
	size_t n = in->len - cut + len;
	uint8_t *p;

	if (n > INPUT_MAX)
		return;
	p = must_alloc(n);
	memcpy(p, in->data, at);
	memcpy(p + at, with, len);
	memcpy(p + at + len, in->data + at + cut, in->len - at - cut);
	free(in->data);
	in->data = p;
	in->len = n;
}

/* Bytes that mean something to a parser of text or of lengths. */
static uint8_t special_byte(void)
{
	static const uint8_t bytes[] = "\0\1\177\200\377\n\r\t \"'\\/[]{}:,=.-+0e#;";

	return bytes[below(sizeof(bytes) - 1)];
}

static void mutate_once(struct input *in, const struct input *other)
{
	uint8_t junk[8];
	size_t at = below(in->len), n;

	for (size_t i = 0; i < sizeof(junk); i++)
		junk[i] = special_byte();
	switch (in->len ? below(8) : 6) {
	case 0:
		in->data[at] ^= (uint8_t)(1U << below(8));
		break;
	case 1:
		in->data[at] = special_byte();
		break;
	case 2:
		in->data[at] = (uint8_t)rng();
		break;
	case 3: /* cut off */
		in->len = at;
		break;
	case 4: /* cut out */
		splice(in, at, 1 + below(in->len - at < 64 ? in->len - at : 64), junk, 0);
		break;
	case 5: { /* repeat a piece */
		uint8_t piece[64];

		n = 1 + below(in->len - at < sizeof(piece) ? in->len - at : sizeof(piece));
		memcpy(piece, in->data + at, n);
		splice(in, at, 0, piece, n);
		break;
	}
	case 6: /* insert */
		splice(in, at, 0, junk, 1 + below(sizeof(junk)));
		break;
	default: /* a piece of another file */
		n = below(other->len);
		splice(in, at, in->len - at, other->data + n, other->len - n);
		break;
	}
}

/* An exact-size copy, so that sanitizers see an over-read. */
static void run(const struct input *in)
{
	uint8_t *copy = must_alloc(in->len);

	memcpy(copy, in->data, in->len);
	LLVMFuzzerTestOneInput(copy, in->len);
	free(copy);
	inputs_run++;
}

static void run_file(const char *name, const struct input *in, const struct input *other, unsigned long runs)
{
	alarm(SECONDS_PER_FILE);
	snprintf(now_running, sizeof(now_running), "%s", name);
	run(in);
	seed_from(in);
	for (unsigned long i = 0; i < runs; i++) {
		struct input m = { must_alloc(in->len), in->len };

		memcpy(m.data, in->data, in->len);
		snprintf(now_running, sizeof(now_running), "%s, mutation %lu", name, i);
		for (size_t n = 1 + below(4); n > 0; n--)
			mutate_once(&m, other);
		run(&m);
		free(m.data);
	}
	alarm(0);
	files_run++;
}

static void decode_hex(const char *name, struct input *in)
{
	size_t n = 0;
	int high = -1;

	for (size_t i = 0; i < in->len; i++) {
		int c = in->data[i], v;

		if (isspace(c))
			continue;
		if (!isxdigit(c))
			die("not hex digits", name);
		v = isdigit(c) ? c - '0' : tolower(c) - 'a' + 10;
		if (high < 0) {
			high = v;
			continue;
		}
		in->data[n++] = (uint8_t)(high << 4 | v);
		high = -1;
	}
	if (high >= 0)
		die("odd number of hex digits", name);
	in->len = n;
}

static struct input load(const char *name)
{
	struct input in = { must_alloc(INPUT_MAX), 0 };
	const char *suffix = strrchr(name, '.');
	FILE *f = fopen(name, "rbe");

	if (!f)
		die(strerror(errno), name);
	in.len = fread(in.data, 1, INPUT_MAX, f);
	fclose(f);
	if (suffix && strcmp(suffix, ".hex") == 0)
		decode_hex(name, &in);
	return in;
}

static int no_dots(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static void run_directory(const char *dir, unsigned long runs)
{
	struct input previous = { must_alloc(0), 0 };
	struct dirent **list;
	int n = scandir(dir, &list, no_dots, alphasort);

	if (n < 0)
		die(strerror(errno), dir);
	for (int i = 0; i < n; i++) {
		char name[PATH_MAX];
		struct input in;

		snprintf(name, sizeof(name), "%s/%s", dir, list[i]->d_name);
		in = load(name);
		run_file(name, &in, &previous, runs);
		free(previous.data);
		previous = in;
		free(list[i]);
	}
	free(previous.data);
	free(list);
}

int main(int argc, char **argv)
{
	const char *top = getenv("TOP_SRCDIR"), *count = getenv("FUZZ_RUNS");
	const char *format = strncmp(program_invocation_short_name, "fuzz_", 5) == 0 ? program_invocation_short_name + 5 : "";
	unsigned long runs = count ? strtoul(count, NULL, 10) : RUNS_DEFAULT;
	char dir[PATH_MAX];

	catch_failures();
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..1\n");
	for (int i = 1; i < argc; i++)
		run_directory(argv[i], runs);
	if (argc < 2) {
		snprintf(dir, sizeof(dir), "%s/tests/fuzz/corpus/%s", top && *top ? top : ".", format);
		run_directory(dir, runs);
	}
	printf("%sok 1 - %lu files, %lu inputs\n", files_run ? "" : "not ", files_run, inputs_run);
	return files_run ? 0 : 1;
}
