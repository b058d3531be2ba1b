// SPDX-License-Identifier: BSD-3-Clause
/* See config.h. A reader stands at one place of the JSON; when something is wrong there, it says which place that is.
 */
#include "vfd/config.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/task.h"

/* "ports[1].mac": `list` and `index` of the object that is read. */
struct place_in_file {
	const json_t *object;
	const char *list;
	size_t index;
	struct vt_err *err;
};

static int wrong(const struct place_in_file *at, const char *member, const char *what)
{
	return vt_fail(at->err, EINVAL, "%s[%zu].%s: %s", at->list, at->index, member, what);
}

static int read_text(const struct place_in_file *at, const char *member, bool needed, char *to, size_t size)
{
	const json_t *value = json_object_get(at->object, member);

	if (!value && !needed)
		return 0;
	if (!json_is_string(value) || !json_string_length(value))
		return wrong(at, member, "a text is needed here");
	if (json_string_length(value) >= size)
		return wrong(at, member, "the text is too long");
	snprintf(to, size, "%s", json_string_value(value));
	return 0;
}

static int read_number(const struct place_in_file *at, const char *member, json_int_t low, json_int_t high,
                       json_int_t otherwise, json_int_t *to)
{
	const json_t *value = json_object_get(at->object, member);
	char what[64];

	*to = value ? json_integer_value(value) : otherwise;
	snprintf(what, sizeof(what), "a number from %lld to %lld is needed here", (long long)low, (long long)high);
	return (value && !json_is_integer(value)) || *to < low || *to > high ? wrong(at, member, what) : 0;
}

static int read_mac(const struct place_in_file *at, const char *member, uint8_t mac[6])
{
	char text[18] = "", end;
	int ret = read_text(at, member, true, text, sizeof(text));

	if (!ret && sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx%c", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
	                   &mac[5], &end) != 6)
		return wrong(at, member, "a MAC address such as 02:00:00:00:00:01 is needed here");
	return ret;
}

static int read_address(const struct place_in_file *at, const char *member, uint8_t address[16])
{
	char text[48] = "";
	int ret = read_text(at, member, true, text, sizeof(text));

	return !ret && vt_addr_parse(text, address) ? wrong(at, member, "an IPv4 or IPv6 address is needed here") : ret;
}

/* "10.0.0.0/8"; left out: everything. */
static int read_prefix(const struct place_in_file *at, const char *member, uint8_t prefix[16], uint8_t *length)
{
	char text[64] = "", *slash, *end = NULL;
	unsigned long bits, most;
	int ret = read_text(at, member, false, text, sizeof(text));

	*length = 0;
	if (ret || !text[0])
		return ret;
	slash = strchr(text, '/');
	if (slash)
		*slash++ = '\0';
	if (vt_addr_parse(text, prefix))
		return wrong(at, member, "a prefix such as 10.0.0.0/8 is needed here");
	most = vt_addr_is_ipv4(prefix) ? 32 : 128;
	bits = slash ? strtoul(slash, &end, 10) : most;
	if (bits > most || (slash && (!*slash || *end)))
		return wrong(at, member, "the prefix is longer than the address");
	*length = (uint8_t)(128 - most + bits);
	return 0;
}

static int find_named(const struct place_in_file *at, const char *member, const char *what, const char *names, size_t n,
                      size_t size, int *to)
{
	char name[CONFIG_TEXT_MAX] = "", words[CONFIG_TEXT_MAX + 40];
	int ret = read_text(at, member, true, name, sizeof(name));

	for (size_t i = 0; !ret && i < n; i++) {
		if (!strcmp(names + i * size, name)) {
			*to = (int)i;
			return 0;
		}
	}
	snprintf(words, sizeof(words), "there is no %s %.60s", what, name);
	return ret ? ret : wrong(at, member, words);
}

static int read_network(const struct place_in_file *at, struct config *config, int *to)
{
	return find_named(at, "network", "network", config->networks ? config->networks[0].name : "",
	                  config->n_networks, sizeof(config->networks[0]), to);
}

