// SPDX-License-Identifier: BSD-3-Clause
/* See ctl.h. */
#include "vfd/ctl.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/task.h"

#define REQUEST_MAX 64
#define HOLD_MS     200

static int address_of(const char *path, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	strcpy(address->sun_path, path);
	return 0;
}

int ctl_listen(const char *path, struct vt_err *err)
{
	struct sockaddr_un address;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), ret = address_of(path, &address);
	mode_t mask = umask(0177);

	unlink(path); /* what a killed one left; a running one keeps its own, nameless */
	if (!ret && (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 8)))
		ret = -errno;
	umask(mask);
	if (!ret)
		return fd;
	if (fd >= 0)
		close(fd);
	return vt_fail(err, -ret, "listen on %s: %s", path, strerror(-ret));
}

static json_int_t value(const _Atomic uint64_t *counter)
{
	return (json_int_t)atomic_load_explicit(counter, memory_order_relaxed);
}

static json_t *address_json(const uint8_t address[16])
{
	char text[64];

	vt_addr_format(address, text, sizeof(text));
	return json_string(text);
}

static json_t *show_ports(struct device *device)
{
	const struct config *config = tables_config(atomic_load(&device->tables));
	json_t *list = json_array();

	for (unsigned int i = 0; i < device->n_ports; i++)
		json_array_append_new(list,
		                      json_pack("{s:s, s:s, s:s, s:i, s:I, s:I}", "name", config->ports[i].name, "kind",
		                                config->ports[i].kind == PORT_VM ? "vm" : "underlay", "vdev",
		                                config->ports[i].vdev, "mtu", config->ports[i].mtu, "in",
		                                value(&device->ports[i].in), "out", value(&device->ports[i].out)));
	return list;
}

static json_t *show_drops(struct device *device)
{
	json_t *drops = json_object();

	for (int i = 0; i < DROPS; i++)
		json_object_set_new(drops, drop_infos[i].name, json_integer(value(&device->drops[i])));
	return drops;
}

static json_t *show_tables(struct device *device)
{
	const struct config *config = tables_config(atomic_load(&device->tables));
	json_t *places = json_array(), *routes = json_array(), *rules = json_array();

	for (unsigned int i = 0; i < config->n_places; i++) {
		const struct place_config *place = &config->places[i];

		json_array_append_new(
		    places, json_pack("{s:s, s:o, s:o}", "network", config->networks[place->network].name, "address",
		                      address_json(place->address), place->port < 0 ? "vtep" : "port",
		                      place->port < 0 ? address_json(place->vtep)
		                                      : json_string(config->ports[place->port].name)));
	}
	for (unsigned int i = 0; i < config->n_routes; i++)
		json_array_append_new(routes, json_string(config->routes[i].text));
	for (unsigned int i = 0; i < config->n_rules; i++)
		json_array_append_new(rules, json_string(config->rules[i].text));
	return json_pack("{s:o, s:o, s:o}", "places", places, "routes", routes, "rules", rules);
}

struct flow_list {
	struct device *device;
	json_t *list;
};

static void add_flow(void *arg, const struct flow_key *key, const struct flow_entry *entry)
{
	static const char *const actions[] = {[FLOW_DROP] = "drop", [FLOW_PORT] = "port", [FLOW_TUNNEL] = "tunnel"};
	struct flow_list *flows = arg;
	const struct config *config = tables_config(atomic_load(&flows->device->tables));
	struct vt_flow flow = {
	    .sport = key->flow.sport, .dport = key->flow.dport, .proto = key->flow.proto, .family = key->flow.family};
	char text[VT_FLOW_TEXT_MAX];

	memcpy(flow.src, key->flow.src, 16);
	memcpy(flow.dst, key->flow.dst, 16);
	vt_flow_format(&flow, text);
	json_array_append_new(
	    flows->list,
	    json_pack("{s:s, s:i, s:s, s:s, s:s, s:I, s:b}", "flow", text, "vni", (int)key->flow.vni, "in",
	              config->ports[key->port].name, "action", actions[entry->action], "to",
	              entry->action == FLOW_DROP ? drop_infos[entry->drop].name : config->ports[entry->port].name,
	              "packets", (json_int_t)entry->packets, "traced", entry->set != 0));
}

/* Lets the worker stand still while the cache is looked at; false if it did not within HOLD_MS. */
static bool hold(struct device *device)
{
	atomic_store(&device->hold, true);
	for (int i = 0; i < HOLD_MS * 10; i++) {
		if (atomic_load_explicit(&device->held, memory_order_acquire))
			return true;
		usleep(100);
	}
	atomic_store(&device->hold, false);
	return false;
}

static json_t *with_flows(struct device *device, bool flush)
{
	struct flow_list flows = {device, json_array()};

	if (!hold(device)) {
		json_decref(flows.list);
		return json_pack("{s:s}", "error", "the worker did not stand still in time; ask again");
	}
	if (flush)
		flows_clear(device->flows);
	else
		flows_each(device->flows, add_flow, &flows);
	atomic_store(&device->hold, false);
	return flows.list;
}

static json_t *answer(struct device *device, const char *request)
{
	if (!strcmp(request, "show ports"))
		return show_ports(device);
	if (!strcmp(request, "show drops"))
		return show_drops(device);
	if (!strcmp(request, "show tables"))
		return show_tables(device);
	if (!strcmp(request, "show flows"))
		return with_flows(device, false);
	if (!strcmp(request, "flush"))
		return with_flows(device, true);
	return json_pack("{s:s}", "error",
	                 "unknown request: show ports, show flows, show tables, show drops, or flush");
}

void ctl_serve(struct device *device, int socket)
{
	const struct timeval patience = {.tv_sec = 1};
	int fd = accept4(socket, NULL, NULL, SOCK_CLOEXEC);
	char request[REQUEST_MAX];
	json_t *json;
	ssize_t n;

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	n = recv(fd, request, sizeof(request) - 1, 0);
	if (n > 0) {
		request[n] = '\0';
		request[strcspn(request, "\n")] = '\0';
		json = answer(device, request);
		json_dumpfd(json, fd, JSON_INDENT(2) | JSON_ENCODE_ANY);
		json_decref(json);
	}
	close(fd);
}

int ctl_ask(const char *path, const char *request)
{
	struct sockaddr_un address;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), ret = address_of(path, &address);
	json_error_t error;
	json_t *json;

	if (!ret && (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	             send(fd, request, strlen(request), MSG_NOSIGNAL) < 0))
		ret = -errno;
	if (ret) {
		fprintf(stderr, "vtrace-vfd: ask %s: %s (is a vtrace-vfd with --ctl running?)\n", path, strerror(-ret));
		return 1;
	}
	json = json_loadfd(fd, 0, &error);
	close(fd);
	if (!json || json_object_get(json, "error")) {
		fprintf(stderr, "vtrace-vfd: %s: %s\n", path,
		        json ? json_string_value(json_object_get(json, "error")) : "there was no whole answer");
		json_decref(json);
		return 1;
	}
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(json);
	return 0;
}
