// SPDX-License-Identifier: MIT
/* xen_version: version, features and identity of the hypervisor. */
#include "case.h"

static bool text_ends(const char *s, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		if (!s[i])
			return true;
	return false;
}

/* XENVER_version returns a plain number and ignores its argument. */
CASE(ver_version, "VER-001", 0)
{
	long v = hyp_xen_version(XENVER_version, NULL);

	want(v >> 16 >= 3 && v >> 16 < 100);
	want_eq(hyp_xen_version(XENVER_version, BAD_PTR), v);
}

/*
 * XENVER strings end within their fields, and the bytes after the fields are
 * unchanged.
 */
CASE(ver_texts, "VER-002 VER-003 VER-005", 0)
{
	struct {
		char text[64];
		char guard[16];
	} t;
	struct xen_compile_info c;

	memset(&t, 0x5a, sizeof(t));
	want_eq(hyp_xen_version(XENVER_extraversion, &t), 0);
	want(text_ends(t.text, 16));
	want(mem_is(t.text + 16, 0x5a, sizeof(t) - 16));
	memset(&t, 0x5a, sizeof(t));
	want_eq(hyp_xen_version(XENVER_changeset, &t), 0);
	want(text_ends(t.text, 64));
	want(mem_is(t.guard, 0x5a, 16));
	memset(&c, 0x5a, sizeof(c));
	want_eq(hyp_xen_version(XENVER_compile_info, &c), 0);
	want(text_ends(c.compiler, sizeof(c.compiler)));
	want(text_ends(c.compile_by, sizeof(c.compile_by)));
	want(text_ends(c.compile_domain, sizeof(c.compile_domain)));
	want(text_ends(c.compile_date, sizeof(c.compile_date)));
}

/* XENVER_capabilities lists 64-bit paravirtual guests. */
CASE(ver_capabilities, "VER-004", 0)
{
	static char caps[1024 + 16];
	unsigned int i;
	bool found = false;

	memset(caps, 0x5a, sizeof(caps));
	want_eq(hyp_xen_version(XENVER_capabilities, caps), 0);
	want(text_ends(caps, 1024));
	want(mem_is(caps + 1024, 0x5a, 16));
	for (i = 0; caps[i]; i++)
		if (!strncmp(caps + i, "xen-3.0-x86_64", 14))
			found = true;
	want(found);
}

/* XENVER_platform_parameters stores the start of the hypervisor's range. */
CASE(ver_platform, "VER-006", 0)
{
	struct xen_platform_parameters p = { .virt_start = 1 };

	want_eq(hyp_xen_version(XENVER_platform_parameters, &p), 0);
	want(p.virt_start == 0xffff800000000000UL || !p.virt_start);
}

static uint32_t features(void)
{
	struct xen_feature_info f = { .submap_idx = 0 };

	if (hyp_xen_version(XENVER_get_features, &f))
		panic("get_features failed");
	return f.submap;
}

/*
 * XENVER_get_features reports the features of a paravirtual domain and no
 * other.
 */
CASE(ver_features, "VER-007 VER-010 VER-011", 0)
{
	uint32_t f = features();

	want(f & 1U << XENFEAT_mmu_pt_update_preserve_ad);
	want(f & 1U << XENFEAT_highmem_assist);
	want(f & 1U << XENFEAT_gnttab_map_avail_bits);
	want(f & 1U << XENFEAT_memory_op_vnode_supported);
	want(!(f & 1U << XENFEAT_auto_translated_physmap));
	want(!(f & 1U << XENFEAT_writable_page_tables));
	want(!(f & 1U << XENFEAT_hvm_callback_vector));
	want(!(f & 1U << XENFEAT_hvm_safe_pvclock));
	want(!(f & 1U << XENFEAT_hvm_pirqs));
	/* Bits 16 and 17: not_direct_mapped, direct_mapped. */
	want_eq(f >> 16 & 3, 2);
}

/* XENVER_get_features has one submap and refuses numbers far above it. */
CASE(ver_submap, "VER-008", 0)
{
	struct xen_feature_info f = { .submap_idx = 100 };

	want_eq(hyp_xen_version(XENVER_get_features, &f), -EINVAL);
	f.submap_idx = 0xffffffff;
	want_eq(hyp_xen_version(XENVER_get_features, &f), -EINVAL);
}

