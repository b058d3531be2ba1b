// SPDX-License-Identifier: BSD-3-Clause
/*
 * The collector: POST /v1/agent/records. It checks a batch and appends it to the record log; that is all it knows.
 *
 * A batch is acknowledged once it is in the log. One that comes twice is acknowledged twice, and told apart behind the
 * log by node, boot id and number. While the log is full nothing is taken: the agent keeps the batch and sends it
 * again.
 */
#include "server/api.h"

#include <errno.h>
#include <microhttpd.h>

#include "core/wire.h"

static int check_batch(const struct vt_batch *batch, struct vt_err *err)
{
	if (!nodes_name_valid(batch->node))
		return vt_fail(err, EBADMSG, "batch: a node's name has 1 to 63 letters, digits, '.', '_', '-'");
	if (!batch->boot || !batch->number)
		return vt_fail(err, EBADMSG, "batch of node %s: boot id and batch number must not be 0", batch->node);
	return 0;
}

static void refuse(const struct api *api, const struct vt_err *err, struct http_reply *reply)
{
	stats_add(&api->stats->batches_malformed);
	http_problem(reply, MHD_HTTP_BAD_REQUEST, "run the same version of vtrace on agents and server", "%s",
	             err->text);
}

void collector_take(void *app, struct http_request *request, struct http_reply *reply)
{
	const struct api *api = app;
	struct vt_batch *batch = NULL;
	struct vt_err err = {0};
	uint64_t number;

	if (vt_wire_decode((const uint8_t *)(request->body ? request->body : ""), request->size, &batch, &err) ||
	    check_batch(batch, &err)) {
		vt_batch_free(batch);
		refuse(api, &err, reply);
		return;
	}
	number = batch->number; /* the batch may be gone once it is in the log */
	if (recordlog_append(api->log, batch)) {
		vt_batch_free(batch);
		http_problem(reply, MHD_HTTP_SERVICE_UNAVAILABLE, "send the batch again",
		             "the record log is full, the analysis is behind");
		reply->retry_after_s = 1;
		return;
	}
	http_json(reply, MHD_HTTP_OK, json_pack("{s:I}", "acknowledged", (json_int_t)number));
}
