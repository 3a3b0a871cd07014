// SPDX-License-Identifier: MIT
/*
 * For tests of translations, inside the kernel: readers on every vCPU that
 * stay in kernel mode, memory that goes while they hold a translation of it, and
 * entries changed without a flush, to prove that a stale translation would show.
 *
 * Translations of the kernel's own addresses are not global: they last until
 * CR3 is loaded, on the way to user mode at the latest.  A thread that is to hold
 * one must therefore not leave the kernel, which is why there are readers.
 */
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#define OLD_VALUE 0x4f4c44UL
#define NEW_VALUE 0x4e4557UL

/* A thread on a vCPU of its own that reads when asked, and spins otherwise. */
struct reader {
	struct task_struct *task;
	void *address;
	unsigned int asked, answered;
	int error;
	unsigned long value;
};

static DEFINE_PER_CPU(struct reader, readers);
static DEFINE_MUTEX(lock);
static int here = -1;	/* the vCPU without a reader: its caller reads itself */

static void read_once(struct reader *r)
{
	r->value = 0;
	r->error = copy_from_kernel_nofault(&r->value, r->address,
					    sizeof(r->value));
}

static int reader_body(void *data)
{
	struct reader *r = data;
	unsigned int turn = 0;

	while (!kthread_should_stop()) {
		/* Other threads of the kernel may run here: they load no CR3. */
		cond_resched();
		/* Pairs with the release in all_read(): the address is there. */
		if (turn == smp_load_acquire(&r->asked))
			continue;
		read_once(r);
		turn++;
		/* Pairs with the acquire in all_read(): the result is there. */
		smp_store_release(&r->answered, turn);
	}
	return 0;
}

/*
 * Have every vCPU read @address, this one too if @local; how many of them could
 * and, unless @value is 0, found @value there.
 */
static unsigned int all_read(void *address, bool local, unsigned long value)
{
	unsigned int good = 0;
	int cpu;

	for_each_online_cpu(cpu) {
		struct reader *r = per_cpu_ptr(&readers, cpu);

		r->address = address;
		if (cpu == here) {
			if (!local)
				continue;
			read_once(r);
		} else {
			/* Pairs with the acquire in reader_body(). */
			smp_store_release(&r->asked, r->asked + 1);
			/* Pairs with the release in reader_body(). */
			while (smp_load_acquire(&r->answered) != r->asked)
				cond_resched();
		}
		good += !r->error && (!value || r->value == value);
	}
	return good;
}

static void stop_readers(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct reader *r = per_cpu_ptr(&readers, cpu);

		if (r->task)
			kthread_stop(r->task);
		memset(r, 0, sizeof(*r));
	}
	here = -1;
}

/* The caller is bound to its vCPU, or the readers would stand on wrong ones. */
static int start_readers(void)
{
	int cpu;

	if (current->nr_cpus_allowed != 1)
		return -EPERM;
	here = raw_smp_processor_id();
	for_each_online_cpu(cpu) {
		struct reader *r = per_cpu_ptr(&readers, cpu);

		if (cpu == here)
			continue;
		r->task = kthread_create_on_cpu(reader_body, r, cpu,
						"tlb_reader/%u");
		if (IS_ERR(r->task)) {
			int error = PTR_ERR(r->task);

			r->task = NULL;
			stop_readers();
			return error;
		}
		wake_up_process(r->task);
	}
	return 0;
}

/* Write an address: all other vCPUs read there, and stay in the kernel; 0: end. */
static int watch_set(const char *text, const struct kernel_param *param)
{
	unsigned long address;
	int error = kstrtoul(text, 0, &address);

	if (error)
		return error;
	mutex_lock(&lock);
	stop_readers();
	if (address) {
		error = start_readers();
		if (!error && all_read((void *)address, false, 0) !=
		    num_online_cpus() - 1) {
			stop_readers();
			error = -EFAULT;
		}
	}
	mutex_unlock(&lock);
	return error;
}

/* Read: how many of the others can still read at that address. */
static int watch_get(char *buffer, const struct kernel_param *param)
{
	int count = -ENODATA;

	mutex_lock(&lock);
	if (here >= 0)
		count = sysfs_emit(buffer, "%u\n",
				   all_read(this_cpu_ptr(&readers)->address,
					    false, 0));
	mutex_unlock(&lock);
	return count;
}

static const struct kernel_param_ops watch_ops = {
	.set = watch_set,
	.get = watch_get,
};
module_param_cb(watch, &watch_ops, NULL, 0600);
MODULE_PARM_DESC(watch, "address that all other vCPUs read; who still can");

