// SPDX-License-Identifier: BSD-3-Clause
/* Between http.c and http_reply.c: a filled reply on its way to libmicrohttpd. */
#ifndef VT_SERVER_HTTP_REPLY_H
#define VT_SERVER_HTTP_REPLY_H

#include <microhttpd.h>

#include "server/http.h"

/* Queues the reply and empties it. MHD_NO: the connection must be dropped. */
enum MHD_Result reply_queue(struct MHD_Connection *connection, struct http_reply *reply);

void reply_clear(struct http_reply *reply);

#endif
