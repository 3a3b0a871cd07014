// SPDX-License-Identifier: MIT
/*
 * XenStore for user programs, byte by byte: requests in any pieces, replies in
 * any pieces, limits, and watches and transactions that belong to an open file
 * and end with it.
 */
#include <poll.h>
#include <stdint.h>
#include <xen/io/xs_wire.h>

#include "guest.h"

#define DEVICE	"/dev/xen/xenbus"

static uint32_t last_id;

struct answer {
	struct xsd_sockmsg head;
	char body[XENSTORE_PAYLOAD_MAX + 1];
};

/* Write a request in pieces; the payload is @len bytes of @body. */
static int ask(int fd, uint32_t type, uint32_t txn, const void *body,
	       size_t len, size_t piece)
{
	static char message[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX];
	struct xsd_sockmsg head = {
		.type = type, .req_id = ++last_id, .tx_id = txn, .len = len,
	};
	size_t total = sizeof(head) + len, at = 0;

	memcpy(message, &head, sizeof(head));
	memcpy(message + sizeof(head), body, len);
	while (at < total) {
		size_t n = total - at < piece ? total - at : piece;
		ssize_t done = write(fd, message + at, n);

		if (done <= 0)
			return -errno;
		at += done;
	}
	return 0;
}

static int read_all(int fd, void *to, size_t len, size_t piece)
{
	size_t at = 0;

	while (at < len) {
		size_t n = len - at < piece ? len - at : piece;
		ssize_t done = read(fd, (char *)to + at, n);

		if (done <= 0)
			return -errno;
		at += done;
	}
	return 0;
}

static int receive(int fd, struct answer *answer, size_t piece)
{
	int ret = read_all(fd, &answer->head, sizeof(answer->head), piece);

	if (ret)
		return ret;
	if (answer->head.len > XENSTORE_PAYLOAD_MAX)
		return -EPROTO;
	answer->body[answer->head.len] = '\0';
	return read_all(fd, answer->body, answer->head.len, piece);
}

/* Send a request; true if it gets a reply with the payload @expected. */
static bool get(int fd, uint32_t type, uint32_t txn, const void *body,
		size_t len, const char *expected)
{
	struct answer answer;

	if (ask(fd, type, txn, body, len, 5000) || receive(fd, &answer, 5000))
		return false;
	if (answer.head.req_id != last_id || answer.head.tx_id != txn)
		return false;
	if (answer.head.type != type && answer.head.type != XS_ERROR)
		return false;
	if (!strcmp(answer.body, expected))
		return true;
	fprintf(stderr, "# reply: %s\n", answer.body);
	return false;
}

#define GET(fd, type, txn, body, expected) \
	get(fd, type, txn, body, sizeof(body), expected)

static uint32_t begin(int fd)
{
	struct answer answer;

	if (ask(fd, XS_TRANSACTION_START, 0, "", 1, 5000) ||
	    receive(fd, &answer, 5000) || answer.head.type == XS_ERROR)
		return 0;
	return strtoul(answer.body, NULL, 10);
}

FIXTURE(store)
{
	int fd;
	int other;
};

FIXTURE_SETUP(store)
{
	self->other = -1;
	self->fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (self->fd < 0 && errno == ENOENT)
		SKIP(return, "this domain has no XenStore");
	if (!on_pvguest())
		SKIP(return, "/dev/xen/xenbus is not the interface of our port");
	ASSERT_LE(0, self->fd);
	self->other = open(DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->other);
}

FIXTURE_TEARDOWN(store)
{
	close(self->fd);
	close(self->other);
}

TEST_F(store, pieces_of_any_size)
{
	static const size_t pieces[] = { 1, 3, 16, 17, 100 };
	struct answer answer;

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		EXPECT_EQ(0, ask(self->fd, XS_WRITE, 0, "data/t\0value", 12, pieces[i]));
		EXPECT_EQ(0, receive(self->fd, &answer, pieces[i]));
		EXPECT_EQ(XS_WRITE, answer.head.type);
		EXPECT_EQ(last_id, answer.head.req_id);
		EXPECT_STREQ("OK", answer.body);
		EXPECT_EQ(0, ask(self->fd, XS_READ, 0, "data/t", 7, pieces[i]));
		EXPECT_EQ(0, receive(self->fd, &answer, pieces[i]));
		EXPECT_STREQ("value", answer.body);
		EXPECT_EQ(5, answer.head.len);
	}
	EXPECT_TRUE(GET(self->fd, XS_RM, 0, "data/t", "OK"));
}

