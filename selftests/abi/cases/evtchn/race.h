/* SPDX-License-Identifier: MIT */
/* Rounds in each of which vCPU 1 sends one event while vCPU 0 changes the port's state. */
#ifndef CASES_EVTCHN_RACE_H
#define CASES_EVTCHN_RACE_H

#include "case.h"

static struct chan race;
static volatile bool race_stop;
static volatile unsigned int ball, returned;
static uint64_t race_end;

/* Pass the time of @count turns. */
static inline void race_spin(unsigned int count)
{
	unsigned int spin;

	for (spin = 0; spin < count; spin++)
		cpu_relax();
}

/* Send one event in each round, a little later in each. */
static inline void race_send(void *arg)
{
	unsigned int i = 0;

	for (;;) {
		while (ball == i && !race_stop)
			cpu_relax();
		if (race_stop)
			return;
		i = ball;
		race_spin(i % 61 * 8);
		evtchn_send(race.a);
		returned = i;
	}
}

/*
 * When the event of round @round is sent. On a busy machine, where the two vCPUs run by
 * turns, no event may come under the mask by chance, or none after it, in all rounds; so
 * one round of sixteen arranges the first and one the second.
 */
enum race_when { RACE_ANY_TIME, RACE_UNDER_MASK, RACE_AFTER_UNMASK };

static inline enum race_when race_when(unsigned int round)
{
	switch (round % 16) {
	case 1:
		return RACE_UNDER_MASK;
	case 2:
		return RACE_AFTER_UNMASK;
	default:
		return RACE_ANY_TIME;
	}
}

/* Have vCPU 1 wait for the first round on channel @c. */
static inline void race_begin(struct chan c)
{
	race = c;
	race_stop = false;
	ball = 0;
	returned = 0;
	vcpu_run(1, race_send, NULL);
	race_end = now() + 2000 * MS;
}

/* Is there a round @round? A busy machine, on which the two seldom run at one time, makes fewer. */
static inline bool race_has_round(unsigned int round)
{
	return round <= 4000 && (round <= 200 || now() < race_end);
}

#endif
