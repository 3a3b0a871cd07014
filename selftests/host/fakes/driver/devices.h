/* SPDX-License-Identifier: MIT */
/*
 * The device model for tests of the bus: one bus, its drivers and devices, and
 * delayed work that runs when the test lets time pass.
 */
#ifndef DRIVER_DEVICES_H
#define DRIVER_DEVICES_H

#define __ATTR(n, m, s, t)	{ .attr.name = #n, .show = (s) }
#define ATTRIBUTE_GROUPS(name) \
	static const struct attribute_group *name##_groups[] = {	\
		(const struct attribute_group *)name##_attrs, NULL }
#define container_of_const(p, type, member)	container_of((void *)(p), type, member)
#define strstarts(s, prefix)	(!strncmp(s, prefix, strlen(prefix)))

struct attribute { const char *name; };
struct attribute_group { int unused; };
struct kobj_uevent_env { char text[64]; };	/* the last variable */
struct device;
struct device_attribute {
	struct attribute attr;
	ssize_t (*show)(struct device *dev, struct device_attribute *attr, char *buf);
};

static inline int __printf(2, 3) add_uevent_var(struct kobj_uevent_env *env, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(env->text, sizeof(env->text), fmt, args);
	va_end(args);
	return 0;
}

#define vscnprintf	vsnprintf

struct device_driver;
struct bus_type {
	const char *name;
	int (*match)(struct device *dev, const struct device_driver *driver);
	int (*uevent)(const struct device *dev, struct kobj_uevent_env *env);
	int (*probe)(struct device *dev);
	void (*remove)(struct device *dev);
	void (*shutdown)(struct device *dev);
	const struct attribute_group **dev_groups;
};

struct device_driver {
	const char *name;
	const struct bus_type *bus;
};

struct device {
	unsigned int users;
	const struct bus_type *bus;
	struct device_driver *driver;
	void (*release)(struct device *dev);
	void *data;
	char name[32];
	struct list_head list;
};

static LIST_HEAD(shim_devices);
/* The one driver; NULL before it is registered. */
static struct device_driver *shim_driver;
/* Devices that have been added since the test began. */
static unsigned int shim_added;

#define bus_register(bus)	((void)(bus), 0)
#define bus_unregister(bus)	((void)(bus))
#define dev_get_drvdata(d)	((d)->data)
#define dev_set_drvdata(d, p)	((d)->data = (p))
#define dev_err(d, ...)		((void)(d), shim_log(__VA_ARGS__))
#define dev_warn		dev_err
#define dev_info		dev_err
#define dev_err_ratelimited	dev_err
#define dev_warn_ratelimited	dev_err
#define dev_info_ratelimited	dev_err
#define dev_set_name(d, ...) \
	(snprintf((d)->name, sizeof((d)->name), __VA_ARGS__), 0)

static inline void device_initialize(struct device *dev)
{
	dev->users = 1;
}

static inline void get_device(struct device *dev)
{
	dev->users++;
}

static inline void put_device(struct device *dev)
{
	shim_check(dev->users, "device put twice");
	if (!--dev->users)
		dev->release(dev);
}

static inline int device_attach(struct device *dev)
{
	if (dev->driver || !shim_driver || !dev->bus->match(dev, shim_driver))
		return !!dev->driver;
	dev->driver = shim_driver;
	if (!dev->bus->probe(dev))
		return 1;
	dev->driver = NULL;
	return 0;
}

static inline int device_add(struct device *dev)
{
	get_device(dev);
	list_add_tail(&dev->list, &shim_devices);
	shim_added++;
	device_attach(dev);
	return 0;
}

static inline void device_release_driver(struct device *dev)
{
	if (dev->driver)
		dev->bus->remove(dev);
	dev->driver = NULL;
}

static inline void device_unregister(struct device *dev)
{
	device_release_driver(dev);
	list_del(&dev->list);
	put_device(dev);
	put_device(dev);
}

static inline int driver_register(struct device_driver *driver)
{
	struct device *dev;

	shim_driver = driver;
	list_for_each_entry(dev, &shim_devices, list)
		device_attach(dev);
	return 0;
}

static inline void driver_unregister(struct device_driver *driver)
{
	struct device *dev;

	list_for_each_entry(dev, &shim_devices, list)
		device_release_driver(dev);
	shim_driver = NULL;
}

