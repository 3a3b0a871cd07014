/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fixed addresses and bit meanings shared by C and assembly.
 */
#ifndef PVGUEST_LAYOUT_H
#define PVGUEST_LAYOUT_H

/*
 * Where the domain builder maps the pfn-to-mfn list (XEN_ELFNOTE_INIT_P2M):
 * the second 512 GiB slot of the user half, empty until the first exec.
 */
#define PVGUEST_BOOT_P2M_VADDR		0x8000000000

/*
 * A physical address with this bit set names a machine frame that is not
 * memory of this domain (the shared info page, or I/O memory of the initial
 * domain).  The page-table accessors show it to Linux instead of a pfn, so
 * the two number spaces can never be confused.  Bit 51 is the highest frame
 * bit of an entry; no machine has that much memory.
 */
#define PVGUEST_MACHINE_BIT		51

/*
 * Marks an entry whose frame is not this domain's memory, from the moment the
 * entry is made: the hypervisor may refuse to map it, and such a refusal must
 * not be taken for a disagreement about our own tables.  Bits 53 to 56 mean
 * nothing to the processor, to Linux, and to the hypervisor, which lets bits 52
 * to 62 pass, a debug build 52 to 61 (_PAGE_AVAIL_HIGH, _PAGE_GNTTAB,
 * xen/arch/x86/include/asm/page.h).
 */
#define PVGUEST_FOREIGN_BIT		55

/* Bits 12 to 51 of an entry: the frame. */
#define PVGUEST_FLAGS_MASK		0xfff0000000000fff

/*
 * Slots of the top table that are a program's.  The next 16 are the
 * hypervisor's, which fills them in while the table is in use, and the rest
 * is the kernel's.
 */
#define PVGUEST_USER_SLOTS		256

/* Offsets in struct vcpu_info; vcpu_info.c compares them with its type. */
#define PVGUEST_VCPU_PENDING		0
#define PVGUEST_VCPU_MASK		1
#define PVGUEST_VCPU_CR2		16

/* Distance between the early trap stubs, one for each exception vector. */
#define PVGUEST_EARLY_STUB_SIZE		32

#endif /* PVGUEST_LAYOUT_H */
