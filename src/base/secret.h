/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Key material: own mapping with guard pages, mlock, MADV_DONTDUMP, wiped on free and on shrink
 * (luks-untrusted-host.md S1-S3, architecture.md 4 "memory"). Never a C string, never printed.
 */
#ifndef CRYPTATTEST_BASE_SECRET_H
#define CRYPTATTEST_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct secret;

/* An empty secret with room for cap bytes (1..1 MiB). mlock failure is not fatal: it is logged once. */
int secret_new(size_t cap, struct secret **ret, struct err **err);
/* Copies len bytes; the caller still owns (and wipes) its own copy. len 0 is allowed. */
int secret_from(const void *data, size_t len, struct secret **ret, struct err **err);
void secret_free(struct secret *s); /* wipes; takes NULL */
uint8_t *secret_data(struct secret *s);
const uint8_t *secret_cdata(const struct secret *s);
size_t secret_len(const struct secret *s);
size_t secret_cap(const struct secret *s);
/* Sets the length after the caller wrote into secret_data(); bytes past it are wiped. len <= cap. */
void secret_set_len(struct secret *s, size_t len);
int secret_append(struct secret *s, const void *data, size_t len, struct err **err); /* ERR_CONFIG-free: INTERNAL when over cap */
/* Constant time in the length of the shorter; false when the lengths differ. */
bool secret_equal(const struct secret *a, const struct secret *b);
/* Reads fd until EOF, at most max bytes; more is an error. ERR_CONFIG (unreadable, too long). */
int secret_read_fd(int fd, size_t max, struct secret **ret, struct err **err);

/* memset that is never optimised away; constant-time compare (0 = equal). */
void wipe(void *p, size_t len);
int ct_memcmp(const void *a, const void *b, size_t len);

void secret_freep(struct secret **s);
#define _cleanup_secret_ __attribute__((cleanup(secret_freep)))

#endif
