/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the two halves of the bus: bus.c, which knows the devices that
 * exist, and device.c, which walks a device through its states.
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
 * @PVBUS_DISCONNECTED: the driver has nothing that the back end knows of
 * @PVBUS_PUBLISHED: rings exist and are published; the back end is to connect
 * @PVBUS_CONNECTED: in service
 * @PVBUS_CLOSING: our state is Closed; rings stay until the back end has
 *	unmapped them, or PVBUS_CLOSE_TIME has passed
 */
enum pvbus_stage {
	PVBUS_DISCONNECTED,
	PVBUS_PUBLISHED,
	PVBUS_CONNECTED,
	PVBUS_CLOSING,
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
 * @replaced: its directory has gone or is another device's: it is to be removed,
 *	and nothing is written there any more
 * @gone: it is being removed and not updated any more
 * @lock: serialises the driver's callbacks and all that follows
 * @driver: NULL while none is bound
 * @stage: how far it has come
 * @reconnect: when the back end has closed, ask it to start anew
 * @retry: the same after the device's own failure, if the tool stack keeps it
 *	online
 * @broken: it has failed; not to be tried until the back end has closed
 * @refused: its driver has refused it, or it was unplugged: to be offered to the
 *	driver again when its nodes change
 * @detached: the tool stack has unplugged it and both ends are closed: its driver
 *	gives it back, until it is plugged in again
 * @given_back: its last driver has given it back: our state is Closed
 * @identity: the nodes that the driver has read in probe(), or NULL
 * @node_invalid: the back end's directory or domain cannot be read, which has
 *	been logged
 * @unwatched: the back end's directory could not be watched, which has been
 *	logged
 * @failures: how often it has failed
 * @restarts: how often it has failed or its back end has restarted; this and
 *	@failures since a connection that lasted
 * @resume: no attempt to connect before then (jiffies), if there are @restarts
 * @connected: when it was connected last (jiffies)
 * @noticed: its driver is not called for a change before then (jiffies)
 * @account: pages that its back ends keep mapped after a connection's end
 * @held: those are too many, which has been logged
 * @watch: on the back end's directory; its path is @dev.backend
 * @update: brings the stage into line with the back end's state
 * @timeout: the back end has not changed its state in time
 * @pause: updates it after a pause
 * @backend_changed: something has changed below the back end's directory
 * @requests: what the driver has asked for
 * @error_lock: protects @error
 * @error: text of the first pvbus_fail()
 * @unsettled: the boot may have to wait for it
 */
struct pvbus_core {
	struct pvbus_device dev;
	struct list_head list;
	bool found;
	bool replaced;
	bool gone;
	struct mutex lock;	/* see above */
	const struct pvbus_driver *driver;
	enum pvbus_stage stage;
	bool reconnect;
	bool retry;
	bool broken;
	bool refused;
	bool detached;
	bool given_back;
	char *identity;
	bool node_invalid;
	bool unwatched;
	unsigned int failures;
	unsigned int restarts;
	unsigned long resume;
	unsigned long connected;
	unsigned long noticed;
	struct pvgrant_account *account;
	bool held;
	struct pvstore_watch watch;
	struct work_struct update;
	struct delayed_work timeout;
	struct delayed_work pause;
	struct completion backend_changed;
	unsigned long requests;
	spinlock_t error_lock;	/* see above */
	char error[160];
	atomic_t unsettled;
};

static inline struct pvbus_core *pvbus_to_core(struct device *dev)
{
	return container_of(dev, struct pvbus_core, dev.dev);
}

/* Time after which a watch that could not be set is tried again. */
#define PVBUS_WATCH_TIME	HZ

extern struct workqueue_struct *pvbus_queue;

void pvbus_scan_again(void);
void pvbus_offer(struct pvbus_core *core);
void pvbus_settled(struct pvbus_core *core);

void pvbus_backend_changed(struct pvstore_watch *watch, const char *path);
bool pvbus_find_backend(struct pvbus_core *core);
void pvbus_unwatch_backend(struct pvbus_core *core);
bool pvbus_read_backend_state(struct pvbus_core *core,
			      enum xenbus_state *state);
bool pvbus_says_online(struct pvbus_core *core, bool absent);

int pvbus_read_own_state(struct pvbus_core *core, u32 txn,
			 enum xenbus_state *state);
void pvbus_learn_identity(struct pvbus_core *core,
			  const struct pvbus_driver *driver);
void pvbus_forget_identity(struct pvbus_core *core);
bool pvbus_is_another(struct pvbus_core *core, u32 txn,
		      const struct pvbus_driver *driver);
void pvbus_replace(struct pvbus_core *core, enum xenbus_state state);
bool pvbus_is_replaced(struct pvbus_core *core);

void pvbus_core_init(struct pvbus_core *core);
void pvbus_core_exit(struct pvbus_core *core);
int pvbus_core_bind(struct pvbus_core *core, const struct pvbus_driver *driver);
void pvbus_core_unbind(struct pvbus_core *core);
void pvbus_core_shutdown(struct pvbus_core *core);
const char *pvbus_state_name(enum xenbus_state state);

#endif /* PVBUS_BUS_H */
