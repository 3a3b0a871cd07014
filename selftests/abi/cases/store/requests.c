// SPDX-License-Identifier: MIT
/*
 * XenStore requests of a domU to a real daemon, accepted and refused.  All
 * nodes are below data, which a guest may write.
 */
#include "case.h"
#include <xen/io/xs_wire.h>

static char buf[4100];

static int rm(const char *path)
{
	return store_op1(XS_RM, 0, path, NULL, 0);
}

static int mkdir(const char *path)
{
	return store_op1(XS_MKDIR, 0, path, NULL, 0);
}

/* The absolute path of @rest below this domain's own node. */
static const char *own(const char *rest)
{
	static char path[200];

	format(path, sizeof(path), "/local/domain/%u%s", own_domid(), rest);
	return path;
}

/* Each reply has the id, transaction and type of its request. */
CASE(store_reply, "STO-001 STO-RING-001", DOMU)
{
	want(store_read("domid", buf, sizeof(buf)) > 0);
	want_eq(store_last.type, XS_READ);
	want_eq(store_last.tx_id, 0);
	want(store_last.req_id);
	want_eq(store_read("data/none", buf, sizeof(buf)), -ENOENT);
	want_eq(store_last.type, XS_ERROR);
	want_eq(store_last.tx_id, 0);
}

/* An ERROR reply is the name of an error with a zero byte. */
CASE(store_error_name, "STO-002", DOMU)
{
	want_eq(store_read("data/none", buf, sizeof(buf)), -ENOENT);
	want_eq(store_last.len, 7);
	want_eq(strcmp(buf, "ENOENT"), 0);
}

/* Unknown request types return ENOSYS. */
CASE(store_unknown_type, "STO-003", DOMU)
{
	want_eq(store_call(200, 0, "data", 5, NULL, 0), -ENOSYS);
}

/*
 * Requests without the zero bytes they need return EINVAL, or ENOENT to 4.17.
 */
CASE(store_no_terminator, "STO-004", DOMU)
{
	want_any(store_call(XS_READ, 0, "data", 4, NULL, 0), -EINVAL, -ENOENT);
	want_any(store_call(XS_WRITE, 0, "data/x", 6, NULL, 0), -EINVAL, -ENOENT);
	want_any(store_call(XS_DIRECTORY, 0, "data", 4, NULL, 0), -EINVAL, -ENOENT);
	want_any(store_call(XS_WATCH, 0, "data\0token", 10, NULL, 0), -EINVAL, -ENOENT);
	want_eq(store_read("data/x", buf, sizeof(buf)), -ENOENT);
}

/*
 * A value is read back as it was written, byte for byte, without a zero byte
 * at the end.
 */
CASE(store_write_read, "STO-005 STO-046", DOMU)
{
	want(store_write("data/a", "hello") >= 0);
	want_eq(store_read("data/a", buf, sizeof(buf)), 5);
	want_eq(memcmp(buf, "hello", 5), 0);
	want(store_write("data/a", "other") >= 0);
	want_eq(store_read("data/a", buf, sizeof(buf)), 5);
	want_eq(memcmp(buf, "other", 5), 0);
	want(rm("data/a") >= 0);
}

/* A value may be empty or hold any bytes. */
CASE(store_any_bytes, "STO-006", DOMU)
{
	char body[300];
	unsigned int i;

	memcpy(body, "data/b", 7);
	for (i = 0; i < 256; i++)
		body[7 + i] = (char)i;
	want(store_call(XS_WRITE, 0, body, 7 + 256, NULL, 0) >= 0);
	want_eq(store_read("data/b", buf, sizeof(buf)), 256);
	want_eq(memcmp(buf, body + 7, 256), 0);
	want(store_write("data/b", "") >= 0);
	want_eq(store_read("data/b", buf, sizeof(buf)), 0);
	want(rm("data/b") >= 0);
}

/* WRITE and MKDIR create missing parents with empty values. */
CASE(store_parents, "STO-007", DOMU)
{
	want(store_write("data/p/q/r", "v") >= 0);
	want_eq(store_read("data/p/q", buf, sizeof(buf)), 0);
	want(mkdir("data/m/n") >= 0);
	want_eq(store_read("data/m", buf, sizeof(buf)), 0);
	want(rm("data/p") >= 0);
	want(rm("data/m") >= 0);
}

/* READ and DIRECTORY of a node that does not exist return ENOENT. */
CASE(store_absent, "STO-008", DOMU)
{
	want_any(store_read("data/none", buf, sizeof(buf)), -ENOENT, -EACCES);
	want_any(store_op1(XS_DIRECTORY, 0, "data/none", buf, sizeof(buf)), -ENOENT,
		 -EACCES);
	want_any(store_op1(XS_GET_PERMS, 0, "data/none", buf, sizeof(buf)), -ENOENT,
		 -EACCES);
}

