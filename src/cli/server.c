// SPDX-License-Identifier: BSD-3-Clause
/* `vtrace server`: options to a configuration; the server itself is the server layer's. */
#include <errno.h>
#include <stdio.h>

#include "cli/options.h"
#include "server/server.h"

static void ready(void *arg, const char *line)
{
	fprintf(stderr, "%s\n", line);
}

int cmd_server(const struct command_context *ctx, int argc, char **argv)
{
	struct server_config config = {.ready = ready};
	struct vt_err err = {0};
	struct options opts;
	int rc = options_parse("server", argc, argv, &opts);

	if (rc)
		return rc;
	config.listen = options_get(&opts, "listen", NULL);
	config.data = options_get(&opts, "data", NULL);
	config.tls_cert = options_get(&opts, "tls-cert", NULL);
	config.tls_key = options_get(&opts, "tls-key", NULL);
	config.token_file = options_get(&opts, "token-file", NULL);
	config.insecure = options_has(&opts, "insecure");
	if (!config.tls_cert != !config.tls_key)
		return command_fail("server", COMMAND_USAGE, "--tls-cert and --tls-key go together: give both");
	rc = server_run(&config, &err);
	if (rc)
		return command_fail("server", rc == -EINVAL ? COMMAND_USAGE : COMMAND_FAILED, "%s", err.text);
	return COMMAND_OK;
}
