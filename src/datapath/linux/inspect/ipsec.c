// SPDX-License-Identifier: BSD-3-Clause
/*
 * Drops by IPsec (xfrm) policies. The kernel takes, in one direction, the first policy by priority whose selector fits.
 * Its reason proves that a policy dropped the packet, except where IPv6 forwards: there it gives none, and only a
 * policy that certainly fits and blocks explains the drop, as no such packet gets past it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/xfrm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "datapath/linux/inspect/fib.h"
#include "datapath/linux/inspect/inspectors.h"

#define POLICIES_KEPT 32 /* that may fit one packet; beyond them none is named */
#define POLICY_TEXT   220

enum policy_does { LETS_PASS, BLOCKS, WANTS_PROTECTION };

struct policy {
	uint32_t priority;
	bool certain; /* it fits, whatever of the packet is not known here */
	enum policy_does does;
	char text[POLICY_TEXT];
};

struct policy_search {
	struct fib_key key;
	const struct vt_record *rec;
	bool outer;
	uint8_t dir;
	bool too_many;
	unsigned int count;
	struct policy policies[POLICIES_KEPT];
};

/* Does a port of the selector fit? false: no. What cannot be known clears *certain. */
static bool port_fits(const struct policy_search *search, uint16_t want, uint16_t mask, uint16_t port, bool *certain)
{
	bool known =
	    !search->outer && (search->rec->flow.proto == IPPROTO_UDP || search->rec->flow.proto == IPPROTO_TCP);

	if (!mask)
		return true;
	*certain = *certain && known;
	return !known || !((htons(port) ^ want) & mask);
}

static bool selector_fits(const struct policy_search *search, const struct xfrm_selector *sel, bool *certain)
{
	const struct vt_flow *flow = &search->rec->flow;
	uint8_t proto = search->outer ? IPPROTO_UDP : flow->proto;

	if (sel->family != search->key.family || (sel->proto && sel->proto != proto))
		return false;
	if (!fib_prefix_covers((const uint8_t *)&sel->saddr, sel->prefixlen_s, search->key.src) ||
	    !fib_prefix_covers((const uint8_t *)&sel->daddr, sel->prefixlen_d, search->key.dst))
		return false;
	if (sel->ifindex)
		*certain = false;
	return port_fits(search, sel->sport, sel->sport_mask, flow->sport, certain) &&
	       port_fits(search, sel->dport, sel->dport_mask, flow->dport, certain);
}

static enum policy_does policy_does(const struct xfrm_userpolicy_info *info, const struct nlattr *templates)
{
	const struct xfrm_user_tmpl *tmpl = templates ? mnl_attr_get_payload(templates) : NULL;
	size_t count = templates ? mnl_attr_get_payload_len(templates) / sizeof(*tmpl) : 0;

	if (info->action == XFRM_POLICY_BLOCK)
		return BLOCKS;
	for (size_t i = 0; i < count; i++) {
		if (!tmpl[i].optional)
			return WANTS_PROTECTION;
	}
	return LETS_PASS;
}

/* As `ip xfrm policy` prints it, on one line. */
static void policy_text(const struct xfrm_userpolicy_info *info, enum policy_does does, char *buf, size_t size)
{
	static const char *const dirs[] = {"in", "out", "fwd"};
	const struct xfrm_selector *sel = &info->sel;
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN], proto[16] = "", ports[40] = "";

	inet_ntop(sel->family, &sel->saddr, src, sizeof(src));
	inet_ntop(sel->family, &sel->daddr, dst, sizeof(dst));
	if (sel->proto == IPPROTO_UDP || sel->proto == IPPROTO_TCP)
		snprintf(proto, sizeof(proto), " proto %s", sel->proto == IPPROTO_UDP ? "udp" : "tcp");
	else if (sel->proto)
		snprintf(proto, sizeof(proto), " proto %u", sel->proto);
	if (sel->sport_mask)
		snprintf(ports, sizeof(ports), " sport %u", ntohs(sel->sport));
	if (sel->dport_mask)
		snprintf(ports + strlen(ports), sizeof(ports) - strlen(ports), " dport %u", ntohs(sel->dport));
	snprintf(buf, size, "src %s/%u dst %s/%u%s%s dir %s %spriority %u", src, sel->prefixlen_s, dst,
	         sel->prefixlen_d, proto, ports, info->dir < 3 ? dirs[info->dir] : "?",
	         does == BLOCKS ? "action block " : "", info->priority);
}

static int policy_seen(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *tb[XFRMA_IF_ID + 1];
	const struct xfrm_userpolicy_type *type;
	struct policy_search *search = arg;
	struct xfrm_userpolicy_info info; /* a copy: netlink aligns to 4 bytes, it has longer members */
	bool certain = true;
	struct policy *policy;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(info))
		return MNL_CB_OK;
	memcpy(&info, mnl_nlmsg_get_payload(nlh), sizeof(info));
	if (info.dir != search->dir || !selector_fits(search, &info.sel, &certain))
		return MNL_CB_OK;
	if (search->count == POLICIES_KEPT) {
		search->too_many = true;
		return MNL_CB_OK;
	}
	rtnl_attributes(nlh, sizeof(info), tb, XFRMA_IF_ID);
	type = tb[XFRMA_POLICY_TYPE] ? mnl_attr_get_payload(tb[XFRMA_POLICY_TYPE]) : NULL;
	policy = &search->policies[search->count++];
	policy->priority = info.priority;
	policy->does = policy_does(&info, tb[XFRMA_TMPL]);
	policy->certain = certain && !tb[XFRMA_MARK] && !tb[XFRMA_IF_ID] && !tb[XFRMA_SEC_CTX] &&
	                  (!type || type->type == XFRM_POLICY_TYPE_MAIN);
	policy_text(&info, policy->does, policy->text, sizeof(policy->text));
	return MNL_CB_OK;
}

