// SPDX-License-Identifier: MIT
/*
 * The queue (FIFO) layout of event channels.  Only EVTCHNOP_reset returns to
 * the two-level layout, and it would close the console's port in a domU, so
 * each case here has a boot of its own.
 */
#include "race.h"

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

/* A channel in the queue layout, both ends unmasked and not pending. */
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

/*
 * EVTCHNOP_init_control switches to the queue layout: it returns link_bits 17,
 * and later sends set bits in event words.
 */
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

/*
 * EVTCHNOP_init_control refuses control blocks that do not fit or are
 * misaligned, and vCPUs that do not exist.
 */
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

/* EVTCHNOP_init_control takes one control block for each vCPU. */
CASE(fifo_init_once, "EVT-FIFO-005", ALONE | DOM0)
{
	char *page = page_alloc();

	fifo();
	want_eq(init_control(virt_mfn(page), 0, 0, NULL), -EINVAL);
	want_eq(init_control(virt_mfn(page), 0, 1, NULL), 0);
	want_eq(init_control(virt_mfn(page), 512, 1, NULL), -EINVAL);
}

/*
 * EVTCHNOP_expand_array takes writable frames of the domain only, and at most
 * 128.
 */
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

/* A port that is pending before the switch to queues is pending after it. */
CASE(fifo_carry, "EVT-FIFO-009", ALONE | DOM0)
{
	struct chan c = chan_open(), d = chan_open();

	port_mask(c.b);
	want_eq(evtchn_send(c.a), 0);
	fifo();
	want(bit(c.b, EVTCHN_FIFO_PENDING));
	want(!bit(d.b, EVTCHN_FIFO_PENDING));
}

/*
 * An event on a port without an event word stays pending until the word
 * exists.
 */
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

/*
 * An unmasked event is linked, becomes the head of its queue, and makes an
 * upcall.
 */
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

/* A masked event sets PENDING only; EVTCHNOP_unmask then links it. */
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

/*
 * EVTCHNOP_set_priority selects the queue of a port; priorities run from 0 to
 * 15, and a port number that is allocated again has priority 7.
 */
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
	/* A port number that is allocated again has priority 7. */
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

/*
 * A port that was closed while linked is not allocated again until it is
 * unlinked.
 */
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

/* The queue layout has more ports than the two-level layout, up to a limit. */
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

/*
 * Events for a vCPU without a control block are dropped, and the hypervisor
 * stays alive.
 */
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

/*
 * EVTCHNOP_reset returns to the two-level layout, and the domain may switch
 * again.
 */
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

static void send_later(void *arg)
{
	delay(5 * MS);
	evtchn_send(*(unsigned int *)arg);
}

/*
 * A poll of three masked ports in the queue layout is woken by the first, the
 * middle and the last of them, and the other two stay as they were.
 */
CASE(fifo_poll_each, "SCH-014 EVT-FIFO-012", ALONE | DOM0)
{
	evtchn_port_t list[3];
	struct sched_poll p = { .nr_ports = 3 };
	struct chan c[3];
	unsigned int i, j;

	fifo();
	for (i = 0; i < 3; i++) {
		c[i] = open_chan();
		list[i] = c[i].b;
		set_masked(c[i].b, true);
	}
	set_xen_guest_handle(p.ports, list);
	for (i = 0; i < 3; i++) {
		struct tries t = { 0 };
		uint64_t begun;

		do {
			words[c[i].b] = 1U << EVTCHN_FIFO_MASKED;
			vcpu_run(1, send_later, &c[i].a);
			begun = now();
			p.timeout = begun + 3000 * MS;
			want_eq(hyp_sched_op(SCHEDOP_poll, &p), 0);
			want(now() - begun >= 2500 * MS || bit(c[i].b, EVTCHN_FIFO_PENDING));
			t.good = bit(c[i].b, EVTCHN_FIFO_PENDING) && now() - begun < 2500 * MS;
			want(vcpu_join(1));
		} while (again(&t, t.good));
		want(t.good);
		for (j = 0; j < 3; j++)
			want_eq(bit(c[j].b, EVTCHN_FIFO_PENDING), j == i);
		words[c[i].b] = 1U << EVTCHN_FIFO_MASKED;
	}
}

