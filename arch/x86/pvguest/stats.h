/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters of the port, one increment of a per-vCPU word each; debugfs.c shows
 * them.
 */
#ifndef PVGUEST_STATS_H
#define PVGUEST_STATS_H

#include <linux/percpu.h>

/* Every hypercall's number is below this. */
#define PV_HYPERCALLS		64

/*
 * Sizes of batches, of page-table updates and extended operations alone, are
 * counted in powers of two: 1, 2-3, 4-7, ...
 */
#define PV_BATCH_BUCKETS	10

struct pv_stats {
	/* Hypercalls issued, by number; first, for entry.S. */
	unsigned long hypercall[PV_HYPERCALLS];
	/* Page-table updates asked for, those that protect pages included. */
	unsigned long pt_update;
	unsigned long direct_write;
	unsigned long batch[PV_BATCH_BUCKETS];
	unsigned long protect_ro;
	unsigned long protect_rw;
	unsigned long pin;
	unsigned long unpin;
	unsigned long switch_mm;
	unsigned long flush_all;
	unsigned long flush_one;
	unsigned long flush_multi;
	unsigned long upcall;
	unsigned long event;
	unsigned long ipi_sent;
	unsigned long ipi_merged;
	/* Polls for a kick, and kicks sent. */
	unsigned long lock_wait;
	unsigned long lock_kick;
};

DECLARE_PER_CPU(struct pv_stats, pvguest_stats);

#define pv_count(what)	this_cpu_inc(pvguest_stats.what)

#endif /* PVGUEST_STATS_H */
