/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket, see ctl.h; its client is ctl_client.c. Served by the main thread: workers are never waited for.
 */
#include "ctl.h"
#include "drop.h"
#include "flow.h"
#include "nat.h"
#include "remote.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_IN 256  /* requests are short */
#define WAIT_MS     200  /* for a client that has connected */
#define FLOWS_SHOWN 1000 /* of each worker */
#define NATS_SHOWN  1000

int ctl_address(const char *path, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(ret->sun_path))
		return -ENAMETOOLONG;
	strcpy(ret->sun_path, path);
	return 0;
}

int ctl_listen(const char *path)
{
	struct sockaddr_un at;
	int bad = ctl_address(path, &at), fd;
	mode_t old;

	if (bad)
		return bad;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (struct sockaddr *)&at, sizeof(at))) {
		close(fd);
		return -EADDRINUSE; /* somebody lives there */
	}
	if (errno == ECONNREFUSED)
		unlink(path); /* left behind */
	old = umask(0177);
	bad = bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 8) ? -errno : 0;
	umask(old);
	if (!bad)
		return fd;
	close(fd);
	return bad;
}

static json_t *show_ports(struct device *dev)
{
	json_t *list = json_array();
	char mac[ADDR_TEXT_MAX];

	for (unsigned int i = 0; i < dev->nports; i++) {
		const struct port *p = &dev->ports[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I}", "name",
		                                      p->conf.name, "kind", p->conf.kind == PORT_VM ? "vm" : "underlay",
		                                      "mac", mac_text(p->mac.b, mac), "mtu", dev->config->ports[i].mtu,
		                                      "rx", (json_int_t)p->rx, "tx", (json_int_t)p->tx, "tx_full",
		                                      (json_int_t)p->tx_full, "own", (json_int_t)p->own, "made",
		                                      (json_int_t)p->made));
	}
	return list;
}

static json_t *show_flows(struct device *dev)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < dev->nworkers; i++) {
		json_t *more = flows_json(dev->workers[i].flows, &dev->workers[i], FLOWS_SHOWN);

		json_array_extend(list, more);
		json_decref(more);
	}
	return list;
}

static json_t *show_tables(struct device *dev)
{
	static const char *const kinds[] = {"vm", "remote", "vpc", "blackhole", "unreachable", "prohibit", "service"};
	const struct config *c = dev->config;
	json_t *list = json_array();
	char prefix[ADDR_TEXT_MAX], vtep[ADDR_TEXT_MAX];

	for (size_t i = 0; i < c->nvpcs; i++)
		for (size_t k = 0; k < c->vpcs[i].nroutes; k++) {
			const struct route *r = &c->vpcs[i].routes[k];

			json_array_append_new(list,
			                      json_pack("{s:s, s:i, s:s, s:s, s:s}", "vpc", c->vpcs[i].name, "vni",
			                                (int)c->vpcs[i].vni, "prefix", prefix_text(&r->prefix, prefix),
			                                "kind", kinds[r->kind], "vtep",
			                                r->kind == ROUTE_REMOTE ? addr_text(&r->vtep, vtep) : ""));
		}
	return list;
}

/* Flow entries, and what is known of neighbours. */
static json_t *flush(struct device *dev)
{
	remotes_forget(dev->remotes);
	return json_pack("{s:i}", "epoch", (int)atomic_fetch_add(&dev->epoch, 1) + 1);
}

static json_t *answer(struct device *dev, const char *line)
{
	json_t *request = json_loads(line, 0, NULL);
	const char *word = json_string_value(json_object_get(request, "do"));
	json_t *reply = NULL;

	if (!word)
		reply = json_pack("{s:s}", "error", "a request is a line such as {\"do\": \"drops\"}");
	else if (!strcmp(word, "ports"))
		reply = show_ports(dev);
	else if (!strcmp(word, "flows"))
		reply = show_flows(dev);
	else if (!strcmp(word, "tables"))
		reply = show_tables(dev);
	else if (!strcmp(word, "drops"))
		reply = drops_json(dev->drops);
	else if (!strcmp(word, "nat"))
		reply = nats_json(dev, NATS_SHOWN);
	else if (!strcmp(word, "flush"))
		reply = flush(dev);
	else
		reply = json_pack(
		    "{s:o}", "error",
		    json_sprintf("there is no '%s': show ports, flows, tables, drops or nat, or flush", word));
	json_decref(request);
	return reply;
}

static bool read_line(int fd, char *line, size_t size)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t used = 0;

	while (used + 1 < size && poll(&p, 1, WAIT_MS) == 1) {
		ssize_t n = read(fd, line + used, size - used - 1);

		if (n <= 0)
			return false;
		used += (size_t)n;
		line[used] = 0;
		if (strchr(line, '\n'))
			return true;
	}
	return false;
}

void ctl_serve(struct device *dev, int listen_fd)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	struct timeval limit = {.tv_usec = WAIT_MS * 1000};
	char line[LINE_MAX_IN], *text;
	json_t *reply;

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (read_line(fd, line, sizeof(line))) {
		reply = answer(dev, line);
		text = json_dumps(reply, JSON_COMPACT);
		if (text) {
			send(fd, text, strlen(text), MSG_NOSIGNAL);
			send(fd, "\n", 1, MSG_NOSIGNAL);
		}
		free(text);
		json_decref(reply);
	}
	close(fd);
}
