// SPDX-License-Identifier: MIT
/*
 * A back end that breaks the protocol on purpose, for one device of one guest.
 * It runs in the control domain and makes the device by itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"

static int usage(FILE *to, int status)
{
	fprintf(to, "usage: hostile vbd|vif DOMAIN ID BEHAVIOUR\n"
		    "Makes device ID of DOMAIN and serves it by BEHAVIOUR until the guest has closed it.\n"
		    "Returns as soon as the device is in XenStore.\n"
		    "example: hostile vbd 3 51952 unknown-id\n"
		    "behaviours of vbd:\n");
	block_list();
	fprintf(to, "behaviours of vif:\n");
	network_list();
	return status;
}

static unsigned int number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (!*text || *end || value > 1UL << 28)
		be_die("'%s' is not a number; try --help", text);
	return value;
}

int main(int argc, char **argv)
{
	struct backend be = { 0 };
	pid_t child;

	if (argc == 2 && !strcmp(argv[1], "--help"))
		return usage(stdout, 0);
	if (argc != 5 || (strcmp(argv[1], "vbd") && strcmp(argv[1], "vif")))
		return usage(stderr, 2);
	be_open(&be, argv[1], number(argv[2]), number(argv[3]));
	be_create(&be);
	child = fork();
	if (child < 0)
		be_die("cannot fork");
	if (child)
		return 0;
	setsid();
	/* The caller waits for the end of the output otherwise. */
	if (!freopen("/dev/null", "r", stdin) ||
	    !freopen("/dev/console", "w", stdout) || !freopen("/dev/console", "w", stderr))
		return 1;
	/* The libraries' connections do not survive a fork. */
	be_open(&be, argv[1], be.domain, be.id);
	return !strcmp(argv[1], "vbd") ? block_main(&be, argv[4]) : network_main(&be, argv[4]);
}
