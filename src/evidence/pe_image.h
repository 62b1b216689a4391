/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * PE images as UEFI firmware measures them: the Authenticode digest (PCR 4), and named sections (unified kernel images, PCR 11).
 * Pure, bounded; the image is not copied. Errors: ERR_INTEGRITY "pe-image".
 */
#ifndef CRYPTATTEST_EVIDENCE_PE_IMAGE_H
#define CRYPTATTEST_EVIDENCE_PE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "crypto/digest.h"

#define PE_SECTIONS_MAX 96 /* the Windows loader's limit, which signing tools keep */

struct pe_section {
	char name[9];
	uint32_t mem_size, file_off, file_size;
};

struct pe_image {
	const uint8_t *bytes;
	size_t len;
	size_t checksum_off, cert_entry_off; /* cert_entry_off 0: no such directory entry */
	size_t cert_size, headers_size;
	size_t n_sections;
	struct pe_section section[PE_SECTIONS_MAX]; /* in file order of the table */
};

int pe_parse(const uint8_t *bytes, size_t len, struct pe_image *ret, struct err **err);
/* Windows Authenticode Portable Executable Signature Format, "Calculating the PE Image Hash", as EDK II does it: without the checksum,
 * the certificate directory entry and the certificates. */
int pe_authenticode(const struct pe_image *pe, enum digest_alg alg, uint8_t out[static DIGEST_MAX], struct err **err);

/* What a loaded section holds in memory: bytes of the file, then zeros. NULL: no such section. */
struct pe_content {
	const uint8_t *bytes;
	size_t len, zeros;
};
const struct pe_section *pe_find(const struct pe_image *pe, const char *name);
int pe_content(const struct pe_image *pe, const struct pe_section *s, struct pe_content *ret, struct err **err);
int pe_content_digest(const struct pe_content *c, enum digest_alg alg, uint8_t out[static DIGEST_MAX], struct err **err);

#endif
