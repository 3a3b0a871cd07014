/* SPDX-License-Identifier: MIT */
/*
 * A loop device over a file without a name: a block device, for write-back and
 * swap, that needs no disk.
 */
#ifndef PVGUEST_SELFTESTS_GUEST_LOOP_H
#define PVGUEST_SELFTESTS_GUEST_LOOP_H

#include <linux/loop.h>
#include <sys/ioctl.h>

#include "guest.h"

#define LOOP_FOLDER "/tmp"

/* @fd: the device, whose path is @path. */
struct loop {
	int fd;
	char path[32];
};

/* A new file of @pages pages without a name, or -1. */
static inline int nameless_file(unsigned int pages)
{
	char path[] = LOOP_FOLDER "/loopXXXXXX";
	int fd = mkstemp(path);

	if (fd < 0)
		return -1;
	unlink(path);
	if (ftruncate(fd, pages * PAGE)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Set up @loop with @pages pages of zero bytes; 0 or -errno. */
static inline int loop_open(struct loop *loop, unsigned int pages)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int file = nameless_file(pages);
	int number, error = 0;
	char page[PAGE] = { };

	loop->fd = -1;
	number = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);
	if (number >= 0) {
		snprintf(loop->path, sizeof(loop->path), "/dev/loop%d", number);
		loop->fd = open(loop->path, O_RDWR | O_CLOEXEC);
	}
	if (file < 0 || loop->fd < 0) {
		error = -errno;
		goto out;
	}
	/* No holes: what reads the file finds pages, not gaps. */
	for (unsigned int i = 0; i < pages; i++) {
		if (pwrite(file, page, PAGE, i * PAGE) != (ssize_t)PAGE) {
			error = -EIO;
			goto out;
		}
	}
	if (ioctl(loop->fd, LOOP_SET_FD, file))
		error = -errno;
out:
	if (file >= 0)
		close(file);
	if (control >= 0)
		close(control);
	if (error && loop->fd >= 0) {
		close(loop->fd);
		loop->fd = -1;
	}
	return error;
}

/* Take down @loop, also one that was not set up; 0 or -errno. */
static inline int loop_close(struct loop *loop)
{
	int error = 0;

	if (loop->fd < 0)
		return 0;
	if (ioctl(loop->fd, LOOP_CLR_FD))
		error = -errno;
	close(loop->fd);
	loop->fd = -1;
	return error;
}

/* linux/swap.h is no header for programs: union swap_header, version 1. */
struct swap_header {
	char boot[1024];
	__u32 version, last_page, nr_badpages;
};

/* Write on @loop, of @pages pages, what swapon() looks for; 0 or -errno. */
static inline int loop_make_swap(struct loop *loop, unsigned int pages)
{
	char page[PAGE] = { };
	struct swap_header *header = (void *)page;

	header->version = 1;
	header->last_page = pages - 1;
	memcpy(page + PAGE - 10, "SWAPSPACE2", 10);
	if (pwrite(loop->fd, page, PAGE, 0) != (ssize_t)PAGE || fsync(loop->fd))
		return -errno;
	return 0;
}

#endif /* PVGUEST_SELFTESTS_GUEST_LOOP_H */
