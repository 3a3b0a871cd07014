// SPDX-License-Identifier: GPL-2.0-only
/* What the rig wants of this guest: files that it puts among the others. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"

/* Whole file in memory, ended by a NUL; NULL if it cannot be read. */
char *read_file(const char *path, size_t *size)
{
	struct stat about;
	char *data;
	ssize_t got;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	if (fstat(fd, &about) < 0) {
		close(fd);
		return NULL;
	}
	data = calloc(1, about.st_size + 1);
	got = data ? read(fd, data, about.st_size) : -1;
	close(fd);
	if (got < 0) {
		free(data);
		return NULL;
	}
	*size = got;
	return data;
}

/* Number that SETTINGS_FILE gives for @key, or @otherwise. */
long setting(const char *key, long otherwise)
{
	size_t size, length = strlen(key);
	char *text = read_file(SETTINGS_FILE, &size);
	char *line, *rest = text;
	long value = otherwise;

	while (rest && (line = strsep(&rest, "\n"))) {
		if (!strncmp(line, key, length) && line[length] == '=')
			value = strtol(line + length + 1, NULL, 0);
	}
	free(text);
	return value;
}
