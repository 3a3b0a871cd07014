// SPDX-License-Identifier: MIT
/*
 * The network protocol, against the control domain's own back end.  The control
 * domain sends ARP requests for 10.99.0.2 all the time, as packets to receive.
 */
#include "case.h"

#define xen_mb()	mb()	/* as the macros of ring.h need it */
#define xen_rmb()	barrier()
#define xen_wmb()	barrier()
#include <xen/io/netif.h>
#include <xen/io/xenbus.h>

#define VIF	"device/vif/0"

static struct {
	char backend[100];
	unsigned int port, tx_ref, rx_ref, next_id;
	struct netif_tx_sring *tx_ring;
	struct netif_rx_sring *rx_ring;
	struct netif_tx_front_ring tx;
	struct netif_rx_front_ring rx;
	char *page;
	unsigned int page_ref;
} net;

static void put(const char *name, unsigned long value)
{
	char path[80], buf[24];

	format(path, sizeof(path), VIF "/%s", name);
	format(buf, sizeof(buf), "%lu", value);
	if (store_write(path, buf) < 0)
		panic("cannot write %s", path);
}

static bool state_is(long state)
{
	return until(store_number(net.backend, "state") == state, 15000);
}

/* Nodes that a case sets before the front end connects. */
static void (*net_setup)(void);

static bool net_open(void)
{
	memset(&net, 0, sizeof(net));
	if (store_read(VIF "/backend", net.backend, sizeof(net.backend) - 1) <= 0 ||
	    !state_is(XenbusStateInitWait))
		return false;
	net.tx_ring = page_alloc();
	net.rx_ring = page_alloc();
	net.page = page_alloc();
	SHARED_RING_INIT(net.tx_ring);
	SHARED_RING_INIT(net.rx_ring);
	FRONT_RING_INIT(&net.tx, net.tx_ring, PAGE_SIZE);
	FRONT_RING_INIT(&net.rx, net.rx_ring, PAGE_SIZE);
	net.tx_ref = grant_alloc(0, net.tx_ring, GTF_permit_access);
	net.rx_ref = grant_alloc(0, net.rx_ring, GTF_permit_access);
	net.page_ref = grant_alloc(0, net.page, GTF_permit_access);
	net.port = (unsigned int)evtchn_alloc(DOMID_SELF, 0);
	port_mask(net.port);
	put("tx-ring-ref", net.tx_ref);
	put("rx-ring-ref", net.rx_ref);
	if (net_setup)
		net_setup();
	else
		put("event-channel", net.port);
	put("request-rx-copy", 1);
	put("feature-rx-notify", 1);
	put("state", XenbusStateConnected);
	return state_is(XenbusStateConnected);
}

static void net_close(void)
{
	put("state", XenbusStateClosing);
	want(until(store_number(net.backend, "state") >= XenbusStateClosing, 15000));
	put("state", XenbusStateClosed);
	want(state_is(XenbusStateClosed));
	want(until(grant_end(net.tx_ref) && grant_end(net.rx_ref), 5000));
	evtchn_close(net.port);
	put("state", XenbusStateInitialising);
}

/* An Ethernet broadcast of @size bytes in the common page. */
static void frame(unsigned int size)
{
	memset(net.page, 0, PAGE_SIZE);
	memset(net.page, 0xff, 6);
	memcpy(net.page + 6, "\0\x16\x3e\0\0\1\x88\xb5", 8);
	memset(net.page + 14, 0x42, size > 14 ? size - 14 : 0);
}

static void tx_slot(unsigned int ref, unsigned int off, unsigned int size,
		    unsigned int flags)
{
	struct netif_tx_request *r =
		RING_GET_REQUEST(&net.tx, net.tx.req_prod_pvt);

	net.tx.req_prod_pvt++;
	r->gref = ref;
	r->offset = (uint16_t)off;
	r->size = (uint16_t)size;
	r->flags = (uint16_t)flags;
	net.next_id++;
	r->id = (uint16_t)net.next_id;
}

