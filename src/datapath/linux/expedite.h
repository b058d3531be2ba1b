// SPDX-License-Identifier: BSD-3-Clause
/*
 * Short times in which the kernel's RCU grace periods are expedited.
 *
 * Attaching or detaching one tcx program waits for a grace period under the rtnl lock (tcx_entry_sync(), kernel 6.6
 * on): 5 to 40 ms each, so that a host with 50 ports would take seconds to arm. Expedited ones take 0.1 ms; the kernel
 * itself uses them whenever a device comes or goes. The switch is /sys/kernel/rcu_expedited (kernel-parameters.txt,
 * rcupdate.rcu_expedited); it is put back when the work is done, and by a small guard process if we are killed in
 * between.
 */
#ifndef VT_DATAPATH_LINUX_EXPEDITE_H
#define VT_DATAPATH_LINUX_EXPEDITE_H

struct expedite;

/*
 * Starts the guard, which ends with us. Call it before any BPF link is opened, so that the guard holds none of them.
 * NULL where the switch cannot be set; begin and end then do nothing, and things only take longer.
 */
struct expedite *expedite_open(void);
void expedite_close(struct expedite *e);

void expedite_begin(struct expedite *e);
void expedite_end(struct expedite *e);

#endif
