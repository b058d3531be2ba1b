// SPDX-License-Identifier: BSD-3-Clause
/* The driver of forwarding devices that embed libvdg: `vfd:SOCKET`. It speaks core/vdg_wire.h with the device. */
#ifndef VT_VFD_H
#define VT_VFD_H

#include "datapath/datapath.h"

extern const struct datapath_driver datapath_vfd_driver;

#endif
