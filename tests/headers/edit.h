/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Hostile-header maker: edits both copies of a LUKS2 header on an image file and makes the checksums right again, as a host
 * can. Shared by the mkheader program and the header tests. Errors end the program: it is a test tool.
 */
#ifndef CRYPTATTEST_TESTS_HEADERS_EDIT_H
#define CRYPTATTEST_TESTS_HEADERS_EDIT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define EDIT_HDR_SIZE 16384
#define EDIT_BIN_SIZE 4096

struct edit {
	uint8_t copy[2][EDIT_HDR_SIZE];
	json_t *json; /* of the first copy */
};

/* From nothing: two valid copies around this JSON text (for fuzzing). */
void edit_make(struct edit *e, const char *json, size_t len);
void edit_checksum(uint8_t copy[static EDIT_HDR_SIZE]);
void edit_save(const struct edit *e, const char *image);
void edit_free(struct edit *e);

/*
 * Runs a list of operations on an image; argv is NULL-terminated:
 *   set PATH JSON        set a member, both copies ("segments.0.encryption" '"cipher_null-ecb"')
 *   del PATH             remove a member
 *   dup PATH JSON        a second member of the same name, after the first (A5)
 *   second               what follows changes the second copy only
 *   field NAME VALUE     binary header: magic version hdr_size seqid label csum_alg uuid subsystem hdr_offset; "+N" adds
 *   tail TEXT            bytes after the NUL that ends the JSON
 *   raw OFFSET HEX       bytes of the image, after everything else and without a new checksum
 *   null-keyslot SLOT    A1: own volume key, split in clear in the area of this keyslot, digest made to match
 */
void edit_run(const char *image, const char *const *argv);

#endif
