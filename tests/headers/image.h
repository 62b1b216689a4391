/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* LUKS2 images made by the real cryptsetup at test time, in a directory that is removed at exit. Errors end the program. */
#ifndef CRYPTATTEST_TESTS_HEADERS_IMAGE_H
#define CRYPTATTEST_TESTS_HEADERS_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "luks/volume.h"

#define IMAGE_PASS "correct horse battery staple"
#define IMAGE_PASS2 "another good passphrase"
#define IMAGE_SIZE (24 * 1024 * 1024)

/* First statement of main(): prints the TAP skip line and exits 0 when there is no cryptsetup program. */
void image_tool_or_skip(void);
/* The temporary directory; "pass" and "pass2" in it hold the passphrases. */
const char *image_dir(void);
/* Path of a file in it; four static buffers in turn. */
const char *image_path(const char *name);
/* An empty sparse file. */
void image_new(const char *name, size_t size);
/* cryptsetup with these words (one string, split at blanks; %P, %Q are the passphrase files, %NAME the image). */
void image_cryptsetup(const char *words, const char *name);
/* image_new and luksFormat --type luks2, PBKDF2 of 1000 iterations, with these further words. */
void image_format(const char *name, const char *words);
void image_copy(const char *from, const char *to);

/* An integrity volume (hmac(sha256), 96-byte key): luksFormat needs device-mapper for it, so an unbound 96-byte keyslot is made
 * and the header edited to bind it. */
void image_integrity(const char *name, const char *words);

/* device_find on an image. */
void image_device(const char *name, struct luks_device *ret);

#endif
