/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The port checks itself (CONFIG_PVGUEST_DEBUG): see check.c.  Without the
 * option all of this is nothing.
 */
#ifndef PVGUEST_CHECK_H
#define PVGUEST_CHECK_H

#include "internal.h"

#ifdef CONFIG_PVGUEST_DEBUG
void pvguest_check_pte(pte_t *ptep, u64 val);
void pvguest_check_table(const struct mm_struct *mm, unsigned long pfn);
void pvguest_check_link(const void *entry, u64 val, unsigned int shift);
u64 pvguest_check_flush_begins(void);
void pvguest_check_flushed(u64 seq, const struct mmuext_op *ext, unsigned int nr);
void pvguest_check_switch(unsigned int queued);
bool pvguest_check_drops_flush(void);
#else
static inline void pvguest_check_pte(pte_t *ptep, u64 val) { }
static inline void pvguest_check_table(const struct mm_struct *mm,
				       unsigned long pfn) { }
static inline void pvguest_check_link(const void *entry, u64 val,
				      unsigned int shift) { }
static inline u64 pvguest_check_flush_begins(void) { return 0; }
static inline void pvguest_check_flushed(u64 seq, const struct mmuext_op *ext,
					 unsigned int nr) { }
static inline void pvguest_check_switch(unsigned int queued) { }
static inline bool pvguest_check_drops_flush(void) { return false; }
#endif

#endif /* PVGUEST_CHECK_H */
