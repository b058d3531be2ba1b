/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket: a line of JSON in, one out, over a UNIX socket. {"do": "drops"} and so on; people use
 * `vtrace-vfd ctl PATH show drops`.
 */
#ifndef VFD_CTL_H
#define VFD_CTL_H

#include "device.h"

#include <sys/un.h>

int ctl_address(const char *path, struct sockaddr_un *ret); /* -ENAMETOOLONG */
int ctl_listen(const char *path);                           /* a descriptor, or -errno */
void ctl_serve(struct device *dev, int listen_fd);          /* one request; a client that is slow is hung up on */
int ctl_client(int argc, char **argv);                      /* PATH, then the words; the exit status */

#endif
