// SPDX-License-Identifier: GPL-2.0-only
/* First process of the guest: runs one command, sends home what it printed. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"

static void mount_all(void)
{
	static const struct {
		const char *type, *where;
	} list[] = {
		{ "proc", "/proc" }, { "sysfs", "/sys" }, { "devtmpfs", "/dev" },
		{ "devpts", "/dev/pts" }, { "tmpfs", "/dev/shm" },
		{ "debugfs", "/sys/kernel/debug" }, { "tmpfs", "/tmp" },
		{ "tmpfs", "/run" }, { NULL, NULL },
	};
	size_t i;

	for (i = 0; list[i].type; i++) {
		mkdir(list[i].where, 0755);
		/* What a kernel lacks is found out by the command that wants it. */
		mount(list[i].type, list[i].where, list[i].type, 0, NULL);
	}
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
}

int main(int argc, char **argv)
{
	struct termios cooked = { 0 };
	char **command, *words, text[32];
	size_t size = 0, at, count = 0;
	int status, events;

	if (argc && !strcmp(program_invocation_short_name, "control"))
		return give_order(argv + 1);
	mount_all();
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("TERM", "linux", 1);
	setenv("PS1", "guest# ", 1);
	snprintf(text, sizeof(text), "guest%ld", setting("guest", 1));
	sethostname(text, strlen(text));
	snprintf(text, sizeof(text), "%ld", setting("guest", 1));
	setenv("PVGUEST_NUMBER", text, 1);
	snprintf(text, sizeof(text), "%ld", setting("guests", 1));
	setenv("PVGUEST_COUNT", text, 1);
	console = open_console();
	console_raw(&cooked);
	events = devices_start();
	send_text('h', "");
	if (setting("hold", 0))
		wait_for_ack(60000);

	words = read_file(COMMAND_FILE, &size);
	for (at = 0; words && at < size; at += strlen(words + at) + 1)
		count++;
	if (count) {
		command = calloc(count + 1, sizeof(*command));
		for (at = 0, count = 0; at < size; at += strlen(words + at) + 1)
			command[count++] = words + at;
		status = run_command(command, events);
	} else {
		status = run_shell(&cooked);
		/* The shell led a session: its end hung up the console. */
		close(console);
		console = open_console();
		console_raw(&cooked);
	}
	sync();
	snprintf(text, sizeof(text), "%d", status);
	send_text('x', text);
	/* What is still in the console's ring would be lost with us. */
	wait_for_ack(2000);
	reboot(RB_POWER_OFF);
	/* Not every machine can: a reset ends the emulator as well. */
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}
