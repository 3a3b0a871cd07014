// SPDX-License-Identifier: GPL-2.0-only
/* The rig's settings of this guest: files that it puts among the others. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"

#define MOVED	"/run/pvg"

/* Whole file in memory, ended by a NUL; NULL if it cannot be read. */
static char *read_file(const char *path, size_t *size)
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

/* Path of the rig's file @name: with Debian's root they have moved. */
static const char *place(const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/%s", access(MOVED, F_OK) ? "/pvg" : MOVED, name);
	return path;
}

/* The rig's file @name, as read_file() gives it. */
char *read_rig_file(const char *name, size_t *size)
{
	return read_file(place(name), size);
}

/* Run the rig's script @name with @argument; does not return. */
void exec_rig_file(const char *name, const char *argument)
{
	execl(place(name), name, argument, NULL);
	_exit(127);
}

/* Number that the settings give for @key, or @otherwise. */
long setting(const char *key, long otherwise)
{
	size_t size, length = strlen(key);
	char *text = read_rig_file("settings", &size);
	char *line, *rest = text;
	long value = otherwise;

	while (rest && (line = strsep(&rest, "\n"))) {
		if (!strncmp(line, key, length) && line[length] == '=')
			value = strtol(line + length + 1, NULL, 0);
	}
	free(text);
	return value;
}
