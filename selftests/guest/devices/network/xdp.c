// SPDX-License-Identifier: MIT
/*
 * Attaches an XDP program to an interface, prints a line, and detaches it when
 * killed.
 *
 * usage: xdp INTERFACE pass|drop|tx|IFINDEX
 *
 * A number sends every packet on to the interface with that index.
 */
#include <linux/bpf.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOVE(to, value) { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (to), .imm = (value) }
#define CALL(function) { .code = BPF_JMP | BPF_CALL, .imm = (function) }
#define EXIT { .code = BPF_JMP | BPF_EXIT }

static int bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

/* A program that returns @what for every packet, or redirects it to @target. */
static int load(int what, int target)
{
	struct bpf_insn simple[] = { MOVE(BPF_REG_0, what), EXIT };
	struct bpf_insn redirect[] = {
		MOVE(BPF_REG_1, target), MOVE(BPF_REG_2, 0), CALL(BPF_FUNC_redirect), EXIT
	};
	static char log[4096];
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_XDP,
		.insns = (unsigned long)(target ? redirect : simple),
		.insn_cnt = target ? 4 : 2,
		.license = (unsigned long)"GPL",
		.log_buf = (unsigned long)log, .log_size = sizeof(log), .log_level = 1,
	};
	int fd = bpf(BPF_PROG_LOAD, &attr);

	if (fd < 0)
		fprintf(stderr, "xdp: the program is refused: %s\n", log);
	return fd;
}

int main(int argc, char **argv)
{
	static const char * const names[] = {
		[XDP_DROP] = "drop", [XDP_PASS] = "pass", [XDP_TX] = "tx",
	};
	union bpf_attr attr = { };
	int what = 0, i, program;

	if (argc != 3 || !if_nametoindex(argv[1])) {
		fprintf(stderr, "usage: xdp INTERFACE pass|drop|tx|IFINDEX\n");
		return 2;
	}
	for (i = XDP_DROP; i <= XDP_TX; i++)
		if (!strcmp(argv[2], names[i]))
			what = i;
	program = load(what, what ? 0 : atoi(argv[2]));
	if (program < 0)
		return 1;
	attr.link_create.prog_fd = program;
	attr.link_create.target_ifindex = if_nametoindex(argv[1]);
	attr.link_create.attach_type = BPF_XDP;
	/* The driver's own XDP or none. */
	attr.link_create.flags = 1U << 2;
	if (bpf(BPF_LINK_CREATE, &attr) < 0) {
		perror("xdp: attaching the program");
		return 1;
	}
	puts("attached");
	fflush(stdout);
	/* The link ends with this program. */
	for (;;)
		pause();
}