/* A channel whose second end notifies vCPU 1; @other gets that vCPU's control block. */
static struct chan chan_of_other_vcpu(struct evtchn_fifo_control_block **other)
{
	struct evtchn_bind_vcpu b = { .vcpu = 1 };
	struct chan c;

	*other = page_alloc();
	fifo();
	want_eq(init_control(virt_mfn(*other), 0, 1, NULL), 0);
	c = open_chan();
	b.port = c.b;
	want_eq(evtchn(EVTCHNOP_bind_vcpu, &b), 0);
	vcpus[1].info->evtchn_upcall_pending = 0;
	return c;
}

/*
 * An event of a port that was moved to another vCPU is linked in the queue of
 * that vCPU, and sets that vCPU's pending flag only.
 */
CASE(fifo_other_vcpu, "EVT-FIFO-011 EVT-038", ALONE | DOM0)
{
	struct evtchn_fifo_control_block *other;
	struct chan c = chan_of_other_vcpu(&other);

	want_eq(evtchn_send(c.a), 0);
	want_eq(other->head[7], c.b);
	want_eq(other->ready, 1U << 7);
	want_eq(block->head[7], 0);
	want_eq(block->ready, 0);
	want_eq(vcpus[1].info->evtchn_upcall_pending, 1);
	want_eq(self()->info->evtchn_upcall_pending, 0);
}

/* An event for a vCPU is linked there and makes its upcall by EVTCHNOP_unmask on another. */
CASE(fifo_unmask_other_vcpu, "EVT-FIFO-017 EVT-038", ALONE | DOM0)
{
	struct evtchn_fifo_control_block *other;
	struct chan c = chan_of_other_vcpu(&other);

	want_eq(priority(c.b, 9), 0);
	set_masked(c.b, true);
	want_eq(evtchn_send(c.a), 0);
	want_eq(other->ready | block->ready, 0);
	want_eq(vcpus[1].info->evtchn_upcall_pending, 0);
	want_eq(evtchn_unmask(c.b), 0);
	want_eq(other->head[9], c.b);
	want_eq(other->ready, 1U << 9);
	want_eq(block->ready, 0);
	want_eq(vcpus[1].info->evtchn_upcall_pending, 1);
	want_eq(self()->info->evtchn_upcall_pending, 0);
}

static long poll(evtchn_port_t *ports, unsigned int n, uint64_t timeout)
{
	struct sched_poll p = { .nr_ports = n, .timeout = timeout };

	set_xen_guest_handle(p.ports, ports);
	return hyp_sched_op(SCHEDOP_poll, &p);
}

/*
 * A poll in the queue layout returns at once when the first, the middle or the last
 * of its ports is pending, masked, and when an event for the vCPU waits whose port is
 * not one of its list.
 */
CASE(fifo_poll_pending, "SCH-013 EVT-FIFO-012", ALONE | DOM0)
{
	evtchn_port_t list[3];
	struct chan c[4];
	unsigned int i, before;
	struct tries t = { 0 };
	uint64_t begun;

	fifo();
	for (i = 0; i < 4; i++)
		c[i] = open_chan();
	for (i = 0; i < 3; i++) {
		list[i] = c[i].b;
		set_masked(c[i].b, true);
	}
	for (i = 0; i < 3; i++) {
		want_eq(evtchn_send(c[i].a), 0);
		t.made = 0;
		do {
			begun = now();
			want_eq(poll(list, 3, begun + 3000 * MS), 0);
		} while (again(&t, now() - begun < 2000 * MS));
		want(t.good);
		want(bit(c[i].b, EVTCHN_FIFO_PENDING));
		words[c[i].b] = 1U << EVTCHN_FIFO_MASKED;
	}
	t.made = 0;
	do {
		before = upcall_count;
		words[c[3].b] = 0;
		block->head[7] = 0;
		block->ready = 0;
		self()->info->evtchn_upcall_pending = 0;
		want_eq(evtchn_send(c[3].a), 0);
		begun = now();
		WRITE_ONCE(self()->info->evtchn_upcall_mask, 0);
		want_eq(poll(list, 3, begun + 3000 * MS), 0);
		events_off();
		want_eq(upcall_count, before + 1);
	} while (again(&t, now() - begun < 2000 * MS));
	want(t.good);
}

