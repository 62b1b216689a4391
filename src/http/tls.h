/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Who the server must be (architecture.md 4 "TLS"). One check, inside the handshake, instead of libcurl's options: only here
 * can several server names be accepted for a URL that holds an address, the time be bounded below by the build epoch, and the
 * refusal be told apart from a broken handshake, with both dates. http/ only; the file that knows OpenSSL's TLS types.
 */
#ifndef CRYPTATTEST_HTTP_TLS_H
#define CRYPTATTEST_HTTP_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct tls_rules {
	const char *const *pins;  /* NULL = none */
	const char *const *names; /* NULL = host */
	const char *host;	  /* of the URL, without brackets */
	bool ca;		  /* the SSL_CTX's store holds the configured CA: verify against it */
	int64_t time_floor;
};

/* What was seen in the last handshake. */
struct tls_peer {
	bool refused;
	char pin[64], validity[64];
	char what[200]; /* why it was refused, printable */
};

struct tls_check {
	struct tls_rules rules;
	struct tls_peer peer;
};

/* Makes this SSL_CTX (as void, so that the caller needs no OpenSSL header) judge its peers by check, which must outlive it. */
void tls_install(void *ssl_ctx, struct tls_check *check);
/* At least one certificate, and nothing that does not parse. ERR_CONFIG, id "kbs-ca". */
int tls_ca_check(const char *pem, struct err **err);
/* OpenSSL without its system-wide configuration file: the same TLS at boot and on a running system. */
void tls_init(void);

#endif
