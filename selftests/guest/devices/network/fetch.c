// SPDX-License-Identifier: MIT
/*
 * Fetches http://ADDRESS/file and prints it: busybox's wget needs a C library's
 * name service, which a guest of a few files lacks.
 *
 * usage: fetch ADDRESS
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static const char request[] = "GET /file HTTP/1.0\r\n\r\n";
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(80) };
	struct timeval patience = { .tv_sec = 300 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char line[4096];
	FILE *in;
	size_t got;

	if (argc != 2 || !inet_aton(argv[1], &to.sin_addr)) {
		fprintf(stderr, "usage: fetch ADDRESS\n");
		return 2;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (void *)&to, sizeof(to)) < 0 ||
	    write(fd, request, sizeof(request) - 1) != sizeof(request) - 1) {
		perror(argv[1]);
		return 1;
	}
	in = fdopen(fd, "r");
	do {
		if (!fgets(line, sizeof(line), in)) {
			fprintf(stderr, "fetch: no answer\n");
			return 1;
		}
	} while (strcmp(line, "\r\n"));
	while ((got = fread(line, 1, sizeof(line), in)) > 0)
		fwrite(line, 1, got, stdout);
	return ferror(in) || fflush(stdout);
}
