/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * libcryptsetup over the sealed copy (procedure steps 4-5). Inside src/luks only.
 *
 * The metadata device is /proc/self/fd/N of the sealed memfd, so the library can neither re-read the host's header nor write a
 * "repaired" one back (A15, A16). Token handlers are off (A13), the type is given (A14). One thread per process may call this.
 */
#ifndef CRYPTATTEST_LUKS_CONTEXT_H
#define CRYPTATTEST_LUKS_CONTEXT_H

#include <libcryptsetup.h>

#include "luks/header.h"

/* crypt_init_data_device and crypt_load; the library's messages go to our debug log. ERR_INTEGRITY "H13" when the library refuses the header, ERR_INTERNAL otherwise. */
int context_open(const struct luks_header *h, const char *data_path, struct crypt_device **ret, struct err **err);
void context_freep(struct crypt_device **cd);
#define _cleanup_context_ __attribute__((cleanup(context_freep)))

#endif