/* Clear the link of event word @word and the linked flag; the link as it was. */
static unsigned int unlink(event_word_t *word)
{
	event_word_t old = READ_ONCE(*word);

	while (!__atomic_compare_exchange_n(word, &old,
					    old & ~(1U << EVTCHN_FIFO_LINKED |
						    EVTCHN_FIFO_LINK_MASK),
					    false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	return old & EVTCHN_FIFO_LINK_MASK;
}

/* Empty queue 7 as a guest does; whether @port was in it, unmasked and pending. */
static bool take(unsigned int port)
{
	unsigned int at;
	bool found = false;

	if (!(__atomic_exchange_n(&block->ready, 0, __ATOMIC_SEQ_CST) & 1U << 7))
		return false;
	for (at = READ_ONCE(block->head[7]); at; ) {
		unsigned int next = unlink(&words[at]);

		if (at == port && !bit(port, EVTCHN_FIFO_MASKED) &&
		    __atomic_fetch_and(&words[port], ~(1U << EVTCHN_FIFO_PENDING),
				       __ATOMIC_SEQ_CST) >> EVTCHN_FIFO_PENDING)
			found = true;
		at = next;
	}
	return found;
}

/*
 * In up to 4000 rounds one event is sent from another vCPU at some moment while its
 * event word is masked and unmasked: it is found pending under the mask or is in its
 * queue, with the pending flag set, and never neither.
 */
CASE(fifo_mask_wake_race, "EVT-FIFO-017 EVT-FIFO-021", ALONE | DOM0)
{
	unsigned int round;

	fifo();
	race_begin(open_chan());
	for (round = 1; race_has_round(round); round++) {
		enum race_when when = race_when(round);
		bool seen = false;

		self()->info->evtchn_upcall_pending = 0;
		if (when == RACE_ANY_TIME)
			ball = round;
		race_spin(round % 53 * 8);
		set_masked(race.b, true);
		/* The hypervisor links a port that was not masked a moment ago. */
		want(until(!bit(race.b, EVTCHN_FIFO_BUSY), 5000));
		if (when == RACE_UNDER_MASK) {
			ball = round;
			want(until(bit(race.b, EVTCHN_FIFO_PENDING), 5000));
		}
		race_spin(round % 17 * 8);
		if (__atomic_fetch_and(&words[race.b], ~(1U << EVTCHN_FIFO_PENDING),
				       __ATOMIC_SEQ_CST) >> EVTCHN_FIFO_PENDING)
			seen = true;
		want_eq(evtchn_unmask(race.b), 0);
		if (when == RACE_AFTER_UNMASK)
			ball = round;
		while (!seen) {
			/* Nothing but the flag leads to the queue. */
			want(until(self()->info->evtchn_upcall_pending, 5000));
			self()->info->evtchn_upcall_pending = 0;
			seen = take(race.b);
		}
		want(until(returned == round, 5000));
		take(race.b);
		want(!bit(race.b, EVTCHN_FIFO_PENDING));
		want(!bit(race.b, EVTCHN_FIFO_MASKED));
		want(!bit(race.b, EVTCHN_FIFO_LINKED));
	}
	race_stop = true;
	want(vcpu_join(1));
}
