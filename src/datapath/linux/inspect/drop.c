// SPDX-License-Identifier: BSD-3-Clause
/* Answers of inspectors; see drop.h. */
#include "datapath/linux/inspect/drop.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/task.h"

int drop_found(struct finding *finding, enum vt_cause cause, const char *fmt, ...)
{
	va_list args;

	finding->cause = cause;
	va_start(args, fmt);
	vsnprintf(finding->evidence, sizeof(finding->evidence), fmt, args);
	va_end(args);
	return 1;
}

int drop_unsure(struct finding *finding, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(finding->evidence, sizeof(finding->evidence), fmt, args);
	va_end(args);
	return 0;
}

const char *drop_address(const __u8 addr[16], char *buf)
{
	vt_addr_format(addr, buf, INET6_ADDRSTRLEN);
	return buf;
}

const __u8 *drop_source(const struct drop *drop)
{
	return drop_is_outer(drop) ? drop->rec->outer_src : drop->rec->flow.src;
}

const __u8 *drop_destination(const struct drop *drop)
{
	return drop_is_outer(drop) ? drop->rec->outer_dst : drop->rec->flow.dst;
}

struct fib_key drop_fib_key(const struct drop *drop)
{
	static const __u8 mapped[12] = {[10] = 0xff, [11] = 0xff};
	const __u8 *src = drop_source(drop), *dst = drop_destination(drop);
	bool ipv4 = !memcmp(dst, mapped, sizeof(mapped));

	return (struct fib_key){
	    .family = ipv4 ? AF_INET : AF_INET6,
	    .src = ipv4 ? src + 12 : src,
	    .dst = ipv4 ? dst + 12 : dst,
	    .iif = drop->rec->ifindex,
	    .iif_name = drop->device,
	};
}
