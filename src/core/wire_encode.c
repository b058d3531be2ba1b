// SPDX-License-Identifier: BSD-3-Clause
/*
 * Batches to bytes; the layout is in wire_format.h. One growing buffer, no allocation an item: agents encode while they
 * drain their rings.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "core/task.h"
#include "core/wire.h"
#include "core/wire_format.h"

_Static_assert(VT_NODE_ADDRS_MAX <= 255, "the number of a node's addresses is one byte on the wire");
_Static_assert(VT_NODE_MAX <= 256, "the length of a node's name is one byte on the wire");

static void put_string(struct vt_buf *buf, const char *text, size_t size)
{
	size_t len = strnlen(text, size - 1);

	vt_buf_le16(buf, (uint16_t)len);
	vt_buf_put(buf, text, len);
}

static bool is_zero(const uint8_t addr[16])
{
	static const uint8_t zero[16];

	return !memcmp(addr, zero, 16);
}

static bool both_mapped(const uint8_t a[16], const uint8_t b[16])
{
	return vt_addr_is_ipv4(a) && vt_addr_is_ipv4(b);
}

/* Two addresses, the last 4 bytes of each if they are IPv4-mapped. */
static void put_addrs(struct vt_buf *buf, const uint8_t src[16], const uint8_t dst[16], bool whole)
{
	size_t skip = whole ? 0 : 12;

	vt_buf_put(buf, src + skip, 16 - skip);
	vt_buf_put(buf, dst + skip, 16 - skip);
}

static uint16_t record_parts(const struct vt_log *log)
{
	const struct vt_record *rec = &log->rec;
	uint16_t parts = 0;

	if (rec->task)
		parts |= WIRE_TASK;
	if (rec->vni)
		parts |= WIRE_VNI;
	if (rec->tcp_seq || rec->payload)
		parts |= WIRE_TCP;
	if (!both_mapped(rec->flow.src, rec->flow.dst))
		parts |= WIRE_FLOW6;
	if (!is_zero(rec->outer_src) || !is_zero(rec->outer_dst))
		parts |= both_mapped(rec->outer_src, rec->outer_dst) ? WIRE_OUTER : WIRE_OUTER | WIRE_OUTER6;
	if (rec->reason || rec->dst_error || rec->site)
		parts |= WIRE_RAW;
	if (log->cause || log->reason[0] || log->site[0] || log->evidence[0])
		parts |= WIRE_WORDS;
	return parts;
}

static void put_record(struct vt_buf *buf, const struct vt_log *log)
{
	const struct vt_cause_info *cause = vt_cause_info(log->cause);
	const struct vt_record *rec = &log->rec;
	uint16_t parts = record_parts(log);

	vt_buf_le16(buf, parts);
	vt_buf_le16(buf, rec->flags);
	vt_buf_u8(buf, rec->loc);
	vt_buf_u8(buf, rec->hop);
	vt_buf_u8(buf, rec->flow.family);
	vt_buf_u8(buf, rec->flow.proto);
	vt_buf_le64(buf, rec->packet_id);
	vt_buf_le64(buf, rec->time_ns);
	vt_buf_le64(buf, rec->seq);
	vt_buf_le32(buf, rec->ifindex);
	vt_buf_le32(buf, rec->length);
	vt_buf_le16(buf, rec->segments);
	vt_buf_le16(buf, rec->flow.sport);
	vt_buf_le16(buf, rec->flow.dport);
	put_addrs(buf, rec->flow.src, rec->flow.dst, parts & WIRE_FLOW6);
	put_string(buf, log->device, sizeof(log->device));
	if (parts & WIRE_TASK)
		vt_buf_le32(buf, rec->task);
	if (parts & WIRE_VNI)
		vt_buf_le32(buf, rec->vni);
	if (parts & WIRE_TCP) {
		vt_buf_le32(buf, rec->tcp_seq);
		vt_buf_le32(buf, rec->payload);
	}
	if (parts & WIRE_OUTER)
		put_addrs(buf, rec->outer_src, rec->outer_dst, parts & WIRE_OUTER6);
	if (parts & WIRE_RAW) {
		vt_buf_le32(buf, rec->reason);
		vt_buf_le32(buf, (uint32_t)rec->dst_error);
		vt_buf_le64(buf, rec->site);
	}
	if (parts & WIRE_WORDS) {
		const char *code = cause ? cause->code : "";

		put_string(buf, code, strlen(code) + 1);
		put_string(buf, log->reason, sizeof(log->reason));
		put_string(buf, log->site, sizeof(log->site));
		put_string(buf, log->evidence, sizeof(log->evidence));
	}
}

static void put_node(struct vt_buf *buf, const struct vt_node_info *node)
{
	put_string(buf, node->datapath, sizeof(node->datapath));
	put_string(buf, node->version, sizeof(node->version));
	vt_buf_le32(buf, node->devices);
	vt_buf_u8(buf, (uint8_t)node->n_addrs);
	vt_buf_put(buf, node->addrs, node->n_addrs * sizeof(node->addrs[0]));
}

