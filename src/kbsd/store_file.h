/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* How a resource is called on disk: shared by the reading and the writing half of the store. */
#ifndef CRYPTATTEST_KBSD_STORE_FILE_H
#define CRYPTATTEST_KBSD_STORE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#define STORE_PASSPHRASE_MIN 16 /* contracts.md 2 */

/* "default:web-042:root" -> "default/web-042/root"; false when it is not the file of a resource. */
bool store_name_of_file(const char *file, char *out, size_t cap);

#endif