/* XENFEAT_dom0 is set for the initial domain only. */
CASE(ver_dom0, "VER-009", 0)
{
	want_eq(features() >> XENFEAT_dom0 & 1, is_dom0());
}

/* XENVER_pagesize with a null pointer returns 4096. */
CASE(ver_pagesize, "VER-012 VER-013", 0)
{
	char page[8];

	want_eq(hyp_xen_version(XENVER_pagesize, NULL), 4096);
	want_eq(hyp_xen_version(XENVER_pagesize, page), -EINVAL);
}

/*
 * XENVER_guest_handle stores 16 bytes that identify the domain, the same each
 * time.
 */
CASE(ver_handle, "VER-014", 0)
{
	uint8_t a[24], b[24];

	memset(a, 0x5a, sizeof(a));
	memset(b, 0xa5, sizeof(b));
	want_eq(hyp_xen_version(XENVER_guest_handle, a), 0);
	want_eq(hyp_xen_version(XENVER_guest_handle, b), 0);
	want_eq(memcmp(a, b, 16), 0);
	want(mem_is(a + 16, 0x5a, 8));
}

/*
 * XENVER_commandline stores the hypervisor's command line for the initial
 * domain, a placeholder for others.
 */
CASE(ver_commandline, "VER-015", 0)
{
	static char line[1024 + 8];
	unsigned int i;
	bool found = false;

	memset(line, 0x5a, sizeof(line));
	want_eq(hyp_xen_version(XENVER_commandline, line), 0);
	want(text_ends(line, 1024));
	want(mem_is(line + 1024, 0x5a, 8));
	for (i = 0; line[i]; i++)
		if (!strncmp(line + i, "console=", 8))
			found = true;
	want(is_dom0() || !found);
}

/* XENVER_build_id is refused to an unprivileged domain. */
CASE(ver_build_id_refused, "VER-016", DOMU)
{
	want_eq(hyp_xen_version(XENVER_build_id, NULL), -EPERM);
}

/*
 * XENVER_build_id returns its size, refuses a buffer that is too small and
 * fills one that is not.
 */
CASE(ver_build_id, "VER-017", DOM0)
{
	long size = hyp_xen_version(XENVER_build_id, NULL);
	struct {
		uint32_t len;
		uint8_t buf[100];
	} id = { .len = 1 };

	if (size == -ENODATA) {
		case_skip("the hypervisor was built without a build id");
		return;
	}
	want(size > 0 && size <= 100);
	want_any(hyp_xen_version(XENVER_build_id, &id), -ENOBUFS);
	id.len = 0;
	want(hyp_xen_version(XENVER_build_id, &id) < 1);
	id.len = 100;
	want_eq(hyp_xen_version(XENVER_build_id, &id), size);
	want(!mem_is(id.buf, 0, size));
}

/* Strings without a size limit are available in releases that have them. */
CASE(ver_long_texts, "VER-018", 0)
{
	char text[256];
	struct {
		uint32_t len;
		uint8_t buf[250];
	} id = { .len = 250 };
	/* 11 is XENVER_extraversion2. */
	long size = hyp_xen_version(11, NULL);

	if (size == -ENOSYS)
		return;
	want(size >= 0 && size < 250);
	want_eq(hyp_xen_version(11, &id), size);
	want_eq(hyp_xen_version(XENVER_extraversion, text), 0);
	want_eq(memcmp(text, id.buf, size < 15 ? size : 15), 0);
}

/* xen_version returns -ENOSYS for unknown operations. */
CASE(ver_unknown, "VER-019", 0)
{
	want_eq(hyp_xen_version(200, NULL), -ENOSYS);
	want_eq(hyp_xen_version(0x7fffffff, NULL), -ENOSYS);
}

/* xen_version returns -EFAULT for a result that cannot be written. */
CASE(ver_fault, "VER-020", 0)
{
	static const int ops[] = {
		XENVER_extraversion, XENVER_compile_info, XENVER_capabilities,
		XENVER_changeset, XENVER_platform_parameters,
		XENVER_get_features, XENVER_guest_handle, XENVER_commandline,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		want_eq(hyp_xen_version(ops[i], BAD_PTR), -EFAULT);
}
