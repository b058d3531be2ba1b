/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vtrace-vfd: a forwarding device in user space, on DPDK, with VTrace in it. A vSwitch or a vRouter, as its
 * configuration says. The main thread answers signals, the control socket and VTrace's agent; workers forward.
 */
#include "ctl.h"
#include "drop.h"
#include "flow.h"
#include "meter.h"
#include "ports.h"
#include "route.h"
#include "tables.h"
#include "trace.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define WAKE_MS   1000
#define SETTLE_MS 1000 /* for workers to be done with an old configuration */

struct options {
	const char *config, *socket, *ctl;
	bool check;
};

static const char usage_text[] =
    "usage: vtrace-vfd --config FILE [--socket PATH] [--ctl PATH] [--check]\n"
    "       vtrace-vfd ctl PATH show ports|flows|tables|drops|nat [--json]\n"
    "       vtrace-vfd ctl PATH flush [--json]\n"
    "\n"
    "A forwarding device in user space, traced by VTrace. It prints a line that begins with \"ready:\" once it "
    "forwards.\n"
    "\n"
    "      --config FILE  ports, VPCs, routes, security groups; SIGHUP reads it again\n"
    "      --socket PATH  for `vtrace agent --datapath vfd:PATH`\n"
    "      --ctl PATH     socket of the second and third form\n"
    "      --check        only say whether the configuration is right\n"
    "      --json         print JSON, one object a line, on a terminal too\n"
    "      --version      print the version\n"
    "      --help         print this help\n";

static int options_parse(int argc, char **argv, struct options *o)
{
	static const struct option words[] = {{"config", required_argument, NULL, 'c'},
	                                      {"socket", required_argument, NULL, 's'},
	                                      {"ctl", required_argument, NULL, 'l'},
	                                      {"check", no_argument, NULL, 'k'},
	                                      {"help", no_argument, NULL, 'h'},
	                                      {"version", no_argument, NULL, 'v'},
	                                      {0}};
	int word;

	while ((word = getopt_long(argc, argv, "", words, NULL)) != -1) {
		switch (word) {
		case 'c':
			o->config = optarg;
			break;
		case 's':
			o->socket = optarg;
			break;
		case 'l':
			o->ctl = optarg;
			break;
		case 'k':
			o->check = true;
			break;
		case 'h':
			fputs(usage_text, stdout);
			exit(0);
		case 'v':
			puts("vtrace-vfd " VTRACE_VERSION);
			exit(0);
		default:
			return -EINVAL;
		}
	}
	return o->config && optind == argc ? 0 : -EINVAL;
}

/* Until no worker uses what was there before; false: it did not come to that in time. */
static bool settle(struct device *dev)
{
	const struct timespec nap = {.tv_nsec = 1000000};
	unsigned long long seen[WORKERS_MAX];

	for (unsigned int i = 0; i < dev->nworkers; i++)
		seen[i] = dev->workers[i].turns;
	for (int ms = 0; ms < SETTLE_MS; ms++) {
		unsigned int done = 0;

		for (unsigned int i = 0; i < dev->nworkers; i++)
			done += dev->workers[i].turns - seen[i] >= 2;
		if (done == dev->nworkers)
			return true;
		nanosleep(&nap, NULL);
	}
	return false;
}

/* MTUs apart, which are asked of the configuration for each packet. */
static bool same_ports(const struct config *a, const struct config *b)
{
	bool same = a->nports == b->nports && a->workers == b->workers && a->has_vtep == b->has_vtep &&
	            !memcmp(&a->vtep, &b->vtep, sizeof(a->vtep));

	for (size_t i = 0; i < a->nports && same; i++) {
		struct port_config port = b->ports[i];

		port.mtu = a->ports[i].mtu;
		same = !memcmp(&a->ports[i], &port, sizeof(port));
	}
	return same;
}

