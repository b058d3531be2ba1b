// SPDX-License-Identifier: BSD-3-Clause
/* Our trace tables, built as netlink batches; see nft_table.h. */
#include "datapath/linux/inspect/nft_table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_bridge.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRIORITY_INET   (-350) /* behind the stateless raw hooks at -400, before raw, conntrack and filters */
#define PRIORITY_BRIDGE (-400) /* before dstnat of family bridge at -300 */
#define PRIORITY_NETDEV INT32_MIN
#define HOOKS_MAX                                                                                                \
	64 /* of family netdev, and inet's ingress: devices with chains of others; drops by further ones are not \
	      traced */
#define BATCH_SIZE 65536 /* our largest batch, 64 chains and rules of family netdev, takes some 25 KB of one half */

/* A device and its ingress or egress (NF_NETDEV_*), where somebody has a chain. */
struct netdev_hook {
	char device[IFNAMSIZ];
	uint32_t hook;
};

struct netdev_hooks {
	unsigned int count;
	struct netdev_hook list[HOOKS_MAX];
};

struct nft_tables {
	struct mnl_socket *socket;
	uint32_t mask, seq;
	int installed;
	struct netdev_hooks hooks; /* that our table of family netdev is at */
	char name[32];
	uint64_t buffer[BATCH_SIZE / 8]; /* requests and answers in turn */
};

struct trace_chain {
	const char *name;
	uint32_t hook;
	const char *device; /* family netdev, else NULL */
};

static const struct trace_chain inet_chains[] = {{"prerouting", NF_INET_PRE_ROUTING, NULL},
                                                 {"output", NF_INET_LOCAL_OUT, NULL}};
static const struct trace_chain bridge_chains[] = {{"prerouting", NF_BR_PRE_ROUTING, NULL},
                                                   {"output", NF_BR_LOCAL_OUT, NULL}};

int nft_tables_open(struct nft_tables **ret, uint32_t mark_mask, struct vt_err *err)
{
	struct nft_tables *tables = calloc(1, sizeof(*tables));

	if (!tables)
		return vt_fail(err, ENOMEM, "open nftables: out of memory");
	tables->mask = mark_mask;
	tables->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!tables->socket || mnl_socket_bind(tables->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		int code = errno;

		nft_tables_close(tables);
		return vt_fail(err, code, "open a netfilter netlink socket: %s", strerror(code));
	}
	snprintf(tables->name, sizeof(tables->name), NFT_TABLE_PREFIX "%u", mnl_socket_get_portid(tables->socket));
	*ret = tables;
	return 0;
}

void nft_tables_close(struct nft_tables *tables)
{
	if (!tables)
		return;
	if (tables->socket)
		mnl_socket_close(tables->socket);
	free(tables);
}

static void put_table(struct nft_tables *tables, struct mnl_nlmsg_batch *batch, uint16_t type, uint16_t family)
{
	struct nftnl_table *table = nftnl_table_alloc();
	struct nlmsghdr *nlh;

	if (!table)
		return;
	nftnl_table_set_str(table, NFTNL_TABLE_NAME, tables->name);
	if (type == NFT_MSG_NEWTABLE)
		nftnl_table_set_u32(table, NFTNL_TABLE_FLAGS, NFT_TABLE_F_OWNER);
	nlh = nftnl_nlmsg_build_hdr(mnl_nlmsg_batch_current(batch), type, family,
	                            (type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0) | NLM_F_ACK, tables->seq++);
	nftnl_table_nlmsg_build_payload(nlh, table);
	nftnl_table_free(table);
	mnl_nlmsg_batch_next(batch);
}

static int32_t chain_priority(uint16_t family)
{
	if (family == NFPROTO_NETDEV)
		return PRIORITY_NETDEV;
	return family == NFPROTO_BRIDGE ? PRIORITY_BRIDGE : PRIORITY_INET;
}

static void put_chain(struct nft_tables *tables, struct mnl_nlmsg_batch *batch, uint16_t family,
                      const struct trace_chain *trace)
{
	struct nftnl_chain *chain = nftnl_chain_alloc();
	struct nlmsghdr *nlh;

	if (!chain)
		return;
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, tables->name);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, trace->name);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, "filter");
	nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, trace->hook);
	nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, chain_priority(family));
	if (trace->device)
		nftnl_chain_set_str(chain, NFTNL_CHAIN_DEV, trace->device);
	nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	nlh = nftnl_nlmsg_build_hdr(mnl_nlmsg_batch_current(batch), NFT_MSG_NEWCHAIN, family, NLM_F_CREATE | NLM_F_ACK,
	                            tables->seq++);
	nftnl_chain_nlmsg_build_payload(nlh, chain);
	nftnl_chain_free(chain);
	mnl_nlmsg_batch_next(batch);
}

