/* SPDX-License-Identifier: MIT */
/*
 * XenStore for tests of what uses it: its nodes, without daemon or ring.  The
 * guest's calls are those of pvbus/store.h; the test's are node_set() and
 * node_drop(), and watches are called at once.
 */
#ifndef STORE_NODES_H
#define STORE_NODES_H

#include <pvbus/store.h>

static struct node {
	char path[128];
	char value[64];
	bool used;
} nodes[64];

static LIST_HEAD(node_watches);
/* Error of the guest's next read. */
static int node_error;
/* Error of the guest's lists, while it is set. */
static int node_list_error;
/* Errors of the guest's begins and ends of transactions, while they are set. */
static int node_begin_error, node_end_error;
static unsigned int node_open_txns;

static bool node_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !strncmp(path, dir, len) && (!path[len] || path[len] == '/');
}

static struct node *node_find(const char *path)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(nodes); i++)
		if (nodes[i].used && !strcmp(nodes[i].path, path))
			return &nodes[i];
	return NULL;
}

static void node_event(const char *path)
{
	struct pvstore_watch *watch, *next;

	list_for_each_entry_safe(watch, next, &node_watches, list)
		if (node_below(path, watch->path))
			watch->changed(watch, path);
}

static inline void node_put(const char *path, const char *value)
{
	struct node *n = node_find(path);

	for (n = n ?: nodes; n->used && strcmp(n->path, path); n++)
		shim_check(n < nodes + ARRAY_SIZE(nodes) - 1, "too many nodes");
	n->used = true;
	shim_strscpy(n->path, path, sizeof(n->path));
	shim_strscpy(n->value, value, sizeof(n->value));
}

static inline void node_set(const char *path, const char *value)
{
	node_put(path, value);
	node_event(path);
}

static void node_remove(const char *path)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(nodes); i++)
		if (nodes[i].used && node_below(nodes[i].path, path))
			nodes[i].used = false;
}

static inline void node_drop(const char *path)
{
	node_remove(path);
	node_event(path);
}

static const char *node_join(const char *dir, const char *node)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s%s%s", dir, *node ? "/" : "", node);
	return path;
}

bool pvstore_present(void)
{
	return true;
}

int pvstore_read(u32 txn, const char *dir, const char *node, char **value,
		 unsigned int *len)
{
	struct node *n = node_find(node_join(dir, node));
	int error = node_error;

	might_sleep();
	node_error = 0;
	if (error)
		return error;
	/* A directory whose nodes are there is one without a value. */
	if (!n && !pvstore_exists(txn, dir, node))
		return -ENOENT;
	*value = kstrdup(n ? n->value : "", GFP_NOIO);
	if (*value && len)
		*len = strlen(*value);
	return *value ? 0 : -ENOMEM;
}

int pvstore_read_within(unsigned int seconds, const char *dir, const char *node,
			char **value)
{
	return pvstore_read(PVSTORE_NO_TXN, dir, node, value, NULL);
}

int pvstore_read_uint(u32 txn, const char *dir, const char *node,
		      unsigned long long *value)
{
	char *text;
	int ret = pvstore_read(txn, dir, node, &text, NULL);

	if (ret)
		return ret;
	ret = kstrtoull(text, 10, value) ? -EINVAL : 0;
	kfree(text);
	return ret;
}

unsigned int pvstore_read_feature(const char *dir, const char *node,
				  unsigned int absent, unsigned int max)
{
	unsigned long long value;

	if (pvstore_read_uint(PVSTORE_NO_TXN, dir, node, &value))
		return absent;
	return value < max ? value : max;
}

bool pvstore_exists(u32 txn, const char *dir, const char *node)
{
	const char *path = node_join(dir, node);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(nodes); i++)
		if (nodes[i].used && node_below(nodes[i].path, path))
			return true;
	return false;
}

/* Names directly below a node, in an array like that of the client. */
int pvstore_list(u32 txn, const char *dir, const char *node, char ***names,
		 unsigned int *count)
{
	char path[128], name[32], **array;
	unsigned int i, j, n = 0;
	size_t len;

	if (node_list_error)
		return node_list_error;
	snprintf(path, sizeof(path), "%s", node_join(dir, node));
	if (!pvstore_exists(txn, path, ""))
		return -ENOENT;
	len = strlen(path);
	array = kvzalloc(ARRAY_SIZE(nodes) * (sizeof(*array) + sizeof(name)), GFP_NOIO);
	for (i = 0; i < ARRAY_SIZE(nodes); i++) {
		if (!nodes[i].used || !node_below(nodes[i].path, path) || !nodes[i].path[len])
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(nodes[i].path + len + 1, "/"),
			 nodes[i].path + len + 1);
		for (j = 0; j < n && strcmp(array[j], name); j++)
			;
		if (j < n)
			continue;
		array[n] = (char *)(array + ARRAY_SIZE(nodes)) + n * sizeof(name);
		memcpy(array[n++], name, sizeof(name));
	}
	*names = array;
	*count = n;
	return 0;
}

int pvstore_write(u32 txn, const char *dir, const char *node, const char *value)
{
	might_sleep();
	node_set(node_join(dir, node), value);
	return 0;
}

int pvstore_printf(u32 txn, const char *dir, const char *node, const char *fmt, ...)
{
	char value[64];
	va_list args;

	va_start(args, fmt);
	vsnprintf(value, sizeof(value), fmt, args);
	va_end(args);
	return pvstore_write(txn, dir, node, value);
}

int pvstore_remove(u32 txn, const char *dir, const char *node)
{
	char path[128];

	snprintf(path, sizeof(path), "%s", node_join(dir, node));
	if (!pvstore_exists(txn, path, ""))
		return -ENOENT;
	node_remove(path);
	return 0;
}

int pvstore_begin(u32 *txn)
{
	if (node_begin_error)
		return node_begin_error;
	*txn = 1;
	node_open_txns++;
	return 0;
}

int pvstore_end(u32 txn, bool abort)
{
	node_open_txns--;
	return abort ? 0 : node_end_error;
}

int pvstore_watch(struct pvstore_watch *watch)
{
	list_add_tail(&watch->list, &node_watches);
	watch->changed(watch, watch->path);
	return 0;
}

void pvstore_unwatch(struct pvstore_watch *watch)
{
	list_del(&watch->list);
}

#endif /* STORE_NODES_H */
