// SPDX-License-Identifier: BSD-3-Clause
/*
 * The vtrace program. This is the only place that names concrete datapaths; all else knows them through
 * datapath/datapath.h. What the program does is in cli/.
 */
#include <locale.h>

#include "cli/commands.h"
#include "datapath/datapath.h"
#include "datapath/fake/fake.h"
#include "datapath/linux/linux.h"
#include "datapath/vfd/vfd.h"

int main(int argc, char **argv)
{
	const struct datapath_driver drivers[] = {datapath_linux_driver, datapath_vfd_driver, datapath_fake_driver};
	const struct command_context ctx = {.drivers = drivers, .n_drivers = sizeof(drivers) / sizeof(drivers[0])};

	setlocale(LC_CTYPE, ""); /* only to know whether the terminal takes UTF-8; numbers keep their decimal point */
	return command_main(&ctx, argc, argv);
}
