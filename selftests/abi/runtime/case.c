// SPDX-License-Identifier: MIT
/*
 * The case loop: runs the cases that the command line names and reports each
 * with one line that the runner reads (docs/adding-a-hypervisor.md).
 *
 *   case=NAME[,NAME...]  only these     after=NAME  only those after this one
 *   role=a|b peer=N domid=N             in a two-guest case: this guest's side,
 *                                       the other's domain number, its own
 *   mutant=N                            inject fault N of the table (start.c)
 */
#include "case.h"
#include <xen/io/xs_wire.h>

extern const struct case_desc rt_cases[], rt_cases_end[];

static const struct case_desc *current_case;
static bool skipped, second;

void case_fail(const char *file, int line, const char *fmt, ...)
{
	char reason[300];
	va_list ap;

	mutant_on = false;
	va_start(ap, fmt);
	vformat(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	print("@fail %s %s:%d: %s\n", current_case ? current_case->name : "-",
	      file, line, reason);
	rt_exit(SHUTDOWN_poweroff);
}

void case_fail_eq(const char *file, int line, const char *what, long got,
		  long expected)
{
	if (got > -4096 && got < 65536)
		case_fail(file, line, "%s is %ld, not %ld", what, got, expected);
	case_fail(file, line, "%s is 0x%lx, not 0x%lx", what,
		  (unsigned long)got, (unsigned long)expected);
}

void case_skip(const char *reason)
{
	skipped = true;
	if (!second)
		print("@skip %s %s\n", current_case->name, reason);
}

void dying(const char *how)
{
	print("@dying %s %s\n", current_case->name, how);
}

bool pair_first(void)
{
	return !second;
}

unsigned int pair_peer(void)
{
	return (unsigned int)cmdline_num("peer", DOMID_SELF);
}

void pair_write(const char *key, unsigned long value)
{
	char body[160];
	int n;

	format(body, 100, "data/%s-%s", current_case->name, key);
	n = (int)strlen(body) + 1;
	/* The value, then the right to read it for the other guest. */
	n += format(body + n, 24, "%lu", value);
	if (store_call(XS_WRITE, 0, body, (unsigned int)n, NULL, 0) < 0)
		panic("cannot write to XenStore");
	n = (int)strlen(body) + 1;
	n += format(body + n, 20, "n%u", own_domid()) + 1;
	n += format(body + n, 20, "r%u", pair_peer()) + 1;
	if (store_call(XS_SET_PERMS, 0, body, (unsigned int)n, NULL, 0) < 0)
		panic("cannot set permissions in XenStore");
}

unsigned long pair_read(const char *key)
{
	struct patience wait = patience(20000);
	unsigned long v = 0;
	char path[160], buf[24], *p = buf;
	int n;

	format(path, sizeof(path), "/local/domain/%u/data/%s-%s", pair_peer(),
	       current_case->name, key);
	do {
		n = store_read(path, buf, sizeof(buf) - 1);
		if (n <= 0)
			until(false, 5);
	} while (n <= 0 && patient(&wait));
	if (n <= 0)
		case_fail("case.c", __LINE__, "the other guest did not write %s", key);
	buf[n] = 0;
	for (; *p >= '0' && *p <= '9'; p++)
		v = v * 10 + (unsigned long)(*p - '0');
	return v;
}

static void run(const struct case_desc *c)
{
	uint64_t start;
	char role[4];

	if ((c->flags & DOMU) && is_dom0()) {
		print("@skip %s not for the initial domain\n", c->name);
		return;
	}
	if ((c->flags & DOM0) && !is_dom0()) {
		print("@skip %s for the initial domain only\n", c->name);
		return;
	}
	current_case = c;
	skipped = false;
	second = cmdline_get("role", role, sizeof(role)) && role[0] == 'b';
	if (!second)
		print("@case %s\n", c->name);
	start = now();
	events_off();
	mutant_on = true;
	c->fn();
	mutant_on = false;
	trap_hook = NULL;
	if (c->flags & DIES && !skipped)
		case_fail("case.c", __LINE__, "the domain is still alive");
	if (!skipped && !second)
		print("@ok %s %lu\n", c->name, (now() - start) / 1000);
}

/* Whether @name is one of those in the comma-separated @list. */
static bool listed(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (;;) {
		if (!strncmp(list, name, n) && (!list[n] || list[n] == ','))
			return true;
		while (*list && *list != ',')
			list++;
		if (!*list++)
			return false;
	}
}

void guest_main(void)
{
	const struct case_desc *c;
	static char only[800];
	char after[80];
	bool one = cmdline_get("case", only, sizeof(only));
	bool skip = cmdline_get("after", after, sizeof(after));
	char extra[16] = "";
	long version = hyp_xen_version(XENVER_version, NULL);

	hyp_xen_version(XENVER_extraversion, extra);
	print("@info Xen %ld.%ld%s vcpus=%u pages=%lu %s\n", version >> 16,
	      version & 0xffff, extra, vcpu_number(), start_info.nr_pages,
	      is_dom0() ? "dom0" : "domU");
	for (c = rt_cases; c < rt_cases_end; c++) {
		if (one) {
			if (listed(only, c->name))
				run(c);
			continue;
		}
		if (skip) {
			skip = strcmp(c->name, after);
			continue;
		}
		if (!(c->flags & (ALONE | DIES | PAIR | BACKEND | MANY)))
			run(c);
	}
	/* Of two guests only the first reports. */
	if (!second)
		print("@done\n");
}
