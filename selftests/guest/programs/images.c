// SPDX-License-Identifier: MIT
/*
 * Images that were installed under Linux's own port find what they know:
 * devices on a bus by whose name udev and systemd know them, and /proc/xen.  It
 * holds for both ports.
 */
#include <dirent.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <xen/io/xs_wire.h>

#include "guest.h"

#define BUS	"/sys/bus/xen/devices"
/* Bit of /sys/hypervisor/properties/features: XENFEAT_dom0 (xen/features.h). */
#define FEATURE_DOM0	11
#define XENFS_MAGIC	0xabba1974

/* The file @name of @device, without the newline at its end. */
static const char *attribute(const char *device, const char *name)
{
	static char text[4096];
	char path[512];

	snprintf(path, sizeof(path), BUS "/%s/%s", device, name);
	if (read_file(path, text, sizeof(text)) <= 0)
		return "";
	if (text[strlen(text) - 1] == '\n')
		text[strlen(text) - 1] = '\0';
	return text;
}

/* Whether @path is XenStore: Linux's own port has the file where it has no store, too. */
static bool opens(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* Where sysfs has the device to which the link @path leads. */
static const char *place(const char *path)
{
	static char real[4096];

	return realpath(path, real) ?: "";
}

FIXTURE(bus)
{
	DIR *devices;
};

FIXTURE_SETUP(bus)
{
	self->devices = NULL;
	if (access("/sys/hypervisor/type", F_OK))
		SKIP(return, "no hypervisor under this kernel");
	if (!opens("/dev/xen/xenbus"))
		SKIP(return, "this domain has no XenStore, so no devices");
	self->devices = opendir(BUS);
	ASSERT_NE(NULL, self->devices);
}

FIXTURE_TEARDOWN(bus)
{
	if (self->devices)
		closedir(self->devices);
}

TEST_F(bus, devices_have_the_names_that_udev_knows)
{
	char type[32], expected[512], path[512];
	struct dirent *entry;
	unsigned int id, seen = 0;

	while ((entry = readdir(self->devices))) {
		const char *name = entry->d_name;

		if (sscanf(name, "%31[^-]-%u", type, &id) != 2)
			continue;
		seen++;
		snprintf(expected, sizeof(expected), "device/%s/%u", type, id);
		EXPECT_STREQ(expected, attribute(name, "nodename"));
		EXPECT_STREQ(type, attribute(name, "devtype"));
		snprintf(expected, sizeof(expected), "xen:%s", type);
		EXPECT_STREQ(expected, attribute(name, "modalias"));
		snprintf(expected, sizeof(expected), "MODALIAS=xen:%s", type);
		EXPECT_NE(NULL, strstr(attribute(name, "uevent"), expected));
		EXPECT_NE('\0', *attribute(name, "state"));
		/* systemd reads an interface's number from this very place. */
		snprintf(path, sizeof(path), BUS "/%s", name);
		snprintf(expected, sizeof(expected), "/sys/devices/%s", name);
		EXPECT_STREQ(expected, place(path));
	}
	/* The rig gives each ordinary guest an interface. */
	EXPECT_LE(1U, seen);
}

TEST_F(bus, an_interface_is_below_its_device)
{
	EXPECT_STREQ("/sys/devices/vif-0/net/eth0", place("/sys/class/net/eth0"));
}

TEST(proc_xen_is_there_in_a_domain_only)
{
	EXPECT_EQ(!access("/sys/hypervisor/type", F_OK), !access("/proc/xen", F_OK));
}

FIXTURE(xenfs)
{
	bool mounted;
};

FIXTURE_SETUP(xenfs)
{
	self->mounted = false;
	if (access("/sys/hypervisor/type", F_OK))
		SKIP(return, "no hypervisor under this kernel");
	ASSERT_EQ(0, mount("xenfs", "/proc/xen", "xenfs", 0, NULL));
	self->mounted = true;
}

FIXTURE_TEARDOWN(xenfs)
{
	if (self->mounted)
		EXPECT_EQ(0, umount("/proc/xen"));
}

TEST_F(xenfs, it_is_one_file_system)
{
	struct statfs about;

	ASSERT_EQ(0, statfs("/proc/xen", &about));
	EXPECT_EQ(XENFS_MAGIC, about.f_type);
	/* A second mount shows the same files. */
	mkdir("/tmp/xenfs", 0700);
	EXPECT_EQ(0, mount("xenfs", "/tmp/xenfs", "xenfs", 0, NULL));
	EXPECT_EQ(0, access("/tmp/xenfs/capabilities", R_OK));
	EXPECT_EQ(0, umount("/tmp/xenfs"));
}

TEST_F(xenfs, capabilities_name_the_initial_domain)
{
	char text[64];
	bool initial;

	ASSERT_LT(0, read_file("/sys/hypervisor/properties/features", text, sizeof(text)));
	initial = strtoul(text, NULL, 16) & 1UL << FEATURE_DOM0;
	ASSERT_LE(0, read_file("/proc/xen/capabilities", text, sizeof(text)));
	EXPECT_STREQ(initial ? "control_d\n" : "", text);
}

/* The value of XenStore's node "domid", read through the file @path. */
static void read_domid(struct __test_metadata *_metadata, const char *path, char *value,
		       size_t size)
{
	static const char node[] = "domid";
	struct xsd_sockmsg head = { .type = XS_READ, .len = sizeof(node) };
	int fd = open(path, O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_EQ(sizeof(head), write(fd, &head, sizeof(head)));
	ASSERT_EQ(sizeof(node), write(fd, node, sizeof(node)));
	ASSERT_EQ(sizeof(head), read(fd, &head, sizeof(head)));
	ASSERT_EQ(XS_READ, head.type);
	ASSERT_GT(size, head.len);
	ASSERT_EQ(head.len, read(fd, value, head.len));
	value[head.len] = '\0';
	close(fd);
}

TEST_F(xenfs, xenbus_is_xenstore)
{
	char device[16], file[16];

	if (!opens("/dev/xen/xenbus")) {
		EXPECT_FALSE(opens("/proc/xen/xenbus"));
		SKIP(return, "this domain has no XenStore");
	}
	read_domid(_metadata, "/dev/xen/xenbus", device, sizeof(device));
	read_domid(_metadata, "/proc/xen/xenbus", file, sizeof(file));
	EXPECT_STREQ(device, file);
	EXPECT_NE('\0', *file);
}

TEST_HARNESS_MAIN