static void put_item_body(struct vt_buf *buf, const struct vt_item *item)
{
	switch (item->type) {
	case VT_ITEM_RECORD:
		put_record(buf, &item->log);
		break;
	case VT_ITEM_ARMED:
	case VT_ITEM_STARTED:
		vt_buf_le32(buf, item->task);
		break;
	case VT_ITEM_FAILED:
		vt_buf_le32(buf, item->task);
		put_string(buf, item->text, sizeof(item->text));
		break;
	case VT_ITEM_STOPPED:
		vt_buf_le32(buf, item->task);
		vt_buf_le64(buf, item->coloured[0]);
		vt_buf_le64(buf, item->coloured[1]);
		break;
	case VT_ITEM_PROGRESS:
		vt_buf_le64(buf, item->progress.lost);
		vt_buf_le64(buf, item->progress.seq);
		vt_buf_le64(buf, item->progress.time_ns);
		break;
	case VT_ITEM_NODE:
		put_node(buf, &item->node);
		break;
	}
}

static void put_item(struct vt_buf *buf, const struct vt_item *item)
{
	size_t start = buf->len;
	uint16_t length;

	vt_buf_u8(buf, (uint8_t)item->type);
	vt_buf_u8(buf, 0);
	vt_buf_le16(buf, 0); /* filled in below, when it is known */
	put_item_body(buf, item);
	if (buf->failed)
		return;
	length = htole16((uint16_t)(buf->len - start - WIRE_ITEM_HEADER));
	memcpy(buf->data + start + 2, &length, sizeof(length));
}

static int check_item(const struct vt_item *item, uint32_t index, struct vt_err *err)
{
	const struct vt_record *rec = &item->log.rec;

	if (item->type < VT_ITEM_RECORD || item->type > VT_ITEM_STARTED)
		return vt_fail(err, EINVAL, "encode batch: item %u has type %d, which does not exist", index,
		               item->type);
	if (item->type == VT_ITEM_NODE && item->node.n_addrs > VT_NODE_ADDRS_MAX)
		return vt_fail(err, EINVAL, "encode batch: item %u has %u addresses, the limit is %d", index,
		               item->node.n_addrs, VT_NODE_ADDRS_MAX);
	if (item->type != VT_ITEM_RECORD)
		return 0;
	if (rec->loc < VT_LOC_IN || rec->loc > VT_LOC_ERROR || rec->hop < 1 || rec->hop > VT_HOP_MAX ||
	    (rec->flow.family != 4 && rec->flow.family != 6))
		return vt_fail(err, EINVAL, "encode batch: record %u has loc %u, hop %u, family %u", index, rec->loc,
		               rec->hop, rec->flow.family);
	return 0;
}

static int check_batch(const struct vt_batch *batch, struct vt_err *err)
{
	int ret = 0;

	if (batch->n_items > VT_BATCH_ITEMS_MAX)
		return vt_fail(err, EMSGSIZE, "encode batch: %u items, the limit is %d", batch->n_items,
		               VT_BATCH_ITEMS_MAX);
	if (!batch->node[0] || !batch->number || (batch->kind != VT_KIND_VSWITCH && batch->kind != VT_KIND_VROUTER))
		return vt_fail(err, EINVAL, "encode batch: node name, kind or number is not set");
	for (uint32_t i = 0; i < batch->n_items && !ret; i++)
		ret = check_item(&batch->items[i], i, err);
	return ret;
}

static void put_header(struct vt_buf *buf, const struct vt_batch *batch)
{
	size_t len = strnlen(batch->node, sizeof(batch->node) - 1);

	vt_buf_put(buf, WIRE_MAGIC, 4);
	vt_buf_le16(buf, WIRE_VERSION);
	vt_buf_u8(buf, (uint8_t)batch->kind);
	vt_buf_u8(buf, (uint8_t)len);
	vt_buf_le64(buf, batch->boot);
	vt_buf_le64(buf, batch->number);
	vt_buf_le32(buf, batch->n_items);
	vt_buf_le32(buf, 0); /* body, filled in when it is known */
	vt_buf_put(buf, batch->node, len);
}

int vt_wire_encode(const struct vt_batch *batch, uint8_t **ret_bytes, size_t *ret_size, struct vt_err *err)
{
	struct vt_buf buf = {0};
	size_t body_start;
	uint32_t body;
	int ret;

	ret = check_batch(batch, err);
	if (ret)
		return ret;
	put_header(&buf, batch);
	body_start = buf.len;
	for (uint32_t i = 0; i < batch->n_items && buf.len <= VT_WIRE_MAX; i++)
		put_item(&buf, &batch->items[i]);
	if (buf.failed) {
		vt_buf_done(&buf);
		return vt_fail(err, ENOMEM, "encode batch: out of memory");
	}
	if (buf.len > VT_WIRE_MAX) {
		vt_buf_done(&buf);
		return vt_fail(err, EMSGSIZE, "encode batch: more than %d bytes", VT_WIRE_MAX);
	}
	body = htole32((uint32_t)(buf.len - body_start));
	memcpy(buf.data + WIRE_HEADER_SIZE - 4, &body, sizeof(body));
	*ret_bytes = buf.data;
	*ret_size = buf.len;
	return 0;
}
