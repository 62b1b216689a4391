/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* CoCo init-data: the small TOML subset it uses (kbs-protocol.md 6 "init-data", architecture.md 4 "init-data"). */
#ifndef CRYPTATTEST_WIRE_INIT_DATA_H
#define CRYPTATTEST_WIRE_INIT_DATA_H

#include <stdbool.h>

#include "base/err.h"
#include "crypto/digest.h"

#define INIT_DATA_MAX (256 * 1024)

struct init_data {
	enum digest_alg alg;
	char **keys, **values; /* [data], same length, NULL-terminated */
	uint8_t digest[DIGEST_MAX]; /* over the text as received */
};

/* version "0.1.0", algorithm, [data] string map (basic, literal and multi-line strings, at most 256 keys). Everything else
 * is refused, not skipped. At most INIT_DATA_MAX bytes. ERR_INTEGRITY (id "init-data") with line number. */
int init_data_parse(const char *text, size_t len, struct init_data *ret, struct err **err);
const char *init_data_get(const struct init_data *d, const char *key); /* NULL if absent */
/* Does the digest, truncated or zero-padded to len, equal HOST_DATA (32) or MRCONFIGID (48)? */
bool init_data_matches(const struct init_data *d, const uint8_t *field, size_t len);
void init_data_clear(struct init_data *d);

#endif
