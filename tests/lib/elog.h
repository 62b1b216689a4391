/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Event logs and PE images of our own making, in the form that firmware and boot loaders write (tests/emul/eventlog.sh makes real ones). */
#ifndef CRYPTATTEST_TESTS_ELOG_H
#define CRYPTATTEST_TESTS_ELOG_H

#include "base/buf.h"
#include "evidence/tcg_log.h"

#define ELOG_MAX ((size_t)1 << 20)

/* First record: SHA-1 (filled with A1 everywhere), SHA-256 and SHA-384. */
void elog_begin(struct buf *b);
/* One event: digests of `measured`, data as given. */
void elog_event2(struct buf *b, uint32_t pcr, uint32_t type, const void *measured, size_t measured_len, const void *data, size_t len);
void elog_digest(struct buf *b, uint32_t pcr, uint32_t type, const uint8_t sha256[32], const uint8_t sha384[48], const void *data, size_t len);
/* Digest of the data itself. */
void elog_event(struct buf *b, uint32_t pcr, uint32_t type, const void *data, size_t len);
void elog_separator(struct buf *b, uint32_t pcr);
void elog_variable(struct buf *b, uint32_t pcr, uint32_t type, const char *name, const void *value, size_t len);
/* A PE image loaded from path ("\\EFI\\x.efi"; NULL: without a device path; "": systemd-stub's own node); the Authenticode digests of pe. */
void elog_image(struct buf *b, const char *path, const void *pe, size_t len);
/* GRUB: prefix "grub_cmd: " and so on into PCR 8; a file into PCR 9. */
void elog_grub(struct buf *b, const char *prefix, const char *text);
void elog_grub_file(struct buf *b, const char *path, const void *content, size_t len);
/* The kernel's EFI stub. */
void elog_load_options(struct buf *b, const char *cmdline);
void elog_initrd(struct buf *b, const void *content, size_t len);
/* systemd-stub: name, then content. */
void elog_section(struct buf *b, const char *name, const void *content, size_t len);
void elog_loader_cmdline(struct buf *b, const char *cmdline);
void elog_utf16(struct buf *b, const char *text); /* with the final NUL */

/* A small PE32+ image with these sections (name NULL ends the list) and, with cert, a certificate behind them. */
struct elog_section {
	const char *name;
	const void *bytes;
	size_t len;
};
void elog_pe(struct buf *b, const struct elog_section *sections, bool cert);

#endif