TEST_F(store, errors_arrive_by_name)
{
	EXPECT_TRUE(GET(self->fd, XS_READ, 0, "data/absent", "ENOENT"));
	EXPECT_TRUE(GET(self->fd, XS_WRITE, 0, "domid\0007", "EACCES"));
	EXPECT_TRUE(GET(self->fd, XS_READ, 0, "a//b", "EINVAL"));
	EXPECT_TRUE(GET(self->fd, XS_RESET_WATCHES, 0, "", "EACCES"));
	EXPECT_TRUE(GET(self->fd, XS_INTRODUCE, 0, "1\0001\0001\0", "EACCES"));
	EXPECT_TRUE(GET(self->fd, XS_WATCH_EVENT, 0, "a\0b", "ENOSYS"));
	EXPECT_TRUE(GET(self->fd, 12345, 0, "a", "ENOSYS"));
	EXPECT_TRUE(get(self->fd, XS_WATCH, 0, "data", 5, "EINVAL"));
	EXPECT_TRUE(get(self->fd, XS_WATCH, 0, "data\0tok", 8, "EINVAL"));
	EXPECT_TRUE(get(self->fd, XS_WATCH, 0, "", 0, "EINVAL"));
	EXPECT_TRUE(GET(self->fd, XS_UNWATCH, 0, "data\0never", "ENOENT"));
}

TEST_F(store, too_long_a_request)
{
	struct xsd_sockmsg head = { .type = XS_WRITE, .len = XENSTORE_PAYLOAD_MAX + 1 };
	volatile uintptr_t nowhere = 64;

	EXPECT_EQ(-1, write(self->fd, &head, sizeof(head)));
	EXPECT_EQ(EINVAL, errno);
	/* The request is dropped, and the next one is served. */
	EXPECT_TRUE(GET(self->fd, XS_READ, 0, "data/absent", "ENOENT"));
	EXPECT_EQ(-1, write(self->fd, (void *)nowhere, 16));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_TRUE(GET(self->fd, XS_READ, 0, "data/absent", "ENOENT"));
}

TEST_F(store, nothing_to_read)
{
	struct pollfd poll_fd = { .fd = self->fd, .events = POLLIN | POLLOUT };
	char byte;

	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-1, read(self->fd, &byte, 1));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(1, poll(&poll_fd, 1, 0));
	EXPECT_EQ(POLLOUT, poll_fd.revents);
	EXPECT_EQ(0, ask(self->fd, XS_READ, 0, "data/absent", 12, 5000));
	EXPECT_EQ(1, poll(&poll_fd, 1, -1));
	EXPECT_EQ(POLLIN | POLLOUT, poll_fd.revents);
	EXPECT_EQ(1, read(self->fd, &byte, 1));
}

TEST_F(store, transactions_are_ones_own)
{
	uint32_t txn = begin(self->fd);

	ASSERT_NE(0, txn);
	EXPECT_TRUE(GET(self->fd, XS_WRITE, txn, "data/t\0x", "OK"));
	/* Not visible outside, and not valid for another file. */
	EXPECT_TRUE(GET(self->other, XS_READ, 0, "data/t", "ENOENT"));
	EXPECT_TRUE(GET(self->other, XS_READ, txn, "data/t", "ENOENT"));
	EXPECT_TRUE(GET(self->other, XS_TRANSACTION_END, txn, "T", "ENOENT"));
	EXPECT_TRUE(GET(self->fd, XS_TRANSACTION_END, txn, "T", "OK"));
	EXPECT_TRUE(GET(self->other, XS_RM, 0, "data/t", "OK"));
	EXPECT_TRUE(GET(self->fd, XS_TRANSACTION_END, txn, "T", "ENOENT"));
}