static void reload(struct device *dev, const char *path)
{
	char error[CONFIG_ERROR_MAX];
	const struct config *old = dev->config;
	struct config *new = config_load(path, error);

	if (new && !same_ports(old, new)) {
		snprintf(error, sizeof(error), "ports, workers and vtep cannot change while the device runs");
		config_free(new);
		new = NULL;
	}
	if (new &&routes_load(new)) {
		snprintf(error, sizeof(error), "no memory for its routes");
		config_free(new);
		new = NULL;
	}
	if (!new) {
		fprintf(stderr, "vtrace-vfd: %s: %s; the old configuration stays\n", path, error);
		return;
	}
	meters_load(dev, new);
	dev->config = new;
	atomic_fetch_add(&dev->epoch, 1);
	if (settle(dev))
		config_free((struct config *)old);
	fprintf(stderr, "reloaded: %s\n", path);
}

/* Until SIGTERM or SIGINT. */
static void serve(struct device *dev, const struct options *o, int signals, int ctl)
{
	struct pollfd fds[] = {{.fd = signals, .events = POLLIN},
	                       {.fd = ctl, .events = POLLIN},
	                       {.fd = dev->vdg ? vdg_fd(dev->vdg) : -1, .events = POLLIN}};
	struct signalfd_siginfo info;

	for (;;) {
		poll(fds, 3, WAKE_MS);
		if (fds[0].revents && read(signals, &info, sizeof(info)) == sizeof(info)) {
			if (info.ssi_signo != SIGHUP)
				return;
			reload(dev, o->config);
		}
		if (fds[1].revents)
			ctl_serve(dev, ctl);
		if (dev->vdg)
			vdg_poll(dev->vdg);
	}
}

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "vtrace-vfd: %s: %s\n", what, why);
	return 1;
}

static int workers_start(struct device *dev)
{
	for (unsigned int i = 0; i < dev->nworkers; i++) {
		dev->workers[i].dev = dev;
		dev->workers[i].number = i;
		if (worker_start(&dev->workers[i])) {
			dev->nworkers = i;
			return -ENOMEM;
		}
	}
	return 0;
}

static void stop(struct device *dev)
{
	dev->stop = true;
	for (unsigned int i = 0; i < dev->nworkers; i++) {
		if (!dev->workers[i].flows)
			continue;
		pthread_join(dev->workers[i].thread, NULL);
		flows_free(dev->workers[i].flows);
	}
	tables_close(dev);
	ports_done(dev);
}

/* All that is needed before packets flow; what was made is undone by stop(). */
static int prepare(struct device *dev, const struct options *o, struct config *config, int *ret_ctl)
{
	char error[VDG_ERROR_MAX];

	if (tables_open(dev, config, o->socket, error)) {
		fprintf(stderr, "vtrace-vfd: %s\n", error); /* it says on what */
		return 1;
	}
	if (o->ctl && (*ret_ctl = ctl_listen(o->ctl)) < 0)
		return fail(o->ctl,
		            *ret_ctl == -EADDRINUSE ? "another device serves this socket" : strerror(-*ret_ctl));
	return workers_start(dev) ? fail("workers", "no memory") : 0;
}

static int run(struct device *dev, const struct options *o, struct config *config, int signals)
{
	char error[512];
	int ctl = -1, status;

	if (ports_init(dev, config, error, sizeof(error)))
		return fail(o->config, error);
	status = prepare(dev, o, config, &ctl);
	if (!status) {
		fprintf(stderr, "ready: %u ports, %u worker%s\n", dev->nports, dev->nworkers,
		        dev->nworkers == 1 ? "" : "s");
		serve(dev, o, signals, ctl);
	}
	stop(dev);
	if (ctl >= 0)
		unlink(o->ctl);
	return status;
}

int main(int argc, char **argv)
{
	static struct device device;
	struct options o = {0};
	char error[CONFIG_ERROR_MAX];
	struct config *config;
	sigset_t set;
	int status;

	if (argc > 1 && !strcmp(argv[1], "ctl"))
		return ctl_client(argc - 2, argv + 2);
	if (options_parse(argc, argv, &o)) {
		fputs(usage_text, stderr);
		return 2;
	}
	config = config_load(o.config, error);
	if (!config)
		return fail(o.config, error);
	if (o.check) {
		printf("%s: right\n", o.config);
		config_free(config);
		return 0;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL); /* workers inherit it */
	status = run(&device, &o, config, signalfd(-1, &set, SFD_CLOEXEC));
	config_free((struct config *)device.config);
	return status;
}
