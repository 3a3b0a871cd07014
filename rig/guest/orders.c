// SPDX-License-Identifier: GPL-2.0-only
/*
 * Orders of a test to the control domain: the program "control" hands its
 * words to the first process, which sends them home as a frame; the rig has
 * them carried out and answers with frames on the console's input.
 *
 * No device but the console takes part, so that a test may break all others.
 *
 * Between the two processes go messages: the words one way; the other way
 * pieces of output, each after ANSWER_TEXT, and the exit status after
 * ANSWER_END. The rig's frames have the same two types.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "guest.h"

#define ORDER		'c'	/* type of our frame */
#define ANSWER_TEXT	'a'
#define ANSWER_END	'z'
#define FAILED		125	/* no order was carried out */

/* In the abstract name space: the root file system may change. */
static const struct sockaddr_un address = {
	.sun_family = AF_UNIX, .sun_path = "\0pvguest-control",
};

static int listener = -1;
static int client = -1;
static int in_flight;

void orders_start(void)
{
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (bind(listener, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, 16) < 0)
		complain("orders");
}

int orders_source(void)
{
	if (in_flight)
		return console;
	return client >= 0 ? client : listener;
}

static void end_of_order(void)
{
	close(client);
	client = -1;
	in_flight = 0;
}

static void take_order(void)
{
	char words[CHUNK];
	ssize_t size = recv(client, words, sizeof(words), 0);

	if (size <= 0) {
		end_of_order();
		return;
	}
	in_flight = 1;
	send_frame(ORDER, words, size);
}

static void pass_answer(void)
{
	static char answer[CHUNK + 1];
	char input[256];
	ssize_t got = read(console, input, sizeof(input)), i;
	size_t size;

	for (i = 0; i < got; i++) {
		answer[0] = receive_frame(input[i], answer + 1, &size);
		if (!answer[0])
			continue;
		/* A client that was killed reads nothing. */
		send(client, answer, size + 1, MSG_NOSIGNAL);
		if (answer[0] == ANSWER_END)
			end_of_order();
	}
}

void orders_event(void)
{
	if (in_flight)
		pass_answer();
	else if (client >= 0)
		take_order();
	else
		client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

/* The program "control": give @words as an order, print the answer. */
int give_order(char **words)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	char text[CHUNK + 1] = "";
	size_t size = 0;
	ssize_t got;

	for (; *words; words++)
		size += snprintf(text + size, size < sizeof(text) ? sizeof(text) - size : 0,
				 "%s ", *words);
	if (!size || size > CHUNK) {
		fprintf(stderr, "control: a command of at most %d bytes is needed; try xl list\n",
			CHUNK);
		return FAILED;
	}
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    send(fd, text, size, MSG_NOSIGNAL) < 0) {
		fprintf(stderr, "control: no connection to init; use ./pvguest run\n");
		return FAILED;
	}
	while ((got = recv(fd, text, CHUNK + 1, 0)) > 0) {
		if (text[0] == ANSWER_END) {
			text[got < CHUNK ? got : CHUNK] = 0;
			return atoi(text + 1);
		}
		if (text[0] != ANSWER_TEXT) {
			fprintf(stderr, "control: answer of unknown type %#x\n",
				(unsigned char)text[0]);
			return FAILED;
		}
		fwrite(text + 1, 1, got - 1, stdout);
	}
	fprintf(stderr, "control: no answer\n");
	return FAILED;
}