static int network_read(const struct place_in_file *at, struct config *config)
{
	struct network_config *network = &config->networks[config->n_networks];
	json_int_t vni;
	int ret = read_text(at, "name", true, network->name, sizeof(network->name));

	if (!ret && !json_object_get(at->object, "vni"))
		return wrong(at, "vni", "a number is needed here");
	ret = ret ? ret : read_number(at, "vni", 1, VT_VNI_MAX, 0, &vni);
	if (ret)
		return ret;
	network->vni = (uint32_t)vni;
	for (unsigned int i = 0; i < config->n_networks; i++) {
		if (config->networks[i].vni == network->vni || !strcmp(config->networks[i].name, network->name))
			return wrong(at, "name", "another network has this name or VNI");
	}
	config->n_networks++;
	return 0;
}

/* A group is its rules: it begins to be with its first one. */
static int group_get(const struct place_in_file *at, struct config *config, int *to)
{
	char name[CONFIG_TEXT_MAX] = "";
	int ret = read_text(at, "group", true, name, sizeof(name));

	for (unsigned int i = 0; !ret && i < config->n_groups; i++) {
		if (!strcmp(config->groups[i], name)) {
			*to = (int)i;
			return 0;
		}
	}
	if (ret)
		return ret;
	*to = (int)config->n_groups;
	snprintf(config->groups[config->n_groups++], CONFIG_TEXT_MAX, "%s", name);
	return 0;
}

static int read_choice(const struct place_in_file *at, const char *member, const char *yes, const char *no, bool *to)
{
	char text[16] = "", what[64];
	int ret = read_text(at, member, true, text, sizeof(text));

	*to = !strcmp(text, yes);
	snprintf(what, sizeof(what), "\"%s\" or \"%s\" is needed here", yes, no);
	return !ret && !*to && strcmp(text, no) != 0 ? wrong(at, member, what) : ret;
}

static int read_protocol(const struct place_in_file *at, uint8_t *proto)
{
	static const uint8_t protocols[] = {1, 6, 17, 58, 132};
	char text[16] = "";
	int ret = read_text(at, "protocol", false, text, sizeof(text));

	*proto = 0;
	for (size_t i = 0; i < sizeof(protocols) && text[0]; i++) {
		if (!strcmp(vt_proto_name(protocols[i]), text))
			*proto = protocols[i];
	}
	return !ret && text[0] && !*proto ? wrong(at, "protocol", "icmp, tcp, udp, icmp6 or sctp is needed here") : ret;
}

static int read_ports(const struct place_in_file *at, struct rule_config *rule)
{
	char text[16] = "", end;
	int ret = read_text(at, "ports", false, text, sizeof(text)), n;

	rule->first = 0;
	rule->last = 65535;
	if (ret || !text[0])
		return ret;
	n = sscanf(text, "%hu-%hu%c", &rule->first, &rule->last, &end);
	if (n == 1)
		rule->last = rule->first;
	if (n < 1 || n > 2 || rule->first > rule->last || !vt_proto_has_ports(rule->proto))
		return wrong(at, "ports", "\"53\" or \"1000-2000\" is needed here, with tcp, udp or sctp as protocol");
	return 0;
}

static int rule_read(const struct place_in_file *at, struct config *config)
{
	struct rule_config *rule = &config->rules[config->n_rules];
	json_int_t priority;
	char ports[24] = "", from[64] = "anywhere";
	int ret = group_get(at, config, &rule->group);

	ret = ret ? ret : read_number(at, "priority", 0, 65535, 100, &priority);
	ret = ret ? ret : read_choice(at, "action", "allow", "deny", &rule->allow);
	ret = ret ? ret : read_choice(at, "direction", "out", "in", &rule->out);
	ret = ret ? ret : read_protocol(at, &rule->proto);
	ret = ret ? ret : read_ports(at, rule);
	ret = ret ? ret : read_prefix(at, "peer", rule->prefix, &rule->length);
	ret = ret ? ret : read_text(at, "peer", false, from, sizeof(from));
	if (ret)
		return ret;
	rule->priority = (unsigned int)priority;
	if (rule->last < 65535 || rule->first)
		snprintf(ports, sizeof(ports), " ports %u-%u", rule->first, rule->last);
	snprintf(rule->text, sizeof(rule->text), "group %.24s priority %u: %s %s %s%s, peer %.40s",
	         config->groups[rule->group], rule->priority, rule->allow ? "allow" : "deny", rule->out ? "out" : "in",
	         rule->proto ? vt_proto_name(rule->proto) : "any", ports, from);
	config->n_rules++;
	return 0;
}