static int policies_dump(struct policy_search *search)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_XFRM, SOCK_CLOEXEC);
	char buf[32768]; /* the kernel fills dumps up to this much a message */
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	int ret = 1;

	if (!socket)
		return -errno;
	nlh->nlmsg_type = XFRM_MSG_GETPOLICY;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = 1;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct xfrm_userpolicy_id));
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 || mnl_socket_sendto(socket, nlh, nlh->nlmsg_len) < 0)
		ret = -errno;
	while (ret > 0) {
		ssize_t n = mnl_socket_recvfrom(socket, buf, sizeof(buf));

		ret = n < 0 ? -1 : mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(socket), policy_seen, search);
		if (ret < 0)
			ret = -errno;
	}
	mnl_socket_close(socket);
	return ret;
}

static int policy_compare(const void *a, const void *b)
{
	const struct policy *left = a, *right = b;

	return (left->priority > right->priority) - (left->priority < right->priority);
}

/* Which policies may have stopped the packet. */
struct decision {
	unsigned int count;
	const struct policy *first; /* of them, by priority */
	bool blocked;               /* no packet like this one gets past the first */
};

/* The kernel takes the first by priority; of equal ones the oldest, which a dump does not tell. */
static void policy_decide(struct policy_search *search, struct decision *decision)
{
	bool passes = false, ended = false;

	qsort(search->policies, search->count, sizeof(search->policies[0]), policy_compare);
	for (unsigned int i = 0; i < search->count; i++) {
		const struct policy *policy = &search->policies[i];

		if (ended && policy->priority != search->policies[i - 1].priority)
			break;
		ended = ended || policy->certain;
		if (policy->does == LETS_PASS) {
			passes = true;
			continue;
		}
		if (!decision->count++)
			decision->first = policy;
	}
	decision->blocked =
	    decision->count == 1 && decision->first->does == BLOCKS && decision->first->certain && !passes;
}

static bool forwards(const struct drop *drop)
{
	return !strcmp(drop->function, "ip_forward") || !strcmp(drop->function, "ip6_forward");
}

/* Nothing is said where policies cannot be listed, or are too many. */
static void policy_find(struct policy_search *search, const struct drop *drop, uint8_t dir, struct decision *decision)
{
	memset(decision, 0, sizeof(*decision));
	search->key = drop_fib_key(drop);
	search->rec = drop->rec;
	search->outer = drop_is_outer(drop);
	search->dir = dir;
	if (policies_dump(search) == 0 && !search->too_many)
		policy_decide(search, decision);
}

static enum vt_cause ipsec_cause(const struct drop *drop)
{
	return drop_is_outer(drop) ? VT_CAUSE_UNDERLAY_FILTERED : VT_CAUSE_POLICY_IPSEC;
}

/* The kernel's reason is XFRM_POLICY. Where it forwards, it asks a second time for the way out. */
int ipsec_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	const char *whose = drop_is_outer(drop) ? "the tunnel's packets" : "the packet";
	struct policy_search search = {0}, search_out = {0};
	const struct policy *policy;
	struct decision decision, out = {0};

	(void)rt;
	policy_find(&search, drop, forwards(drop) ? XFRM_POLICY_FWD : XFRM_POLICY_IN, &decision);
	if (forwards(drop) && !decision.blocked)
		policy_find(&search_out, drop, XFRM_POLICY_OUT, &out);
	if (decision.count + out.count != 1)
		return drop_found(finding, ipsec_cause(drop),
		                  "an IPsec (xfrm) policy of this host does not let %s pass", whose);
	policy = decision.count ? decision.first : out.first;
	return drop_found(finding, ipsec_cause(drop), "an IPsec (xfrm) policy of this host %s %s: %s",
	                  policy->does == BLOCKS ? "blocks" : "asks for a protection that is missing from", whose,
	                  policy->text);
}

static bool policies_disabled(const char *device)
{
	char path[80], on = '0';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%.16s/disable_policy", device);
	file = fopen(path, "re");
	if (file) {
		on = (char)fgetc(file);
		fclose(file);
	}
	return on != '0';
}

int ipsec_forward6_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding)
{
	struct policy_search search = {0};
	struct decision decision;

	(void)rt;
	if (drop_is_outer(drop) || (drop->context->dst_mac[0] & 1) || policies_disabled("all") ||
	    policies_disabled(drop->device))
		return 0;
	policy_find(&search, drop, XFRM_POLICY_FWD, &decision);
	if (!decision.blocked)
		return 0;
	return drop_found(finding, ipsec_cause(drop), "an IPsec (xfrm) policy of this host blocks the packet: %s",
	                  decision.first->text);
}
