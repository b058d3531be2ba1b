// SPDX-License-Identifier: BSD-3-Clause
/*
 * Bytes to batches; the layout is in wire_format.h. The bytes come from the network: nothing in them is believed before
 * it is checked, and how much memory is asked for follows from the message's own size, not from a number in it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "core/wire.h"
#include "core/wire_format.h"

struct decoder {
	const uint8_t *start;
	struct vt_reader in;
	struct vt_err *err;
	uint16_t version;
};

/* `at`: where in the message the fault is. */
static int bad(struct decoder *d, const uint8_t *at, const char *what)
{
	return vt_fail(d->err, EBADMSG, "decode batch: byte %zu: %s", (size_t)(at - d->start), what);
}

/* Reads a string of at most size - 1 bytes into `to`. False if there is none; `r` says nothing about why. */
static bool read_string(struct vt_reader *r, char *to, size_t size)
{
	size_t len = vt_read_le16(r);
	const char *bytes;

	if (len >= size)
		return false;
	bytes = vt_read_bytes(r, len);
	if (!bytes || memchr(bytes, '\0', len))
		return false;
	memcpy(to, bytes, len);
	to[len] = '\0';
	vt_text_clean(to);
	return true;
}

static void read_addr(struct vt_reader *r, bool whole, uint8_t addr[16])
{
	const void *bytes = vt_read_bytes(r, whole ? 16 : 4);

	if (!bytes)
		return;
	if (whole) {
		memcpy(addr, bytes, 16);
		return;
	}
	memset(addr, 0, 10);
	memset(addr + 10, 0xff, 2);
	memcpy(addr + 12, bytes, 4);
}

static int read_words(struct decoder *d, struct vt_reader *r, struct vt_log *log)
{
	const uint8_t *at = r->at;
	char code[64];

	if (!read_string(r, code, sizeof(code)) || !read_string(r, log->reason, sizeof(log->reason)) ||
	    !read_string(r, log->site, sizeof(log->site)) || !read_string(r, log->evidence, sizeof(log->evidence)))
		return bad(d, at, "the words of a drop are cut short, too long or have a NUL in them");
	log->cause = vt_cause_by_code(code);
	if (!log->cause && code[0])
		log->cause = VT_CAUSE_UNEXPLAINED;
	return 0;
}

static int read_parts(struct decoder *d, struct vt_reader *r, uint16_t parts, struct vt_log *log)
{
	struct vt_record *rec = &log->rec;

	if (parts & WIRE_TASK)
		rec->task = vt_read_le32(r);
	if (parts & WIRE_VNI)
		rec->vni = vt_read_le32(r);
	if (parts & WIRE_TCP) {
		rec->tcp_seq = vt_read_le32(r);
		rec->payload = vt_read_le32(r);
	}
	if (parts & WIRE_OUTER) {
		read_addr(r, parts & WIRE_OUTER6, rec->outer_src);
		read_addr(r, parts & WIRE_OUTER6, rec->outer_dst);
	}
	if (parts & WIRE_RAW) {
		rec->reason = vt_read_le32(r);
		rec->dst_error = (int32_t)vt_read_le32(r);
		rec->site = vt_read_le64(r);
	}
	return parts & WIRE_WORDS ? read_words(d, r, log) : 0;
}

