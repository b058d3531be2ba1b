// SPDX-License-Identifier: BSD-3-Clause
/* Framing of the messages between agents and devices; see vdg_wire.h. */
#include "core/vdg_wire.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"

void vdg_wire_put(struct vt_buf *buf, enum vdg_wire_type type, uint32_t id, const void *body, size_t len)
{
	vt_buf_le32(buf, (uint32_t)(VDG_WIRE_HEADER - 4 + len));
	vt_buf_u8(buf, (uint8_t)type);
	vt_buf_le32(buf, id);
	vt_buf_put(buf, body, len);
}

void vdg_wire_put_fail(struct vt_buf *buf, uint32_t id, int code, const char *text)
{
	size_t len = strnlen(text, VT_ERR_MAX - 1);

	vt_buf_le32(buf, (uint32_t)(VDG_WIRE_HEADER - 4 + 4 + len));
	vt_buf_u8(buf, VDG_WIRE_FAIL);
	vt_buf_le32(buf, id);
	vt_buf_le32(buf, (uint32_t)code);
	vt_buf_put(buf, text, len);
}

int vdg_wire_next(const uint8_t *bytes, size_t size, size_t max, struct vdg_message *ret)
{
	struct vt_reader in = {.at = bytes, .end = bytes + size};
	uint32_t length = vt_read_le32(&in);

	if (in.failed)
		return 0;
	if (length < VDG_WIRE_HEADER - 4 || length > max - 4)
		return -EBADMSG;
	if (size - 4 < length)
		return 0;
	ret->type = vt_read_u8(&in);
	ret->id = vt_read_le32(&in);
	ret->body = in.at;
	ret->len = length - (VDG_WIRE_HEADER - 4);
	return (int)(length + 4);
}

int vdg_wire_failure(const struct vdg_message *message, struct vt_err *err)
{
	struct vt_reader in = {.at = message->body, .end = message->body + message->len};
	uint32_t code = vt_read_le32(&in);
	size_t len = (size_t)(in.end - in.at);
	char text[VT_ERR_MAX];

	if (in.failed)
		len = 0;
	if (len >= sizeof(text))
		len = sizeof(text) - 1;
	memcpy(text, in.at, len);
	text[len] = '\0';
	vt_text_clean(text);
	return vt_fail(err, code && code < 4096 ? (int)code : EPROTO, "%s", text[0] ? text : "it gives no reason");
}