/* Push, and take @n responses; the last one's status, 100 when they do not come. */
static int tx_wait(unsigned int n)
{
	struct netif_tx_response *r = NULL;
	int notify;

	RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&net.tx, notify);
	if (notify)
		evtchn_send(net.port);
	while (n--) {
		net.tx_ring->rsp_event = net.tx.rsp_cons + 1;
		/* Ask for the event before looking for the response. */
		mb();
		if (!until(net.tx_ring->rsp_prod != net.tx.rsp_cons, 6000))
			return 100;
		r = RING_GET_RESPONSE(&net.tx, net.tx.rsp_cons);
		net.tx.rsp_cons++;
	}
	return r->status;
}

static void rx_offer(unsigned int ref, unsigned int id)
{
	struct netif_rx_request *r =
		RING_GET_REQUEST(&net.rx, net.rx.req_prod_pvt);
	int notify;

	net.rx.req_prod_pvt++;
	r->gref = ref;
	r->id = (uint16_t)id;
	RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&net.rx, notify);
	/* With feature-rx-notify the back end waits for the event. */
	evtchn_send(net.port);
	(void)notify;
}

static struct netif_rx_response *rx_take(void)
{
	net.rx_ring->rsp_event = net.rx.rsp_cons + 1;
	/* Ask for the event before looking for the response. */
	mb();
	if (!until(net.rx_ring->rsp_prod != net.rx.rsp_cons, 10000))
		return NULL;
	return RING_GET_RESPONSE(&net.rx, net.rx.rsp_cons++);
}

/* The handshake connects, and the back end publishes its features. */
CASE(net_connect, "NET-001 NET-002 NET-003", DOMU | BACKEND)
{
	want_eq(store_number(VIF, "state"), XenbusStateInitialising);
	want_eq(store_number(VIF, "backend-id"), 0);
	want_eq(store_number(VIF, "handle"), 0);
	want(net_open());
	want_eq(store_number(net.backend, "feature-rx-copy"), 1);
	net_close();
}

/* A packet of one slot is sent, and its response names it. */
CASE(net_send, "NET-004 RNG-005", DOMU | BACKEND)
{
	struct netif_tx_response *r;

	want(net_open());
	frame(100);
	port_clear(net.port);
	tx_slot(net.page_ref, 0, 100, 0);
	want_eq(tx_wait(1), NETIF_RSP_OKAY);
	r = RING_GET_RESPONSE(&net.tx, net.tx.rsp_cons - 1);
	want_eq(r->id, net.next_id);
	want(until(port_pending(net.port), 3000));
	net_close();
}

/* A packet of several slots is sent. */
CASE(net_send_slots, "NET-005", DOMU | BACKEND)
{
	unsigned int i;

	want(net_open());
	frame(2000);
	tx_slot(net.page_ref, 0, 1000 + 17 * 10, NETTXF_more_data);
	for (i = 0; i < 16; i++)
		tx_slot(net.page_ref, 1000 + i * 10, 10, NETTXF_more_data);
	tx_slot(net.page_ref, 1160, 10, 0);
	want_eq(tx_wait(18), NETIF_RSP_OKAY);
	net_close();
}

/* Packets that are too short or have no grant get an error. */
CASE(net_send_wrong, "NET-006 NET-008", DOMU | BACKEND)
{
	want(net_open());
	frame(100);
	tx_slot(net.page_ref, 0, 10, 0);
	want_eq(tx_wait(1), NETIF_RSP_ERROR);
	tx_slot(3999999, 0, 100, 0);
	want_eq(tx_wait(1), NETIF_RSP_ERROR);
	tx_slot(net.page_ref, 0, 100, 0);
	want_eq(tx_wait(1), NETIF_RSP_OKAY);
	net_close();
}

/*
 * A slot that crosses its page gets an error or stops the device; the back end
 * stays alive.
 */
CASE(net_send_across, "NET-007", DOMU | BACKEND | ALONE)
{
	int status;

	want(net_open());
	frame(100);
	tx_slot(net.page_ref, 4050, 100, 0);
	status = tx_wait(1);
	want_any(status, NETIF_RSP_ERROR, 100);
	want(store_number(net.backend, "state") >= XenbusStateInitWait);
}

/*
 * A packet of too many slots is dropped or stops the device; the back end
 * stays alive.
 */
