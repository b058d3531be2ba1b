/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the parts of the device share: ports, workers, a packet on its way, a flow entry.
 *
 * worker.c takes bursts from ports, parse.c reads the headers, frag.c gives fragments their ports, flow.c finds the
 * flow's entry; where there is none, admit.c says whether the port may begin one, and slow.c compiles it from the
 * configuration: route.c, security.c, nat.c, meter.c. forward.c does what the entry says, rewrite.c changes headers;
 * tunnel.c, remote.c and arp.c are the underlay's side, icmp.c what senders are told, drop.c is the one way out for
 * packets that go no further.
 */
#ifndef VFD_DEVICE_H
#define VFD_DEVICE_H

#include "config.h"

#include <rte_mbuf.h>
#include <rte_spinlock.h>
#include <stdatomic.h>

#define BURST       32
#define FLOW_MS     10000  /* an entry is compiled anew after this long: sessions are kept alive by that */
#define PORT_OUTER  0xffff /* in a flow's key: from the tunnel, whichever port that was */
#define ICMP_PER_MS 10     /* errors that a worker sends to VMs at most */

struct flow_key {
	struct addr src, dst;
	uint16_t sport, dport; /* ICMP: echo id; type << 8 | code */
	uint8_t proto, family;
	uint16_t port;
	uint32_t vni; /* PORT_OUTER: of the tunnel */
	struct mac dst_mac, src_mac;
} __attribute__((aligned(8))); /* rte_hash_crc() reads it so */

enum action {
	ACT_DROP,
	ACT_PORT,
	ACT_TUNNEL,
	ACT_LOCAL, /* for the gateway's own address */
};

/* Of an entry's `routed`. */
enum {
	ROUTED = 1,  /* TTL counts, MACs are written anew */
	NAT_OUT = 2, /* the source is translated */
	NAT_IN = 4,  /* the destination is */
};

struct flow_entry {
	uint32_t epoch, made_ms;
	uint8_t action:7, used:1; /* used: since the cache's hand came by */
	uint8_t routed;
	uint16_t set;   /* of tasks that want it, vdg_match() */
	uint32_t nat;   /* NAT_OUT, NAT_IN: the translation's number */
	uint32_t vni;   /* of the network that the packet leaves in */
	uint16_t port;  /* to leave by; ACT_DROP: where it is dropped */
	uint16_t meter; /* of the sending VM, 0: none */
	union {
		struct remote *remote; /* ACT_TUNNEL; ACT_PORT: NULL */
		struct {
			uint32_t drop; /* ACT_DROP: drop_intern()'s number */
			uint8_t icmp;  /* enum icmp_kind that the sender gets */
		};
	};
	struct mac dst, src;
	uint16_t tasks;      /* w->tasks when `set` was made; that it comes round within FLOW_MS is not possible */
	uint16_t flow_meter; /* of this flow, 0: none */
	uint64_t packets, bytes;
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct flow_entry) == 64, "a flow entry is one cache line");

struct packet {
	struct rte_mbuf *m; /* from the tenant's Ethernet header on; NULL: somebody has taken it */
	uint16_t in;        /* port */
	uint16_t at;        /* port that it has got to: of its entry to the queue of the one to leave by */
	bool outer;         /* came by the tunnel, whose ends are: */
	bool ip_bad;        /* it has no IP header that can be read */
	uint8_t hop;        /* traced: its hop here; before vdg_in() that of the outer DSCP */
	uint8_t ecn;        /* outer ECN bits */
	struct addr outer_src, outer_dst;
	uint16_t l3_len, l4_off; /* bytes from the IP header on; of the transport header behind it */
	uint8_t ttl;
	bool df, fragment, later; /* later: not the first fragment, so it has no transport header */
	uint16_t frag_off;        /* bytes */
	uint32_t frag_id;
	struct flow_key key;
	uint32_t hash; /* of the key */
	bool known;    /* the flow has an entry, though it may be one that does not count any more */
	struct flow_entry *entry;
};

struct port {
	struct port_config conf;
	uint16_t dpdk; /* DPDK's number */
	struct mac mac;
	rte_spinlock_t tx_lock; /* workers share a port's one queue */
	uint64_t used;          /* cycles of its worker, see worker_turn() */
	bool refused;           /* it went beyond its budget of new flows, last at: */
	uint32_t refused_ms;
	uint32_t tokens, begun_ms, busy_rate, busy; /* of new flows, admit.c */
	atomic_ullong rx, tx, tx_full;
	atomic_ullong
	    own; /* of rx: for the device itself, which used them up (ARP, discovery, its gateway's addresses) */
	atomic_ullong
	    made; /* the device's own answers, questions, ICMP errors. Of all ports: rx + made = tx + own + drops */
};

struct worker {
	struct device *dev;
	unsigned int number;
	pthread_t thread;
	atomic_ullong turns;          /* begun: what was there two turns ago is not used any more */
	const struct config *config;  /* of this turn */
	uint32_t epoch, tasks;        /* of this turn */
	uint32_t now_ms;              /* of this turn */
	uint64_t now_tsc;             /* of this burst */
	uint64_t served;              /* cycles that every port with packets has had at least, worker_turn() */
	uint32_t icmp_ms, icmp_count; /* limit of ICMP errors */
	struct flows *flows;
	struct vdg_worker *vdg; /* NULL without --socket */
	struct rte_mbuf *out[PORTS_MAX][BURST];
	unsigned int nout[PORTS_MAX];
};

struct device {
	_Atomic(const struct config *) config;
	atomic_uint epoch; /* of flow entries: changes with the configuration */
	atomic_uint tasks; /* of their sets: changes with tasks */
	atomic_bool stop;
	struct rte_mempool *pool;
	struct port ports[PORTS_MAX];
	unsigned int nports, nworkers;
	struct worker workers[WORKERS_MAX];
	struct drops *drops;
	struct remotes *remotes;
	struct sessions *sessions;
	struct meters *meters;
	struct nats *nats;
	struct frags *frags;
	struct vdg *vdg;
};

static inline uint8_t *packet_ip(const struct packet *p)
{
	return rte_pktmbuf_mtod_offset(p->m, uint8_t *, 14);
}

#define DEVICE_ERROR_MAX 512

/*
 * Makes the tables for dev->config, and libvdg's socket where one is named; ports are there (ports.h), workers' threads
 * are not. -errno, and `error` (DEVICE_ERROR_MAX) says what failed, on what; device_close() is for that, too.
 */
int device_open(struct device *dev, const char *socket, char *error);
void device_close(struct device *dev); /* when workers have ended */

/* Puts a whole frame on a port's queue of this burst; takes the mbuf. */
void worker_send(struct worker *w, unsigned int port, struct rte_mbuf *m);
/* A traced packet behind trace_out(), at once, so that it is known whether the port took it; `head` bytes of tunnel. */
void worker_send_traced(struct worker *w, struct packet *p, uint16_t head);
void worker_flush(struct worker *w);
/* A burst from each of its ports; how many packets there were. */
unsigned int worker_turn(struct worker *w);
int worker_start(struct worker *w); /* -errno */

#endif
