/* SPDX-License-Identifier: MIT */
/*
 * The grant references of the drivers, as in a domain that has just been created.
 *
 * Included after driver/kernel.c and driver/hypervisor.c.
 */
#ifndef FAKE_GRANT_H
#define FAKE_GRANT_H

#include "../../../arch/x86/pvguest/parameter.c"
#include "../../../drivers/pvbus/grant.c"
#include "../../../drivers/pvbus/grant_deferred.c"
#include "../../../arch/x86/pvguest/grant_table.c"

/* A new domain with @offered frames of its grant table, @limit at most. */
static void grant_reset(unsigned int limit, unsigned int offered)
{
	shim_reset();
	hyp_reset(limit, offered);
	pv_grant_frame = NULL;
	pv_grant_status_frame = NULL;
	pv_grant_frames = 0;
	pv_grant_max_frames = 0;
	pvgrant_free_head = PVGRANT_NONE;
	pvgrant_free_count = 0;
	pvgrant_total_count = 0;
	pvgrant_lost_count = 0;
	INIT_LIST_HEAD(&pvgrant_deferred_list);
	pvgrant_deferred_count = 0;
	pvgrant_released_count = 0;
	pvgrant_forgotten_count = 0;
	pvgrant_retry_work = (struct delayed_work) { .work.func = pvgrant_retry };
}

#endif /* FAKE_GRANT_H */
