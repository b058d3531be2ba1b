// SPDX-License-Identifier: BSD-3-Clause
/* Runs a fuzz target over every file of a folder, as a plain unit test: replay FOLDER. An empty folder is a failure. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

#define INPUT_MAX (2 * 1024 * 1024) /* twice the longest message that is ever accepted */

static int replay_file(const char *folder, const char *name)
{
	uint8_t *bytes, *exact;
	char path[4096];
	size_t size;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "rb");
	if (!file) {
		perror(path);
		return -1;
	}
	bytes = malloc(INPUT_MAX);
	if (!bytes)
		abort();
	size = fread(bytes, 1, INPUT_MAX, file);
	fclose(file);
	exact = realloc(bytes, size ? size : 1); /* so that a sanitizer sees a read past the end */
	printf("%s: %zu bytes\n", path, size);
	fflush(stdout); /* names the culprit if the next line does not come back */
	LLVMFuzzerTestOneInput(exact ? exact : bytes, size);
	free(exact);
	return 0;
}

int main(int argc, char **argv)
{
	struct dirent *entry;
	int count = 0;
	DIR *dir;

	if (argc != 2) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	dir = opendir(argv[1]);
	if (!dir) {
		perror(argv[1]);
		return 1;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (replay_file(argv[1], entry->d_name))
			return 1;
		count++;
	}
	closedir(dir);
	if (!count)
		fprintf(stderr, "%s: no inputs in this folder\n", argv[1]);
	return count ? 0 : 1;
}
