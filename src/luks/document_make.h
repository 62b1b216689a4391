/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The owner's side of contracts.md 2: from a volume and its passphrase to the secret document, and to the same pins as
 * configuration lines. For the verb `document`; no root, no device-mapper. */
#ifndef CRYPTATTEST_LUKS_DOCUMENT_MAKE_H
#define CRYPTATTEST_LUKS_DOCUMENT_MAKE_H

#include "base/buf.h"
#include "luks/volume.h"
#include "wire/document.h"

/* Audits, opens in memory with the passphrase (keyslot -1: any), fills *ret (secret_document_clear). Classes of
 * luks_inspect(), luks_volume_unlock(); ERR_CONFIG for a bad volume name. */
int luks_document_make(const struct luks_device *dev, const struct luks_policy *policy, const char *name,
		       const struct secret *passphrase, int keyslot, struct secret_document *ret, struct err **err);
/* "vk-id = ...", "header-id = ...", "sector-size = ...", "keyslot = ..." lines of a [volume] section. */
void luks_document_pins(const struct secret_document *doc, struct buf *out);

#endif