static void add_expr(struct nftnl_rule *rule, struct nftnl_expr *expr)
{
	if (expr)
		nftnl_rule_add_expr(rule, expr);
}

static struct nftnl_expr *expr_meta(enum nft_meta_keys key, uint16_t reg_attribute)
{
	struct nftnl_expr *expr = nftnl_expr_alloc("meta");

	if (expr) {
		nftnl_expr_set_u32(expr, NFTNL_EXPR_META_KEY, key);
		nftnl_expr_set_u32(expr, reg_attribute, NFT_REG_1);
	}
	return expr;
}

static struct nftnl_expr *expr_and(uint32_t mask)
{
	struct nftnl_expr *expr = nftnl_expr_alloc("bitwise");
	uint32_t xor = 0;

	if (expr) {
		nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_LEN, sizeof(mask));
		nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_MASK, &mask, sizeof(mask));
		nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_XOR, &xor, sizeof(xor));
	}
	return expr;
}

static struct nftnl_expr *expr_equal(uint32_t value)
{
	struct nftnl_expr *expr = nftnl_expr_alloc("cmp");

	if (expr) {
		nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
		nftnl_expr_set(expr, NFTNL_EXPR_CMP_DATA, &value, sizeof(value));
	}
	return expr;
}

static struct nftnl_expr *expr_one(void)
{
	struct nftnl_expr *expr = nftnl_expr_alloc("immediate");
	uint8_t one = 1;

	if (expr) {
		nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
		nftnl_expr_set(expr, NFTNL_EXPR_IMM_DATA, &one, sizeof(one));
	}
	return expr;
}

static void put_rule(struct nft_tables *tables, struct mnl_nlmsg_batch *batch, uint16_t family, const char *chain)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();
	struct nlmsghdr *nlh;

	if (!rule)
		return;
	nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, tables->name);
	nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain);
	add_expr(rule, expr_meta(NFT_META_MARK, NFTNL_EXPR_META_DREG));
	add_expr(rule, expr_and(tables->mask));
	add_expr(rule, expr_equal(tables->mask));
	add_expr(rule, expr_one());
	add_expr(rule, expr_meta(NFT_META_NFTRACE, NFTNL_EXPR_META_SREG));
	nlh = nftnl_nlmsg_build_hdr(mnl_nlmsg_batch_current(batch), NFT_MSG_NEWRULE, family,
	                            NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK, tables->seq++);
	nftnl_rule_nlmsg_build_payload(nlh, rule);
	nftnl_rule_free(rule);
	mnl_nlmsg_batch_next(batch);
}

/* Sends a batch and reads as many acknowledgements as it had messages between begin and end; the first error counts. */
static int batch_commit(struct nft_tables *tables, struct mnl_nlmsg_batch *batch, unsigned int acks)
{
	unsigned int portid = mnl_socket_get_portid(tables->socket);
	int ret = 0;

	if (mnl_socket_sendto(tables->socket, mnl_nlmsg_batch_head(batch), mnl_nlmsg_batch_size(batch)) < 0)
		return -errno;
	while (acks--) {
		ssize_t n = mnl_socket_recvfrom(tables->socket, tables->buffer, sizeof(tables->buffer));

		if (n < 0)
			return ret ? ret : -errno;
		if (mnl_cb_run(tables->buffer, (size_t)n, 0, portid, NULL, NULL) < 0) {
			ret = ret ? ret : -errno;
			break; /* the whole batch failed; what else the kernel has to say is drained below */
		}
	}
	while (ret && recv(mnl_socket_get_fd(tables->socket), tables->buffer, sizeof(tables->buffer), MSG_DONTWAIT) > 0)
		;
	return ret;
}

static struct mnl_nlmsg_batch *batch_begin(struct nft_tables *tables)
{
	struct mnl_nlmsg_batch *batch = mnl_nlmsg_batch_start(tables->buffer, sizeof(tables->buffer) / 2);

	if (batch) {
		nftnl_batch_begin(mnl_nlmsg_batch_current(batch), tables->seq++);
		mnl_nlmsg_batch_next(batch);
	}
	return batch;
}

static int batch_end(struct nft_tables *tables, struct mnl_nlmsg_batch *batch, unsigned int acks)
{
	int ret;

	nftnl_batch_end(mnl_nlmsg_batch_current(batch), tables->seq++);
	mnl_nlmsg_batch_next(batch);
	ret = batch_commit(tables, batch, acks);
	mnl_nlmsg_batch_stop(batch);
	return ret;
}

static int table_install(struct nft_tables *tables, uint16_t family)
{
	const struct trace_chain *chains = family == NFPROTO_BRIDGE ? bridge_chains : inet_chains;
	struct mnl_nlmsg_batch *batch = batch_begin(tables);

	if (!batch)
		return -ENOMEM;
	put_table(tables, batch, NFT_MSG_NEWTABLE, family);
	for (int i = 0; i < 2; i++) {
		put_chain(tables, batch, family, &chains[i]);
		put_rule(tables, batch, family, chains[i].name);
	}
	return batch_end(tables, batch, 5);
}

