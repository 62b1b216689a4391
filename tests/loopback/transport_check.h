/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A transport child of our own to a server that may misbehave. Include after cmocka.h. */
#ifndef CRYPTATTEST_TESTS_TRANSPORT_CHECK_H
#define CRYPTATTEST_TESTS_TRANSPORT_CHECK_H

#include "base/clock.h"
#include "http/transport.h"
#include "tests/loopback/faultkbs.h"

static inline struct transport *transport_to(const struct fault_server *server, const struct testcert *cert,
					     transport_reducer reducer)
{
	const char *urls[] = { server->url, NULL }, *pin[] = { cert->pin, NULL };
	const struct transport_config conf = { .urls = urls, .pins = pin };
	struct transport *t = NULL;

	assert_int_equal(transport_start(reducer, &t, NULL), 0);
	assert_int_equal(transport_configure(t, &conf, NULL), 0);
	return t;
}

static inline void ask(struct transport *t, const char *path, uint64_t ms, struct transport_reply *reply)
{
	assert_int_equal(transport_request(t, 0, "GET", path, NULL, true, deadline_in_ms(ms), reply, NULL), 0);
}

#endif