#define bus_for_each_drv(bus, start, data, fn) \
	((void)(bus), shim_driver ? (fn)(shim_driver, data) : 0)

static inline struct device *bus_find_device_by_name(const struct bus_type *bus,
						     void *start, const char *name)
{
	struct device *dev;

	list_for_each_entry(dev, &shim_devices, list) {
		if (!strcmp(dev->name, name)) {
			get_device(dev);
			return dev;
		}
	}
	return NULL;
}

/* Counters; waiting for one is the test's, which calls shim_init_NAME(). */

typedef struct { int n; } atomic_t;
#define ATOMIC_INIT(i)			{ i }
#define atomic_read(a)			((a)->n)
#define atomic_set(a, i)		((a)->n = (i))
#define atomic_inc(a)			((a)->n++)
#define atomic_dec_and_test(a)		(!--(a)->n)
#define atomic_xchg(a, i)		xchg(&(a)->n, i)
#define atomic_cmpxchg(a, o, i)		cmpxchg(&(a)->n, o, i)
#define DECLARE_WAIT_QUEUE_HEAD(name)	int name
/* How often a waiter would have been woken. */
static unsigned int shim_wakes __attribute__((unused));
#define wake_up_all(q)			((void)(q), shim_wakes++)
static const char *saved_command_line __attribute__((unused));

/* Time, and work that is due at some time. */

static unsigned long jiffies = 100000;
#define time_before(a, b)	((long)((a) - (b)) < 0)
#define time_after(a, b)	time_before(b, a)

static struct {
	struct delayed_work *work;
	unsigned long due;
} shim_delayed[16];

static inline bool shim_forget(struct delayed_work *work)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(shim_delayed); i++) {
		if (shim_delayed[i].work == work) {
			shim_delayed[i].work = NULL;
			return true;
		}
	}
	return false;
}

static inline void shim_delay(struct delayed_work *work, unsigned long time)
{
	unsigned int i = 0;

	shim_forget(work);
	while (shim_delayed[i].work) {
		i++;
		shim_check(i < ARRAY_SIZE(shim_delayed), "too much delayed work");
	}
	shim_delayed[i].work = work;
	shim_delayed[i].due = jiffies + time;
}

#undef mod_delayed_work
#undef queue_delayed_work
#define mod_delayed_work(q, w, time)	shim_delay(w, time)
#define queue_delayed_work(q, w, time)	shim_delay(w, time)
#undef schedule_delayed_work
#define schedule_delayed_work(w, time)	shim_delay(w, time)
#define cancel_delayed_work(w)		shim_forget(w)
#undef cancel_delayed_work_sync
#define cancel_delayed_work_sync(w)	(shim_forget(w), cancel_work_sync(&(w)->work))

/* Run all work until none is left, then that which is due @time later. */
static inline void shim_pass(unsigned long time)
{
	unsigned long end = jiffies + time;
	unsigned int i, first;

	for (;;) {
		while (shim_run_work())
			;
		first = ARRAY_SIZE(shim_delayed);
		for (i = 0; i < ARRAY_SIZE(shim_delayed); i++)
			if (shim_delayed[i].work &&
			    !time_after(shim_delayed[i].due, end) &&
			    (first == ARRAY_SIZE(shim_delayed) ||
			     time_before(shim_delayed[i].due, shim_delayed[first].due)))
				first = i;
		if (first == ARRAY_SIZE(shim_delayed))
			break;
		if (time_after(shim_delayed[first].due, jiffies))
			jiffies = shim_delayed[first].due;
		schedule_work(&shim_delayed[first].work->work);
		shim_delayed[first].work = NULL;
	}
	jiffies = end;
}

#define reinit_completion(c)	((c)->done = 0)
#define wait_event_timeout(q, condition, time) ({ \
	unsigned long end_ = jiffies + (time); \
	while (!(condition) && time_before(jiffies, end_)) \
		shim_pass(1); \
	(condition) ? max_t(unsigned long, 1, end_ - jiffies) : 0UL; })

static inline unsigned long wait_for_completion_timeout(struct completion *c, unsigned long time)
{
	jiffies += time;
	return 0;
}

#endif /* DRIVER_DEVICES_H */
