// SPDX-License-Identifier: MIT
/*
 * The queue (FIFO) layout of event channels.  A domain leaves it by
 * EVTCHNOP_reset only, which would take the console of any but the initial
 * domain, so each case here has a boot of its own.
 */
#include "case.h"

#define WORDS		(PAGE_SIZE / sizeof(event_word_t))

static struct evtchn_fifo_control_block *block;
static event_word_t *words;

static long init_control(unsigned long mfn, unsigned int off, unsigned int vcpu,
			 uint8_t *bits)
{
	struct evtchn_init_control c = {
		.control_gfn = mfn, .offset = off, .vcpu = vcpu,
	};
	long ret = evtchn(EVTCHNOP_init_control, &c);

	if (bits)
		*bits = c.link_bits;
	return ret;
}

static long expand(unsigned long mfn)
{
	struct evtchn_expand_array e = { .array_gfn = mfn };

	return evtchn(EVTCHNOP_expand_array, &e);
}

static long priority(unsigned int port, unsigned int p)
{
	struct evtchn_set_priority s = { .port = port, .priority = p };

	return evtchn(EVTCHNOP_set_priority, &s);
}

static long reset(void)
{
	struct evtchn_reset r = { .dom = DOMID_SELF };

	return evtchn(EVTCHNOP_reset, &r);
}

/* Switch to queues: control block of vCPU 0 and words for 1024 ports. */
static void fifo(void)
{
	block = page_alloc();
	words = page_alloc();
	if (init_control(virt_mfn(block), 0, 0, NULL))
		panic("init_control failed");
	if (expand(virt_mfn(words)))
		panic("expand_array failed");
}

static bool bit(unsigned int port, unsigned int which)
{
	return READ_ONCE(words[port]) >> which & 1;
}

