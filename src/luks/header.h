/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The sealed header copy (procedure steps 2-5, architecture.md 3 step 2): read once, into a sparse memfd sealed against
 * writing; everything later reads the copy. No network, no device-mapper, no root; works on image files.
 *
 * luks/ includes base, crypto and wire (JSON, secret document); unlock/ and the verbs `check` and `document` call it.
 */
#ifndef CRYPTATTEST_LUKS_HEADER_H
#define CRYPTATTEST_LUKS_HEADER_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "luks/device.h"

#define LUKS_KEYSLOTS_MAX 32

struct luks_header {
	int memfd; /* sealed; -1 when there is none */
	uint64_t hdr_size, data_offset;
	char uuid[37];	/* lower case, checked */
	char label[49]; /* printable ASCII, unauthenticated */
	json_t *json;	/* raw JSON area, duplicates rejected */
	size_t copied;	/* bytes read from the device */
};

#define LUKS_HEADER_INIT { .memfd = -1 }

enum luks_profile { LUKS_STRICT, LUKS_COMPAT };
enum luks_integrity { INTEGRITY_ANY, INTEGRITY_NONE, INTEGRITY_HMAC_SHA256 };

/*
 * What the configuration pins; zero = default. Compat takes, besides everything that strict takes: known persistent flags
 * (H5, then ignored), 32-byte volume keys (H7), argon2i (H9), the 20-byte digest of converted LUKS1 volumes (H10), and tokens
 * of clevis and systemd (H11, ignored).
 */
struct luks_policy {
	enum luks_profile profile;
	enum luks_integrity integrity;
	const char *uuid;	       /* mix-up guard (H12), any case */
	unsigned int sector_size;      /* 0 = 512 or 4096 */
	uint64_t memory_available_kib; /* MemAvailable; 0 = read /proc/meminfo */
};

/* H1-H4 and H12 on the way in. ERR_INTEGRITY with ids "H1".."H12" ("H2-torn" when the two copies differ as an interrupted
 * update leaves them: hint `cryptsetup repair`), ERR_DEVICE "device-unreadable" for read errors. Never writes to the device.
 * *ret is overwritten; clear it with luks_header_clear(). */
int luks_header_read(const struct luks_device *dev, const struct luks_policy *policy, struct luks_header *ret,
		     struct err **err);
void luks_header_clear(struct luks_header *h);

/* One failed check, for `check`: id, JSON path, found (sanitised), allowed, compat switch that would accept it or "". */
struct luks_finding {
	char id[12], path[96], found[80], allowed[128], compat[64];
};
struct luks_findings {
	struct luks_finding *items;
	size_t n;
};
void luks_findings_clear(struct luks_findings *f);
/* "H6: segments.0.encryption is "cipher_null-ecb", allowed: "aes-xts-plain64"". */
void luks_finding_text(const struct luks_finding *f, char *out, size_t cap);

/* luks_header_read(), then the audit: H4-H12 over the raw JSON, the library's own view (crypt_load on the memfd) and H13. No KDF
 * runs. All findings of both are collected in *ret_findings; n == 0 means passed; n > 0 returns ERR_INTEGRITY with the first
 * one's text. *ret may be left without a memfd when the header could not be parsed at all; clear it in every case. */
int luks_inspect(const struct luks_device *dev, const struct luks_policy *policy, struct luks_header *ret,
		 struct luks_findings *ret_findings, struct err **err);

#endif
