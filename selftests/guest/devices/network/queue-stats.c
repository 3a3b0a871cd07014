// SPDX-License-Identifier: MIT
/*
 * Prints the counters of a network interface and of each of its queues that the
 * netlink family "netdev" has: lines of "device", "rx0", "tx0" and so on, a
 * counter's name and its value.
 *
 * usage: queue-stats INTERFACE
 */
#include <linux/genetlink.h>
#include <linux/netdev.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct {
	unsigned int type;
	const char *name;
} counters[] = {
	{ NETDEV_A_QSTATS_RX_PACKETS, "rx_packets" },
	{ NETDEV_A_QSTATS_RX_BYTES, "rx_bytes" },
	{ NETDEV_A_QSTATS_RX_ALLOC_FAIL, "rx_alloc_fail" },
	{ NETDEV_A_QSTATS_TX_PACKETS, "tx_packets" },
	{ NETDEV_A_QSTATS_TX_BYTES, "tx_bytes" },
	{ NETDEV_A_QSTATS_TX_STOP, "tx_stop" },
};

static struct {
	struct nlmsghdr head;
	struct genlmsghdr command;
	char attributes[64];
} request;

static int fd;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void begin(unsigned int family, unsigned int flags, unsigned int command)
{
	memset(&request, 0, sizeof(request));
	request.head.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN);
	request.head.nlmsg_type = family;
	request.head.nlmsg_flags = NLM_F_REQUEST | flags;
	request.command.cmd = command;
	request.command.version = 1;
}

static void add(unsigned int type, const void *data, size_t len)
{
	struct nlattr *attribute = (void *)((char *)&request + request.head.nlmsg_len);

	attribute->nla_type = type;
	attribute->nla_len = NLA_HDRLEN + len;
	memcpy((char *)attribute + NLA_HDRLEN, data, len);
	request.head.nlmsg_len += NLA_ALIGN(attribute->nla_len);
}

/* A number of 16, 32 or 64 bits, or 0 if there is no such attribute. */
static unsigned long long number(const struct nlmsghdr *head, unsigned int type, int *found)
{
	const char *at = (const char *)NLMSG_DATA(head) + GENL_HDRLEN;
	const char *end = (const char *)head + head->nlmsg_len;
	unsigned long long value = 0;

	*found = 0;
	while (end - at >= NLA_HDRLEN) {
		const struct nlattr *attribute = (const void *)at;

		if ((attribute->nla_type & NLA_TYPE_MASK) == type &&
		    attribute->nla_len <= NLA_HDRLEN + sizeof(value)) {
			/* Low bytes first, as on this processor. */
			memcpy(&value, at + NLA_HDRLEN, attribute->nla_len - NLA_HDRLEN);
			*found = 1;
		}
		at += NLA_ALIGN(attribute->nla_len);
	}
	return value;
}

static void print(const struct nlmsghdr *head)
{
	unsigned long long value;
	unsigned int i, queue, type;
	char name[16] = "device";
	int found;

	queue = number(head, NETDEV_A_QSTATS_QUEUE_ID, &found);
	type = number(head, NETDEV_A_QSTATS_QUEUE_TYPE, &found);
	if (found)
		snprintf(name, sizeof(name), "%s%u", type == NETDEV_QUEUE_TYPE_RX ? "rx" : "tx",
			 queue);
	for (i = 0; i < sizeof(counters) / sizeof(*counters); i++) {
		value = number(head, counters[i].type, &found);
		if (found)
			printf("%s %s %llu\n", name, counters[i].name, value);
	}
}

/* Send the request and read what comes: up to the end of a dump, or one message. */
static unsigned int ask(void (*show)(const struct nlmsghdr *head))
{
	static char buffer[1 << 16];
	struct nlmsghdr *head;
	int found, len;

	if (send(fd, &request, request.head.nlmsg_len, 0) < 0)
		fail("send");
	for (;;) {
		len = recv(fd, buffer, sizeof(buffer), 0);
		if (len < 0)
			fail("recv");
		for (head = (void *)buffer; NLMSG_OK(head, (unsigned int)len);
		     head = NLMSG_NEXT(head, len)) {
			if (head->nlmsg_type == NLMSG_ERROR) {
				fprintf(stderr, "queue-stats: error %d\n",
					((struct nlmsgerr *)NLMSG_DATA(head))->error);
				exit(1);
			}
			if (head->nlmsg_type == NLMSG_DONE)
				return 0;
			if (!show)
				return number(head, CTRL_ATTR_FAMILY_ID, &found);
			show(head);
		}
	}
}

int main(int argc, char **argv)
{
	__u32 index, scope = NETDEV_QSTATS_SCOPE_QUEUE;
	unsigned int family, queues;

	if (argc != 2) {
		fprintf(stderr, "usage: queue-stats INTERFACE\n");
		return 2;
	}
	index = if_nametoindex(argv[1]);
	if (!index)
		fail(argv[1]);
	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
	if (fd < 0)
		fail("socket");
	begin(GENL_ID_CTRL, 0, CTRL_CMD_GETFAMILY);
	add(CTRL_ATTR_FAMILY_NAME, NETDEV_FAMILY_NAME, sizeof(NETDEV_FAMILY_NAME));
	family = ask(NULL);
	for (queues = 0; queues < 2; queues++) {
		begin(family, NLM_F_DUMP, NETDEV_CMD_QSTATS_GET);
		add(NETDEV_A_QSTATS_IFINDEX, &index, sizeof(index));
		if (queues)
			add(NETDEV_A_QSTATS_SCOPE, &scope, sizeof(scope));
		ask(print);
	}
	return 0;
}