static int read_record(struct decoder *d, struct vt_reader *r, struct vt_log *log)
{
	const uint8_t *start = r->at;
	struct vt_record *rec = &log->rec;
	uint16_t parts = vt_read_le16(r);

	rec->version = VT_RECORD_VERSION;
	rec->flags = vt_read_le16(r);
	rec->loc = vt_read_u8(r);
	rec->hop = vt_read_u8(r);
	rec->flow.family = vt_read_u8(r);
	rec->flow.proto = vt_read_u8(r);
	rec->packet_id = vt_read_le64(r);
	rec->time_ns = vt_read_le64(r);
	rec->seq = vt_read_le64(r);
	rec->ifindex = vt_read_le32(r);
	rec->length = vt_read_le32(r);
	rec->segments = vt_read_le16(r);
	rec->flow.sport = vt_read_le16(r);
	rec->flow.dport = vt_read_le16(r);
	read_addr(r, parts & WIRE_FLOW6, rec->flow.src);
	read_addr(r, parts & WIRE_FLOW6, rec->flow.dst);
	if (r->failed)
		return bad(d, start, "a record is cut short");
	if ((parts & ~WIRE_PARTS_ALL) || (parts & (WIRE_OUTER | WIRE_OUTER6)) == WIRE_OUTER6)
		return bad(d, start, "a record has parts that do not exist");
	if (rec->loc < VT_LOC_IN || rec->loc > VT_LOC_ERROR)
		return bad(d, start + 4, "a record's place is not in, out or error");
	if (rec->hop < 1 || rec->hop > VT_HOP_MAX)
		return bad(d, start + 5, "a record's hop is not 1 to 15");
	if (rec->flow.family != 4 && rec->flow.family != 6)
		return bad(d, start + 6, "a record's family is not 4 or 6");
	if (!read_string(r, log->device, sizeof(log->device)))
		return bad(d, start, "a record's device is cut short, too long or has a NUL in it");
	return read_parts(d, r, parts, log);
}

static int read_node(struct decoder *d, struct vt_reader *r, struct vt_node_info *node)
{
	const uint8_t *start = r->at;
	const void *addrs;

	if (!read_string(r, node->datapath, sizeof(node->datapath)) ||
	    !read_string(r, node->version, sizeof(node->version)))
		return bad(d, start, "a node's datapath or version is cut short, too long or has a NUL in it");
	node->devices = vt_read_le32(r);
	node->n_addrs = vt_read_u8(r);
	if (node->n_addrs > VT_NODE_ADDRS_MAX)
		return bad(d, r->at - 1, "a node has more than 64 addresses");
	addrs = vt_read_bytes(r, node->n_addrs * sizeof(node->addrs[0]));
	if (addrs)
		memcpy(node->addrs, addrs, node->n_addrs * sizeof(node->addrs[0]));
	return 0;
}

static int read_item_body(struct decoder *d, struct vt_reader *r, struct vt_item *item)
{
	switch (item->type) {
	case VT_ITEM_RECORD:
		return read_record(d, r, &item->log);
	case VT_ITEM_ARMED:
	case VT_ITEM_STARTED:
		item->task = vt_read_le32(r);
		return 0;
	case VT_ITEM_FAILED:
		item->task = vt_read_le32(r);
		if (!read_string(r, item->text, sizeof(item->text)))
			return bad(d, r->at, "a failure's text is cut short, too long or has a NUL in it");
		return 0;
	case VT_ITEM_STOPPED:
		item->task = vt_read_le32(r);
		item->coloured[0] = vt_read_le64(r);
		item->coloured[1] = vt_read_le64(r);
		return 0;
	case VT_ITEM_PROGRESS:
		item->progress.lost = vt_read_le64(r);
		if (d->version == 1)
			return 0;
		item->progress.seq = vt_read_le64(r);
		item->progress.time_ns = vt_read_le64(r);
		return 0;
	case VT_ITEM_NODE:
		return read_node(d, r, &item->node);
	}
	return 0;
}

/* Reads one item; *ret_known is false for a type that was skipped, and `item` is still zeroed then. */
static int read_item(struct decoder *d, struct vt_item *item, bool *ret_known)
{
	const uint8_t *start = d->in.at, *body;
	uint8_t type = vt_read_u8(&d->in), zero = vt_read_u8(&d->in);
	uint16_t length = vt_read_le16(&d->in);
	struct vt_reader r;
	int ret;

	body = vt_read_bytes(&d->in, length);
	if (!body)
		return bad(d, start, "an item is longer than the message");
	if (zero)
		return bad(d, start + 1, "a byte that must be 0 is not");
	*ret_known = type >= VT_ITEM_RECORD && type <= VT_ITEM_STARTED;
	if (!*ret_known)
		return 0;
	item->type = type;
	r = (struct vt_reader){.at = body, .end = body + length};
	ret = read_item_body(d, &r, item);
	if (ret)
		return ret;
	if (r.failed)
		return bad(d, start, "an item is cut short");
	if (r.at != r.end)
		return bad(d, r.at, "an item has bytes behind its end");
	return 0;
}