static int port_read(const struct place_in_file *at, struct config *config)
{
	struct port_config *port = &config->ports[config->n_ports];
	json_int_t mtu;
	bool vm;
	int ret = read_text(at, "name", true, port->name, sizeof(port->name));

	ret = ret ? ret : read_text(at, "vdev", true, port->vdev, sizeof(port->vdev));
	ret = ret ? ret : read_choice(at, "kind", "vm", "underlay", &vm);
	ret = ret ? ret : read_mac(at, "mac", port->mac);
	ret = ret ? ret : read_number(at, "mtu", 576, 9000, vm ? 1500 : 1600, &mtu);
	if (ret)
		return ret;
	port->kind = vm ? PORT_VM : PORT_UNDERLAY;
	port->mtu = (uint16_t)mtu;
	port->group = -1;
	if (vm) {
		ret = read_network(at, config, &port->network);
		if (!ret && json_object_get(at->object, "group"))
			ret = find_named(at, "group", "security group", config->groups ? config->groups[0] : "",
			                 config->n_groups, sizeof(config->groups[0]), &port->group);
	} else {
		ret = config->underlay >= 0 ? wrong(at, "kind", "there is an underlay port already")
		                            : read_address(at, "address", port->address);
		config->underlay = (int)config->n_ports;
	}
	for (unsigned int i = 0; !ret && i < config->n_ports; i++) {
		if (!strcmp(config->ports[i].name, port->name))
			ret = wrong(at, "name", "another port has this name");
	}
	config->n_ports += !ret;
	return ret;
}

static int place_read(const struct place_in_file *at, struct config *config)
{
	struct place_config *place = &config->places[config->n_places];
	int ret = read_network(at, config, &place->network);

	ret = ret ? ret : read_address(at, "address", place->address);
	ret = ret ? ret : read_mac(at, "mac", place->mac);
	place->port = -1;
	if (!ret && json_object_get(at->object, "vtep"))
		ret = read_address(at, "vtep", place->vtep);
	else if (!ret)
		ret = find_named(at, "port", "port", config->ports[0].name, config->n_ports, sizeof(config->ports[0]),
		                 &place->port);
	if (!ret && place->port >= 0 && config->ports[place->port].kind != PORT_VM)
		ret = wrong(at, "port", "it is not a VM's");
	config->n_places += !ret;
	return ret;
}

static int route_read(const struct place_in_file *at, struct config *config)
{
	struct route_config *route = &config->routes[config->n_routes];
	char prefix[64] = "";
	int ret = read_network(at, config, &route->network);

	ret = ret ? ret : read_text(at, "prefix", true, prefix, sizeof(prefix));
	ret = ret ? ret : read_prefix(at, "prefix", route->prefix, &route->length);
	if (ret)
		return ret;
	route->blackhole = json_is_true(json_object_get(at->object, "blackhole"));
	if (!route->blackhole)
		ret = read_address(at, "via", route->via);
	snprintf(route->text, sizeof(route->text), "%.48s%s in network %.24s", prefix,
	         route->blackhole ? " blackhole" : "", config->networks[route->network].name);
	config->n_routes += !ret;
	return ret;
}

