/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the two halves of the bus share: the one that knows which devices
 * exist, and the one that walks a device through its states.
 */
#ifndef PVBUS_BUS_H
#define PVBUS_BUS_H

#include <linux/completion.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <pvbus/device.h>
#include <pvbus/store.h>

/**
 * enum pvbus_stage - how far a device has come
 * @PVBUS_APART: the driver has nothing that the back end knows of
 * @PVBUS_OFFERED: rings exist and are published; the back end's turn
 * @PVBUS_JOINED: in service
 * @PVBUS_LEAVING: we have said that we are closed; rings stay until the back
 *	end has let go of them, or has not for a while
 */
enum pvbus_stage {
	PVBUS_APART,
	PVBUS_OFFERED,
	PVBUS_JOINED,
	PVBUS_LEAVING,
};

/* Bits of struct pvbus_core.requests, set in any context. */
enum {
	PVBUS_FAILED,
	PVBUS_RESTART,
};

/**
 * struct pvbus_core - a device as the bus sees it
 * @dev: as its driver sees it
 * @list: among all devices; the scan's
 * @found: the scan has seen it
 * @replaced: its directory is another device's; to be removed
 * @lock: serialises the driver's callbacks and all that follows
 * @driver: NULL while none is bound
 * @stage: how far it has come
 * @again: when the back end has closed, ask it to start anew
 * @broken: it has failed; not to be tried until the back end has noticed
 * @lost: the node that says where the back end is makes no sense, and the log
 *	says so
 * @failures: how often it has failed
 * @watch: on the back end's directory; its path is @dev.backend
 * @step: brings the stage into line with the back end's state
 * @late: the back end has not answered for a while
 * @moved: something has changed below the back end's directory
 * @requests: what the driver has asked for
 * @why_lock: protects @why
 * @why: what pvbus_fail() was told
 * @unsettled: the boot may have to wait for it
 */
struct pvbus_core {
	struct pvbus_device dev;
	struct list_head list;
	bool found;
	bool replaced;
	struct mutex lock;	/* see above */
	const struct pvbus_driver *driver;
	enum pvbus_stage stage;
	bool again;
	bool broken;
	bool lost;
	unsigned int failures;
	struct pvstore_watch watch;
	struct work_struct step;
	struct delayed_work late;
	struct completion moved;
	unsigned long requests;
	spinlock_t why_lock;	/* see above */
	char why[160];
	atomic_t unsettled;
};

static inline struct pvbus_core *to_core(struct device *dev)
{
	return container_of(dev, struct pvbus_core, dev.dev);
}

extern struct workqueue_struct *pvbus_queue;

void pvbus_scan_again(void);
void pvbus_settled(struct pvbus_core *core);

void pvbus_core_init(struct pvbus_core *core);
void pvbus_core_exit(struct pvbus_core *core);
int pvbus_core_bind(struct pvbus_core *core, const struct pvbus_driver *driver);
void pvbus_core_unbind(struct pvbus_core *core);
void pvbus_core_shutdown(struct pvbus_core *core);
const char *pvbus_state_name(enum xenbus_state state);

#endif /* PVBUS_BUS_H */