/* Some of what vfree() and its like leave mapped until the lazy flush. */
static int vmalloc_get(char *buffer, const struct kernel_param *param)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	unsigned int used = 0, left = 0;
	void *place;
	int error;

	if (!page)
		return -ENOMEM;
	mutex_lock(&lock);
	stop_readers();
	error = start_readers();
	if (error)
		goto out;

	place = vzalloc(3 * PAGE_SIZE);
	if (place) {
		used += all_read(place + PAGE_SIZE, true, 0);
		vfree(place);
		vm_unmap_aliases();
		left += all_read(place + PAGE_SIZE, true, 0);
	}
	place = vmap(&page, 1, VM_MAP, PAGE_KERNEL);
	if (place) {
		used += all_read(place, true, 0);
		vunmap(place);
		vm_unmap_aliases();
		left += all_read(place, true, 0);
	}
	place = vm_map_ram(&page, 1, NUMA_NO_NODE);
	if (place) {
		used += all_read(place, true, 0);
		vm_unmap_ram(place, 1);
		vm_unmap_aliases();
		left += all_read(place, true, 0);
	}
	stop_readers();
out:
	mutex_unlock(&lock);
	__free_page(page);
	if (error)
		return error;
	if (used != 3 * num_online_cpus())
		return -EFAULT;
	return sysfs_emit(buffer, "%u\n", left);
}

static const struct kernel_param_ops vmalloc_ops = { .get = vmalloc_get };
module_param_cb(vmalloc, &vmalloc_ops, NULL, 0400);
MODULE_PARM_DESC(vmalloc, "how often freed vmalloc memory could still be read");

/* Give a mapping another frame without a flush, then take it away with one. */
static int kernel_control_get(char *buffer, const struct kernel_param *param)
{
	struct page *pages[2] = { };
	unsigned int used = 0, unflushed = 0, flushed = 0;
	unsigned long *place = NULL;
	pte_t *entry;
	unsigned int level;
	int error = -ENOMEM;

	mutex_lock(&lock);
	stop_readers();
	for (int i = 0; i < 2; i++) {
		pages[i] = alloc_page(GFP_KERNEL);
		if (!pages[i])
			goto out;
		*(unsigned long *)page_address(pages[i]) = i ? NEW_VALUE :
							       OLD_VALUE;
	}
	place = vmap(pages, 1, VM_MAP, PAGE_KERNEL);
	if (!place)
		goto out;
	error = start_readers();
	if (error)
		goto out;

	used = all_read(place, true, OLD_VALUE);
	entry = lookup_address((unsigned long)place, &level);
	set_pte(entry, mk_pte(pages[1], PAGE_KERNEL));
	unflushed = all_read(place, true, OLD_VALUE);
	vunmap(place);
	vm_unmap_aliases();
	flushed = all_read(place, true, 0);
	place = NULL;
	stop_readers();
out:
	vunmap(place);
	for (int i = 0; i < 2; i++)
		if (pages[i])
			__free_page(pages[i]);
	mutex_unlock(&lock);
	return error ?: sysfs_emit(buffer, "%u %u %u\n", used, unflushed,
				   flushed);
}

static const struct kernel_param_ops kernel_control_ops = {
	.get = kernel_control_get,
};
module_param_cb(kernel_control, &kernel_control_ops, NULL, 0400);
MODULE_PARM_DESC(kernel_control,
		 "vCPUs that see the first frame: at first, behind its back, when unmapped");

/* The entries of two pages in a row, exchanged when the second one is met. */
static int exchange(pte_t *entry, unsigned long address, void *data)
{
	pte_t **first = data, old;

	if (!*first) {
		*first = entry;
		return 0;
	}
	old = **first;
	set_pte(*first, *entry);
	set_pte(entry, old);
	return 0;
}

/* Exchange the frames of the two pages of the caller's at this address. */
static int user_control_set(const char *text, const struct kernel_param *param)
{
	unsigned long address;
	pte_t *first = NULL;
	int error = kstrtoul(text, 0, &address);

	if (error)
		return error;
	/* Both entries in one table, under its lock. */
	if (!current->mm || address % (2 * PAGE_SIZE) || !address ||
	    address >= TASK_SIZE - PAGE_SIZE)
		return -EINVAL;
	mmap_write_lock(current->mm);
	error = apply_to_existing_page_range(current->mm, address,
					     2 * PAGE_SIZE, exchange, &first);
	mmap_write_unlock(current->mm);
	return error;
}

static const struct kernel_param_ops user_control_ops = {
	.set = user_control_set,
};
module_param_cb(user_control, &user_control_ops, NULL, 0200);
MODULE_PARM_DESC(user_control,
		 "address of two pages of the writer whose frames are exchanged without a flush");

static void __exit pvguest_tlb_exit(void)
{
	stop_readers();
}
module_exit(pvguest_tlb_exit);

static int __init pvguest_tlb_init(void)
{
	return 0;
}
module_init(pvguest_tlb_init);

MODULE_DESCRIPTION("Readers and unflushed changes, for tests of translations");
MODULE_LICENSE("Dual MIT/GPL");
