// SPDX-License-Identifier: BSD-3-Clause
/*
 * The driver of devices that embed libvdg.
 *
 * The records are in the device, so "all that happened so far" is not what poll() finds: it takes a question and an
 * answer (SYNC, and STOP, which answers it as well). busy() asks; the poll() that hands out what came before the answer
 * lets it say no, and complete() say until when.
 */
#include "datapath/vfd/vfd.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "core/result.h"
#include "datapath/vfd/channel.h"

#define ANSWER_NS VT_SECOND_NS /* a device whose workers turn answers within milliseconds */
#define KEPT_MAX  (64 << 20)   /* bytes of batches that came while we waited for an answer: some 800 000 records */
#define POLL_MAX  64           /* messages a poll: the agent has other work too */

struct vfd {
	struct datapath base;
	struct channel channel;
	uint32_t last_id;
	struct vt_err gone; /* code 0: it is there */
	struct vt_node_info node;
	uint64_t lost, lost_before; /* by the device's count, and when we came */
	uint64_t overflow;          /* came while we waited, and there was no room */
	uint64_t records;
	unsigned int n_tasks;
	uint64_t coloured[2]; /* of the last STOPPED */
	struct vt_buf kept;   /* batches that came while we waited for an answer, each behind its length */
	uint32_t sync_id;     /* SYNC that is not answered yet, 0: none */
	uint64_t sync_ns;     /* when it was asked */
	uint64_t answered_ns; /* time of the latest question that was answered: records until then have come */
	uint64_t complete_ns; /* the same, of what has been handed out */
	bool fresh;           /* the last poll() made complete_ns newer */
};

static struct vfd *self(struct datapath *dp)
{
	return (struct vfd *)dp;
}

static int vfd_gone(struct vfd *vfd, struct vt_err *err)
{
	return vt_fail(err, vfd->gone.code, "%s", vfd->gone.text);
}

static int take_batch(struct vfd *vfd, const struct vdg_message *message, struct vt_batch **ret, struct vt_err *err)
{
	int code = vt_wire_decode(message->body, message->len, ret, err);

	if (code < 0)
		return vt_fail_in(err, "the forwarding device at %s", vfd->channel.path);
	for (uint32_t i = 0; i < (*ret)->n_items; i++) {
		const struct vt_item *item = &(*ret)->items[i];

		if (item->type == VT_ITEM_NODE)
			vfd->node = item->node;
		else if (item->type == VT_ITEM_PROGRESS)
			vfd->lost = item->progress.lost;
		else if (item->type == VT_ITEM_STOPPED)
			memcpy(vfd->coloured, item->coloured, sizeof(vfd->coloured));
	}
	return 0;
}

/* A batch as bytes: decoded it would take ten times the room. */
static void keep_batch(struct vfd *vfd, const struct vdg_message *message, struct vt_batch *batch)
{
	if (vfd->kept.len + message->len > KEPT_MAX || !vt_buf_reserve(&vfd->kept, message->len + 4)) {
		vfd->kept.failed = false;
		for (uint32_t i = 0; i < batch->n_items; i++)
			vfd->overflow += batch->items[i].type == VT_ITEM_RECORD;
	} else {
		vt_buf_le32(&vfd->kept, (uint32_t)message->len);
		vt_buf_put(&vfd->kept, message->body, message->len);
	}
	vt_batch_free(batch);
}

static void hand_out(struct vfd *vfd, struct vt_batch *batch, datapath_sink sink, void *arg)
{
	for (uint32_t i = 0; i < batch->n_items; i++) {
		if (batch->items[i].type != VT_ITEM_RECORD)
			continue;
		sink(arg, &batch->items[i].log);
		vfd->records++;
	}
	vt_batch_free(batch);
}

static void hand_out_kept(struct vfd *vfd, datapath_sink sink, void *arg)
{
	struct vt_reader in = {.at = vfd->kept.data, .end = vfd->kept.data + vfd->kept.len};

	while (in.at != in.end) {
		size_t len = vt_read_le32(&in);
		const void *bytes = vt_read_bytes(&in, len);
		struct vt_batch *batch;

		if (!bytes)
			break;
		if (!vt_wire_decode(bytes, len, &batch, NULL))
			hand_out(vfd, batch, sink, arg);
		else
			vfd->overflow++; /* no memory: it was decoded once */
	}
	vt_buf_done(&vfd->kept);
}

