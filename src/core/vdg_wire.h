// SPDX-License-Identifier: BSD-3-Clause
/*
 * Messages between an agent and a forwarding device that embeds libvdg, over a stream socket of one machine. No I/O
 * here.
 *
 *   message  length u32 (of what follows) | type u8 | id u32 | body         numbers are little-endian
 *
 * The agent asks, with an id of its own that the answer repeats, and is answered in order. HELLO comes first; its form
 * and that of FAIL never change.
 *
 *   HELLO   magic "VDG1" | version u16            BATCH with NODE and PROGRESS, then OK
 *   ARM     the task as JSON (core/result.h)      OK when each flow that it wants is known to be wanted
 *   START   task u32                              OK
 *   STOP    task u32                              what SYNC does, BATCH with STOPPED, then OK
 *   DISARM  task u32                              OK
 *   SYNC                                          all records made before it was read, BATCH with PROGRESS, then OK
 *   OK
 *   FAIL    errno u32 | text                      id 0: of the connection, which is closed then
 *   BATCH   a batch as core/wire.h has it; id 0
 *
 * A PROGRESS has the device's count of lost records since it began; its seq and time are 0.
 */
#ifndef VT_CORE_VDG_WIRE_H
#define VT_CORE_VDG_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "core/wire.h"

#define VDG_WIRE_MAGIC   "VDG1"
#define VDG_WIRE_VERSION 1
#define VDG_WIRE_HEADER  9                  /* length, type, id */
#define VDG_REQUEST_MAX  4096               /* bytes of a message to a device; the longest task's JSON has 700 */
#define VDG_ANSWER_MAX   (VT_WIRE_MAX + 64) /* bytes of a message to an agent */

enum vdg_wire_type {
	VDG_WIRE_HELLO = 1,
	VDG_WIRE_ARM,
	VDG_WIRE_START,
	VDG_WIRE_STOP,
	VDG_WIRE_DISARM,
	VDG_WIRE_SYNC,
	VDG_WIRE_OK = 65,
	VDG_WIRE_FAIL,
	VDG_WIRE_BATCH,
};

struct vdg_message {
	uint8_t type;
	uint32_t id;
	const uint8_t *body; /* in the bytes that it was read from */
	size_t len;
};

void vdg_wire_put(struct vt_buf *buf, enum vdg_wire_type type, uint32_t id, const void *body, size_t len);
void vdg_wire_put_fail(struct vt_buf *buf, uint32_t id, int code, const char *text);

/*
 * The first message of `bytes`: its size with its length, 0 if it is not all there yet, -EBADMSG for one that is longer
 * than `max` or shorter than its header.
 */
int vdg_wire_next(const uint8_t *bytes, size_t size, size_t max, struct vdg_message *ret);

/* What a FAIL says, as an error; returns its -errno. The text is cleaned. */
int vdg_wire_failure(const struct vdg_message *message, struct vt_err *err);

#endif