/* The control domain's nodes can be neither read nor written by a guest. */
CASE(store_rights, "STO-009 STO-010", DOMU)
{
	want_any(store_read("/local/domain/0/name", buf, sizeof(buf)), -EACCES);
	want_any(store_write("/local/domain/0/name", "x"), -EACCES);
	want_any(mkdir("/local/domain/0/nothing"), -EACCES);
	want_any(rm("/local/domain/0/name"), -EACCES);
	want_any(store_call(XS_SET_PERMS, 0, "/local/domain/0/name\0n1", 24, NULL, 0),
		 -EACCES, -ENOENT);
	want_any(store_write(own("/name"), "other"), -EACCES);
	want(store_read("name", buf, sizeof(buf)) > 0);
	want(strcmp(buf, "other"));
}

/* Requests refuse paths that are not well-formed. */
CASE(store_bad_paths, "STO-011", DOMU)
{
	want_eq(store_write("data/a b", "x"), -EINVAL);
	want_eq(store_write("data/a\\b", "x"), -EINVAL);
	want_eq(store_write("data//b", "x"), -EINVAL);
	want_eq(store_write("data/b/", "x"), -EINVAL);
	want_eq(store_read("", buf, sizeof(buf)), -EINVAL);
	want_eq(store_read("data/a*", buf, sizeof(buf)), -EINVAL);
}

/* Requests refuse paths that are too long. */
CASE(store_long_paths, "STO-012", DOMU)
{
	static char path[3300];

	memset(path, 'a', sizeof(path));
	memcpy(path, "data/", 5);
	path[2100] = 0;
	want_any(store_read(path, buf, sizeof(buf)), -EINVAL, -ENAMETOOLONG, -1000);
	path[2100] = 'a';
	path[0] = '/';
	path[3100] = 0;
	want_any(store_read(path, buf, sizeof(buf)), -EINVAL, -ENAMETOOLONG, -1000);
}

/* A relative path is below the guest's own node. */
CASE(store_relative, "STO-013", DOMU)
{
	want(store_write("data/rel", "one") >= 0);
	want_eq(store_read(own("/data/rel"), buf, sizeof(buf)), 3);
	want_eq(memcmp(buf, "one", 3), 0);
	want(rm("data/rel") >= 0);
}

/* MKDIR of an existing node changes nothing. */
CASE(store_mkdir, "STO-014", DOMU)
{
	want(store_write("data/k", "keep") >= 0);
	want(mkdir("data/k") >= 0);
	want_eq(store_read("data/k", buf, sizeof(buf)), 4);
	want_eq(memcmp(buf, "keep", 4), 0);
	want(rm("data/k") >= 0);
}

/*
 * RM removes a node with all nodes below it, and succeeds for a node that does
 * not exist.
 */
CASE(store_rm, "STO-015 STO-016 STO-017", DOMU)
{
	want(store_write("data/t/u/v", "x") >= 0);
	want(rm("data/t") >= 0);
	want_eq(store_read("data/t/u/v", buf, sizeof(buf)), -ENOENT);
	want(rm("data/t") >= 0);
	want_eq(rm("data/t/u"), -ENOENT);
	want_any(rm("/"), -EINVAL, -EACCES);
}

/* DIRECTORY lists a node's children once each; a leaf has none. */
CASE(store_directory, "STO-018", DOMU)
{
	int n;

	want(store_write("data/d/one", "1") >= 0);
	want(store_write("data/d/two", "2") >= 0);
	want(store_write("data/d/two/deep", "3") >= 0);
	n = store_op1(XS_DIRECTORY, 0, "data/d", buf, sizeof(buf));
	want_eq(n, 8);
	want(!memcmp(buf, "one\0two", 8) || !memcmp(buf, "two\0one", 8));
	want_eq(store_op1(XS_DIRECTORY, 0, "data/d/one", buf, sizeof(buf)), 0);
	want(rm("data/d") >= 0);
}

/*
 * DIRECTORY refuses a list that is too long for one reply; DIRECTORY_PART
 * returns it in pieces.
 */
