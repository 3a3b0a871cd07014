// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gives network interfaces their addresses, those that are plugged in later
 * as well; which addresses, the rig's script knows.
 */
#define _GNU_SOURCE
#include <glob.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

#define PATIENCE	5000	/* ms for a device on the bus to become an interface */
#define KERNEL_EVENTS	1	/* the kernel's own multicast group of uevents */

static pid_t configure(const char *interface)
{
	pid_t child = fork();

	if (!child) {
		dup2(console, STDIN_FILENO);
		execl(NETWORK_SCRIPT, NETWORK_SCRIPT, interface, NULL);
		_exit(127);
	}
	return child;
}

/* A network interface has appeared, if that is what the next event says. */
void network_event(int events)
{
	static const char plugged[] = "add@", kind[] = "/net/";
	char event[4096];
	ssize_t size = recv(events, event, sizeof(event) - 1, MSG_DONTWAIT);
	const char *name;

	if (size <= 0)
		return;
	event[size] = 0;
	name = strrchr(event, '/');
	if (!name || name - event < (ssize_t)sizeof(kind))
		return;
	if (!strncmp(event, plugged, strlen(plugged)) &&
	    !strncmp(name + 1 - strlen(kind), kind, strlen(kind)))
		configure(name + 1);
}

/* Whether a bus knows the device that will be interface @index. */
static int is_coming(long index)
{
	char pattern[64];
	glob_t found;
	int count;

	snprintf(pattern, sizeof(pattern), "/sys/bus/*/devices/vif-%ld", index);
	count = glob(pattern, GLOB_NOSORT, NULL, &found) ? 0 : found.gl_pathc;
	globfree(&found);
	return count > 0;
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ioctl(any, SIOCSIFFLAGS, &request);
	close(any);
}

int network_start(void)
{
	struct sockaddr_nl about = { .nl_family = AF_NETLINK, .nl_groups = KERNEL_EVENTS };
	int events = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
	struct pollfd wait = { .fd = events, .events = POLLIN };
	long index, vifs = setting("vifs", 0);
	char name[32], path[64];

	loopback_up();
	if (!vifs || events < 0 || bind(events, (struct sockaddr *)&about, sizeof(about)) < 0) {
		close(events);
		return -1;
	}
	for (index = 0; index < vifs; index++) {
		snprintf(name, sizeof(name), "eth%ld", index);
		snprintf(path, sizeof(path), "/sys/class/net/%s", name);
		while (access(path, F_OK) && is_coming(index) && poll(&wait, 1, PATIENCE) > 0)
			network_event(events);
		if (!access(path, F_OK))
			waitpid(configure(name), NULL, 0);
	}
	return events;
}
