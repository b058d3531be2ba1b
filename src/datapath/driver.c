// SPDX-License-Identifier: BSD-3-Clause
/* Choosing a driver by its name on the command line; see datapath.h. */
#include "datapath/datapath.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void driver_unknown(const struct datapath_driver *drivers, size_t n_drivers, const char *spec,
                           struct vt_err *err)
{
	char names[128] = "";
	size_t used = 0;

	for (size_t i = 0; i < n_drivers && used < sizeof(names); i++)
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", i ? ", " : "", drivers[i].name);
	vt_fail(err, EINVAL, "there is no datapath '%.100s' in this program (it has: %s)", spec, names);
}

const struct datapath_driver *datapath_find(const struct datapath_driver *drivers, size_t n_drivers, const char *spec,
                                            const char **ret_arg, struct vt_err *err)
{
	size_t length;

	if (!spec)
		spec = drivers[0].name;
	length = strcspn(spec, ":");
	*ret_arg = spec[length] && spec[length + 1] ? spec + length + 1 : NULL;
	for (size_t i = 0; i < n_drivers; i++)
		if (strlen(drivers[i].name) == length && !strncmp(drivers[i].name, spec, length))
			return &drivers[i];
	driver_unknown(drivers, n_drivers, spec, err);
	return NULL;
}
