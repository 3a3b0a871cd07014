/* SPDX-License-Identifier: GPL-2.0-only */
/* The vsyscall page in user mode. */
#ifndef PVGUEST_VSYSCALL_H
#define PVGUEST_VSYSCALL_H

#include <linux/mm_types.h>

#ifdef CONFIG_X86_VSYSCALL_EMULATION
void pvguest_vsyscall_map(phys_addr_t phys, pgprot_t prot);
void pvguest_vsyscall_link(pgd_t *user);
#else
static inline void pvguest_vsyscall_link(pgd_t *user)
{
}
#endif

#endif /* PVGUEST_VSYSCALL_H */
