/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The OpenSSL operations of one handshake by themselves, timed on the calling thread's CPU clock: the yardstick for the server. */
#ifndef CRYPTATTEST_TESTS_BENCH_KBSD_OPS_H
#define CRYPTATTEST_TESTS_BENCH_KBSD_OPS_H

#include "crypto/keypair.h"
#include "tests/lib/testpki.h"

struct op_time {
	const char *what;
	double us; /* mean CPU time of one */
};

#define OPS_MAX 8

/* Fills out, returns how many. client: the key that the resource is encrypted to. server_crt, server_key: PEM files of the
 * listener. Fails the program when an operation fails. */
size_t ops_measure(const struct testpki *pki, enum key_type client, const char *server_crt, const char *server_key,
		   unsigned int rounds, struct op_time out[static OPS_MAX]);

#endif
