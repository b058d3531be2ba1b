/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads the configuration's JSON into tables, see config.h. Routes to VMs and to remote VMs become routes of the VPC.
 */
#include "config.h"
#include "reader.h"

#include <netinet/in.h>
#include <rte_rib6.h>
#include <stdio.h>
#include <stdlib.h>

#define ITEMS_MAX 65536 /* of one list: what a file may ask for in memory */
#define KEYS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void *list_new(const struct node *n, size_t count, size_t size)
{
	void *list = calloc(count + 1, size);

	if (!list)
		node_fail(n, "no memory for %zu items", count);
	return list;
}

static void read_port(const struct node *n, struct config *c)
{
	struct port_config *p = &c->ports[c->nports];
	uint64_t mtu = 1500;

	node_only(n, KEYS("name", "kind", "vdev", "mac", "mtu"));
	node_text(n, "name", true, p->name, sizeof(p->name));
	p->kind = node_choice(n, "kind", KEYS("vm", "underlay")) ? PORT_UNDERLAY : PORT_VM;
	node_text(n, "vdev", true, p->vdev, sizeof(p->vdev));
	p->has_mac = node_mac(n, "mac", false, &p->mac);
	node_number(n, "mtu", false, 1280, 9000, &mtu);
	p->mtu = (uint16_t)mtu;
	for (size_t i = 0; i < c->nports; i++)
		if (!strcmp(c->ports[i].name, p->name))
			node_fail(n, "there is a port '%s' already", p->name);
	c->nports++;
}

static unsigned int port_by_name(const struct node *n, const struct config *c, enum port_kind kind)
{
	struct node field = node_field(n, "port");
	char name[16] = "";

	if (!node_text(n, "port", true, name, sizeof(name)))
		return 0;
	for (unsigned int i = 0; i < c->nports; i++) {
		if (strcmp(c->ports[i].name, name))
			continue;
		if (c->ports[i].kind != kind)
			node_fail(&field, "port '%s' is not of the kind %s", name, kind == PORT_VM ? "vm" : "underlay");
		return i;
	}
	node_fail(&field, "there is no port '%s'", name);
	return 0;
}

static void read_statics(const struct node *n, struct vtep_config *v)
{
	struct node list = node_field(n, "neighbours");
	size_t count = node_count(&list, STATICS_MAX);

	for (size_t i = 0; i < count; i++) {
		struct node item = node_item(&list, i);

		node_only(&item, KEYS("address", "mac"));
		node_addr(&item, "address", true, &v->statics[i].addr);
		node_mac(&item, "mac", true, &v->statics[i].mac);
	}
	v->nstatics = count;
}

/* One of the VTEP's addresses, with its net: "172.31.0.1/24". */
static void read_vtep_address(const struct node *item, struct vtep_config *v)
{
	const char *text = json_string_value(item->json);
	char copy[ADDR_TEXT_MAX];
	struct prefix net;
	struct addr addr;
	int six;

	if (!text || !prefix_parse(text, &net)) {
		node_fail(item, "must be an address with its prefix length");
		return;
	}
	snprintf(copy, sizeof(copy), "%s", text);
	strtok(copy, "/");
	addr_parse(copy, &addr);
	six = !addr_is4(&addr);
	if (v->has[six])
		node_fail(item, "there is an address of this family already");
	v->has[six] = true;
	v->addr[six] = addr;
	v->net[six] = net;
}

static void read_vtep(const struct node *n, struct config *c)
{
	struct node list = node_field(n, "addresses");
	struct vtep_config *v = &c->vtep;
	uint64_t udp_port = 4789;

	node_only(n, KEYS("port", "addresses", "gateway", "gateway6", "udp_port", "neighbours"));
	v->port = port_by_name(n, c, PORT_UNDERLAY);
	if (!list.json)
		node_fail(&list, "is missing");
	for (size_t i = 0; i < node_count(&list, 2); i++) {
		struct node item = node_item(&list, i);

		read_vtep_address(&item, v);
	}
	v->has_gateway[0] = node_addr(n, "gateway", false, &v->gateway[0]);
	v->has_gateway[1] = node_addr(n, "gateway6", false, &v->gateway[1]);
	node_number(n, "udp_port", false, 1, 65535, &udp_port);
	v->udp_port = (uint16_t)udp_port;
	read_statics(n, v);
	c->has_vtep = true;
}

