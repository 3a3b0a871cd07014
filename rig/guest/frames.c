// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames on the console: the only way out that every kind of guest has.
 *
 * The kernel and the hypervisor write to the console as well. So everything
 * travels in frames that the rig can distinguish from other text and can check
 * (rig/pvg/guest/frames.py is the other end):
 *
 *	STX type sequence(8 hex) payload(base64) crc32(8 hex) ETX
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

#define FRAME_STX	0x02
#define FRAME_ETX	0x03
#define FRAME_ACK	0x06
#define FRAME_HEAD	9	/* type and sequence */
#define FRAME_TAIL	8	/* check sum */
#define FRAME_SIZE	(CHUNK / 3 * 4 + FRAME_HEAD + FRAME_TAIL)

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int console = -1;
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

/* Returns the size of the result, or -1 if @in is not base64. */
static ssize_t unbase64(char *out, const char *in, size_t size)
{
	const char *digit;
	unsigned int bits = 0;
	size_t at = 0, i;

	for (i = 0; i < size && in[i] != '='; i++) {
		digit = memchr(digits, in[i], sizeof(digits) - 1);
		if (!digit)
			return -1;
		bits = bits << 6 | (digit - digits);
		if (i % 4)
			out[at++] = bits >> (6 - i % 4 * 2);
	}
	return at;
}

/* Send at most CHUNK bytes as one frame. */
void send_frame(char type, const void *data, size_t size)
{
	static char frame[FRAME_SIZE + 8];
	size_t at;

	frame[0] = FRAME_STX;
	at = 1 + sprintf(frame + 1, "%c%08x", type, sequence++);
	at += base64(frame + at, data, size);
	at += sprintf(frame + at, "%08x", crc32(0, frame + 1, at - 1));
	frame[at++] = FRAME_ETX;
	frame[at++] = '\n';
	write_all(console, frame, at);
}

/*
 * The next byte @c from the console: returns the type of the frame that it
 * completes, with its payload in @data, which has room for CHUNK bytes; or 0.
 */
char receive_frame(char c, char *data, size_t *size)
{
	static char body[FRAME_SIZE + 1];
	static size_t count;
	ssize_t found = -1;

	if (c == FRAME_STX) {
		count = 0;
	} else if (c != FRAME_ETX) {
		if (count < FRAME_SIZE)
			body[count++] = c;
	} else if (count >= FRAME_HEAD + FRAME_TAIL && count < FRAME_SIZE) {
		body[count] = 0;
		count -= FRAME_TAIL;
		if (crc32(0, body, count) == strtoul(body + count, NULL, 16))
			found = unbase64(data, body + FRAME_HEAD, count - FRAME_HEAD);
		count = 0;
	}
	*size = found;
	return found < 0 ? 0 : body[0];
}

void send_text(char type, const char *text)
{
	send_frame(type, text, strlen(text));
}

void complain(const char *what)
{
	char text[256];
	int size = snprintf(text, sizeof(text), "init: %s: %s\n", what, strerror(errno));

	send_frame('e', text, size);
}

/* The device behind the console: its own name gives the terminal ioctls. */
int open_console(void)
{
	int fd = open("/dev/hvc0", O_RDWR | O_NOCTTY);

	if (fd < 0)
		fd = open("/dev/ttyS0", O_RDWR | O_NOCTTY);
	if (fd < 0)
		fd = open("/dev/console", O_RDWR | O_NOCTTY);
	return fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 10);
}

/* Bytes must pass as they are: no echo, no line editing, no CR before LF. */
void console_raw(struct termios *before)
{
	struct termios raw;

	if (tcgetattr(console, before) < 0)
		return;
	raw = *before;
	cfmakeraw(&raw);
	tcsetattr(console, TCSANOW, &raw);
}

/* Wait for the rig's word, at most @patience milliseconds. */
void wait_for_ack(int patience)
{
	struct pollfd wait = { .fd = console, .events = POLLIN };
	char c = 0;

	while (c != FRAME_ACK && poll(&wait, 1, patience) > 0) {
		if (read(console, &c, 1) <= 0)
			break;
	}
}
