// SPDX-License-Identifier: GPL-2.0-only
/* First process of the guest, or a service: runs one command, sends home what it printed. */
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
		/* A kernel may lack one of them: the command that uses it then fails. */
		mount(list[i].type, list[i].where, list[i].type, 0, NULL);
	}
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
}

static void set_number(const char *name, long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", value);
	setenv(name, text, 1);
}

static void set_environment(void)
{
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("TERM", "linux", 1);
	setenv("PS1", "guest# ", 1);
	set_number("PVGUEST_NUMBER", setting("guest", 1));
	set_number("PVGUEST_COUNT", setting("guests", 1));
}

/* Returns the words of the command, ended by NULL, or NULL for a shell. */
static char **read_command(void)
{
	size_t size = 0, at, count = 0;
	char *words = read_rig_file("command", &size);
	char **command;

	if (!words)
		return NULL;
	/* There are at most as many words as bytes. */
	command = calloc(size + 1, sizeof(*command));
	for (at = 0; command && at < size; at += strlen(words + at) + 1)
		command[count++] = words + at;
	return command;
}

static void power_off(int first)
{
	if (!first) {
		execlp("systemctl", "systemctl", "poweroff", NULL);
		return;
	}
	reboot(RB_POWER_OFF);
	/* Not every machine can: a reset ends the emulator as well. */
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

/*
 * Without another root this process is the first one from start to end. Else
 * it only prepares the switch, and is started again as a service there.
 */
int main(int argc, char **argv)
{
	int status, events, first = getpid() == 1;
	struct termios cooked = { 0 };
	char **command, text[32];

	if (argc && !strcmp(program_invocation_short_name, "control"))
		return give_order(argv + 1);
	if (first)
		mount_all();
	set_environment();
	console = open_console();
	console_raw(&cooked);
	events = devices_listen();
	if (first) {
		snprintf(text, sizeof(text), "guest%ld", setting("guest", 1));
		sethostname(text, strlen(text));
		devices_await(events);
		if (setting("switch", 0))
			exec_rig_file("switch", NULL);
	}
	send_text('h', "");
	if (setting("hold", 0))
		wait_for_ack(600000);

	command = read_command();
	if (command) {
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
	/* Output in the console's ring would be lost; the machine may stand still for a while. */
	wait_for_ack(30000);
	power_off(first);
	return 0;
}
