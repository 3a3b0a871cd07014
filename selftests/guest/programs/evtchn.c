// SPDX-License-Identifier: MIT
/*
 * /dev/xen/evtchn: event channels of programs, here from this domain to itself,
 * by Linux's public interface.  It holds for both ports.
 */
#include <poll.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "guest.h"

#define DEVICE		"/dev/xen/evtchn"
#define SELF		0x7ff0		/* DOMID_SELF (xen/xen.h) */
#define VIRQ_TIMER	0

/* Of the public header xen/evtchn.h, which Debian's linux-libc-dev has not. */
#define BIND_VIRQ	_IOC(_IOC_NONE, 'E', 0, 4)
#define BIND_INTERDOMAIN _IOC(_IOC_NONE, 'E', 1, 8)
#define BIND_UNBOUND	_IOC(_IOC_NONE, 'E', 2, 4)
#define UNBIND		_IOC(_IOC_NONE, 'E', 3, 4)
#define NOTIFY		_IOC(_IOC_NONE, 'E', 4, 4)
#define RESET		_IOC(_IOC_NONE, 'E', 5, 0)
#define RESTRICT	_IOC(_IOC_NONE, 'E', 6, 2)

/* Call @request with one number; the result, or -errno. */
static int call(int fd, unsigned long request, uint32_t argument)
{
	int ret = ioctl(fd, request, &argument);

	return ret < 0 ? -errno : ret;
}

static int join(int fd, uint32_t domain, uint32_t port)
{
	uint32_t argument[2] = { domain, port };
	int ret = ioctl(fd, BIND_INTERDOMAIN, argument);

	return ret < 0 ? -errno : ret;
}

/* Whether an event is there to be read within @timeout ms; it stays there. */
static int comes(int fd, int timeout)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	return poll(&wait, 1, timeout) == 1;
}

/* Await an event: its port, or -ETIME if none comes within @timeout ms. */
static int event(int fd, int timeout)
{
	uint32_t port;

	if (!comes(fd, timeout))
		return -ETIME;
	if (read(fd, &port, sizeof(port)) != sizeof(port))
		return -errno;
	return port;
}

/* Whether no event is there: it would have come at once, as to the same vCPU. */
static int nothing(int fd)
{
	uint32_t port;

	return read(fd, &port, sizeof(port)) < 0 && errno == EAGAIN;
}

static int give_back(int fd, uint32_t port)
{
	return write(fd, &port, sizeof(port)) == sizeof(port);
}

FIXTURE(evtchn)
{
	int fd, other;
	int end, far;		/* the channel's port in fd, and in other */
};

FIXTURE_SETUP(evtchn)
{
	self->fd = -1;
	self->other = -1;
	if (access("/sys/hypervisor/type", F_OK))
		SKIP(return, "no hypervisor under this kernel");
	self->fd = open(DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	self->other = open(DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, self->other);
	self->end = call(self->fd, BIND_UNBOUND, SELF);
	ASSERT_LT(0, self->end);
	self->far = join(self->other, SELF, self->end);
	ASSERT_LT(0, self->far);
	/* Joining a channel is an event for the joining end. */
	EXPECT_EQ(self->far, event(self->other, 60000));
	EXPECT_TRUE(give_back(self->other, self->far));
}

FIXTURE_TEARDOWN(evtchn)
{
	close(self->fd);
	close(self->other);
}

TEST_F(evtchn, events_go_both_ways)
{
	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0, call(self->other, NOTIFY, self->far));
		ASSERT_EQ(self->end, event(self->fd, 60000));
		ASSERT_TRUE(give_back(self->fd, self->end));
		ASSERT_EQ(0, call(self->fd, NOTIFY, self->end));
		ASSERT_EQ(self->far, event(self->other, 60000));
		ASSERT_TRUE(give_back(self->other, self->far));
	}
	EXPECT_TRUE(nothing(self->fd));
}

TEST_F(evtchn, a_port_is_masked_until_it_is_given_back)
{
	ASSERT_EQ(0, call(self->other, NOTIFY, self->far));
	ASSERT_EQ(self->end, event(self->fd, 60000));
	ASSERT_EQ(0, call(self->other, NOTIFY, self->far));
	ASSERT_EQ(0, call(self->other, NOTIFY, self->far));
	/* A second channel's event, which is later, is the next. */
	int second = call(self->fd, BIND_UNBOUND, SELF);
	int far = join(self->other, SELF, second);

	ASSERT_LT(0, far);
	ASSERT_EQ(0, call(self->other, NOTIFY, far));
	EXPECT_EQ(second, event(self->fd, 60000));
	EXPECT_TRUE(nothing(self->fd));
	/* Those that came meanwhile are one. */
	ASSERT_TRUE(give_back(self->fd, self->end));
	EXPECT_EQ(self->end, event(self->fd, 60000));
	ASSERT_TRUE(give_back(self->fd, self->end));
	ASSERT_TRUE(give_back(self->fd, second));
	ASSERT_EQ(0, call(self->other, NOTIFY, far));
	EXPECT_EQ(second, event(self->fd, 60000));
	EXPECT_TRUE(nothing(self->fd));
}

