// SPDX-License-Identifier: BSD-3-Clause
/*
 * vtrace-vfd: a forwarding device (vSwitch, vRouter) in user space, on DPDK, with VTrace in it. This file is the
 * control thread: it starts and ends everything, and in between listens to signals, the ctl socket and the agent.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <rte_lcore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "vfd/ctl.h"
#include "vfd/ports.h"

#define TURN_MS 10 /* how often VTrace's rings are looked at, at least */

struct options {
	const char *config, *socket, *ctl;
	bool check;
};

static const char usage[] = "usage: vtrace-vfd --config FILE [--socket PATH] [--ctl PATH] [--check]\n"
                            "       vtrace-vfd ctl PATH show ports|flows|tables|drops\n"
                            "       vtrace-vfd ctl PATH flush\n"
                            "\n"
                            "A virtual switch on DPDK that VTrace can trace through.\n"
                            "\n"
                            "  --config FILE   ports, networks, security groups, routes (docs/vfd.md)\n"
                            "  --socket PATH   for `vtrace agent --datapath vfd:PATH`\n"
                            "  --ctl PATH      for `vtrace-vfd ctl PATH ...`\n"
                            "  --check         read the configuration, say what is wrong with it, and end\n"
                            "\n"
                            "SIGHUP reads the configuration again: tables change at once, ports need a restart.\n";

static int options_read(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
	    {"config", required_argument, NULL, 'c'}, {"socket", required_argument, NULL, 's'},
	    {"ctl", required_argument, NULL, 'l'},    {"check", no_argument, NULL, 'k'},
	    {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'c':
			options->config = optarg;
			break;
		case 's':
			options->socket = optarg;
			break;
		case 'l':
			options->ctl = optarg;
			break;
		case 'k':
			options->check = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			return -EINVAL;
		}
	}
	if (optind < argc || !options->config) {
		fprintf(stderr, "vtrace-vfd: %s\n", options->config ? "too many arguments" : "--config FILE is needed");
		return -EINVAL;
	}
	return 0;
}

static int ctl_main(int argc, char **argv)
{
	char request[64] = "";

	if (argc < 4 || argc > 5) {
		fputs(usage, stderr);
		return 2;
	}
	snprintf(request, sizeof(request), "%s%s%s", argv[3], argc > 4 ? " " : "", argc > 4 ? argv[4] : "");
	return ctl_ask(argv[2], request);
}

static int fail(const struct vt_err *err)
{
	fprintf(stderr, "vtrace-vfd: %s\n", err->text);
	return 1;
}

/* Flows pass the slow path again. */
static void next_epoch(struct device *device)
{
	uint32_t epoch = atomic_load(&device->epoch) + 1;

	atomic_store_explicit(&device->epoch, epoch ? epoch : 1, memory_order_release);
}

static void tasks_changed(void *arg, const struct vdg *vdg)
{
	(void)vdg; /* all flows: the slow path costs a microsecond, once a flow */
	next_epoch(arg);
}

static int vdg_start(struct device *device, const struct config *config, const char *socket, struct vt_err *err)
{
	const struct vdg_config vdg = {.socket = socket,
	                               .name = "vtrace-vfd",
	                               .version = VTRACE_VERSION,
	                               .workers = 1,
	                               .changed = tasks_changed,
	                               .arg = device};
	char error[VDG_ERROR_MAX];
	int ret = vdg_open(&device->vdg, &vdg, error);

	if (ret)
		return vt_fail(err, -ret, "%s", error);
	device->worker = vdg_worker(device->vdg, 0);
	for (unsigned int i = 0; i < config->n_ports; i++)
		vdg_port(device->vdg, i + 1, config->ports[i].name);
	if (config->underlay >= 0)
		vdg_address(device->vdg, config->ports[config->underlay].address);
	return 0;
}

static bool same_ports(const struct config *a, const struct config *b)
{
	if (a->n_ports != b->n_ports || a->underlay != b->underlay)
		return false;
	for (unsigned int i = 0; i < a->n_ports; i++) {
		if (strcmp(a->ports[i].name, b->ports[i].name) || strcmp(a->ports[i].vdev, b->ports[i].vdev))
			return false;
	}
	return true;
}

