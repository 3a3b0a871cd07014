/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tables of the kernel's parameters that the linker makes: those of parse_args()
 * and of early_param().  No header of Linux declares them.
 */
#ifndef PVGUEST_PARAMETER_NAMES_H
#define PVGUEST_PARAMETER_NAMES_H

#include <linux/init.h>
#include <linux/moduleparam.h>

extern const struct kernel_param __start___param[], __stop___param[];
extern const struct obs_kernel_param __setup_start[], __setup_end[];

#endif /* PVGUEST_PARAMETER_NAMES_H */