static uint8_t read_proto(const struct node *n)
{
	static const uint8_t numbers[] = {0, 6, 17, 1, 58, 132};

	if (!json_object_get(n->json, "proto"))
		return 0;
	return numbers[node_choice(n, "proto", KEYS("any", "tcp", "udp", "icmp", "icmp6", "sctp"))];
}

/* "80" or "1000-2000"; false: not there, or wrong. */
static bool read_ports(const struct node *n, uint16_t *ret_lo, uint16_t *ret_hi)
{
	struct node field = node_field(n, "ports");
	char text[32] = "", rest;
	unsigned int lo, hi;
	int got;

	if (!node_text(n, "ports", false, text, sizeof(text)))
		return false;
	got = sscanf(text, "%u-%u%c", &lo, &hi, &rest);
	if (got == 1 && strspn(text, "0123456789") == strlen(text))
		hi = lo;
	else if (got != 2)
		node_fail(&field, "'%s' is neither a port nor a range such as 1000-2000", text);
	if (got < 1 || lo > hi || hi > 65535) {
		node_fail(&field, "'%s' is no range of ports", text);
		return false;
	}
	*ret_lo = (uint16_t)lo;
	*ret_hi = (uint16_t)hi;
	return true;
}

static void read_rule(const struct node *n, struct rule *r)
{
	uint64_t priority = 100;

	node_only(n, KEYS("name", "direction", "action", "priority", "proto", "prefix", "ports"));
	node_text(n, "name", true, r->name, sizeof(r->name));
	r->in = node_choice(n, "direction", KEYS("in", "out")) == 0;
	r->allow = node_choice(n, "action", KEYS("allow", "deny")) == 0;
	node_number(n, "priority", false, 0, 65535, &priority);
	r->priority = (int)priority;
	r->proto = read_proto(n);
	node_prefix(n, "prefix", false, &r->peer);
	r->hi = 65535;
	if (read_ports(n, &r->lo, &r->hi) && !r->proto) {
		struct node field = node_field(n, "ports");

		node_fail(&field, "needs a proto");
	}
}

/* By priority; as they stand in the file where that is equal (they lie in one array). */
static int rule_order(const void *a, const void *b)
{
	const struct rule *x = a, *y = b;

	return (x->priority > y->priority) - (x->priority < y->priority);
}

static void read_group(const struct node *n, struct group *g)
{
	struct node list = node_field(n, "rules");
	size_t count = node_count(&list, ITEMS_MAX);

	node_only(n, KEYS("name", "rules"));
	node_text(n, "name", true, g->name, sizeof(g->name));
	g->rules = list_new(&list, count, sizeof(*g->rules));
	for (size_t i = 0; i < count && !reader_failed(n->reader); i++) {
		struct node item = node_item(&list, i);

		read_rule(&item, &g->rules[g->nrules++]);
	}
	if (g->rules) /* glibc's is a merge sort, which keeps the order of equals */
		qsort(g->rules, g->nrules, sizeof(*g->rules), rule_order);
}

static void read_groups_of_vm(const struct node *n, const struct config *c, struct vm *vm)
{
	struct node list = node_field(n, "security_groups");
	size_t count = node_count(&list, VM_GROUPS_MAX), g;

	for (size_t i = 0; i < count; i++) {
		struct node item = node_item(&list, i);
		const char *name = json_string_value(item.json);

		for (g = 0; g < c->ngroups && (!name || strcmp(c->groups[g].name, name)); g++)
			;
		if (g == c->ngroups)
			node_fail(&item, "there is no security group '%s'", name ? name : "");
		vm->groups[vm->ngroups++] = (unsigned int)g;
	}
}

static size_t read_addrs(const struct node *n, const char *key, struct addr *addrs, size_t max)
{
	struct node list = node_field(n, key);
	size_t count = node_count(&list, max);

	for (size_t i = 0; i < count; i++) {
		struct node item = node_item(&list, i);
		const char *text = json_string_value(item.json);

		if (!text || !addr_parse(text, &addrs[i]))
			node_fail(&item, "'%s' is not an IP address", text ? text : "");
	}
	return count;
}

static struct route *route_new(struct vpc *vpc)
{
	return &vpc->routes[vpc->nroutes++];
}

static void read_rate(const struct node *n, const char *key, uint64_t *ret_bps, uint64_t *ret_burst)
{
	struct node rate = node_field(n, key);

	if (!rate.json)
		return;
	node_only(&rate, KEYS("bps", "burst"));
	node_number(&rate, "bps", true, 8000, 1000000000000, ret_bps);
	node_number(&rate, "burst", true, 1600, 1000000000, ret_burst);
}