/* In one transaction: each takes the kernel some ms to wait for packets that are in the chains. */
static int tables_remove(struct nft_tables *tables, int kinds)
{
	struct mnl_nlmsg_batch *batch = kinds ? batch_begin(tables) : NULL;
	unsigned int acks = 0;

	if (!batch)
		return kinds ? -ENOMEM : 0;
	if (kinds & NFT_TABLE_INET) {
		put_table(tables, batch, NFT_MSG_DELTABLE, NFPROTO_INET);
		acks++;
	}
	if (kinds & NFT_TABLE_BRIDGE) {
		put_table(tables, batch, NFT_MSG_DELTABLE, NFPROTO_BRIDGE);
		acks++;
	}
	if (kinds & NFT_TABLE_NETDEV) {
		put_table(tables, batch, NFT_MSG_DELTABLE, NFPROTO_NETDEV);
		acks++;
	}
	return batch_end(tables, batch, acks);
}

static bool table_is_trace(const struct nftnl_table *table)
{
	const char *name = nftnl_table_get_str(table, NFTNL_TABLE_NAME);

	return (nftnl_table_get_u32(table, NFTNL_TABLE_FLAGS) & NFT_TABLE_F_OWNER) && name &&
	       !strncmp(name, NFT_TABLE_PREFIX, strlen(NFT_TABLE_PREFIX));
}

/* One table of the namespace: notes which of our tables someone else's calls for. */
static int table_seen(const struct nlmsghdr *nlh, void *arg)
{
	struct nftnl_table *table = nftnl_table_alloc();
	int *wanted = arg;

	if (!table)
		return MNL_CB_ERROR;
	if (nftnl_table_nlmsg_parse(nlh, table) == 0 && !table_is_trace(table)) {
		switch (nftnl_table_get_u32(table, NFTNL_TABLE_FAMILY)) {
		case NFPROTO_INET:
		case NFPROTO_IPV4:
		case NFPROTO_IPV6:
			*wanted |= NFT_TABLE_INET;
			break;
		case NFPROTO_BRIDGE:
			*wanted |= NFT_TABLE_BRIDGE;
			break;
		}
	}
	nftnl_table_free(table);
	return MNL_CB_OK;
}

/* Dumps what there is of a kind (NFT_MSG_GET*) and family to `cb`. 0 or -errno. */
static int dump(struct nft_tables *tables, uint16_t type, uint16_t family, mnl_cb_t cb, void *arg)
{
	unsigned int portid = mnl_socket_get_portid(tables->socket);
	uint32_t seq = tables->seq++;
	struct nlmsghdr *nlh = nftnl_nlmsg_build_hdr((char *)tables->buffer, type, family, NLM_F_DUMP, seq);
	int ret = 1;

	if (mnl_socket_sendto(tables->socket, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	while (ret > 0) {
		ssize_t n = mnl_socket_recvfrom(tables->socket, tables->buffer, sizeof(tables->buffer));

		if (n < 0)
			return -errno;
		ret = mnl_cb_run(tables->buffer, (size_t)n, seq, portid, cb, arg);
		if (ret < 0 && errno == EINTR) /* the ruleset changed meanwhile: a notification makes us look again */
			ret = 1;
	}
	return ret < 0 ? -errno : 0;
}

/* Which kinds someone's rules call for, or -errno. */
static int tables_wanted(struct nft_tables *tables)
{
	int wanted = 0, ret = dump(tables, NFT_MSG_GETTABLE, NFPROTO_UNSPEC, table_seen, &wanted);

	return ret < 0 ? ret : wanted;
}

static void hook_add(struct netdev_hooks *hooks, const char *device, uint32_t number)
{
	struct netdev_hook hook = {.hook = number};

	snprintf(hook.device, sizeof(hook.device), "%s", device);
	for (unsigned int i = 0; i < hooks->count; i++)
		if (!memcmp(&hooks->list[i], &hook, sizeof(hook)))
			return;
	if (hooks->count < HOOKS_MAX)
		hooks->list[hooks->count++] = hook;
}

/*
 * One chain of family netdev, or of inet, whose ingress (5.10) is that of netdev: notes the devices of a base chain of
 * somebody else.
 */
static int chain_seen(const struct nlmsghdr *nlh, void *arg)
{
	struct nftnl_chain *chain = nftnl_chain_alloc();
	struct netdev_hooks *hooks = arg;
	const char *const *devices;
	uint32_t hook;
	bool inet;

	if (!chain)
		return MNL_CB_ERROR;
	if (nftnl_chain_nlmsg_parse(nlh, chain) == 0 && nftnl_chain_is_set(chain, NFTNL_CHAIN_HOOKNUM) &&
	    strncmp(nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE), NFT_TABLE_PREFIX, strlen(NFT_TABLE_PREFIX))) {
		inet = nftnl_chain_get_u32(chain, NFTNL_CHAIN_FAMILY) == NFPROTO_INET;
		hook = inet ? (uint32_t)NF_NETDEV_INGRESS : nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM);
		devices = nftnl_chain_get_array(chain, NFTNL_CHAIN_DEVICES);
		for (; devices && *devices; devices++)
			hook_add(hooks, *devices, hook);
		if (nftnl_chain_is_set(chain, NFTNL_CHAIN_DEV))
			hook_add(hooks, nftnl_chain_get_str(chain, NFTNL_CHAIN_DEV), hook);
	}
	nftnl_chain_free(chain);
	return MNL_CB_OK;
}

