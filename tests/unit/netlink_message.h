/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Writing rtnetlink messages, for the tests of net/. */
#ifndef CRYPTATTEST_TESTS_NETLINK_MESSAGE_H
#define CRYPTATTEST_TESTS_NETLINK_MESSAGE_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <string.h>

struct message {
	uint8_t data[512];
	size_t len;
};

static inline void begin(struct message *m, uint16_t type, uint16_t flags, uint32_t seq, const void *head, size_t head_len)
{
	struct nlmsghdr h = { .nlmsg_type = type, .nlmsg_flags = flags, .nlmsg_seq = seq };

	memset(m, 0, sizeof(*m));
	memcpy(m->data, &h, sizeof(h));
	memcpy(m->data + NLMSG_HDRLEN, head, head_len);
	m->len = NLMSG_HDRLEN + NLMSG_ALIGN(head_len);
}

static inline size_t open_attr(struct message *m, uint16_t type, const void *data, size_t len)
{
	struct rtattr a = { .rta_len = (unsigned short)(sizeof(a) + len), .rta_type = type };
	size_t at = m->len;

	memcpy(m->data + at, &a, sizeof(a));
	if (len)
		memcpy(m->data + at + sizeof(a), data, len);
	m->len += RTA_ALIGN(sizeof(a) + len);
	return at;
}

static inline void close_attr(struct message *m, size_t at)
{
	unsigned short len = (unsigned short)(m->len - at);

	memcpy(m->data + at, &len, sizeof(len));
}

static inline void end(struct message *m)
{
	uint32_t len = (uint32_t)m->len;

	memcpy(m->data, &len, sizeof(len));
}

#endif