static void read_vm(const struct node *n, struct config *c, struct vpc *vpc)
{
	struct vm *vm = &vpc->vms[vpc->nvms];

	node_only(n, KEYS("port", "mac", "addresses", "security_groups", "rate", "flow_rate"));
	vm->port = port_by_name(n, c, PORT_VM);
	node_mac(n, "mac", true, &vm->mac);
	vm->naddrs = read_addrs(n, "addresses", vm->addrs, VM_ADDRS_MAX);
	read_groups_of_vm(n, c, vm);
	read_rate(n, "rate", &vm->rate_bps, &vm->burst);
	read_rate(n, "flow_rate", &vm->flow_bps, &vm->flow_burst);
	for (size_t i = 0; i < vm->naddrs; i++)
		*route_new(vpc) = (struct route){.prefix = {vm->addrs[i], 128}, .kind = ROUTE_VM, .vm = vpc->nvms};
	vpc->nvms++;
}

static void read_remote(const struct node *n, struct vpc *vpc)
{
	struct route *r = route_new(vpc);

	r->kind = ROUTE_REMOTE;
	node_only(n, KEYS("prefix", "mac", "vtep"));
	node_prefix(n, "prefix", true, &r->prefix);
	r->has_mac = node_mac(n, "mac", false, &r->mac);
	node_addr(n, "vtep", true, &r->vtep);
}

static size_t vpc_by_name(const struct node *n, const struct config *c)
{
	struct node field = node_field(n, "vpc");
	char name[NAME_LEN] = "";

	if (!node_text(n, "vpc", true, name, sizeof(name)))
		return 0;
	for (size_t i = 0; i < c->nvpcs; i++)
		if (!strcmp(c->vpcs[i].name, name))
			return i;
	node_fail(&field, "there is no VPC '%s'", name);
	return 0;
}

static void read_route(const struct node *n, const struct config *c, struct vpc *vpc)
{
	static const enum route_kind kinds[] = {ROUTE_BLACKHOLE, ROUTE_UNREACHABLE, ROUTE_PROHIBIT,
	                                        ROUTE_VPC,       ROUTE_REMOTE,      ROUTE_SERVICE};
	struct route *r = route_new(vpc);

	node_only(n, KEYS("prefix", "kind", "vpc", "vtep", "service"));
	node_prefix(n, "prefix", true, &r->prefix);
	r->kind =
	    kinds[node_choice(n, "kind", KEYS("blackhole", "unreachable", "prohibit", "local", "remote", "service"))];
	if (r->kind == ROUTE_REMOTE)
		node_addr(n, "vtep", true, &r->vtep);
	if (r->kind == ROUTE_VPC)
		r->vpc = vpc_by_name(n, c);
	if (r->kind == ROUTE_SERVICE)
		node_text(n, "service", true, r->service, sizeof(r->service));
}

static void read_snat(const struct node *n, struct nat_rule *r)
{
	uint64_t idle_s = 300; /* RFC 4787, REQ-5 */

	node_only(n, KEYS("name", "kind", "vpc", "prefix", "addresses", "ports", "idle"));
	node_prefix(n, "prefix", true, &r->prefix);
	r->npublic = read_addrs(n, "addresses", r->public, NAT_ADDRS_MAX);
	r->lo = 1024; /* those below are for services, RFC 4787 */
	r->hi = 65535;
	read_ports(n, &r->lo, &r->hi);
	node_number(n, "idle", false, NAT_IDLE_MIN, 86400, &idle_s);
	r->idle_ms = (uint32_t)idle_s * 1000;
}

static void read_dnat(const struct node *n, struct nat_rule *r)
{
	uint64_t port = 0, to_port = 0;

	node_only(n, KEYS("name", "kind", "vpc", "proto", "address", "port", "to", "to_port"));
	r->proto = read_proto(n);
	r->prefix.len = 128;
	r->npublic = node_addr(n, "address", true, &r->public[0]);
	node_addr(n, "to", true, &r->prefix.addr);
	if (node_number(n, "port", true, 1, 65535, &port))
		to_port = port;
	node_number(n, "to_port", false, 1, 65535, &to_port);
	r->lo = r->hi = (uint16_t)port;
	r->port = (uint16_t)to_port;
	r->idle_ms = 300000;
	if (r->proto != IPPROTO_TCP && r->proto != IPPROTO_UDP)
		node_fail(n, "a dnat rule needs the proto tcp or udp");
}

