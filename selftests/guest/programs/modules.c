// SPDX-License-Identifier: MIT
/*
 * Kernel code loaded at run time: a module loaded and unloaded, its code
 * patched by a static key under load, and programs compiled by the BPF JIT.
 */
#include <linux/filter.h>
#include <linux/module.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "guest.h"

#define PARAMETERS "/sys/module/pvguest_test/parameters/"
#define JIT_ENABLE "/proc/sys/net/core/bpf_jit_enable"

static int load(const char *arguments)
{
	return load_module("pvguest_test", arguments);
}

static int unload(void)
{
	return unload_module("pvguest_test");
}

static long parameter(const char *name)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	return read_file(path, text, sizeof(text)) < 0 ? -1 : atol(text);
}

FIXTURE(module)
{
	int loaded;
};

FIXTURE_SETUP(module)
{
	self->loaded = load("seed=100");
	if (self->loaded == -ENOENT)
		SKIP(return, "pvguest_test.ko was not built for this kernel");
	ASSERT_EQ(0, self->loaded);
}

FIXTURE_TEARDOWN(module)
{
	if (!self->loaded)
		EXPECT_EQ(0, unload());
}

TEST_F(module, runs_and_answers)
{
	EXPECT_EQ(103, parameter("answer"));
	EXPECT_EQ(1, parameter("asked"));
	EXPECT_EQ(103, parameter("answer"));
	EXPECT_EQ(2, parameter("asked"));
}

TEST_F(module, loads_once_only)
{
	EXPECT_EQ(-EEXIST, load(""));
}

TEST_F(module, comes_and_goes)
{
	char arguments[32];

	for (int i = 0; i < 25; i++) {
		ASSERT_EQ(0, unload());
		ASSERT_EQ(-1, access(PARAMETERS, F_OK));
		snprintf(arguments, sizeof(arguments), "seed=%d", i);
		ASSERT_EQ(0, load(arguments));
		ASSERT_EQ(i + 3, parameter("answer"));
	}
}

TEST_F(module, static_key_patches_code)
{
	for (int i = 0; i < 50; i++) {
		ASSERT_EQ(0, write_file(PARAMETERS "double", "1"));
		ASSERT_EQ(206, parameter("answer"));
		ASSERT_EQ(0, write_file(PARAMETERS "double", "0"));
		ASSERT_EQ(103, parameter("answer"));
	}
}

TEST_F(module, static_key_under_load)
{
	pid_t children[3];

	for (int c = 0; c < 3; c++) {
		children[c] = fork();
		ASSERT_LE(0, children[c]);
		if (children[c])
			continue;
		for (int i = 0; i < 500; i++) {
			long answer = parameter("answer");

			if (answer != 103 && answer != 206)
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(0, write_file(PARAMETERS "double",
					i % 2 ? "1" : "0"));
	for (int c = 0; c < 3; c++)
		EXPECT_EQ(0, exit_status(children[c]));
}

/* The processor's own interrupt controller: no hypervisor gives that away. */
#define NO_GUESTS_FRAME "0xfee00000"

TEST_F(module, a_frame_that_is_not_ours_is_left_unmapped)
{
	if (!on_pvguest())
		SKIP(return, "not our own kernel as a guest");
	for (int i = 0; i < 20; i++) {
		ASSERT_EQ(-EFAULT, write_file(PARAMETERS "map", NO_GUESTS_FRAME));
		/* Nothing of the refused request may be left for others. */
		pid_t child = fork();

		ASSERT_LE(0, child);
		if (!child)
			_exit(0);
		ASSERT_EQ(0, exit_status(child));
	}
}

TEST(damaged_module_is_refused)
{
	static const char junk[4096] = "\177ELF not really";

	EXPECT_EQ(-1, syscall(SYS_init_module, junk, sizeof(junk), ""));
	EXPECT_EQ(ENOEXEC, errno);
}

/* Attach a filter that drops datagrams whose first byte is @dropped. */
static int attach(int fd, unsigned char dropped)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, dropped, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
	};
	struct sock_fprog program = { ARRAY_SIZE(code), code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
			  sizeof(program));
}

TEST(compiled_socket_filters)
{
	int pair[2];

	if (access(JIT_ENABLE, F_OK))
		SKIP(return, "this kernel has no BPF JIT");
	ASSERT_EQ(0, write_file(JIT_ENABLE, "1"));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair));
	for (int i = 0; i < 200; i++) {
		unsigned char dropped = i, kept = i + 1, seen;

		/* A new program each time: pages of code are allocated and freed. */
		ASSERT_EQ(0, attach(pair[0], dropped));
		send(pair[1], &dropped, 1, 0);
		ASSERT_EQ(1, send(pair[1], &kept, 1, 0));
		ASSERT_EQ(1, recv(pair[0], &seen, 1, 0));
		ASSERT_EQ(kept, seen);
		ASSERT_EQ(-1, recv(pair[0], &seen, 1, 0));
	}
}

TEST(compiled_system_call_filters)
{
	for (int i = 0; i < 20; i++) {
		struct sock_filter code[] = {
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (100 + i)),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		};
		struct sock_fprog program = { ARRAY_SIZE(code), code };
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid) {
			prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
			if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER,
				  &program))
				_exit(errno == EINVAL ? 77 : 1);
			if (syscall(SYS_getppid) != -1 || errno != 100 + i)
				_exit(2);
			_exit(getpid() > 0 ? 0 : 3);
		}
		switch (exit_status(pid)) {
		case 0:
			break;
		case 77:
			SKIP(return, "this kernel has no system call filters");
		default:
			ASSERT_EQ(0, 1) {
				TH_LOG("filter %d was not kept", i);
			}
		}
	}
}

TEST_HARNESS_MAIN
