/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#ifndef CRYPTATTEST_TESTS_HEADERS_NULL_KEYSLOT_H
#define CRYPTATTEST_TESTS_HEADERS_NULL_KEYSLOT_H

#include "tests/headers/edit.h"

/*
 * Attack A1 in full (luks-untrusted-host.md 3): the keyslot's area cipher becomes cipher_null-ecb, its area holds a volume
 * key of our choice in clear (anti-forensic split of zero stripes), the digest matches that key. A libcryptsetup that takes
 * null ciphers then opens the volume with any passphrase, and the data is encrypted under a key that the host knows.
 */
void edit_null_keyslot(struct edit *e, const char *image, const char *slot);

#endif
