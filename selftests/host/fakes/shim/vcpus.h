/* SPDX-License-Identifier: MIT */
/*
 * Variables that all code of the port may name: of SHIM_VCPUS vCPUs, in a domain of
 * which no more is known.  Each test program includes it once.
 */
#ifndef SHIM_VCPUS_H
#define SHIM_VCPUS_H

unsigned int shim_cpu;
bool shim_in_task;
unsigned int shim_irq_depth;
bool pvguest_have_struct_pages;
struct start_info *pvguest_start_info;
struct vcpu_info pvguest_vcpu_info[SHIM_VCPUS];

#endif /* SHIM_VCPUS_H */
