// SPDX-License-Identifier: BSD-3-Clause
/*
 * Our own nftables tables, whose one rule asks for a trace of coloured packets:
 *     meta mark & MASK == MASK meta nftrace set 1
 * in prerouting and output of family inet at priority -350 (before everything but raw), of family bridge at -400, and
 * of family netdev in front of all, on just those devices where others have chains. The tables carry NFT_TABLE_F_OWNER
 * (kernel 5.12): they belong to our netlink socket and the kernel removes them when it closes, however we end.
 */
#ifndef VT_DATAPATH_LINUX_INSPECT_NFT_TABLE_H
#define VT_DATAPATH_LINUX_INSPECT_NFT_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define NFT_TABLE_PREFIX "vtrace_trace_" /* followed by the netlink port id of the socket that owns it */

struct nft_tables;

enum nft_table_kind {
	NFT_TABLE_INET = 1 << 0,   /* someone has rules of family ip, ip6 or inet */
	NFT_TABLE_BRIDGE = 1 << 1, /* someone has rules of family bridge */
	NFT_TABLE_NETDEV = 1 << 2, /* someone has rules of family netdev, at the ingress or egress of devices */
};

int nft_tables_open(struct nft_tables **ret, uint32_t mark_mask, struct vt_err *err);
void nft_tables_close(struct nft_tables *tables); /* and with the socket our tables go */

/*
 * Looks at whose rules are there and installs or removes ours accordingly. Returns what is installed now (enum
 * nft_table_kind, 0 for nothing), or -errno.
 */
int nft_tables_follow(struct nft_tables *tables, struct vt_err *err);

/* Removes ours. */
void nft_tables_remove(struct nft_tables *tables);

/* The netlink port id of changes that we made ourselves. */
uint32_t nft_tables_portid(const struct nft_tables *tables);

int nft_tables_installed(const struct nft_tables *tables); /* enum nft_table_kind */

#endif
