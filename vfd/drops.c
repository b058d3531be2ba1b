// SPDX-License-Identifier: BSD-3-Clause
#include "vfd/drops.h"

const struct drop_info drop_infos[DROPS] = {
#define DROP_INFO(name, code, site) {#name, code, site},
    VFD_DROPS(DROP_INFO)
#undef DROP_INFO
};