/* An address and port inside have one public end, by which their answers go. */
static bool is_double(const struct vpc *vpc, const struct nat_rule *r)
{
	for (const struct nat_rule *o = vpc->nats; o < r; o++)
		if (o->kind == NAT_DESTINATION && r->kind == NAT_DESTINATION && o->proto == r->proto &&
		    o->port == r->port && addr_equal(&o->prefix.addr, &r->prefix.addr))
			return true;
	return false;
}

static void read_nat(const struct node *n, const struct config *c, struct vpc *vpc)
{
	struct nat_rule *r = &vpc->nats[vpc->nnats++];

	node_text(n, "name", true, r->name, sizeof(r->name));
	r->kind = node_choice(n, "kind", KEYS("snat", "dnat")) == 0 ? NAT_SOURCE : NAT_DESTINATION;
	r->outside = vpc_by_name(n, c);
	if (!reader_failed(n->reader) && &c->vpcs[r->outside] == vpc)
		node_fail(n, "the vpc of a nat rule is the one outside, not its own");
	if (r->kind == NAT_SOURCE)
		read_snat(n, r);
	else
		read_dnat(n, r);
	if (is_double(vpc, r))
		node_fail(n, "another dnat rule leads to the same address and port");
	if (!r->npublic)
		node_fail(n, "needs at least one public address");
	for (size_t i = 0; i < r->npublic; i++)
		if (r->prefix.len && addr_is4(&r->public[i]) != addr_is4(&r->prefix.addr))
			node_fail(n, "addresses inside and outside must be of one family");
}

static int route_order(const void *a, const void *b)
{
	const struct route *x = a, *y = b;

	return (int)y->prefix.len - (int)x->prefix.len;
}

static void read_vpc_lists(const struct node *n, struct config *c, struct vpc *vpc)
{
	struct node vms = node_field(n, "vms"), remotes = node_field(n, "remotes"), routes = node_field(n, "routes");
	struct node nats = node_field(n, "nat");
	size_t nvms = node_count(&vms, PORTS_MAX), nremotes = node_count(&remotes, ITEMS_MAX);
	size_t nroutes = node_count(&routes, ITEMS_MAX), nnats = node_count(&nats, ITEMS_MAX);

	vpc->vms = list_new(n, nvms, sizeof(*vpc->vms));
	vpc->routes = list_new(n, nvms * VM_ADDRS_MAX + nremotes + nroutes, sizeof(*vpc->routes));
	vpc->nats = list_new(n, nnats, sizeof(*vpc->nats));
	for (size_t i = 0; i < nvms && !reader_failed(n->reader); i++) {
		struct node item = node_item(&vms, i);

		read_vm(&item, c, vpc);
	}
	for (size_t i = 0; i < nremotes && !reader_failed(n->reader); i++) {
		struct node item = node_item(&remotes, i);

		read_remote(&item, vpc);
	}
	for (size_t i = 0; i < nroutes && !reader_failed(n->reader); i++) {
		struct node item = node_item(&routes, i);

		read_route(&item, c, vpc);
	}
	for (size_t i = 0; i < nnats && !reader_failed(n->reader); i++) {
		struct node item = node_item(&nats, i);

		read_nat(&item, c, vpc);
	}
	if (vpc->routes)
		qsort(vpc->routes, vpc->nroutes, sizeof(*vpc->routes), route_order);
}

/* Names and numbers of all VPCs come first, as routes may lead from each to each. */
static void read_vpc_head(const struct node *n, struct config *c)
{
	struct node gateway = node_field(n, "gateway");
	struct vpc *vpc = &c->vpcs[c->nvpcs];
	uint64_t vni = 0;

	node_only(n, KEYS("name", "vni", "gateway", "vms", "remotes", "routes", "nat"));
	node_text(n, "name", true, vpc->name, sizeof(vpc->name));
	if (node_number(n, "vni", true, 1, 0xffffff, &vni) && config_vpc_of_vni(c, (uint32_t)vni))
		node_fail(n, "there is a VPC with VNI %u already", (unsigned int)vni);
	vpc->vni = (uint32_t)vni;
	if (gateway.json) {
		node_only(&gateway, KEYS("mac", "addresses"));
		node_mac(&gateway, "mac", true, &vpc->gateway_mac);
		vpc->ngateway = read_addrs(&gateway, "addresses", vpc->gateway, GATEWAY_MAX);
	}
	c->nvpcs++;
}

