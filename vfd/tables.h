/* SPDX-License-Identifier: BSD-3-Clause */
/* All that a device has beside ports and workers: made from its configuration before workers start. */
#ifndef VFD_TABLES_H
#define VFD_TABLES_H

#include "device.h"

/* socket NULL: without VTrace. -errno and error (VDG_ERROR_MAX); what was made is undone by tables_close(). */
int tables_open(struct device *dev, struct config *config, const char *socket, char *error);
void tables_close(struct device *dev); /* behind workers */

#endif
