// SPDX-License-Identifier: BSD-3-Clause
/*
 * The text of an nftables rule, as `nft -a -s list chain` prints it, through libnftables in this process. A trace names
 * a rule by family, table, chain and handle. Texts are kept until the ruleset changes.
 */
#ifndef VT_DATAPATH_LINUX_INSPECT_NFT_RULE_H
#define VT_DATAPATH_LINUX_INSPECT_NFT_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define NFT_RULE_TEXT_MAX 448 /* fits VT_EVIDENCE_MAX behind the place; longer rules are cut, with "..." at the end */

struct nft_rules;

struct nft_rule {
	char text[NFT_RULE_TEXT_MAX]; /* empty if the rule is not there any more */
	bool iptables;                /* its table is iptables-nft's */
	bool limits;                  /* it matches by rate, quota or number of connections */
};

int nft_rules_open(struct nft_rules **ret, struct vt_err *err);
void nft_rules_close(struct nft_rules *rules);
void nft_rules_forget(struct nft_rules *rules); /* the ruleset has changed */

/* handle 0: only `iptables` is told. Valid until the next call. */
const struct nft_rule *nft_rules_get(struct nft_rules *rules, uint8_t family, const char *table, const char *chain,
                                     uint64_t handle);

const char *nft_family_name(uint8_t family); /* as nft writes it: "ip", "ip6", "inet", "bridge", ... */

/* For tests: does the text of a rule match by rate, quota or number of connections? Strings in quotes do not count. */
bool nft_rule_text_limits(const char *text);

#endif
