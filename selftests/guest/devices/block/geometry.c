// SPDX-License-Identifier: MIT
/*
 * Prints a disk's heads, sectors and cylinders, and the first sector of a
 * partition.
 *
 * usage: geometry DISK
 */
#include <fcntl.h>
#include <linux/hdreg.h>
#include <stdio.h>
#include <sys/ioctl.h>

int main(int argc, char **argv)
{
	struct hd_geometry geometry;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: geometry DISK\n");
		return 2;
	}
	fd = open(argv[1], O_RDONLY | O_NONBLOCK);
	if (fd < 0 || ioctl(fd, HDIO_GETGEO, &geometry) < 0) {
		perror(argv[1]);
		return 1;
	}
	printf("%u %u %u %lu\n", geometry.heads, geometry.sectors, geometry.cylinders,
	       geometry.start);
	return 0;
}
