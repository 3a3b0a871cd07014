// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waits for the devices that the guest is to have, and gives network
 * interfaces their addresses, those that are plugged in later as well; which
 * addresses, the rig's script knows.
 */
#define _GNU_SOURCE
#include <linux/netlink.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define PATIENCE	60000	/* ms for all devices to appear; the machine may stand still */
#define KERNEL_EVENTS	1	/* the kernel's own multicast group of uevents */

static pid_t configure(const char *interface)
{
	pid_t child = fork();

	if (!child) {
		dup2(console, STDIN_FILENO);
		exec_rig_file("network", interface);
	}
	return child;
}

/* A network interface has appeared, if that is what the next event says. */
void devices_event(int events)
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

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ioctl(any, SIOCSIFFLAGS, &request);
	close(any);
}

static long milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Wait until @device is there, such as "net/eth0"; each event is a reason to look again. */
static void await_device(const char *device, int events, long deadline)
{
	struct pollfd wait = { .fd = events, .events = POLLIN };
	char path[128], event[4096];
	long left;

	snprintf(path, sizeof(path), "/sys/class/%s", device);
	while (access(path, F_OK)) {
		left = deadline - milliseconds();
		if (left <= 0 || poll(&wait, 1, left) <= 0) {
			fprintf(stderr, "init: %s: not found; continuing without it\n", device);
			return;
		}
		recv(events, event, sizeof(event), MSG_DONTWAIT);
	}
}

int devices_listen(void)
{
	struct sockaddr_nl about = { .nl_family = AF_NETLINK, .nl_groups = KERNEL_EVENTS };
	int events = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);

	if (bind(events, (struct sockaddr *)&about, sizeof(about)) == 0)
		return events;
	complain("events of devices");
	return -1;
}

/* Wait for all devices that the guest is to have, and configure them. */
void devices_await(int events)
{
	long deadline = milliseconds() + PATIENCE;
	char *device, *rest;
	size_t size;

	loopback_up();
	rest = read_rig_file("devices", &size);
	while (rest && (device = strsep(&rest, "\n"))) {
		if (!*device)
			continue;
		await_device(device, events, deadline);
		if (!strncmp(device, "net/", 4))
			waitpid(configure(device + 4), NULL, 0);
	}
}
