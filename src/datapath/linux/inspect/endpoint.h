// SPDX-License-Identifier: BSD-3-Clause
/*
 * Ends behind our hooks: drops in the network namespace of a container behind one of our ports, and ICMP errors that
 * say what a machine further on did with the packet. Unlike drops inside, most of what happens there is none of our
 * business: a VM that throws away a duplicate has lost nothing. So only what is surely a loss of this packet counts.
 */
#ifndef VT_DATAPATH_LINUX_INSPECT_ENDPOINT_H
#define VT_DATAPATH_LINUX_INSPECT_ENDPOINT_H

#include "datapath/linux/inspect/drop.h"

/* True if the packet is lost by this; what is not stays delivered. */
bool endpoint_is_loss(const struct drop *drop);

/* Always fills the finding, for drops that endpoint_is_loss(). */
void endpoint_inspect(struct rtnl *rt, const struct drop *drop, struct finding *finding);

#endif
