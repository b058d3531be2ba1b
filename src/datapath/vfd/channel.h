// SPDX-License-Identifier: BSD-3-Clause
/* The connection to a device: messages out, messages in, with limits on how long the device may take. */
#ifndef VT_VFD_CHANNEL_H
#define VT_VFD_CHANNEL_H

#include <stdbool.h>

#include "core/vdg_wire.h"

struct channel {
	int fd;
	char path[128];
	uint8_t *in;       /* VDG_ANSWER_MAX bytes */
	size_t start, end; /* what of `in` has not been taken */
};

int channel_open(struct channel *channel, const char *path, struct vt_err *err);
void channel_close(struct channel *channel);

/* Sends a message, waiting at most until `deadline_ns` for the device to take it. */
int channel_send(struct channel *channel, enum vdg_wire_type type, uint32_t id, const void *body, size_t len,
                 uint64_t deadline_ns, struct vt_err *err);

/*
 * The next message, that holds until the next call. 1; 0 if none came until `deadline_ns` (0: does not wait); -errno
 * when the device is gone or says nonsense.
 */
int channel_next(struct channel *channel, struct vdg_message *message, uint64_t deadline_ns, struct vt_err *err);

#endif
