/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a fuzz target without libFuzzer: each file of the corpus as it is, cut at every length, and with fixed
 * pseudo-random damage. The same every time, so a failure can be repeated.
 *     fuzz_X FILE...
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INPUT_MAX (1 << 20)
#define CUTS_MAX 2048
#define DAMAGES 2000
#define SECONDS_MAX 120

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

/* In a buffer of exactly that size, so that the sanitizer sees one byte too many. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size ? size : 1);

	if (!exact)
		abort();
	memcpy(exact, data, size);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
}

static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

/* One to four changes: a byte replaced, a bit flipped, a piece copied over another. */
static void damage(uint8_t *data, size_t size, uint32_t *seed)
{
	static const uint8_t extremes[] = { 0, 1, 0x7f, 0x80, 0xff, '"', '\\', '/' };

	for (uint32_t n = next_random(seed) % 4 + 1; n; n--) {
		size_t at = next_random(seed) % size, from = next_random(seed) % size;
		size_t room = size - (at > from ? at : from);

		switch (next_random(seed) % 4) {
		case 0:
			data[at] = (uint8_t)next_random(seed);
			break;
		case 1:
			data[at] ^= (uint8_t)(1U << next_random(seed) % 8);
			break;
		case 2:
			data[at] = extremes[next_random(seed) % sizeof(extremes)];
			break;
		default:
			memmove(data + at, data + from, next_random(seed) % room);
		}
	}
}

static void run_damaged(const uint8_t *data, size_t size)
{
	uint32_t seed = 2463534242U + (uint32_t)size;
	uint8_t *copy = malloc(size);

	if (!copy)
		abort();
	for (int i = 0; i < DAMAGES; i++) {
		memcpy(copy, data, size);
		damage(copy, size, &seed);
		run(copy, size);
	}
	free(copy);
}

static int run_file(const char *name)
{
	static uint8_t data[INPUT_MAX];
	FILE *f = fopen(name, "re");
	size_t size, step;

	if (!f) {
		fprintf(stderr, "%s: %s\n", name, strerror(errno));
		return -1;
	}
	size = fread(data, 1, sizeof(data), f);
	fclose(f);
	run(data, size);
	step = size / CUTS_MAX + 1;
	for (size_t n = 0; n < size; n += step)
		run(data, n);
	if (size)
		run_damaged(data, size);
	return 0;
}

int main(int argc, char **argv)
{
	/* A target that never ends is a failure too. */
	alarm(SECONDS_MAX);
	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	if (argc < 2) {
		fprintf(stderr, "usage: %s FILE...\n", argv[0]);
		return 2;
	}
	for (int i = 1; i < argc; i++)
		if (run_file(argv[i]) < 0)
			return 1;
	return 0;
}