CASE(net_send_endless, "NET-009", DOMU | BACKEND | ALONE)
{
	unsigned int i;

	want(net_open());
	frame(4000);
	tx_slot(net.page_ref, 0, 4000, NETTXF_more_data);
	for (i = 0; i < 40; i++)
		tx_slot(net.page_ref, i, 8, NETTXF_more_data);
	tx_slot(net.page_ref, 0, 8, 0);
	want_any(tx_wait(1), NETIF_RSP_ERROR, NETIF_RSP_DROPPED, 100);
	want(store_number(net.backend, "state") >= XenbusStateInitWait);
}

/* An extra slot of an unknown type gets an error or stops the device. */
CASE(net_bad_extra, "NET-016", DOMU | BACKEND | ALONE)
{
	struct netif_extra_info *x;

	want(net_open());
	frame(100);
	tx_slot(net.page_ref, 0, 100, NETTXF_extra_info);
	x = (void *)RING_GET_REQUEST(&net.tx, net.tx.req_prod_pvt);
	net.tx.req_prod_pvt++;
	memset(x, 0, sizeof(*x));
	x->type = 77;
	want_any(tx_wait(1), NETIF_RSP_ERROR, 100);
	want(store_number(net.backend, "state") >= XenbusStateInitWait);
}

/*
 * Packets arrive in offered pages, with responses in the slots of their
 * requests.
 */
CASE(net_receive, "NET-010 NET-011 NET-019", DOMU | BACKEND)
{
	char *page[4];
	unsigned int i;

	want(net_open());
	for (i = 0; i < 4; i++) {
		page[i] = page_alloc();
		rx_offer(grant_alloc(0, page[i], GTF_permit_access), 50 + i);
	}
	for (i = 0; i < 2; i++) {
		struct netif_rx_response *r = rx_take();

		want(r);
		want_eq(r->id, 50 + i);
		want(r->status >= 14 && r->status <= 1514);
		want_eq(r->flags & NETRXF_more_data, 0);
		want((unsigned int)r->offset + (unsigned int)r->status <= PAGE_SIZE);
		want(!mem_is(page[i] + r->offset, 0, (size_t)r->status));
	}
	net_close();
}

/*
 * A page that cannot be written gets an error, and the device serves later
 * requests.
 */
CASE(net_receive_bad, "NET-013", DOMU | BACKEND)
{
	char *page = page_alloc();
	struct netif_rx_response *r;
	unsigned int ro;

	want(net_open());
	ro = grant_alloc(0, page, GTF_permit_access | GTF_readonly);
	rx_offer(ro, 7);
	r = rx_take();
	want(r);
	want(r->status < 0);
	want(mem_is(page, 0, PAGE_SIZE));
	rx_offer(net.page_ref, 8);
	r = rx_take();
	want(r);
	want(r->status > 0);
	net_close();
}

/*
 * The back end unmaps the rings when the front end closes, and the device can
 * be connected again.
 */
CASE(net_reconnect, "NET-020", DOMU | BACKEND)
{
	want(net_open());
	net_close();
	want(net_open());
	frame(60);
	tx_slot(net.page_ref, 0, 60, 0);
	want_eq(tx_wait(1), NETIF_RSP_OKAY);
	net_close();
}

/* A bad ring reference is an error of this device and affects no other. */
CASE(net_bad_ring, "NET-021", DOMU | BACKEND | ALONE)
{
	want(store_read(VIF "/backend", net.backend, sizeof(net.backend) - 1) > 0);
	want(state_is(XenbusStateInitWait));
	put("tx-ring-ref", 3999999);
	put("rx-ring-ref", 3999998);
	put("event-channel", 1);
	put("request-rx-copy", 1);
	put("state", XenbusStateConnected);
	until(false, 1000);
	/* XenStore and the back end's domain still work. */
	want(store_number(net.backend, "state") >= XenbusStateInitWait);
	want_eq(store_number(VIF, "backend-id"), 0);
}

/* A missing checksum is filled in or passed on. */
CASE(net_checksum, "NET-014", DOMU | BACKEND)
{
	static const unsigned char ip[] = {
		0x45, 0, 0, 46, 0, 1, 0, 0, 64, 17, 0, 0, 10, 99, 0, 2, 10, 99, 0, 1,
		0x12, 0x34, 0x56, 0x78, 0, 26, 0, 0,
	};

	want(net_open());
	frame(60);
	memcpy(net.page + 12, "\x08\0", 2);
	memcpy(net.page + 14, ip, sizeof(ip));
	tx_slot(net.page_ref, 0, 60, NETTXF_csum_blank | NETTXF_data_validated);
	want_eq(tx_wait(1), NETIF_RSP_OKAY);
	net_close();
}

