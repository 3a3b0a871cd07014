/* SPDX-License-Identifier: MIT */
/*
 * XDP programs for a driver's receiving half: one that writes to all of the page
 * that it may write to, and has the verdict that a test sets.
 *
 * Included after driver/sending.h.
 */
#ifndef DRIVER_PROGRAMS_H
#define DRIVER_PROGRAMS_H

enum { XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX, XDP_REDIRECT };
enum { XDP_SETUP_PROG };
#define XDP_XMIT_FLAGS_MASK	1

struct bpf_prog { u32 verdict; };
struct netlink_ext_ack { int unused; };
struct netdev_bpf {
	int command;
	struct bpf_prog *prog;
	struct netlink_ext_ack *extack;
};

struct xdp_buff { u8 *data, *data_end, *data_meta, *data_hard_start; };
struct xdp_frame { u8 *data; u32 len; };

#define NL_SET_ERR_MSG_MOD(extack, text)	((void)(extack))
#define rtnl_dereference(p)			(p)
#define rcu_assign_pointer(p, v)		((p) = (v))
#define bpf_prog_put(prog)			((void)(prog))
#define bpf_warn_invalid_xdp_action(dev, prog, verdict)	((void)(dev), (void)(prog))
#define trace_xdp_exception(dev, prog, verdict)		((void)(prog))
#define xdp_do_redirect(dev, xdp, prog)		(-EINVAL)
#define xdp_init_buff(xdp, size, rxq)		((void)(rxq))
#define xdp_frame_has_frags(frame)		((void)(frame), false)
#define xdp_get_shared_info_from_frame(frame)	((void)(frame), NULL)
#define xdp_get_frame_len(frame)		((frame)->len)
#define xdp_return_frame_rx_napi(frame)		((void)(frame))
#define napi_build_skb(head, size)		((void)(head), NULL)
#define skb_reserve(skb, len)			((void)(skb))
#define skb_put(skb, len)			((void)(skb))
#define skb_metadata_set(skb, len)		((void)(skb))

static inline void xdp_prepare_buff(struct xdp_buff *xdp, void *hard_start, int headroom,
				    int len, bool meta)
{
	xdp->data_hard_start = hard_start;
	xdp->data = xdp->data_hard_start + headroom;
	xdp->data_end = xdp->data + len;
	xdp->data_meta = xdp->data;
}

static inline u32 bpf_prog_run_xdp(const struct bpf_prog *prog, struct xdp_buff *xdp)
{
	memset(xdp->data_hard_start, 0x99, xdp->data_end - xdp->data_hard_start);
	return prog->verdict;
}

#endif /* DRIVER_PROGRAMS_H */