TEST_F(store, number_of_transactions)
{
	uint32_t txn, opened = 0;

	/* Each round ends by closing the file, which ends its transactions. */
	for (int round = 0; round < 5; round++) {
		int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

		ASSERT_LE(0, fd);
		for (opened = 0; opened < 20; opened++) {
			txn = begin(fd);
			if (!txn)
				break;
		}
		EXPECT_EQ(8, opened);
		EXPECT_TRUE(GET(fd, XS_TRANSACTION_START, 0, "", "ENOSPC"));
		close(fd);
	}
	/* Another file can always open one. */
	txn = begin(self->fd);
	EXPECT_NE(0, txn);
	EXPECT_TRUE(GET(self->fd, XS_TRANSACTION_END, txn, "F", "OK"));
}

TEST_F(store, watches_are_ones_own)
{
	struct answer answer;
	char byte;

	EXPECT_EQ(0, ask(self->fd, XS_WATCH, 0, "data/w\0tok", 11, 5000));
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, receive(self->fd, &answer, 5000));
		if (answer.head.type == XS_WATCH) {
			EXPECT_STREQ("OK", answer.body);
			continue;
		}
		/* The first event comes at once. */
		EXPECT_EQ(XS_WATCH_EVENT, answer.head.type);
		EXPECT_EQ(0, answer.head.req_id);
		EXPECT_EQ(11, answer.head.len);
		EXPECT_EQ(0, memcmp("data/w\0tok", answer.body, 11));
	}
	EXPECT_TRUE(GET(self->fd, XS_WATCH, 0, "data/w\0tok", "EEXIST"));
	EXPECT_TRUE(GET(self->other, XS_UNWATCH, 0, "data/w\0tok", "ENOENT"));
	EXPECT_TRUE(GET(self->other, XS_WRITE, 0, "data/w/x\0001", "OK"));
	ASSERT_EQ(0, receive(self->fd, &answer, 1));
	EXPECT_EQ(XS_WATCH_EVENT, answer.head.type);
	EXPECT_STREQ("data/w/x", answer.body);
	EXPECT_STREQ("tok", answer.body + 9);
	EXPECT_TRUE(GET(self->fd, XS_UNWATCH, 0, "data/w\0tok", "OK"));
	EXPECT_TRUE(GET(self->other, XS_RM, 0, "data/w", "OK"));
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-1, read(self->fd, &byte, 1));
	/* The other file gets no event. */
	ASSERT_EQ(0, fcntl(self->other, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-1, read(self->other, &byte, 1));
}

TEST_F(store, number_of_watches)
{
	struct answer answer;
	char body[32];
	int set = 0;

	for (int round = 0; round < 3; round++) {
		int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

		ASSERT_LE(0, fd);
		for (set = 0; set < 100; set++) {
			int len = sprintf(body, "data%ctoken%d", 0, set) + 1;

			ASSERT_EQ(0, ask(fd, XS_WATCH, 0, body, len, 5000));
			do {
				ASSERT_EQ(0, receive(fd, &answer, 5000));
			} while (answer.head.type == XS_WATCH_EVENT);
			if (answer.head.type == XS_ERROR)
				break;
		}
		EXPECT_EQ(64, set);
		EXPECT_STREQ("E2BIG", answer.body);
		close(fd);
	}
}

/* Unread events neither exhaust memory nor block other files. */
TEST_F(store, unread_events)
{
	static char path[2000];
	int len;

	memset(path, 'x', sizeof(path));
	memcpy(path, "data/", 5);
	len = 1500;
	path[len] = '\0';
	EXPECT_EQ(0, ask(self->other, XS_WATCH, 0, "data\0t", 7, 5000));
	for (int i = 0; i < 250; i++)
		ASSERT_TRUE(get(self->fd, XS_WRITE, 0, path, len + 1, "OK"));
	ASSERT_TRUE(get(self->fd, XS_RM, 0, path, len + 1, "OK"));
}

/* An incomplete request has no effect. */
TEST_F(store, closed_in_the_middle)
{
	char piece[100];

	memset(piece, '0', sizeof(piece));
	for (int i = 0; i < 100; i++) {
		int fd = open(DEVICE, O_RDWR | O_CLOEXEC);
		struct xsd_sockmsg head = { .type = XS_WRITE, .len = 100 };

		ASSERT_LE(0, fd);
		EXPECT_EQ(16, write(fd, &head, sizeof(head)));
		EXPECT_EQ(i, write(fd, piece, i));
		close(fd);
	}
	EXPECT_TRUE(GET(self->fd, XS_READ, 0, "data/absent", "ENOENT"));
}

TEST_HARNESS_MAIN
