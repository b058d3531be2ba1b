// SPDX-License-Identifier: BSD-3-Clause
/*
 * Any frame, in one mbuf or in two, as the forwarding device gets it from the underlay and from a VM: it is refused, or
 * what was found lies inside the packet. The first byte says from where it comes, the second where the mbuf is cut.
 */
#include <stdlib.h>
#include <string.h>

#include "drop.h"
#include "fuzz.h"
#include "parse.h"

#define ROOM 2048

/* An mbuf without a pool around bytes that are exactly as long as it says, so that a sanitizer sees a read past the
 * end. */
static void mbuf_make(struct rte_mbuf *m, const uint8_t *bytes, size_t size)
{
	memset(m, 0, sizeof(*m));
	m->buf_addr = malloc(size ? size : 1);
	if (!m->buf_addr)
		abort();
	memcpy(m->buf_addr, bytes, size);
	m->buf_len = (uint16_t)size;
	m->data_len = (uint16_t)size;
	m->pkt_len = (uint32_t)size;
	m->nb_segs = 1;
}

/* What forward.c and slow.c go by: headers in the first segment, lengths in the packet, a reason for what is refused.
 */
static void check_tenant(struct packet *p)
{
	uint32_t bad = parse_tenant(p), len = rte_pktmbuf_data_len(p->m);

	fuzz_check(!bad || bad == DROP_HEADER || bad == DROP_ETHERTYPE || bad == DROP_MULTICAST);
	if (bad)
		return;
	fuzz_check(!p->ip_bad && (p->key.family == 4 || p->key.family == 6));
	fuzz_check(14u + p->l3_len <= len && p->l4_off <= p->l3_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct vtep_config vtep = {
	    .has = {true, true},
	    .addr = {{.b = {[10] = 0xff, 0xff, 172, 31, 0, 1}}, {.b = {0xfd, 0x31, [15] = 1}}},
	    .udp_port = 4789,
	};
	struct packet p = {0};
	struct rte_mbuf first, second;
	size_t cut;

	if (size < 2 || size > ROOM)
		return 0;
	cut = data[1] && data[1] < size - 2 ? data[1] : size - 2;
	mbuf_make(&first, data + 2, cut);
	mbuf_make(&second, data + 2 + cut, size - 2 - cut);
	if (second.data_len) {
		first.next = &second;
		first.nb_segs = 2;
		first.pkt_len += second.data_len;
	}
	p.m = &first;
	if (!(data[0] & 1) || parse_outer(&p, &vtep) == OUTER_TUNNEL) {
		fuzz_check(p.outer == (data[0] & 1));
		check_tenant(&p);
	}
	free(first.buf_addr);
	free(second.buf_addr);
	return 0;
}
