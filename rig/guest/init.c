// SPDX-License-Identifier: GPL-2.0-only
/*
 * First process of the guest: runs one command, sends home what it printed.
 *
 * The only way out is the console, which the kernel and the hypervisor also
 * write to. So everything travels in frames that the rig can tell from other
 * text and can check (rig/pvg/frames.py is the other end):
 *
 *	STX type sequence(8 hex) payload(base64) crc32(8 hex) ETX
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
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define FRAME_STX	0x02
#define FRAME_ETX	0x03
#define FRAME_ACK	0x06
#define CHUNK		3072	/* payload bytes of one frame, before base64 */

/* Files that the rig puts into the initial RAM file system. */
#define COMMAND_FILE	"/pvg/command"	/* arguments, each ended by a NUL */
#define SETTINGS_FILE	"/pvg/settings"	/* lines of the form key=value */

#define LOGLEVEL_ACTION	8		/* klogctl(): console log level */
#define LOGLEVEL_DYING	1		/* only what a dying kernel says */

enum {
	IN_STDOUT, IN_STDERR, IN_KMSG, IN_CHILD, INPUTS
};

static int console = -1;
static unsigned int sequence;

static unsigned int crc32(unsigned int crc, const char *data, size_t size)
{
	size_t i;
	int bit;

	crc = ~crc;
	for (i = 0; i < size; i++) {
		crc ^= (unsigned char)data[i];
		for (bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static void write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t done = write(fd, data, size);

		if (done < 0) {
			struct pollfd wait = { .fd = fd, .events = POLLOUT };

			if (errno != EINTR && errno != EAGAIN)
				return;
			poll(&wait, 1, 100);
			continue;
		}
		data += done;
		size -= done;
	}
}

static size_t base64(char *out, const unsigned char *in, size_t size)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t at = 0, i;

	for (i = 0; i < size; i += 3) {
		size_t left = size - i;
		unsigned int three = in[i] << 16;

		if (left > 1)
			three |= in[i + 1] << 8;
		if (left > 2)
			three |= in[i + 2];
		out[at++] = digits[three >> 18];
		out[at++] = digits[(three >> 12) & 63];
		out[at++] = left > 1 ? digits[(three >> 6) & 63] : '=';
		out[at++] = left > 2 ? digits[three & 63] : '=';
	}
	return at;
}

/* Send at most CHUNK bytes as one frame. */
static void send_frame(char type, const void *data, size_t size)
{
	static char frame[CHUNK / 3 * 4 + 64];
	size_t at;

	frame[0] = FRAME_STX;
	at = 1 + sprintf(frame + 1, "%c%08x", type, sequence++);
	at += base64(frame + at, data, size);
	at += sprintf(frame + at, "%08x", crc32(0, frame + 1, at - 1));
	frame[at++] = FRAME_ETX;
	frame[at++] = '\n';
	write_all(console, frame, at);
}

static void send_text(char type, const char *text)
{
	send_frame(type, text, strlen(text));
}

static void complain(const char *what)
{
	char text[256];
	int size = snprintf(text, sizeof(text), "init: %s: %s\n", what, strerror(errno));

	send_frame('e', text, size);
}

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

/* Number that SETTINGS_FILE gives for @key, or @otherwise. */
static long setting(const char *key, long otherwise)
{
	size_t size, length = strlen(key);
	char *text = read_file(SETTINGS_FILE, &size);
	char *line, *rest = text;
	long value = otherwise;

	while (rest && (line = strsep(&rest, "\n"))) {
		if (!strncmp(line, key, length) && line[length] == '=')
			value = strtol(line + length + 1, NULL, 0);
	}
	free(text);
	return value;
}

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

/* Bytes must pass as they are: no echo, no line editing, no CR before LF. */
static void console_raw(struct termios *before)
{
	struct termios raw;

	if (tcgetattr(console, before) < 0)
		return;
	raw = *before;
	cfmakeraw(&raw);
	tcsetattr(console, TCSANOW, &raw);
}

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

/* Collect every child; tells in @status when @main_child is among them. */
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

static int run_command(char **argv)
{
	struct pollfd in[INPUTS];
	static const char types[INPUTS] = { 'o', 'e', 'k', 0 };
	struct signalfd_siginfo info;
	int out[2], err[2], status = 0, ended = 0, i;
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
	in[IN_KMSG].fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	in[IN_CHILD].fd = signalfd(-1, &child_mask, SFD_NONBLOCK | SFD_CLOEXEC);
	if (in[IN_KMSG].fd >= 0)
		lseek(in[IN_KMSG].fd, 0, SEEK_END);
	klogctl(LOGLEVEL_ACTION, NULL, LOGLEVEL_DYING);

	child = fork();
	if (!child) {
		int null = open("/dev/null", O_RDWR);

		sigprocmask(SIG_UNBLOCK, &child_mask, NULL);
		setsid();
		dup2(null, STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		exec_command(argv);
	}
	close(out[1]);
	close(err[1]);
	if (child < 0) {
		complain("fork");
		return 126;
	}
	while (!ended || in[IN_STDOUT].fd >= 0 || in[IN_STDERR].fd >= 0) {
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
		for (i = 0; i < IN_CHILD; i++) {
			if (in[i].revents && !pump(in[i].fd, types[i])) {
				close(in[i].fd);
				in[i].fd = -1;
			}
		}
		if (ended && in[IN_STDOUT].fd < 0 && in[IN_STDERR].fd < 0)
			break;
	}
	while (in[IN_KMSG].fd >= 0 && poll(&in[IN_KMSG], 1, 0) > 0 &&
	       (in[IN_KMSG].revents & POLLIN) && pump(in[IN_KMSG].fd, 'k'))
		;
	return status;
}

static int run_shell(const struct termios *cooked)
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
		execl("/bin/sh", "sh", "-l", NULL);
		_exit(127);
	}
	while (child > 0 && !reap(child, &status))
		usleep(10000);
	return status;
}

/* Wait for the rig's word, at most @patience milliseconds. */
static void wait_for_ack(int patience)
{
	struct pollfd wait = { .fd = console, .events = POLLIN };
	char c = 0;

	while (c != FRAME_ACK && poll(&wait, 1, patience) > 0) {
		if (read(console, &c, 1) <= 0)
			break;
	}
}

/* The device behind the console: its own name gives the terminal ioctls. */
static int open_console(void)
{
	int fd = open("/dev/hvc0", O_RDWR | O_NOCTTY);

	if (fd < 0)
		fd = open("/dev/ttyS0", O_RDWR | O_NOCTTY);
	if (fd < 0)
		fd = open("/dev/console", O_RDWR | O_NOCTTY);
	return fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 10);
}

int main(void)
{
	struct termios cooked = { 0 };
	char **argv, *words, text[32];
	size_t size = 0, at, count = 0;
	int status;

	mount_all();
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("TERM", "linux", 1);
	setenv("PS1", "guest# ", 1);
	sethostname("guest", 5);
	console = open_console();
	console_raw(&cooked);
	send_text('h', "");
	if (setting("hold", 0))
		wait_for_ack(60000);

	words = read_file(COMMAND_FILE, &size);
	for (at = 0; words && at < size; at += strlen(words + at) + 1)
		count++;
	if (count) {
		argv = calloc(count + 1, sizeof(*argv));
		for (at = 0, count = 0; at < size; at += strlen(words + at) + 1)
			argv[count++] = words + at;
		status = run_command(argv);
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
