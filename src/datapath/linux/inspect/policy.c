// SPDX-License-Identifier: BSD-3-Clause
/* Policy drops; see policy.h. */
#include "datapath/linux/inspect/policy.h"

#include <stdio.h>
#include <string.h>

/* True if the rule with the verdict's handle may not be the one any more that dropped. */
static bool policy_stale(const struct nft_trace *trace, const struct verdict *verdict)
{
	return verdict->generation != nft_trace_generation(trace) || nft_trace_changing(trace);
}

static enum vt_cause policy_cause(const struct nft_trace *trace, const struct verdict *verdict,
                                  const struct nft_rule *rule, bool outer)
{
	if (outer)
		return VT_CAUSE_UNDERLAY_FILTERED;
	if (rule->limits && !policy_stale(trace, verdict))
		return VT_CAUSE_LIMIT_NFT_RULE;
	if (rule->iptables)
		return VT_CAUSE_POLICY_IPTABLES;
	return verdict->handle ? VT_CAUSE_POLICY_NFT_RULE : VT_CAUSE_POLICY_NFT_DEFAULT;
}

/* The rule's text, or why there is none. A text is that of the rule which dropped only if nothing changed since. */
static const char *policy_text(const struct nft_trace *trace, const struct verdict *verdict,
                               const struct nft_rule *rule)
{
	if (policy_stale(trace, verdict))
		return "(the ruleset has changed since)";
	return rule->text[0] ? rule->text : "(its text cannot be listed)";
}

static void policy_device(struct rtnl *rt, const struct verdict *verdict, struct finding *finding)
{
	struct rtnl_link link;

	if (rtnl_link(rt, verdict->oif ? verdict->oif : verdict->iif, &link) == 0)
		memcpy(finding->device, link.name, sizeof(finding->device));
}

int policy_inspect(struct rtnl *rt, struct nft_trace *trace, struct nft_rules *rules, const struct drop *drop,
                   struct finding *finding)
{
	bool outer = false;
	const struct verdict *verdict = verdicts_take(nft_trace_verdicts(trace), drop->rec, &outer);
	const struct nft_rule *rule;
	const char *family;
	enum vt_cause cause;

	if (!verdict)
		return 0;
	family = nft_family_name(verdict->family);
	rule = nft_rules_get(rules, verdict->family, verdict->table, verdict->chain, verdict->handle);
	cause = policy_cause(trace, verdict, rule, outer || drop_is_outer(drop));
	policy_device(rt, verdict, finding);
	if (!verdict->handle)
		return drop_found(finding, cause, "table %s %s chain %s: policy drop, no rule accepted the packet",
		                  family, verdict->table, verdict->chain);
	return drop_found(finding, cause, "table %s %s chain %s handle %llu: %s", family, verdict->table,
	                  verdict->chain, (unsigned long long)verdict->handle, policy_text(trace, verdict, rule));
}
