// SPDX-License-Identifier: MIT
/*
 * Pings an address once with every size of a range, and compares each reply's
 * data with what was sent.
 *
 * usage: pings ADDRESS FIRST LAST STEP
 */
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define LARGEST	65507	/* data of an ICMP echo in the longest IPv4 packet */
#define TRIES	3	/* a packet may be lost where a queue is full */

static unsigned short sum(const void *data, size_t size)
{
	const unsigned char *bytes = data;
	unsigned int total = 0;
	size_t i;

	for (i = 0; i < size; i++)
		total += bytes[i] << (i % 2 ? 0 : 8);
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return htons(~total);
}

/* One ping; true if its data came back. */
static int ping(int fd, const struct sockaddr_in *to, int size, int sequence)
{
	static struct {
		struct icmphdr head;
		unsigned char data[LARGEST];
	} request;
	static unsigned char reply[65536];
	size_t length = sizeof(request.head) + size;
	int i;

	request.head = (struct icmphdr) {
		.type = ICMP_ECHO, .un.echo.id = htons(getpid() & 0xffff),
		.un.echo.sequence = htons(sequence),
	};
	for (i = 0; i < size; i++)
		request.data[i] = i ^ i >> 8 ^ size;
	request.head.checksum = sum(&request, length);
	if (sendto(fd, &request, length, 0, (const void *)to, sizeof(*to)) < 0)
		return 0;
	for (;;) {
		const struct iphdr *ip = (void *)reply;
		ssize_t got = recv(fd, reply, sizeof(reply), 0);
		const struct icmphdr *head;

		if (got < 0)
			return 0;
		if (got < (ssize_t)sizeof(*ip) || got < ip->ihl * 4 + (ssize_t)sizeof(*head))
			continue;
		head = (void *)(reply + ip->ihl * 4);
		if (head->type != ICMP_ECHOREPLY ||
		    head->un.echo.id != request.head.un.echo.id ||
		    head->un.echo.sequence != request.head.un.echo.sequence)
			continue;
		return got == ip->ihl * 4 + (ssize_t)length &&
		       !memcmp(head + 1, request.data, size);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct timeval patience = { .tv_sec = 5 };
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	int room = 1 << 20, size, sequence = 0, try;

	if (argc != 5 || fd < 0 || !inet_aton(argv[1], &to.sin_addr) || atoi(argv[4]) < 1 ||
	    atoi(argv[3]) > LARGEST) {
		fprintf(stderr, "usage: pings ADDRESS FIRST LAST STEP, as root; LAST <= %d\n",
			LARGEST);
		return 2;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	for (size = atoi(argv[2]); size <= atoi(argv[3]); size += atoi(argv[4])) {
		for (try = 0; try < TRIES; try++)
			if (ping(fd, &to, size, ++sequence & 0xffff))
				break;
		if (try == TRIES) {
			fprintf(stderr, "no good reply to a ping of %d bytes\n", size);
			return 1;
		}
	}
	return 0;
}
