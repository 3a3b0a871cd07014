/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between free references and pools (grant.c) and those that a back end still
 * uses (grant_deferred.c).
 */
#ifndef PVBUS_GRANT_INTERNAL_H
#define PVBUS_GRANT_INTERNAL_H

#include <linux/list.h>
#include <linux/seq_file.h>
#include <pvbus/grant.h>

void pvgrant_give_back(const grant_ref_t *refs, unsigned int count);
grant_ref_t pvgrant_spare(void);

void pvgrant_deferred_show(struct seq_file *m);

/*
 * Accounts: how many pages are set aside because the back ends of one device
 * have them mapped.  A page is charged to the account of its pool, in any
 * context, or else to the one that its task has open; a pool has the account
 * that was open when it was made.  The account outlives the pool.
 */

/**
 * struct pvgrant_charge - a task that has an account open
 * @list: among all those
 * @task: the task
 * @account: its account
 */
struct pvgrant_charge {
	struct list_head list;
	struct task_struct *task;
	struct pvgrant_account *account;
};

struct pvgrant_account *pvgrant_account_new(void);
void pvgrant_account_put(struct pvgrant_account *account);
unsigned int pvgrant_account_pages(const struct pvgrant_account *account);
bool pvgrant_account_full(const struct pvgrant_account *account);
struct pvgrant_account *pvgrant_account_opened(void);
void pvgrant_charge_begin(struct pvgrant_charge *charge,
			  struct pvgrant_account *account);
void pvgrant_charge_end(struct pvgrant_charge *charge);

#endif /* PVBUS_GRANT_INTERNAL_H */
