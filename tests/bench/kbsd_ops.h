/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The OpenSSL operations of one handshake by themselves, timed on the calling thread's CPU clock: the yardstick for the
 * server. One round at a time, so that a bench can take turns with the server and both meet the same caches and neighbours.
 */
#ifndef CRYPTATTEST_TESTS_BENCH_KBSD_OPS_H
#define CRYPTATTEST_TESTS_BENCH_KBSD_OPS_H

#include "crypto/keypair.h"
#include "tests/lib/testpki.h"

#define OPS_N 6
#define OP_DECODE 1 /* of the leaf: a server does it once for each processor, so it belongs to no sum */

struct ops {
	struct ops_keys *keys;
	double us[OPS_N]; /* sums */
	unsigned int rounds;
};

extern const char *const ops_names[OPS_N];

/* client: the key that the resource is encrypted to. server_crt, server_key: PEM files of the listener. All of these end
 * the program when an operation fails. */
void ops_open(struct ops *o, const struct testpki *pki, enum key_type client, const char *server_crt, const char *server_key);
void ops_round(struct ops *o);
void ops_close(struct ops *o);

#endif
