// SPDX-License-Identifier: BSD-3-Clause
/*
 * vtrace agent: follows packets on this host for a server, until a signal ends it. It needs its datapath from the
 * start, but not its server: that may come later, go and come back.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/host.h"
#include "agent/uplink_http.h"
#include "base/log.h"
#include "cli/options.h"

#define TOKEN_MAX   1024  /* bytes of a token: ours have 43, a JWT some hundred */
#define STEP_MS     60000 /* the agent wakes up by itself for whatever it has to do */
#define SHUTDOWN_MS 500   /* to get the last records through; a signal ends us within a second */

struct agent_setup {
	char node[VT_NODE_MAX];
	enum vt_kind kind;
	uint32_t mark_mask;
	char token[TOKEN_MAX + 1]; /* empty: none */
	const char *url, *ca_file;
	const struct datapath_driver *driver;
	const char *driver_arg;
	uint64_t boot;
	int signals;
	struct datapath *dp;
	struct uplink *up;
};

static void agent_ready(const struct agent_setup *setup)
{
	struct vt_node_info info = {0};

	setup->dp->ops->node(setup->dp, &info);
	fprintf(stderr, "ready: node %s (%s, %s, %u device%s) follows packets for %s\n", setup->node,
	        vt_kind_name(setup->kind), setup->dp->ops->name, info.devices, info.devices == 1 ? "" : "s",
	        setup->url);
}

static void agent_notice(void *arg, enum agent_notice notice, const char *text)
{
	const struct agent_setup *setup = arg;

	switch (notice) {
	case AGENT_READY:
		agent_ready(setup);
		break;
	case AGENT_UP:
		log_info("connected to %s again", setup->url);
		break;
	case AGENT_DOWN:
		log_warn("not connected, trying again: %s", text);
		break;
	case AGENT_REFUSED:
		log_warn("could not trace %s", text);
		break;
	case AGENT_TROUBLE:
		log_warn("%s", text);
		break;
	}
}

/* The token is the file's first word, as everywhere. */
static int agent_token(const char *path, char token[TOKEN_MAX + 1], struct vt_err *err)
{
	char end = '\n';
	FILE *file;
	int n;

	token[0] = '\0';
	if (!path)
		return 0;
	file = fopen(path, "re");
	if (!file)
		return vt_fail(err, errno, "cannot read the token file %s: %s", path, strerror(errno));
	n = fscanf(file, "%1024s%c", token, &end);
	fclose(file);
	if (n < 1 || !strchr(" \t\r\n", end))
		return vt_fail(err, EINVAL, "the token file %s has no token of 1 to %d bytes in its first line", path,
		               TOKEN_MAX);
	return 0;
}

/* 0, or an exit status after saying what is wrong with the command line. */
static int agent_options(const struct command_context *ctx, const struct options *opts, struct agent_setup *setup)
{
	struct vt_err err = {0};

	setup->url = options_server(opts);
	setup->ca_file = options_get(opts, "ca", NULL);
	setup->driver =
	    datapath_find(ctx->drivers, ctx->n_drivers, options_get(opts, "datapath", NULL), &setup->driver_arg, &err);
	setup->boot = agent_boot_id();
	if (!setup->driver || agent_node_name(options_get(opts, "node", NULL), setup->node, &err) < 0 ||
	    agent_kind(options_get(opts, "kind", NULL), &setup->kind, &err) < 0 ||
	    agent_mark_mask(options_get(opts, "mark-mask", NULL), &setup->mark_mask, &err) < 0)
		return command_fail("agent", COMMAND_USAGE, "%s", err.text);
	if (agent_token(options_get(opts, "token-file", NULL), setup->token, &err) < 0)
		return command_fail("agent", COMMAND_FAILED, "%s", err.text);
	if (setup->ca_file && access(setup->ca_file, R_OK) < 0)
		return command_fail("agent", COMMAND_FAILED, "cannot read the CA file %s: %s", setup->ca_file,
		                    strerror(errno));
	return 0;
}

static int agent_uplink(struct agent_setup *setup, struct vt_err *err)
{
	const struct uplink_http_config config = {
	    .http = {.url = setup->url, .token = setup->token[0] ? setup->token : NULL, .ca_file = setup->ca_file},
	    .node = setup->node,
	    .kind = setup->kind,
	    .datapath = setup->driver->name,
	    .version = VTRACE_VERSION,
	    .boot = setup->boot,
	};

	return uplink_http_new(&config, &setup->up, err);
}

/* The signals before the datapath: from the first thing in the kernel on, a signal ends us by the clean way only. */
static int agent_datapath(struct agent_setup *setup, struct vt_err *err)
{
	const struct datapath_config config = {
	    .node = setup->node, .mark_mask = setup->mark_mask, .arg = setup->driver_arg};

	setup->signals = agent_signal_fd(err);
	return setup->signals < 0 ? setup->signals : setup->driver->open(&setup->dp, &config, err);
}

static void agent_close(struct agent_setup *setup)
{
	if (setup->dp)
		setup->dp->ops->close(setup->dp);
	if (setup->up)
		setup->up->ops->close(setup->up);
	if (setup->signals >= 0)
		close(setup->signals);
}

static int agent_loop(struct agent_setup *setup, struct vt_err *err)
{
	const struct agent_config config = {.node = setup->node,
	                                    .kind = setup->kind,
	                                    .boot = setup->boot,
	                                    .wake_fd = setup->signals,
	                                    .notice = agent_notice,
	                                    .arg = setup};
	struct agent *agent = agent_new(setup->dp, setup->up, &config);
	int ret = 0;

	if (!agent)
		return vt_fail(err, ENOMEM, "out of memory or descriptors");
	while (!ret && !agent_signal_take(setup->signals))
		ret = agent_step(agent, STEP_MS, err);
	agent_shutdown(agent, SHUTDOWN_MS);
	agent_free(agent);
	return ret;
}

int cmd_agent(const struct command_context *ctx, int argc, char **argv)
{
	struct agent_setup setup = {.signals = -1};
	struct vt_err err = {0};
	struct options opts;
	int ret = options_parse("agent", argc, argv, &opts);

	if (!ret)
		ret = agent_options(ctx, &opts, &setup);
	if (ret)
		return ret;
	signal(SIGPIPE, SIG_IGN);
	setlinebuf(stderr);
	ret = agent_uplink(&setup, &err);
	if (ret < 0)
		return command_fail("agent", ret == -EINVAL ? COMMAND_USAGE : COMMAND_FAILED, "%s", err.text);
	ret = agent_datapath(&setup, &err);
	if (!ret)
		ret = agent_loop(&setup, &err);
	agent_close(&setup);
	return ret < 0 ? command_fail("agent", COMMAND_FAILED, "%s", err.text) : COMMAND_OK;
}
