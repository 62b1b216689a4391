/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What user space measured in this boot: /run/log/systemd/tpm2-measure.log, TCG CEL-JSON records, each behind an ASCII record separator
 * (RFC 7464), as systemd 254 and later writes it. Pure.
 *
 * {"pcr":11,"digests":[{"hashAlg":"sha256","digest":HEX}],"content_type":"systemd","content":{"string":"enter-initrd",...}}
 */
#ifndef CRYPTATTEST_EVIDENCE_CEL_LOG_H
#define CRYPTATTEST_EVIDENCE_CEL_LOG_H

#include "evidence/tcg_event.h"

#define CEL_LOG_MAX ((size_t)1 << 20)
#define CEL_RECORD_MAX 65536

struct cel_event {
	unsigned int pcr;
	uint8_t digest[DIGEST_MAX]; /* of the bank asked for */
	char name[BOOT_NAME_MAX];   /* what was measured, printable; "" if not told */
};

/* Calls fn for each record in order, with the digest of this bank; fn returns 0 to go on. ERR_INTEGRITY "event-log": no CEL-JSON, or a
 * record without a digest of the bank. */
int cel_log_walk(const char *text, size_t len, enum tcg_alg alg, int (*fn)(void *ctx, const struct cel_event *ev, struct err **err),
		 void *ctx, struct err **err);

#endif