CASE(store_directory_long, "STO-019 STO-020", DOMU)
{
	char path[120];
	unsigned int i;
	int n = 0;

	for (i = 0; i < 60 && n >= 0; i++) {
		format(path, sizeof(path), "data/long/%02u-%s", i,
		       "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
		n = store_write(path, "");
	}
	if (n < 0)
		want_any(n, -ENOSPC, -E2BIG);
	n = store_op1(XS_DIRECTORY, 0, "data/long", buf, sizeof(buf));
	if (i == 60)
		want_eq(n, -E2BIG);
	else
		want(n > 80 && n < 4096);
	n = store_call(XS_DIRECTORY_PART, 0, "data/long\0000", 12, buf, sizeof(buf));
	if (n < 0)
		want_eq(n, -ENOSYS);
	else
		want(n > 80);
	want(rm("data/long") >= 0);
}

static int set_perms(const char *path, const char *perms, unsigned int len)
{
	char body[200];
	unsigned int n = (unsigned int)strlen(path) + 1;

	memcpy(body, path, n);
	memcpy(body + n, perms, len);
	return store_call(XS_SET_PERMS, 0, body, n + len, NULL, 0);
}

/*
 * GET_PERMS returns the owner first; SET_PERMS of the owner sets the other
 * rights.
 */
CASE(store_perms, "STO-021 STO-022", DOMU)
{
	char perms[40], expected[40];
	int n = format(perms, sizeof(perms), "n%u", own_domid()) + 1, e;

	want(store_write("data/r", "x") >= 0);
	memcpy(expected, perms, n);
	e = n + format(expected + n, 20, "r7") + 1;
	want(set_perms("data/r", expected, e) >= 0);
	want_eq(store_op1(XS_GET_PERMS, 0, "data/r", buf, sizeof(buf)), e);
	want_eq(memcmp(buf, expected, e), 0);
	want_any(set_perms("data/r", "n0", 3), -EPERM, -EACCES);
	want_eq(store_op1(XS_GET_PERMS, 0, "data/r", buf, sizeof(buf)), e);
	want_eq(memcmp(buf, expected, e), 0);
	want(rm("data/r") >= 0);
}

/* GET_DOMAIN_PATH and IS_DOMAIN_INTRODUCED describe domains. */
CASE(store_domains, "STO-042 STO-043", DOMU)
{
	char id[16];
	int n;

	format(id, sizeof(id), "%u", own_domid());
	want(store_op1(XS_GET_DOMAIN_PATH, 0, id, buf, sizeof(buf)) > 0);
	want_eq(strcmp(buf, own("")), 0);
	n = store_op1(XS_IS_DOMAIN_INTRODUCED, 0, id, buf, sizeof(buf));
	if (n < 0) {
		want_eq(n, -EACCES);
		return;
	}
	want_eq(buf[0], 'T');
	want(store_op1(XS_IS_DOMAIN_INTRODUCED, 0, "4242", buf, sizeof(buf)) >= 1);
	want_eq(buf[0], 'F');
}

/* Requests of the control domain are refused to a guest. */
CASE(store_admin, "STO-044", DOMU)
{
	want_eq(store_call(XS_INTRODUCE, 0, "1\0001\0001", 6, NULL, 0), -EACCES);
	want_eq(store_call(XS_RELEASE, 0, "0", 2, NULL, 0), -EACCES);
	want_eq(store_call(XS_RESUME, 0, "0", 2, NULL, 0), -EACCES);
	want_eq(store_call(XS_SET_TARGET, 0, "1\0000", 4, NULL, 0), -EACCES);
	want_eq(store_call(XS_CONTROL, 0, "log\0on", 7, NULL, 0), -EACCES);
}

/* A guest can read the nodes that the tool stack created below its own path. */
CASE(store_corner, "STO-046", DOMU)
{
	want(store_read("name", buf, sizeof(buf)) > 0);
	want(store_read("domid", buf, sizeof(buf)) > 0);
	want(store_read("memory/target", buf, sizeof(buf)) > 0);
	want(store_op1(XS_DIRECTORY, 0, "device", buf, sizeof(buf)) >= 0);
	want(store_write("data/mine", "1") >= 0);
	want(rm("data/mine") >= 0);
}

/* The shutdown node can be read and acknowledged. */
CASE(store_shutdown_node, "STO-047", DOMU)
{
	int n = store_read("control/shutdown", buf, sizeof(buf));

	if (n == -ENOENT)
		n = 0;
	want_eq(n, 0);
	want(store_write("control/shutdown", "") >= 0);
	want_eq(store_read("control/shutdown", buf, sizeof(buf)), 0);
}

/*
 * Quotas refuse too many nodes and too large a value, and other domains are
 * not affected.
 */
CASE(store_quota, "STO-032", DOMU | ALONE)
{
	static char body[4000];
	char path[40];
	unsigned int i;
	int ret = 0;

	memset(body, 'x', sizeof(body));
	memcpy(body, "data/big", 9);
	ret = store_call(XS_WRITE, 0, body, 3900, NULL, 0);
	want_any(ret, -ENOSPC, -E2BIG, -EACCES);
	for (i = 0; i < 3000; i++) {
		format(path, sizeof(path), "data/n%u", i);
		ret = store_write(path, "");
		if (ret < 0)
			break;
	}
	want_any(ret, -ENOSPC, -EACCES);
	want(store_read("name", buf, sizeof(buf)) > 0);
	want(rm("data/n0") >= 0);
	want(store_write("data/n0", "") >= 0);
}