static int netdev_install(struct nft_tables *tables, const struct netdev_hooks *hooks)
{
	struct mnl_nlmsg_batch *batch = batch_begin(tables);
	char name[16];

	if (!batch)
		return -ENOMEM;
	put_table(tables, batch, NFT_MSG_NEWTABLE, NFPROTO_NETDEV);
	for (unsigned int i = 0; i < hooks->count; i++) {
		struct trace_chain chain = {.name = name, .hook = hooks->list[i].hook, .device = hooks->list[i].device};

		snprintf(name, sizeof(name), "hook%u", i);
		put_chain(tables, batch, NFPROTO_NETDEV, &chain);
		put_rule(tables, batch, NFPROTO_NETDEV, name);
	}
	return batch_end(tables, batch, 1 + 2 * hooks->count);
}

/* Our table of family netdev is made anew whenever the devices are others, which is rare. */
static int netdev_follow(struct nft_tables *tables)
{
	struct netdev_hooks hooks = {0};
	int ret = dump(tables, NFT_MSG_GETCHAIN, NFPROTO_NETDEV, chain_seen, &hooks);

	if (ret == 0 && (tables->installed & NFT_TABLE_INET)) /* only those at an ingress have devices */
		ret = dump(tables, NFT_MSG_GETCHAIN, NFPROTO_INET, chain_seen, &hooks);
	if (ret < 0 || !memcmp(&hooks, &tables->hooks, sizeof(hooks)))
		return ret == -EOPNOTSUPP || ret == -EINVAL ? 0 : ret; /* a kernel without the family */
	if (tables->installed & NFT_TABLE_NETDEV)
		tables_remove(tables, NFT_TABLE_NETDEV);
	tables->installed &= ~NFT_TABLE_NETDEV;
	memset(&tables->hooks, 0, sizeof(tables->hooks));
	ret = hooks.count ? netdev_install(tables, &hooks) : 0;
	if (ret < 0)
		return ret;
	tables->hooks = hooks;
	tables->installed |= hooks.count ? NFT_TABLE_NETDEV : 0;
	return 0;
}

static int follow_one(struct nft_tables *tables, int wanted, int kind, uint16_t family)
{
	int ret = 0;

	if ((wanted & kind) && !(tables->installed & kind))
		ret = table_install(tables, family);
	else if (!(wanted & kind) && (tables->installed & kind))
		ret = tables_remove(tables, kind);
	if (ret == 0)
		tables->installed = (tables->installed & ~kind) | (wanted & kind);
	return ret;
}

int nft_tables_follow(struct nft_tables *tables, struct vt_err *err)
{
	int wanted = tables_wanted(tables), ret, bridge, netdev;

	if (wanted == -EINVAL || wanted == -EOPNOTSUPP || wanted == -EPROTONOSUPPORT)
		return 0; /* a kernel without nf_tables has no rules that could drop anything */
	if (wanted < 0)
		return vt_fail(err, -wanted, "list the nftables tables: %s", strerror(-wanted));
	ret = follow_one(tables, wanted, NFT_TABLE_INET, NFPROTO_INET);
	bridge = follow_one(tables, wanted, NFT_TABLE_BRIDGE, NFPROTO_BRIDGE);
	ret = ret ? ret : bridge;
	netdev = netdev_follow(tables);
	ret = ret ? ret : netdev;
	if (ret < 0)
		return vt_fail(err, -ret, "install nftables table %s: %s (needs CAP_NET_ADMIN and kernel 5.12)",
		               tables->name, strerror(-ret));
	return tables->installed;
}

void nft_tables_remove(struct nft_tables *tables)
{
	tables_remove(tables, tables->installed);
	tables->installed = 0;
	memset(&tables->hooks, 0, sizeof(tables->hooks));
}

int nft_tables_installed(const struct nft_tables *tables)
{
	return tables->installed;
}

uint32_t nft_tables_portid(const struct nft_tables *tables)
{
	return mnl_socket_get_portid(tables->socket);
}
