// SPDX-License-Identifier: MIT
/*
 * The mutation layer: injects one fault into a hypercall, shared record or
 * event, so that the suite can prove that it fails.  The faults are the rows of
 * ../mutants/mutants.def, numbered from 1 in file order.
 */
#include "rt.h"

enum effect {
	DROP,		/* not made, 0 returned */
	DENY,		/* not made, -a returned */
	FAKE_OK,	/* made, a failure returned as 0 */
	FAKE_ERR,	/* made, success returned as -a */
	SWAP_ERR,	/* made, any failure returned as -a */
	RET_ADD,	/* made, a added to a result that is no failure */
	OUT_ADD,	/* made, c added to the argument's field (offset a, size b) */
	FAIL_ADD,	/* made, c added to that field if the call failed */
	OUT_SET,	/* made, the argument's field (offset a, size b) set to c */
	IN_ADD,		/* c added to the argument's field before, undone after */
	ARG_ADD,	/* b + c added to argument a before */
	TWICE,		/* made twice, the second result returned */
	SECOND,		/* every second one not made, 0 returned */
	POKE_CLEAR,	/* made, then the pending bit of the port at offset a cleared */
	POKE_NEXT,	/* made, then the next port's pending bit set too */
	POKE_MASK,	/* made, then the mask bit of the port at offset a set */
	VIEW,		/* b-byte field at a of view `nr` gets c added */
	EVENT_LOSE,	/* every second event dropped */
	EVENT_DOUBLE,	/* every event counted twice */
};

struct mutant {
	uint8_t nr, effect;
	int16_t sub;
	int16_t a, b;
	int64_t c;
};

#define ANY (-1)
#define M(name, area, nr_, sub_, effect_, a_, b_, c_) \
	{ nr_, effect_, sub_, a_, b_, c_ },
#define H(x) __HYPERVISOR_##x

static const struct mutant mutants[] = {
#include "../mutants/mutants.def"
};

bool mutant_on;
static const struct mutant *active;
static unsigned int hits;

void mutant_select(unsigned int number)
{
	if (number > ARRAY_SIZE(mutants))
		panic("there is no mutant %u", number);
	active = number ? &mutants[number - 1] : NULL;
	if (active && active->effect == VIEW && active->nr == VIEW_START) {
		mutant_on = true;
		mutant_view(VIEW_START, &start_info, sizeof(start_info));
		mutant_on = false;
	}
}

/* The argument that points at the structure of hypercall @nr. */
static unsigned int pointer_arg(unsigned long nr)
{
	switch (nr) {
	case __HYPERVISOR_set_trap_table:
	case __HYPERVISOR_mmu_update:
	case __HYPERVISOR_set_gdt:
	case __HYPERVISOR_mmuext_op:
	case __HYPERVISOR_multicall:
		return 0;
	case __HYPERVISOR_vcpu_op:
	case __HYPERVISOR_console_io:
		return 2;
	}
	return 1;
}

static bool is_mapped(unsigned long va)
{
	return va >= RT_BASE && va < RT_WINDOW;
}

static int sub_operation(unsigned long nr, const unsigned long *a)
{
	switch (nr) {
	case __HYPERVISOR_mmuext_op:
		return is_mapped(a[0]) ? (int)((struct mmuext_op *)a[0])->cmd : ANY;
	case __HYPERVISOR_mmu_update:
		return is_mapped(a[0]) ? (int)((struct mmu_update *)a[0])->ptr & 3 : ANY;
	}
	return (int)a[0];
}

static void field_add(unsigned long base, int off, int size, int64_t n)
{
	void *p = (void *)(base + (unsigned long)off);

	if (!is_mapped(base))
		return;
	switch (size) {
	case 1:
		*(uint8_t *)p += (uint8_t)n;
		break;
	case 2:
		*(uint16_t *)p += (uint16_t)n;
		break;
	case 4:
		*(uint32_t *)p += (uint32_t)n;
		break;
	default:
		*(uint64_t *)p += (uint64_t)n;
	}
}

static void field_set(unsigned long base, int off, int size, int64_t n)
{
	if (is_mapped(base))
		memcpy((void *)(base + (unsigned long)off), &n, (size_t)size);
}

static void poke(const struct mutant *m, unsigned long base)
{
	unsigned int port;

	if (!is_mapped(base))
		return;
	port = *(uint32_t *)(base + (unsigned long)m->a);
	if (m->effect == POKE_CLEAR)
		port_clear(port);
	else if (m->effect == POKE_MASK)
		port_mask(port);
	else
		__atomic_fetch_or(&shared_info->evtchn_pending[(port + 1) / 64],
				  1UL << (port + 1) % 64, __ATOMIC_SEQ_CST);
}

long mutant_call(unsigned long nr, unsigned long *a)
{
	const struct mutant *m = active;
	unsigned long base = a[pointer_arg(nr)];
	long ret;

	if (m->effect >= VIEW || m->nr != nr ||
	    (m->sub != ANY && m->sub != sub_operation(nr, a)))
		return raw_call5(nr, a[0], a[1], a[2], a[3], a[4]);
	hits++;
	switch (m->effect) {
	case DROP:
		return 0;
	case DENY:
		return -m->a;
	case SECOND:
		if (hits % 2 == 0)
			return 0;
		break;
	case ARG_ADD:
		a[m->a] += (unsigned long)(m->b + m->c);
		break;
	case IN_ADD:
		field_add(base, m->a, m->b, m->c);
		break;
	case TWICE:
		raw_call5(nr, a[0], a[1], a[2], a[3], a[4]);
		break;
	}
	ret = raw_call5(nr, a[0], a[1], a[2], a[3], a[4]);
	switch (m->effect) {
	case FAKE_OK:
		return ret < 0 ? 0 : ret;
	case FAKE_ERR:
		return ret >= 0 ? -m->a : ret;
	case SWAP_ERR:
		return ret < 0 ? -m->a : ret;
	case RET_ADD:
		return ret >= 0 ? ret + m->a : ret;
	case OUT_ADD:
		if (ret >= 0)
			field_add(base, m->a, m->b, m->c);
		break;
	case FAIL_ADD:
		if (ret < 0)
			field_add(base, m->a, m->b, m->c);
		break;
	case OUT_SET:
		if (ret >= 0)
			field_set(base, m->a, m->b, m->c);
		break;
	case IN_ADD:
		field_add(base, m->a, m->b, -m->c);
		break;
	case POKE_CLEAR:
	case POKE_NEXT:
	case POKE_MASK:
		if (ret >= 0)
			poke(m, base);
		break;
	}
	return ret;
}

long rt_call(unsigned long nr, unsigned long a1, unsigned long a2,
	     unsigned long a3, unsigned long a4, unsigned long a5)
{
	unsigned long a[5] = { a1, a2, a3, a4, a5 };

	if (mutant_on && active)
		return mutant_call(nr, a);
	return raw_call5(nr, a1, a2, a3, a4, a5);
}

void mutant_view(enum view what, void *data, size_t size)
{
	if (!mutant_on || !active || active->effect != VIEW ||
	    active->nr != (uint8_t)what)
		return;
	if ((size_t)active->a + (size_t)active->b > size)
		panic("mutant reaches past its view");
	field_add((unsigned long)data, active->a, active->b, active->c);
}

unsigned int mutant_event(unsigned int port)
{
	if (!mutant_on || !active || port == start_info.console.domU.evtchn)
		return 1;
	if (active->effect == EVENT_LOSE)
		return ++hits % 2;
	return active->effect == EVENT_DOUBLE ? 2 : 1;
}
