/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the device says of itself, over a UNIX socket: one line of a request ("show drops"), one JSON document as
 * answer, then the connection ends. `vtrace-vfd ctl PATH show drops` is the client.
 */
#ifndef VFD_CTL_H
#define VFD_CTL_H

#include "vfd/device.h"

int ctl_listen(const char *path, struct vt_err *err); /* the socket, -errno */
void ctl_serve(struct device *device, int socket);    /* one connection that waits; takes a second at most */
int ctl_ask(const char *path, const char *request);   /* prints the answer; exit status */

#endif
