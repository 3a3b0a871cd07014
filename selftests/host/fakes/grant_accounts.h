/* SPDX-License-Identifier: MIT */
/* Accounts of pages that a back end keeps, for code under test that only passes them on. */
#ifndef GRANT_ACCOUNTS_H
#define GRANT_ACCOUNTS_H

struct pvgrant_account { int unused; };

struct pvgrant_account *pvgrant_account_new(void)
{
	return NULL;
}

void pvgrant_account_put(struct pvgrant_account *account)
{
}

unsigned int pvgrant_account_pages(const struct pvgrant_account *account)
{
	return 0;
}

bool pvgrant_account_full(const struct pvgrant_account *account)
{
	return false;
}

void pvgrant_charge_begin(struct pvgrant_charge *charge, struct pvgrant_account *account)
{
}

void pvgrant_charge_end(struct pvgrant_charge *charge)
{
}

#endif /* GRANT_ACCOUNTS_H */