/* Until the worker has begun two bursts: it holds nothing of before any more. */
static void wait_turns(struct device *device)
{
	uint64_t from = atomic_load(&device->bursts);

	while (atomic_load_explicit(&device->bursts, memory_order_acquire) < from + 2)
		usleep(100);
}

static void reload(struct device *device, const char *path)
{
	struct tables *old = atomic_load(&device->tables), *new = NULL;
	struct config *config = NULL;
	struct vt_err err = {0};

	if (config_read(path, &config, &err)) {
		fail(&err);
	} else if (!same_ports(config, tables_config(old))) {
		fprintf(stderr, "vtrace-vfd: %s: its ports are others; restart for that\n", path);
		config_free(config);
	} else if (!(new = tables_new(config))) {
		config_free(config);
	}
	if (!new) {
		fprintf(stderr, "vtrace-vfd: the configuration of before stays\n");
		return;
	}
	atomic_store_explicit(&device->tables, new, memory_order_release);
	next_epoch(device);
	wait_turns(device);
	tables_free(old);
	printf("reloaded: %s\n", path);
	fflush(stdout);
}

/* Until a signal ends it. */
static void control(struct device *device, const struct options *options, int signals, int ctl)
{
	struct pollfd fds[3] = {
	    {signals, POLLIN, 0}, {ctl, POLLIN, 0}, {device->vdg ? vdg_fd(device->vdg) : -1, POLLIN, 0}};
	struct signalfd_siginfo info;

	for (;;) {
		poll(fds, 3, device->vdg && vdg_busy(device->vdg) ? TURN_MS : -1);
		if (fds[0].revents && read(signals, &info, sizeof(info)) == sizeof(info)) {
			if (info.ssi_signo != SIGHUP)
				return;
			reload(device, options->config);
		}
		if (fds[1].revents)
			ctl_serve(device, ctl);
		if (device->vdg)
			vdg_poll(device->vdg);
	}
}

static int block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int device_run(struct device *device, const struct options *options, struct vt_err *err)
{
	const struct config *config = tables_config(atomic_load(&device->tables));
	int signals = block_signals(), ctl = -1, ret;
	pthread_t worker;

	ret = ports_open(device, config, err);
	if (ret)
		return ret;
	device->flows = flows_new(config->ports[0].name);
	if (!device->flows)
		return vt_fail(err, ENOMEM, "make the flow cache: out of memory");
	if (options->socket && (ret = vdg_start(device, config, options->socket, err)))
		return ret;
	if (options->ctl && (ctl = ctl_listen(options->ctl, err)) < 0)
		return ctl;
	ret = pthread_create(&worker, NULL, fast_path, device);
	if (ret)
		return vt_fail(err, ret, "start the worker: %s", strerror(ret));
	printf("ready: %u ports\n", device->n_ports);
	fflush(stdout);
	control(device, options, signals, ctl);
	atomic_store(&device->stopping, true);
	pthread_join(worker, NULL);
	if (options->ctl)
		unlink(options->ctl);
	return 0;
}

int main(int argc, char **argv)
{
	struct options options = {0};
	static struct device device = {.epoch = 1};
	struct config *config;
	struct tables *tables;
	struct vt_err err = {0};
	int ret;

	if (argc > 1 && !strcmp(argv[1], "ctl"))
		return ctl_main(argc, argv);
	if (options_read(argc, argv, &options)) {
		fputs(usage, stderr);
		return 2;
	}
	if (config_read(options.config, &config, &err))
		return fail(&err);
	tables = tables_new(config);
	if (!tables || options.check) {
		tables_free(tables);
		return tables ? 0 : 1;
	}
	atomic_store(&device.tables, tables);
	ret = device_run(&device, &options, &err);
	vdg_close(device.vdg);
	flows_free(device.flows);
	ports_close(&device);
	tables_free(atomic_load(&device.tables));
	return ret ? fail(&err) : 0;
}
