/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "push/packet.h"

#include <string.h>

#include "base/cleanup.h"
#include "http/frame.h" /* FRAME_PART */

static void put_text(struct buf *out, const char *s)
{
	buf_put_u16be(out, (uint16_t)strlen(s));
	buf_puts(out, s);
}

static void put_data(struct buf *out, const struct buf *data)
{
	buf_put_u32be(out, (uint32_t)data->len);
	buf_append(out, data->data, data->len);
}

static void put_fields(const struct push_packet *p, struct buf *out)
{
	switch (p->type) {
	case PACKET_LISTEN:
		return;
	case PACKET_ANSWER:
		buf_put_u8(out, p->last);
		put_data(out, &p->data);
		return;
	case PACKET_LISTENING:
		buf_put_u16be(out, p->port);
		return;
	case PACKET_FAILED:
		put_text(out, p->text);
		return;
	case PACKET_HELLO:
		buf_append(out, p->nonce, sizeof(p->nonce));
		buf_append(out, p->exporter, sizeof(p->exporter));
		buf_append(out, p->operator, sizeof(p->operator));
		put_text(out, p->from);
		return;
	case PACKET_SECRET:
		put_data(out, &p->data);
		return;
	case PACKET_ENDED:
		put_text(out, p->id);
		put_text(out, p->from);
		put_text(out, p->text);
		return;
	}
}

void push_packet_put(const struct push_packet *p, struct buf *out)
{
	buf_put_u8(out, (uint8_t)p->type);
	buf_put_u8(out, 0);
	buf_put_u16be(out, p->conn);
	put_fields(p, out);
	/* A message that ends on a part's border has no end for the receiver (http/chan.c). */
	if (out->len % FRAME_PART == 0)
		buf_put_u8(out, 0);
}

static int bad(struct err **err, const char *what)
{
	return err_set(err, ERR_INTEGRITY, "push-packet", "the listener's packet: %s", what);
}

static int get_text(struct rd *r, char *out, size_t cap, struct err **err)
{
	size_t len = rd_u16be(r);
	const uint8_t *p;

	if (r->bad || len >= cap)
		return bad(err, "a text that is too long");
	p = rd_ref(r, len);
	if (!p)
		return bad(err, "a cut text");
	for (size_t i = 0; i < len; i++)
		if (p[i] < 0x20 || p[i] > 0x7e)
			return bad(err, "a text that is not printable");
	memcpy(out, p, len);
	out[len] = 0;
	return 0;
}

static int get_data(struct rd *r, size_t max, struct buf *out, struct err **err)
{
	size_t len = rd_u32be(r);
	const uint8_t *p;

	if (r->bad || len > max)
		return bad(err, "data that are too long");
	p = rd_ref(r, len);
	if (!p)
		return bad(err, "cut data");
	buf_init(out, max ? max : 1);
	buf_append(out, p, len);
	return buf_check(out, err);
}

static int get_fields(struct rd *r, struct push_packet *p, struct err **err)
{
	switch (p->type) {
	case PACKET_LISTEN:
		return 0;
	case PACKET_ANSWER:
		p->last = rd_u8(r);
		return get_data(r, PUSH_ANSWER_MAX, &p->data, err);
	case PACKET_LISTENING:
		p->port = rd_u16be(r);
		return 0;
	case PACKET_FAILED:
		return get_text(r, p->text, sizeof(p->text), err);
	case PACKET_HELLO:
		rd_copy(r, p->nonce, sizeof(p->nonce));
		rd_copy(r, p->exporter, sizeof(p->exporter));
		rd_copy(r, p->operator, sizeof(p->operator));
		return get_text(r, p->from, sizeof(p->from), err);
	case PACKET_SECRET:
		return get_data(r, PUSH_SECRET_MAX, &p->data, err);
	case PACKET_ENDED:
		if (get_text(r, p->id, sizeof(p->id), err) < 0 || get_text(r, p->from, sizeof(p->from), err) < 0)
			return -1;
		return get_text(r, p->text, sizeof(p->text), err);
	}
	return bad(err, "of an unknown type");
}

int push_packet_get(const uint8_t *msg, size_t len, bool from_listener, struct push_packet *ret, struct err **err)
{
	struct rd r = RD_INIT(msg, len);
	struct push_packet p = { .type = rd_u8(&r) };
	uint8_t zero = rd_u8(&r);

	p.conn = rd_u16be(&r);
	if (r.bad || zero || (p.type >= PACKET_LISTENING) != from_listener)
		return bad(err, "no packet of this direction");
	if (get_fields(&r, &p, err) < 0) {
		push_packet_clear(&p);
		return -1;
	}
	/* The byte behind a message that would have ended on a part's border. */
	if (rd_left(&r) == 1 && len % FRAME_PART == 1)
		rd_u8(&r);
	if (r.bad || rd_left(&r)) {
		push_packet_clear(&p);
		return bad(err, "of a wrong length");
	}
	*ret = p;
	return 0;
}

void push_packet_clear(struct push_packet *p)
{
	buf_free(&p->data);
	*p = (struct push_packet){ 0 };
}