/* A TCP packet with an extra slot of type GSO is segmented by the back end. */
CASE(net_segmentation, "NET-015", DOMU | BACKEND)
{
	static const unsigned char tcp[] = {
		0x45, 0, 0x07, 0xc2, 0, 1, 0, 0, 64, 6, 0, 0, 10, 99, 0, 2, 10, 99, 0, 1,
		0x12, 0x34, 0x56, 0x78, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0x10, 0, 0, 0,
		0, 0,
	};
	struct netif_extra_info *x;

	want(net_open());
	if (store_number(net.backend, "feature-gso-tcpv4") != 1) {
		case_skip("the back end has no segmentation offload");
		return;
	}
	frame(2000);
	memcpy(net.page + 12, "\x08\0", 2);
	memcpy(net.page + 14, tcp, sizeof(tcp));
	tx_slot(net.page_ref, 0, 2000, NETTXF_csum_blank | NETTXF_data_validated |
				       NETTXF_extra_info);
	x = (void *)RING_GET_REQUEST(&net.tx, net.tx.req_prod_pvt);
	net.tx.req_prod_pvt++;
	memset(x, 0, sizeof(*x));
	x->type = XEN_NETIF_EXTRA_TYPE_GSO;
	x->u.gso.size = 1000;
	x->u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
	/* The extra slot's own response carries no status. */
	want_any(tx_wait(1), NETIF_RSP_OKAY);
	net_close();
}

static unsigned int second_port;

static void split(void)
{
	second_port = (unsigned int)evtchn_alloc(DOMID_SELF, 0);
	port_mask(second_port);
	put("event-channel-tx", net.port);
	put("event-channel-rx", second_port);
}

/* With two event channels the back end signals sent packets on the first. */
CASE(net_split_events, "NET-017", DOMU | BACKEND | ALONE)
{
	want(store_read(VIF "/backend", net.backend, sizeof(net.backend) - 1) > 0);
	want(state_is(XenbusStateInitWait));
	needs(store_number(net.backend, "feature-split-event-channels") == 1,
	      "the back end has one channel only");
	net_setup = split;
	want(net_open());
	port_clear(net.port);
	frame(60);
	tx_slot(net.page_ref, 0, 60, 0);
	want_eq(tx_wait(1), NETIF_RSP_OKAY);
	want(until(port_pending(net.port), 3000));
}

/*
 * A front end without multi-queue-num-queues has one queue, however many the
 * back end offers.
 */
CASE(net_queues, "NET-018", DOMU | BACKEND)
{
	want(net_open());
	want(store_number(net.backend, "multi-queue-max-queues") >= 1 ||
	     store_number(net.backend, "multi-queue-max-queues") == -1);
	frame(60);
	tx_slot(net.page_ref, 0, 60, 0);
	want_eq(tx_wait(1), NETIF_RSP_OKAY);
	net_close();
}

static void multicast(void)
{
	put("event-channel", net.port);
	put("request-multicast-control", 1);
}

/* A front end can add an address to the back end's multicast filter. */
CASE(net_multicast, "NET-022", DOMU | BACKEND | ALONE)
{
	struct netif_extra_info *x;

	want(store_read(VIF "/backend", net.backend, sizeof(net.backend) - 1) > 0);
	want(state_is(XenbusStateInitWait));
	needs(store_number(net.backend, "feature-multicast-control") == 1,
	      "the back end filters no multicast");
	net_setup = multicast;
	want(net_open());
	frame(60);
	tx_slot(net.page_ref, 0, 60, NETTXF_extra_info);
	x = (void *)RING_GET_REQUEST(&net.tx, net.tx.req_prod_pvt);
	net.tx.req_prod_pvt++;
	memset(x, 0, sizeof(*x));
	x->type = XEN_NETIF_EXTRA_TYPE_MCAST_ADD;
	memcpy(x->u.mcast.addr, "\x01\0\x5e\0\0\x05", 6);
	want_eq(tx_wait(1), NETIF_RSP_OKAY);
}
