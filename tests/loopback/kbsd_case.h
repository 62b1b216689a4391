/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What every cmocka program about one running server has. Included by the program's only source file. */
#ifndef CRYPTATTEST_TESTS_KBSD_CASE_H
#define CRYPTATTEST_TESTS_KBSD_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "tests/loopback/kbsd_agent.h"

#define SECRET "correct horse battery staple"
#define AUTH_BODY "{\"version\":\"0.4.0\",\"tee\":\"snp\",\"extra-params\":{}}"

static struct kbsd k;
static struct response r;

/* The server's directory; the test starts the server. */
static inline int setup(void **state)
{
	(void)state;
	kbsd_setup(&k);
	return 0;
}

/* A server with the agent's policy and one resource. */
static inline int start(void **state)
{
	setup(state);
	agent_install_policy(&k);
	kbsd_add_secret(&k, "default/vm/root", SECRET);
	KBSD_START(&k, "--test-root", "ROOTS");
	return 0;
}

static inline int stop(void **state)
{
	(void)state;
	assert_int_equal(kbsd_stop(&k), 0);
	kbsd_teardown(&k);
	return 0;
}

static inline bool server_answers(void)
{
	struct http h;
	bool ok = http_open(&h, k.port, "127.0.0.77", 0);

	r.status = -1;
	if (ok)
		http_request(&h, "POST", PATH_AUTH, "", AUTH_BODY, &r);
	http_close(&h);
	return ok && r.status == 200;
}

static inline void nap_ms(long ms)
{
	const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

#endif