static void set_masked(unsigned int port, bool on)
{
	if (on)
		__atomic_fetch_or(&words[port], 1U << EVTCHN_FIFO_MASKED,
				  __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(&words[port], ~(1U << EVTCHN_FIFO_MASKED),
				   __ATOMIC_SEQ_CST);
}

/* A channel under queues, both ends unmasked and at rest. */
static struct chan open_chan(void)
{
	int a = evtchn_alloc(DOMID_SELF, DOMID_SELF);
	int b = evtchn_bind(DOMID_SELF, (unsigned int)a);
	struct chan c = { (unsigned int)a, (unsigned int)b };

	if (a < 0 || b < 0)
		panic("no channel: %d %d", a, b);
	words[a] = 0;
	words[b] = 0;
	block->ready = 0;
	memset(block->head, 0, sizeof(block->head));
	self()->info->evtchn_upcall_pending = 0;
	return c;
}

/* The switch: link bits, and sends that land in event words. */
CASE(fifo_init, "EVT-FIFO-001 EVT-FIFO-006", ALONE | DOM0)
{
	uint8_t bits = 0;
	struct chan c;

	block = page_alloc();
	words = page_alloc();
	want_eq(init_control(virt_mfn(block), 0, 0, &bits), 0);
	want_eq(bits, 17);
	want_eq(expand(virt_mfn(words)), 0);
	c = open_chan();
	want_eq(evtchn_send(c.a), 0);
	want(bit(c.b, EVTCHN_FIFO_PENDING));
	want(!port_pending(c.b));
}

/* Control blocks that cannot be, and vCPUs that are not. */
CASE(fifo_init_wrong, "EVT-FIFO-002 EVT-FIFO-003 EVT-FIFO-004", ALONE)
{
	char *page = page_alloc();
	struct chan c;

	want_eq(init_control(virt_mfn(page), 0, vcpu_number(), NULL), -ENOENT);
	want_eq(init_control(virt_mfn(page), PAGE_SIZE - 64, 0, NULL), -EINVAL);
	want_eq(init_control(virt_mfn(page), PAGE_SIZE, 0, NULL), -EINVAL);
	want_eq(init_control(virt_mfn(page), 4, 0, NULL), -EINVAL);
	want_eq(init_control(virt_mfn(page), 1, 0, NULL), -EINVAL);
	want_eq(init_control(0xfffffffUL, 0, 0, NULL), -EINVAL);
	want_eq(init_control(virt_mfn(window_l1()), 0, 0, NULL), -EINVAL);
	/* Still the two-level layout. */
	c = chan_open();
	want_eq(evtchn_send(c.a), 0);
	want(port_pending(c.b));
	chan_close(c);
}

/* One control block for each vCPU. */
CASE(fifo_init_once, "EVT-FIFO-005", ALONE | DOM0)
{
	char *page = page_alloc();

	fifo();
	want_eq(init_control(virt_mfn(page), 0, 0, NULL), -EINVAL);
	want_eq(init_control(virt_mfn(page), 0, 1, NULL), 0);
	want_eq(init_control(virt_mfn(page), 512, 1, NULL), -EINVAL);
}

/* Array pages must be writable frames of the domain, 128 at most. */
CASE(fifo_expand, "EVT-FIFO-007 EVT-FIFO-008", ALONE | DOM0)
{
	unsigned int n;
	long ret = 0;

	fifo();
	want_eq(expand(0xfffffffUL), -EINVAL);
	want_eq(expand(virt_mfn(window_l1())), -EINVAL);
	for (n = 1; n <= 128; n++) {
		ret = expand(virt_mfn(page_alloc()));
		if (ret)
			break;
	}
	want_eq(ret, -ENOSPC);
	want_eq(n, 128);
}

/* What was pending before the switch is pending after it. */
CASE(fifo_carry, "EVT-FIFO-009", ALONE | DOM0)
{
	struct chan c = chan_open(), d = chan_open();

	port_mask(c.b);
	want_eq(evtchn_send(c.a), 0);
	fifo();
	want(bit(c.b, EVTCHN_FIFO_PENDING));
	want(!bit(d.b, EVTCHN_FIFO_PENDING));
}

/* An event without a word yet is kept until there is one. */
CASE(fifo_early, "EVT-FIFO-010", ALONE | DOM0)
{
	struct chan c = chan_open();

	block = page_alloc();
	words = page_alloc();
	want_eq(init_control(virt_mfn(block), 0, 0, NULL), 0);
	want_eq(evtchn_send(c.a), 0);
	want_eq(expand(virt_mfn(words)), 0);
	want(bit(c.b, EVTCHN_FIFO_PENDING));
}

/* An unmasked event is linked, is the head of its queue, and calls. */
CASE(fifo_link, "EVT-FIFO-011 EVT-FIFO-016", ALONE | DOM0)
{
	struct chan c;

	fifo();
	c = open_chan();
	want_eq(evtchn_send(c.a), 0);
	want(bit(c.b, EVTCHN_FIFO_PENDING));
	want(bit(c.b, EVTCHN_FIFO_LINKED));
	want_eq(block->head[7], c.b);
	want_eq(block->ready, 1U << 7);
	want_eq(words[c.b] & EVTCHN_FIFO_LINK_MASK, 0);
	want_eq(self()->info->evtchn_upcall_pending, 1);
	want_eq(words[c.a], 0);
}

/* A masked event is pending in silence until it is unmasked. */
CASE(fifo_mask, "EVT-FIFO-012 EVT-FIFO-017", ALONE | DOM0)
{
	struct chan c;

	fifo();
	c = open_chan();
	set_masked(c.b, true);
	want_eq(evtchn_send(c.a), 0);
	want(bit(c.b, EVTCHN_FIFO_PENDING));
	want(!bit(c.b, EVTCHN_FIFO_LINKED));
	want_eq(block->ready, 0);
	want_eq(self()->info->evtchn_upcall_pending, 0);
	want_eq(evtchn_unmask(c.b), 0);
	want(!bit(c.b, EVTCHN_FIFO_MASKED));
	want(bit(c.b, EVTCHN_FIFO_LINKED));
	want_eq(block->head[7], c.b);
	want_eq(self()->info->evtchn_upcall_pending, 1);
}

/* Events of one queue are linked in the order in which they were raised. */
CASE(fifo_order, "EVT-FIFO-013", ALONE | DOM0)
{
	struct chan c[4];
	static const unsigned int order[] = { 2, 0, 3, 1 };
	unsigned int i;

	fifo();
	for (i = 0; i < 4; i++)
		c[i] = open_chan();
	for (i = 0; i < 4; i++)
		want_eq(evtchn_send(c[order[i]].a), 0);
	want_eq(block->head[7], c[2].b);
	for (i = 0; i < 3; i++)
		want_eq(words[c[order[i]].b] & EVTCHN_FIFO_LINK_MASK,
			c[order[i + 1]].b);
	want_eq(words[c[1].b] & EVTCHN_FIFO_LINK_MASK, 0);
	want_eq(block->ready, 1U << 7);
}

/* The priority picks the queue; its range is 0 to 15. */
CASE(fifo_priority, "EVT-FIFO-014 EVT-FIFO-015 EVT-FIFO-016", ALONE | DOM0)
{
	struct chan c;
	int p;

	fifo();
	c = open_chan();
	want_eq(priority(c.b, 16), -EINVAL);
	want_eq(priority(c.b, 0xffffffff), -EINVAL);
	want_eq(priority(200000, 3), -EINVAL);
	want_eq(priority(c.b, 3), 0);
	want_eq(evtchn_send(c.a), 0);
	want_eq(block->head[3], c.b);
	want_eq(block->ready, 1U << 3);
	/* A number that is used again starts over at 7. */
	words[c.b] = 0;
	block->head[3] = 0;
	block->ready = 0;
	want_eq(evtchn_close(c.b), 0);
	p = evtchn_bind(DOMID_SELF, c.a);
	want_eq(p, c.b);
	words[p] = 0;
	block->head[7] = 0;
	block->ready = 0;
	want_eq(evtchn_send(c.a), 0);
	want_eq(block->ready & 1U << 3, 0);
	want(block->ready & 1U << 7);
}

/* A port that is closed while linked is not given out again. */
CASE(fifo_busy_port, "EVT-FIFO-018", ALONE | DOM0)
{
	struct chan c;
	int p;

	fifo();
	c = open_chan();
	want_eq(evtchn_send(c.a), 0);
	want(bit(c.b, EVTCHN_FIFO_LINKED));
	want_eq(evtchn_close(c.b), 0);
	p = evtchn_alloc(DOMID_SELF, DOMID_SELF);
	want(p > 0);
	want(p != (int)c.b);
	__atomic_fetch_and(&words[c.b], ~(1U << EVTCHN_FIFO_LINKED), __ATOMIC_SEQ_CST);
	want_eq(evtchn_alloc(DOMID_SELF, DOMID_SELF), c.b);
}

/* There are more ports than the two-level layout has, up to a limit. */
CASE(fifo_many, "EVT-FIFO-019", ALONE | DOM0)
{
	unsigned int i, most = 0;
	int p = 0;

	fifo();
	for (i = 1; i < 5; i++)
		want_eq(expand(virt_mfn(page_alloc())), 0);
	for (i = 0; i < 5 * WORDS + 10; i++) {
		p = evtchn_alloc(DOMID_SELF, DOMID_SELF);
		if (p < 0)
			break;
		if ((unsigned int)p > most)
			most = p;
	}
	if (p < 0)
		want_eq(p, -ENOSPC);
	want(most >= 4096 || p == -ENOSPC);
	want(most < 131072);
	want_eq(reset(), 0);
}

/* A vCPU without a control block loses its events, and nobody is harmed. */
CASE(fifo_no_block, "EVT-FIFO-020", ALONE | DOM0)
{
	struct chan c, d;
	struct evtchn_bind_vcpu b;

	fifo();
	c = open_chan();
	b.port = c.b;
	b.vcpu = vcpu_number() - 1;
	want_eq(evtchn(EVTCHNOP_bind_vcpu, &b), 0);
	want_eq(evtchn_send(c.a), 0);
	d = open_chan();
	want_eq(evtchn_send(d.a), 0);
	want_eq(block->head[7], d.b);
}

/* A reset returns to two levels, and the domain may switch once more. */
CASE(fifo_reset, "EVT-045 EVT-044", ALONE | DOM0)
{
	struct chan c;

	fifo();
	want_eq(reset(), 0);
	c = chan_open();
	want_eq(evtchn_send(c.a), 0);
	want(port_pending(c.b));
	chan_close(c);
	fifo();
	c = open_chan();
	want_eq(evtchn_send(c.a), 0);
	want(bit(c.b, EVTCHN_FIFO_PENDING));
}