static int read_node_name(struct decoder *d, size_t len, struct vt_batch *batch)
{
	const uint8_t *at = d->in.at;
	const void *name;

	if (!len || len >= sizeof(batch->node))
		return bad(d, d->start + 7, "the node's name must have 1 to 63 bytes");
	name = vt_read_bytes(&d->in, len);
	if (!name)
		return bad(d, at, "the node's name is cut short");
	memcpy(batch->node, name, len);
	batch->node[len] = '\0';
	if (strlen(batch->node) != len || !vt_text_is_clean(batch->node))
		return bad(d, at, "the node's name has control characters in it or is not UTF-8");
	return 0;
}

static int read_header(struct decoder *d, struct vt_batch *batch)
{
	const void *magic = vt_read_bytes(&d->in, 4);
	uint32_t body;
	uint8_t name_len;
	int ret;

	d->version = vt_read_le16(&d->in);
	if (!magic || memcmp(magic, WIRE_MAGIC, 4))
		return bad(d, d->start, "this is not a batch of records");
	if (!d->in.failed && (!d->version || d->version > WIRE_VERSION))
		return vt_fail(d->err, EPROTONOSUPPORT,
		               "decode batch: version %u is not supported, only 1 to %d (update the older side)",
		               d->version, WIRE_VERSION);
	batch->kind = vt_read_u8(&d->in);
	name_len = vt_read_u8(&d->in);
	batch->boot = vt_read_le64(&d->in);
	batch->number = vt_read_le64(&d->in);
	batch->n_items = vt_read_le32(&d->in);
	body = vt_read_le32(&d->in);
	if (d->in.failed)
		return bad(d, d->in.at, "the header is cut short");
	if (batch->kind != VT_KIND_VSWITCH && batch->kind != VT_KIND_VROUTER)
		return bad(d, d->start + 6, "the node's kind is not vswitch or vrouter");
	if (!batch->number)
		return bad(d, d->start + 16, "the batch has number 0, numbers start at 1");
	if (batch->n_items > VT_BATCH_ITEMS_MAX)
		return bad(d, d->start + 24, "there are more than 1024 items");
	ret = read_node_name(d, name_len, batch);
	if (ret)
		return ret;
	if (body != (size_t)(d->in.end - d->in.at))
		return bad(d, d->start + 28, "the message is longer or shorter than its header says");
	if (batch->n_items > body / WIRE_ITEM_HEADER)
		return bad(d, d->start + 24, "there are more items than the message can hold");
	return 0;
}

/* Fills batch->items, which are zeroed; items of unknown type leave no trace. */
static int read_items(struct decoder *d, struct vt_batch *batch, uint32_t count)
{
	bool known = false;
	int ret;

	for (uint32_t i = 0; i < count; i++) {
		ret = read_item(d, &batch->items[batch->n_items], &known);
		if (ret)
			return ret;
		batch->n_items += known;
	}
	return d->in.at == d->in.end ? 0 : bad(d, d->in.at, "there are bytes behind the last item");
}

int vt_wire_decode(const uint8_t *bytes, size_t size, struct vt_batch **ret_batch, struct vt_err *err)
{
	struct decoder d = {.start = bytes, .in = {.at = bytes, .end = bytes + size}, .err = err};
	struct vt_batch header = {0}, *batch;
	uint32_t count;
	int ret;

	if (size > VT_WIRE_MAX)
		return vt_fail(err, EBADMSG, "decode batch: %zu bytes, the limit is %d", size, VT_WIRE_MAX);
	ret = read_header(&d, &header);
	if (ret)
		return ret;
	count = header.n_items;
	batch = calloc(1, sizeof(*batch) + count * sizeof(struct vt_item));
	if (!batch)
		return vt_fail(err, ENOMEM, "decode batch: out of memory for %u items", count);
	*batch = header;
	batch->n_items = 0;
	batch->items = (struct vt_item *)(batch + 1);
	ret = read_items(&d, batch, count);
	if (ret) {
		vt_batch_free(batch);
		return ret;
	}
	*ret_batch = batch;
	return 0;
}

void vt_batch_free(struct vt_batch *batch)
{
	free(batch);
}
