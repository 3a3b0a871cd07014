// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the command, or a shell.
 *
 * While the command runs, the kernel's own messages are kept off the console
 * and sent as frames too; only a dying kernel then writes between ours.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "guest.h"

#define LOGLEVEL_ACTION	8		/* klogctl(): console log level */
#define LOGLEVEL_DYING	1		/* only what a dying kernel says */

enum {
	IN_STDOUT, IN_STDERR, IN_KMSG, IN_CHILD, IN_DEVICES, IN_ORDERS, INPUTS
};

static void exec_command(char **argv)
{
	execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static int exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Forward what is there on @fd; returns 0 at its end. */
static int pump(int fd, char type)
{
	static char data[CHUNK];
	ssize_t got = read(fd, data, sizeof(data));

	if (got > 0) {
		send_frame(type, data, got);
		return 1;
	}
	/* EPIPE from /dev/kmsg says that records were overwritten; go on. */
	return got < 0 && (errno == EINTR || errno == EAGAIN || errno == EPIPE);
}

/* Collect every child; returns in @status that of @main_child if it is among them. */
static int reap(pid_t main_child, int *status)
{
	int state, found = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &state, WNOHANG)) > 0) {
		if (pid == main_child) {
			*status = exit_status(state);
			found = 1;
		}
	}
	return found;
}

/* Have the kernel's messages, the end of a child and events of devices among @in. */
static void open_inputs(struct pollfd *in, const sigset_t *child_mask, int events)
{
	in[IN_KMSG].fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	in[IN_CHILD].fd = signalfd(-1, child_mask, SFD_NONBLOCK | SFD_CLOEXEC);
	in[IN_DEVICES].fd = events;
	if (in[IN_KMSG].fd >= 0)
		lseek(in[IN_KMSG].fd, 0, SEEK_END);
	klogctl(LOGLEVEL_ACTION, NULL, LOGLEVEL_DYING);
}

/* Start the command @argv, which writes to @out and @err, with SIGCHLD as it was. */
static pid_t start_command(char **argv, int out, int err, const sigset_t *child_mask)
{
	pid_t child = fork();

	if (!child) {
		int null = open("/dev/null", O_RDWR);

		sigprocmask(SIG_UNBLOCK, child_mask, NULL);
		setsid();
		dup2(null, STDIN_FILENO);
		dup2(out, STDOUT_FILENO);
		dup2(err, STDERR_FILENO);
		exec_command(argv);
	}
	close(out);
	close(err);
	return child;
}

/* Forward what comes from @in until @child has ended; returns its exit status. */
static int forward(struct pollfd *in, pid_t child)
{
	static const char types[INPUTS] = { 'o', 'e', 'k' };
	struct signalfd_siginfo info;
	int status = 0, ended = 0, i;

	while (!ended || in[IN_STDOUT].fd >= 0 || in[IN_STDERR].fd >= 0) {
		in[IN_ORDERS].fd = orders_source();
		for (i = 0; i < INPUTS; i++) {
			in[i].events = POLLIN;
			in[i].revents = 0;
		}
		/* Once the command has ended only what it left in the pipes counts,
		 * not what its background children may still print.
		 */
		if (poll(in, INPUTS, ended ? 0 : -1) == 0 && ended)
			break;
		if (in[IN_CHILD].revents) {
			while (read(in[IN_CHILD].fd, &info, sizeof(info)) > 0)
				;
			ended |= reap(child, &status);
		}
		if (in[IN_DEVICES].revents)
			devices_event(in[IN_DEVICES].fd);
		if (in[IN_ORDERS].revents)
			orders_event();
		for (i = 0; i < IN_CHILD; i++) {
			if (in[i].revents && !pump(in[i].fd, types[i])) {
				close(in[i].fd);
				in[i].fd = -1;
			}
		}
		if (ended && in[IN_STDOUT].fd < 0 && in[IN_STDERR].fd < 0)
			break;
	}
	return status;
}

int run_command(char **argv, int events)
{
	struct pollfd in[INPUTS];
	int out[2], err[2], status;
	sigset_t child_mask;
	pid_t child;

	sigemptyset(&child_mask);
	sigaddset(&child_mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child_mask, NULL);
	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0) {
		complain("pipe");
		return 126;
	}
	in[IN_STDOUT].fd = out[0];
	in[IN_STDERR].fd = err[0];
	open_inputs(in, &child_mask, events);
	orders_start();

	child = start_command(argv, out[1], err[1], &child_mask);
	if (child < 0) {
		complain("fork");
		return 126;
	}
	status = forward(in, child);
	while (in[IN_KMSG].fd >= 0 && poll(&in[IN_KMSG], 1, 0) > 0 &&
	       (in[IN_KMSG].revents & POLLIN) && pump(in[IN_KMSG].fd, 'k'))
		;
	return status;
}

int run_shell(const struct termios *cooked)
{
	struct winsize size = {
		.ws_row = setting("rows", 24), .ws_col = setting("columns", 80),
	};
	int status = 0;
	pid_t child;

	send_text('i', "");
	ioctl(console, TIOCSWINSZ, &size);
	tcsetattr(console, TCSADRAIN, cooked);
	child = fork();
	if (!child) {
		setsid();
		ioctl(console, TIOCSCTTY, 1);
		dup2(console, STDIN_FILENO);
		dup2(console, STDOUT_FILENO);
		dup2(console, STDERR_FILENO);
		execl("/bin/bash", "bash", "-l", NULL);
		execl("/bin/sh", "sh", "-l", NULL);
		_exit(127);
	}
	while (child > 0 && !reap(child, &status))
		usleep(10000);
	return status;
}
