/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the parts of the grant table: its layout (grant_table.c), who has
 * which reference (grant.c), and what a back end will not let go of
 * (grant_deferred.c).
 */
#ifndef PVBUS_GRANT_INTERNAL_H
#define PVBUS_GRANT_INTERNAL_H

#include <linux/seq_file.h>
#include <pvbus/grant.h>

int pvgrant_table_init(void);
int pvgrant_table_grow(unsigned int refs);
void pvgrant_table_show(struct seq_file *m);
bool pvgrant_idle(grant_ref_t ref);
void pvgrant_set_link(grant_ref_t ref, grant_ref_t next);
grant_ref_t pvgrant_link(grant_ref_t ref);

void pvgrant_add_free(grant_ref_t first, unsigned int count);
void pvgrant_give_back(const grant_ref_t *refs, unsigned int count);
grant_ref_t pvgrant_spare(void);

void pvgrant_deferred_show(struct seq_file *m);

#endif /* PVBUS_GRANT_INTERNAL_H */