static int neighbour_read(const struct place_in_file *at, struct config *config)
{
	struct neighbour_config *neighbour = &config->neighbours[config->n_neighbours];
	int ret = read_address(at, "address", neighbour->address);

	ret = ret ? ret : read_mac(at, "mac", neighbour->mac);
	config->n_neighbours += !ret;
	return ret;
}

static int list_read(const json_t *root, const char *name, struct config *config, size_t most,
                     int (*read)(const struct place_in_file *at, struct config *config), struct vt_err *err)
{
	const json_t *list = json_object_get(root, name);
	struct place_in_file at = {.list = name, .err = err};
	int ret = 0;

	if (list && !json_is_array(list))
		return vt_fail(err, EINVAL, "%s: a list is needed here", name);
	if (json_array_size(list) > most)
		return vt_fail(err, EINVAL, "%s: there are more than %zu", name, most);
	for (; !ret && at.index < json_array_size(list); at.index++) {
		at.object = json_array_get(list, at.index);
		ret = json_is_object(at.object)
		          ? read(&at, config)
		          : vt_fail(err, EINVAL, "%s[%zu]: an object is needed here", name, at.index);
	}
	return ret;
}

static size_t count(const json_t *root, const char *name)
{
	return json_array_size(json_object_get(root, name)) + 1;
}

static int rule_compare(const void *a, const void *b)
{
	const struct rule_config *left = a, *right = b;

	return (left->priority > right->priority) - (left->priority < right->priority);
}

static int whole_read(const json_t *root, struct config *config, struct vt_err *err)
{
	int ret;

	config->underlay = -1;
	config->networks = calloc(count(root, "networks"), sizeof(*config->networks));
	config->places = calloc(count(root, "places"), sizeof(*config->places));
	config->routes = calloc(count(root, "routes"), sizeof(*config->routes));
	config->rules = calloc(count(root, "rules"), sizeof(*config->rules));
	config->groups = calloc(count(root, "rules"), sizeof(*config->groups));
	config->neighbours = calloc(count(root, "neighbours"), sizeof(*config->neighbours));
	if (!config->networks || !config->places || !config->routes || !config->rules || !config->groups ||
	    !config->neighbours)
		return vt_fail(err, ENOMEM, "out of memory");
	ret = list_read(root, "networks", config, CONFIG_LIST_MAX, network_read, err);
	ret = ret ? ret : list_read(root, "rules", config, CONFIG_LIST_MAX, rule_read, err);
	ret = ret ? ret : list_read(root, "ports", config, CONFIG_PORTS_MAX, port_read, err);
	ret = ret ? ret : list_read(root, "places", config, CONFIG_LIST_MAX, place_read, err);
	ret = ret ? ret : list_read(root, "routes", config, CONFIG_LIST_MAX, route_read, err);
	ret = ret ? ret : list_read(root, "neighbours", config, CONFIG_LIST_MAX, neighbour_read, err);
	if (!ret && !config->n_ports)
		return vt_fail(err, EINVAL, "ports: there is none");
	qsort(config->rules, config->n_rules, sizeof(config->rules[0]), rule_compare);
	return ret;
}

int config_read(const char *path, struct config **ret, struct vt_err *err)
{
	json_error_t error;
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	struct config *config = calloc(1, sizeof(*config));
	int code;

	if (!config)
		code = vt_fail(err, ENOMEM, "out of memory");
	else if (!root && error.line > 0)
		code = vt_fail(err, EINVAL, "line %d, column %d: %s", error.line, error.column, error.text);
	else if (!root)
		code = vt_fail(err, ENOENT, "%s", error.text);
	else
		code = json_is_object(root) ? whole_read(root, config, err)
		                            : vt_fail(err, EINVAL, "the file holds no JSON object");
	json_decref(root);
	if (code) {
		config_free(config);
		return vt_fail_in(err, "read %s", path);
	}
	*ret = config;
	return 0;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	free(config->networks);
	free(config->places);
	free(config->routes);
	free(config->rules);
	free(config->groups);
	free(config->neighbours);
	free(config);
}