/* A message that is no batch: 1 if it answers `id` with OK, 0 if it is of something else, or what it says is wrong. */
static int take_answer(struct vfd *vfd, const struct vdg_message *message, uint32_t id, struct vt_err *err)
{
	if (message->type == VDG_WIRE_FAIL && (!message->id || message->id == id))
		return vdg_wire_failure(message, err);
	if (message->type != VDG_WIRE_OK && message->type != VDG_WIRE_FAIL)
		return vt_fail(err, EPROTO, "%s: this is not the socket of a forwarding device (message of type %u)",
		               vfd->channel.path, message->type);
	if (vfd->sync_id && message->id == vfd->sync_id) {
		vfd->sync_id = 0;
		if (message->type == VDG_WIRE_OK)
			vfd->answered_ns = vfd->sync_ns;
	}
	return message->type == VDG_WIRE_OK && id && message->id == id;
}

/* A failure of the connection, not of a request: from now on poll() says it. */
static int broken(struct vfd *vfd, const struct vt_err *err)
{
	if (!vfd->gone.code)
		vfd->gone = *err;
	return -err->code;
}

/* A device that sends records is alive: what is in its rings comes before the answer, and may take longer than that. */
static int await(struct vfd *vfd, uint32_t id, uint64_t deadline_ns, struct vt_err *err)
{
	struct vdg_message message = {0};
	struct vt_batch *batch;
	int ret;

	for (;;) {
		ret = channel_next(&vfd->channel, &message, deadline_ns, err);
		if (!ret)
			return vt_fail(err, ETIMEDOUT,
			               "the forwarding device at %s does not answer (do its workers call vdg_turn()?)",
			               vfd->channel.path);
		if (ret > 0 && message.type == VDG_WIRE_BATCH) {
			ret = take_batch(vfd, &message, &batch, err);
			if (!ret)
				keep_batch(vfd, &message, batch);
			deadline_ns = vt_now_ns() + ANSWER_NS;
		} else if (ret > 0) {
			ret = take_answer(vfd, &message, id, err);
			if (ret > 0)
				return 0;
			if (ret < 0 && message.type == VDG_WIRE_FAIL && message.id)
				return ret; /* it refuses, and lives */
		}
		if (ret < 0)
			return broken(vfd, err);
	}
}

static int ask(struct vfd *vfd, enum vdg_wire_type type, const void *body, size_t len, struct vt_err *err)
{
	uint64_t deadline_ns = vt_now_ns() + ANSWER_NS;
	struct vt_err ignored;
	int ret;

	err = err ? err : &ignored;
	if (vfd->gone.code)
		return vfd_gone(vfd, err);
	ret = channel_send(&vfd->channel, type, ++vfd->last_id, body, len, deadline_ns, err);
	return ret ? broken(vfd, err) : await(vfd, vfd->last_id, deadline_ns, err);
}

static int ask_about(struct vfd *vfd, enum vdg_wire_type type, uint32_t task, struct vt_err *err)
{
	uint32_t body = htole32(task);

	return ask(vfd, type, &body, sizeof(body), err);
}

/* Nobody waits for the answer to a DISARM: the device goes on with its requests in their order. */
static void forget(struct vfd *vfd, uint32_t task)
{
	uint32_t body = htole32(task);
	struct vt_err err = {0};

	if (!vfd->gone.code && channel_send(&vfd->channel, VDG_WIRE_DISARM, ++vfd->last_id, &body, sizeof(body),
	                                    vt_now_ns() + ANSWER_NS, &err) < 0)
		broken(vfd, &err);
}

static int vfd_arm(struct datapath *dp, const struct vt_task *task, struct vt_err *err)
{
	struct vfd *vfd = self(dp);
	json_t *json = vt_task_to_json(task);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	int ret = text ? ask(vfd, VDG_WIRE_ARM, text, strlen(text), err) : vt_fail(err, ENOMEM, "out of memory");

	free(text);
	json_decref(json);
	vfd->n_tasks += !ret;
	if (ret == -ETIMEDOUT)
		forget(vfd, task->id); /* it may arm it yet */
	return ret;
}

static int vfd_start(struct datapath *dp, uint32_t task, struct vt_err *err)
{
	return ask_about(self(dp), VDG_WIRE_START, task, err);
}

static int vfd_stop(struct datapath *dp, uint32_t task, uint64_t coloured[2], struct vt_err *err)
{
	struct vfd *vfd = self(dp);
	uint64_t now = vt_now_ns();
	int ret = ask_about(vfd, VDG_WIRE_STOP, task, err);

	if (ret)
		return ret;
	memcpy(coloured, vfd->coloured, sizeof(vfd->coloured));
	vfd->answered_ns = now;
	vfd->fresh = false; /* its records are for the next poll() */
	return 0;
}

static void vfd_disarm(struct datapath *dp, uint32_t task)
{
	struct vfd *vfd = self(dp);

	forget(vfd, task);
	vfd->n_tasks -= vfd->n_tasks > 0;
}

static int vfd_fd(struct datapath *dp)
{
	return self(dp)->channel.fd;
}