TEST_F(evtchn, ports_belong_to_the_file)
{
	EXPECT_EQ(-ENOTCONN, call(self->fd, NOTIFY, self->far));
	EXPECT_EQ(-ENOTCONN, call(self->fd, UNBIND, self->far));
	EXPECT_EQ(-ENOTCONN, call(self->fd, UNBIND, ~0U));
	/* Nor does giving back another file's port, or none, do anything. */
	give_back(self->fd, self->far);
	give_back(self->fd, ~0U);
	EXPECT_EQ(0, call(self->fd, UNBIND, self->end));
	EXPECT_EQ(-ENOTCONN, call(self->fd, UNBIND, self->end));
	EXPECT_EQ(-ENOTCONN, call(self->fd, NOTIFY, self->end));
}

TEST_F(evtchn, ports_end_with_the_file)
{
	/* A file closed with an event that was not read, one with one not given back. */
	ASSERT_EQ(0, call(self->other, NOTIFY, self->far));
	ASSERT_EQ(self->end, event(self->fd, 60000));
	ASSERT_EQ(0, call(self->fd, NOTIFY, self->end));
	ASSERT_EQ(0, close(self->fd));
	self->fd = open(DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	ASSERT_LE(0, self->fd);
	/* It cannot be joined any more, or is another one. */
	EXPECT_GT(0, join(self->fd, SELF, self->end));
	/* The tool stack allows a domain 1023 ports at once. */
	for (int i = 0; i < 10; i++) {
		int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

		ASSERT_LE(0, fd);
		for (int j = 0; j < 200; j++)
			ASSERT_LT(0, call(fd, BIND_UNBOUND, SELF));
		close(fd);
	}
}

TEST_F(evtchn, invalid_arguments_are_refused)
{
	void *volatile nowhere = (void *)8;
	uint32_t word;

	EXPECT_GT(0, call(self->fd, BIND_UNBOUND, ~0U));
	EXPECT_GT(0, join(self->fd, SELF, 0));
	EXPECT_GT(0, join(self->fd, SELF, ~0U));
	EXPECT_GT(0, join(self->fd, ~0U, 1));
	/* The kernel has it. */
	EXPECT_GT(0, call(self->fd, BIND_VIRQ, VIRQ_TIMER));
	/* Linux's own port takes it for an index. */
	if (on_pvguest())
		EXPECT_GT(0, call(self->fd, BIND_VIRQ, ~0U));
	EXPECT_EQ(-1, ioctl(self->fd, BIND_UNBOUND, NULL));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, ioctl(self->fd, _IOC(_IOC_NONE, 'E', 99, 0), NULL));
	EXPECT_NE(0, errno);
	EXPECT_EQ(0, read(self->fd, &word, 3));
	EXPECT_EQ(0, write(self->fd, &word, 3));
	ASSERT_EQ(0, call(self->other, NOTIFY, self->far));
	ASSERT_TRUE(comes(self->fd, 60000));
	EXPECT_EQ(-1, read(self->fd, nowhere, sizeof(word)));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, write(self->fd, nowhere, sizeof(word)));
	EXPECT_EQ(EFAULT, errno);
}

TEST_F(evtchn, a_file_can_be_restricted_to_a_domain)
{
	uint16_t domain = 7;

	ASSERT_EQ(0, ioctl(self->fd, RESTRICT, &domain));
	EXPECT_EQ(-1, ioctl(self->fd, RESTRICT, &domain));
	EXPECT_EQ(-EACCES, call(self->fd, BIND_UNBOUND, 8));
	EXPECT_EQ(-EACCES, join(self->fd, SELF, 1));
	EXPECT_EQ(-EACCES, call(self->fd, BIND_VIRQ, VIRQ_TIMER));
	/* Bound ports stay so. */
	EXPECT_EQ(0, call(self->fd, NOTIFY, self->end));
	EXPECT_EQ(self->far, event(self->other, 60000));
}

TEST_F(evtchn, a_reset_drops_events_and_no_port)
{
	ASSERT_EQ(0, call(self->other, NOTIFY, self->far));
	ASSERT_TRUE(comes(self->fd, 60000));
	EXPECT_EQ(0, ioctl(self->fd, RESET));
	EXPECT_TRUE(nothing(self->fd));
	EXPECT_EQ(0, call(self->fd, NOTIFY, self->end));
	EXPECT_EQ(self->far, event(self->other, 60000));
}

TEST_HARNESS_MAIN
