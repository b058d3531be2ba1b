// SPDX-License-Identifier: BSD-3-Clause
/* The BPF object, loaded: its programs, its shared memory, its ring. The rest of the driver does not see libbpf's
 * skeleton. */
#ifndef VT_DATAPATH_LINUX_LOAD_H
#define VT_DATAPATH_LINUX_LOAD_H

#include "base/err.h"
#include "datapath/linux/attach.h"
#include "datapath/linux/bpf/shared.h"

struct load;

/* Loads for the calling thread's network namespace. The error says what is missing: privilege, BTF, kernel version. */
int load_open(struct load **ret, uint32_t mark_mask, struct vt_err *err);
void load_close(struct load *l);

void load_programs(const struct load *l, struct attach_programs *programs);
struct bpf_config *load_config(const struct load *l); /* memory that the programs read */
struct slot *load_slots(const struct load *l);        /* RULE_SLOTS_MAX of them, shared with the programs */
int load_rules_fd(const struct load *l);

void load_device(struct load *l, int ifindex, uint32_t vni, bool leaf);

/* The programs' table of devices and of VXLAN ports becomes what `devices` says; devices that are gone leave it. */
void load_devices(struct load *l, const struct devices *devices);

/* Polls readable when a record came while config->reader_asleep was set. Watch it edge-triggered. */
int load_wake_fd(const struct load *l);

/* Takes one record; context is that of an `error`, else NULL. Both hold during the call only. */
typedef void (*load_record_fn)(void *arg, const struct vt_record *rec, const struct drop_context *context);

/* Hands over all records in the ring. */
void load_drain(struct load *l, load_record_fn fn, void *arg);

/* Records lost so far: ring full, headers unreadable, a drop that interrupted the drop program itself. */
uint64_t load_lost(const struct load *l);

#endif
