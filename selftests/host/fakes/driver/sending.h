/* SPDX-License-Identifier: MIT */
/*
 * The network core as a driver's transmitting half sees it: one queue that is
 * stopped and woken, and packets that are freed.
 *
 * Included after driver/network.h.
 */
#ifndef DRIVER_SENDING_H
#define DRIVER_SENDING_H

#define NETDEV_TX_OK			0
#define netdev_priv(dev)		((dev)->priv)
#define netdev_xmit_more()		false
#define skb_get_queue_mapping(skb)	((void)(skb), 0)
#define skb_has_shared_frag(skb)	((void)(skb), false)
#define skb_is_tcp_pure_ack(skb)	((void)(skb), false)
#define skb_frag_size(f)		((f)->len)
#define skb_frag_address(f)		((u8 *)page_address((f)->page) + (f)->offset)
#define skb_tx_timestamp(skb)		((void)(skb))
#define dev_kfree_skb_any(skb)		kfree_skb(skb)
#define dev_consume_skb_any(skb)	kfree_skb(skb)
#define napi_consume_skb(skb, budget)	((void)(budget), kfree_skb(skb))
#define napi_schedule(napi)		((void)(napi))
#define smp_processor_id()		0
#define __netif_tx_lock(txq, cpu)	((txq)->locked++)
#define __netif_tx_unlock(txq)		((txq)->locked--)
#define netif_tx_stop_queue(txq)	((void)((txq)->stopped = true))
#define netif_tx_wake_queue(txq)	((void)((txq)->stopped = false))
#define netif_tx_queue_stopped(txq)	((txq)->stopped)
/* The queue's byte limit is without limit. */
#define __netdev_tx_sent_queue(txq, bytes, more)	((void)(txq), (void)(bytes), !(more))
#define netdev_tx_completed_queue(txq, packets, bytes)	((void)(txq), (void)(bytes))
#define netdev_tx_reset_queue(txq)			((void)(txq))

#endif /* DRIVER_SENDING_H */
