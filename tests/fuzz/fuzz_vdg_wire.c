// SPDX-License-Identifier: BSD-3-Clause
/*
 * Any bytes as what comes over the socket between an agent and a device: messages lie inside the bytes and survive
 * being sent again, a FAIL's text is clean. The bytes come in pieces, as from a stream; the first byte says how long
 * these are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/vdg_wire.h"
#include "fuzz.h"

static void check_failure(const struct vdg_message *message)
{
	struct vt_err err = {0};
	int ret = vdg_wire_failure(message, &err);

	fuzz_check(ret < 0 && ret > -4096 && err.text[0]);
	fuzz_check(vt_text_is_clean(err.text));
}

static void check_again(const struct vdg_message *message, size_t size)
{
	struct vdg_message again;
	struct vt_buf buf = {0};

	vdg_wire_put(&buf, message->type, message->id, message->body, message->len);
	fuzz_check(buf.len == size);
	fuzz_check(vdg_wire_next(buf.data, buf.len, VDG_REQUEST_MAX, &again) == (int)size);
	fuzz_check(again.type == message->type && again.id == message->id && again.len == message->len);
	fuzz_check(!memcmp(again.body, message->body, message->len));
	vt_buf_done(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vdg_message message;
	size_t at = 1, have = 1, step;
	int n;

	if (!size)
		return 0;
	step = data[0] ? data[0] : size;
	while (have < size) {
		have = size - have < step ? size : have + step;
		while ((n = vdg_wire_next(data + at, have - at, VDG_REQUEST_MAX, &message)) > 0) {
			fuzz_check((size_t)n <= have - at && n >= VDG_WIRE_HEADER);
			fuzz_check(message.body >= data + at && message.body + message.len == data + at + n);
			check_again(&message, (size_t)n);
			check_failure(&message);
			at += (size_t)n;
		}
		if (n < 0) {
			fuzz_check(n == -EBADMSG);
			return 0; /* the connection is closed */
		}
	}
	return 0;
}
