// SPDX-License-Identifier: BSD-3-Clause
/*
 * Batches as bytes: the body of POST /v1/agent/records. Versioned, little-endian, every length bounded; strings and
 * optional parts are left out where empty. The layout is described in wire_format.h.
 */
#ifndef VT_CORE_WIRE_H
#define VT_CORE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/batch.h"

#define VT_WIRE_MAX (1024 * 1024) /* bytes of one encoded batch; the server refuses more */

/*
 * Encodes into a new buffer, *ret_bytes, that the caller frees. -EMSGSIZE past VT_BATCH_ITEMS_MAX or VT_WIRE_MAX;
 * -EINVAL for what no decoder would take (a batch without node name, kind or number, values that are not of their
 * enum); -ENOMEM.
 */
int vt_wire_encode(const struct vt_batch *batch, uint8_t **ret_bytes, size_t *ret_size, struct vt_err *err);

/*
 * Decodes and checks everything: magic, version, lengths, enum values, strings. *ret_batch is one allocation, freed
 * with vt_batch_free(). Nothing of `bytes` is kept. -EBADMSG with the offset of the fault; -EPROTONOSUPPORT for a
 * version that is newer; -ENOMEM. Items of unknown type are left out, an unknown cause becomes VT_CAUSE_UNEXPLAINED
 * (the agent is newer than we are). Strings come out without control characters and as valid UTF-8; rec.version is
 * VT_RECORD_VERSION.
 */
int vt_wire_decode(const uint8_t *bytes, size_t size, struct vt_batch **ret_batch, struct vt_err *err);
void vt_batch_free(struct vt_batch *batch);

#endif
