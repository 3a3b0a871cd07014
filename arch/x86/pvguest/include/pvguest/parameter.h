/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parameters of the port and the drivers: numbers within a range, and switches.
 * Another value is refused with one line in the log, and the old one stays;
 * at boot Linux adds a line of its own.
 */
#ifndef PVGUEST_PARAMETER_H
#define PVGUEST_PARAMETER_H

#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/string.h>

/* Characters of a user's text that the log shows at most. */
#define PVGUEST_SHOWN	32

/**
 * struct pvguest_range - a parameter that is a number, and its range
 * @value: the number
 * @min: its least value
 * @max: its greatest value
 */
struct pvguest_range {
	unsigned int *value;
	unsigned int min, max;
};

extern const struct kernel_param_ops pvguest_number_ops;
extern const struct kernel_param_ops pvguest_switch_ops;

int pvguest_read_switch(const char *name, const char *text, bool *value);

/**
 * pvguest_shown() - how much of a user's or a tool stack's text the log shows
 * @text: the text, such as echo writes to a file: with a newline at its end
 *
 * Up to the first character that is not ASCII's, or is a control character.
 *
 * Context: any.
 * Return: number of characters, the precision of "%.*s".
 */
static inline int pvguest_shown(const char *text)
{
	int n = 0;

	/* A console would obey what is not printed. */
	while (n < PVGUEST_SHOWN && text[n] >= ' ' && text[n] <= '~')
		n++;
	return n;
}

/* The unsigned int @variable as parameter @name, from @least to @most. */
#define pvguest_number(name, variable, least, most, mode)		\
	static const struct pvguest_range pvguest_range_##name = {	\
		.value = &(variable), .min = (least), .max = (most),	\
	};								\
	module_param_cb(name, &pvguest_number_ops,			\
			(void *)&pvguest_range_##name, mode)

/* The @variable, which the compiler checks to be a bool, as parameter @name. */
#define pvguest_switch(name, variable, mode)				\
	module_param_cb(name, &pvguest_switch_ops,			\
			true ? &(variable) : (bool *)NULL, mode)

#endif /* PVGUEST_PARAMETER_H */