static void read_all(const struct node *n, struct config *c)
{
	struct node ports = node_field(n, "ports"), vtep = node_field(n, "vtep");
	struct node groups = node_field(n, "security_groups"), vpcs = node_field(n, "vpcs");
	size_t nvpcs = node_count(&vpcs, ITEMS_MAX), ngroups = node_count(&groups, ITEMS_MAX);
	uint64_t workers = 1, flows = FLOWS_DEFAULT, new_flows = NEW_FLOWS;

	node_only(n, KEYS("workers", "flows", "new_flows", "ports", "vtep", "security_groups", "vpcs"));
	node_number(n, "workers", false, 1, WORKERS_MAX, &workers);
	c->workers = (unsigned int)workers;
	node_number(n, "flows", false, 1024, FLOWS_MAX, &flows);
	c->flows = (unsigned int)flows;
	node_number(n, "new_flows", false, 1000, 100000000, &new_flows);
	c->new_flows = (uint32_t)new_flows;
	for (size_t i = 0; i < node_count(&ports, PORTS_MAX); i++) {
		struct node item = node_item(&ports, i);

		read_port(&item, c);
	}
	if (!c->nports)
		node_fail(&ports, "must have at least one port");
	if (vtep.json)
		read_vtep(&vtep, c);
	c->groups = list_new(n, ngroups, sizeof(*c->groups));
	for (size_t i = 0; i < ngroups && !reader_failed(n->reader); i++) {
		struct node item = node_item(&groups, i);

		read_group(&item, &c->groups[c->ngroups++]);
	}
	c->vpcs = list_new(n, nvpcs, sizeof(*c->vpcs));
	for (size_t i = 0; i < nvpcs && !reader_failed(n->reader); i++) {
		struct node item = node_item(&vpcs, i);

		read_vpc_head(&item, c);
	}
	for (size_t i = 0; i < c->nvpcs && !reader_failed(n->reader); i++) {
		struct node item = node_item(&vpcs, i);

		read_vpc_lists(&item, c, &c->vpcs[i]);
	}
}

struct config *config_load(const char *path, char *error)
{
	struct reader reader = {.error = error, .size = CONFIG_ERROR_MAX};
	struct node root = {.reader = &reader};
	struct config *c = calloc(1, sizeof(*c));
	json_error_t bad;

	error[0] = 0;
	root.json = json_load_file(path, JSON_REJECT_DUPLICATES, &bad);
	if (!c)
		snprintf(error, CONFIG_ERROR_MAX, "no memory");
	else if (!root.json && bad.line > 0)
		snprintf(error, CONFIG_ERROR_MAX, "line %d: %s", bad.line, bad.text);
	else if (!root.json)
		snprintf(error, CONFIG_ERROR_MAX, "%s", bad.text);
	else
		read_all(&root, c);
	json_decref(root.json);
	if (!error[0])
		return c;
	config_free(c);
	return NULL;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->ngroups; i++)
		free(config->groups[i].rules);
	for (size_t i = 0; i < config->nvpcs; i++) {
		rte_rib6_free(config->vpcs[i].tree);
		free(config->vpcs[i].vms);
		free(config->vpcs[i].routes);
		free(config->vpcs[i].nats);
	}
	free(config->groups);
	free(config->vpcs);
	free(config);
}

const struct vpc *config_vpc_of_vni(const struct config *config, uint32_t vni)
{
	for (size_t i = 0; i < config->nvpcs; i++)
		if (config->vpcs[i].vni == vni)
			return &config->vpcs[i];
	return NULL;
}

const struct vm *config_vm_of_port(const struct config *config, unsigned int port, const struct vpc **vpc)
{
	for (size_t i = 0; i < config->nvpcs; i++) {
		*vpc = &config->vpcs[i];
		for (size_t v = 0; v < (*vpc)->nvms; v++)
			if ((*vpc)->vms[v].port == port)
				return &(*vpc)->vms[v];
	}
	return NULL;
}

static const struct route *route_of_tree(const struct vpc *vpc, const struct addr *dst)
{
	struct rte_rib6_node *node = rte_rib6_lookup(vpc->tree, dst->b);
	uint64_t at;

	return node && !rte_rib6_get_nh(node, &at) ? &vpc->routes[at] : NULL;
}

const struct route *config_route(const struct vpc *vpc, const struct addr *dst)
{
	if (vpc->tree)
		return route_of_tree(vpc, dst);
	for (size_t i = 0; i < vpc->nroutes; i++)
		if (prefix_has(&vpc->routes[i].prefix, dst))
			return &vpc->routes[i];
	return NULL;
}
