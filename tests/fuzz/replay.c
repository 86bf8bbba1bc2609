/* SPDX-License-Identifier: MIT */
/* The main of build/MODE/tests/fuzz/replay_NAME: feeds each file of tests/fuzz/corpus/NAME to the
 * fuzz target, one TAP point per file. A crash or a sanitizer's report ends the program before its
 * plan is met, which fails the test; the last name printed is the input that did it. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX ((size_t)1 << 20)

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int replay(const char *path, int n)
{
	uint8_t *data = malloc(INPUT_MAX);
	FILE *f = fopen(path, "rb");
	size_t size;

	if (!data || !f) {
		printf("not ok %d - %s cannot be read\n", n, path);
		free(data);
		return -1;
	}
	size = fread(data, 1, INPUT_MAX, f);
	fclose(f);
	printf("input: %s\n", path);
	fflush(stdout);
	/* The exact size, so that a read past the end is one past the allocation. */
	data = realloc(data, size ? size : 1);
	if (data)
		LLVMFuzzerTestOneInput(data, size);
	free(data);
	printf("ok %d - %s\n", n, path);
	return 0;
}

int main(int argc, char **argv)
{
	const char *name = strstr(argv[0], "replay_");
	struct dirent **entries = NULL;
	char dir[512], path[1024];
	int n, failed = 0;

	if (!name)
		return 2;
	snprintf(dir, sizeof(dir), "tests/fuzz/corpus/%s",
		 argc > 1 ? argv[1] : name + strlen("replay_"));
	n = scandir(dir, &entries, not_hidden, alphasort);
	if (n <= 0) {
		printf("1..1\nnot ok 1 - %s has no inputs\n", dir);
		return 1;
	}
	printf("1..%d\n", n);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, entries[i]->d_name);
		failed |= replay(path, i + 1) != 0;
		free(entries[i]);
	}
	free(entries);
	return failed;
}
