/* SPDX-License-Identifier: MIT */
/*
 * Shared by the hostile back ends: their device in XenStore, the front end's
 * pages and event channel, and the list of their behaviours.
 */
#ifndef HOSTILE_BACKEND_H
#define HOSTILE_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>
#include <xen/io/xenbus.h>

#define xen_mb()	__sync_synchronize()
#define xen_rmb()	__asm__ volatile("" : : : "memory")
#define xen_wmb()	__asm__ volatile("" : : : "memory")

#define PAGE		4096U
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/**
 * struct backend - one device, as its back end sees it
 * @type: "vbd" or "vif"
 * @domain: the guest's number
 * @id: of the device
 * @front, @back: directories in XenStore
 * @store, @grants, @events: libraries' handles
 * @txn: transaction of be_write(), or XBT_NULL
 * @port: the back end's end of the event channel
 */
struct backend {
	const char *type;
	unsigned int domain;
	unsigned int id;
	char front[96];
	char back[96];
	struct xs_handle *store;
	xs_transaction_t txn;
	xengnttab_handle *grants;
	xenevtchn_handle *events;
	evtchn_port_t port;
};

/* store.c */
void be_open(struct backend *be, const char *type, unsigned int domain,
	     unsigned int id);
void be_write(struct backend *be, const char *dir, const char *node,
	      const char *format, ...) __attribute__((format(printf, 4, 5)));
char *be_read(struct backend *be, const char *dir, const char *node);
unsigned int be_read_number(struct backend *be, const char *node);
void be_create(struct backend *be);
void be_state(struct backend *be, enum xenbus_state state);
enum xenbus_state be_front_state(struct backend *be);
void be_await_front(struct backend *be, enum xenbus_state least);
void be_vanish(struct backend *be);

/* share.c */
void *be_map(struct backend *be, unsigned int ref, bool writable);
void be_unmap(struct backend *be, void *page);
void be_bind(struct backend *be, const char *node);
void be_unbind(struct backend *be);
void be_notify(struct backend *be);
bool be_wait(struct backend *be, int milliseconds);
bool be_closing(struct backend *be);
uint32_t be_random(void);
void be_scribble(struct backend *be, void *page, int milliseconds);
void be_storm(struct backend *be, int milliseconds);
void be_die(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));

/* flood.c */
struct toggle {
	volatile uint32_t *index;
	uint32_t values[3];
};

void be_toggle(struct backend *be, const struct toggle *toggles, unsigned int count);
void be_flood(struct backend *be, bool states);
void be_restart(struct backend *be);

/* block.c, network.c */
int block_main(struct backend *be, const char *behaviour);
int network_main(struct backend *be, const char *behaviour);
void block_list(void);
void network_list(void);

#endif /* HOSTILE_BACKEND_H */