static int take_message(struct vfd *vfd, const struct vdg_message *message, datapath_sink sink, void *arg,
                        struct vt_err *err)
{
	struct vt_batch *batch;
	int ret;

	if (message->type != VDG_WIRE_BATCH)
		return take_answer(vfd, message, 0, err);
	ret = take_batch(vfd, message, &batch, err);
	if (!ret)
		hand_out(vfd, batch, sink, arg);
	return ret;
}

static int vfd_poll(struct datapath *dp, datapath_sink sink, void *arg, struct vt_err *err)
{
	struct vfd *vfd = self(dp);
	uint64_t before = vfd->records;
	struct vdg_message message;
	struct vt_err why = {0};
	int ret = 0;

	hand_out_kept(vfd, sink, arg);
	for (int i = 0; !vfd->gone.code && i < POLL_MAX; i++) {
		ret = channel_next(&vfd->channel, &message, 0, &why);
		if (!ret)
			break;
		if (ret < 0 || take_message(vfd, &message, sink, arg, &why) < 0)
			broken(vfd, &why);
	}
	if (vfd->gone.code)
		return vfd_gone(vfd, err);
	vfd->fresh = vfd->answered_ns > vfd->complete_ns;
	vfd->complete_ns = vfd->answered_ns;
	return (int)(vfd->records - before);
}

static int vfd_busy(struct datapath *dp)
{
	struct vfd *vfd = self(dp);
	struct vt_err err = {0};

	if (vfd->fresh || vfd->gone.code)
		return 0;
	if (vfd->sync_id)
		return 1;
	vfd->sync_ns = vt_now_ns();
	vfd->sync_id = ++vfd->last_id;
	if (channel_send(&vfd->channel, VDG_WIRE_SYNC, vfd->sync_id, NULL, 0, vfd->sync_ns + ANSWER_NS, &err) < 0)
		broken(vfd, &err);
	return 1;
}

static uint64_t vfd_complete(struct datapath *dp)
{
	return self(dp)->complete_ns;
}

static void vfd_node(struct datapath *dp, struct vt_node_info *info)
{
	*info = self(dp)->node;
}

static void vfd_stats(struct datapath *dp, struct datapath_stats *stats)
{
	const struct vfd *vfd = self(dp);

	*stats = (struct datapath_stats){.devices = vfd->node.devices,
	                                 .attached = vfd->n_tasks ? vfd->node.devices : 0,
	                                 .records = vfd->records,
	                                 .lost = vfd->lost - vfd->lost_before + vfd->overflow};
}

static void vfd_close(struct datapath *dp)
{
	struct vfd *vfd = self(dp);

	vt_buf_done(&vfd->kept);
	channel_close(&vfd->channel);
	free(vfd);
}

static const struct datapath_ops vfd_ops = {
    .name = "vfd",
    .arm = vfd_arm,
    .start = vfd_start,
    .stop = vfd_stop,
    .disarm = vfd_disarm,
    .fd = vfd_fd,
    .poll = vfd_poll,
    .busy = vfd_busy,
    .complete = vfd_complete,
    .node = vfd_node,
    .stats = vfd_stats,
    .close = vfd_close,
};

static int greet(struct vfd *vfd, struct vt_err *err)
{
	struct vt_buf hello = {0};
	int ret;

	vt_buf_put(&hello, VDG_WIRE_MAGIC, 4);
	vt_buf_le16(&hello, VDG_WIRE_VERSION);
	ret =
	    hello.failed ? vt_fail(err, ENOMEM, "out of memory") : ask(vfd, VDG_WIRE_HELLO, hello.data, hello.len, err);
	vt_buf_done(&hello);
	vfd->lost_before = vfd->lost;
	if (ret == -ENODEV)
		return vt_fail(err, EPROTO, "%s: this is not the socket of a forwarding device (it hung up on us)",
		               vfd->channel.path);
	return ret;
}

static int vfd_open(struct datapath **ret_dp, const struct datapath_config *config, struct vt_err *err)
{
	struct vfd *vfd;
	int ret;

	if (!config->arg)
		return vt_fail(err, EINVAL, "which forwarding device? (say vfd:SOCKET, with the name of its socket)");
	vfd = calloc(1, sizeof(*vfd));
	if (!vfd)
		return vt_fail(err, ENOMEM, "out of memory");
	vfd->base.ops = &vfd_ops;
	vfd->channel.fd = -1;
	ret = channel_open(&vfd->channel, config->arg, err);
	if (!ret)
		ret = greet(vfd, err);
	if (ret)
		vfd_close(&vfd->base);
	else
		*ret_dp = &vfd->base;
	return ret;
}

const struct datapath_driver datapath_vfd_driver = {.name = "vfd", .open = vfd_open};
