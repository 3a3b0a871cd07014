/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shape of the tree in which the pfn-to-mfn list is published; free of kernel
 * dependencies so that it can be tested on any machine.
 *
 * Each leaf is one page of the list, each middle page names 512 leaves, the
 * top page names up to 512 middle pages: 2^27 frames, 512 GiB.
 */
#ifndef PVGUEST_P2M_TREE_H
#define PVGUEST_P2M_TREE_H

#define P2M_PER_PAGE	512UL

/**
 * pv_p2m_tree_size() - how many pages the tree needs
 * @entries: entries of the list
 * @mids: set to the number of middle pages, at most 512
 * @leaves: set to the number of leaves that they name
 */
static inline void pv_p2m_tree_size(unsigned long entries, unsigned long *mids,
				    unsigned long *leaves)
{
	unsigned long max = P2M_PER_PAGE * P2M_PER_PAGE;

	*leaves = (entries + P2M_PER_PAGE - 1) / P2M_PER_PAGE;
	if (*leaves > max)
		*leaves = max;
	*mids = (*leaves + P2M_PER_PAGE - 1) / P2M_PER_PAGE;
}

/**
 * pv_p2m_tree_fill() - name consecutive pages in one level of the tree
 * @table: where to write @nr frame numbers
 * @pages: first of the pages that are named
 * @nr: how many
 * @frame_of: machine frame of a page
 *
 * The rest of the last page of @table is filled with all ones, which names
 * no frame.
 */
static inline void pv_p2m_tree_fill(unsigned long *table,
				    const unsigned long *pages, unsigned long nr,
				 unsigned long long (*frame_of)(const void *))
{
	unsigned long i;

	for (i = 0; i < nr; i++)
		table[i] = frame_of(pages + i * P2M_PER_PAGE);
	for (; i % P2M_PER_PAGE; i++)
		table[i] = ~0UL;
}

#endif /* PVGUEST_P2M_TREE_H */
