/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The name of the volume group that a disk claims to belong to, without LVM's tools: label in one of the first four sectors, header of
 * the physical volume, first metadata area, first word of its text (LVM2 on-disk format, lib/format_text/layout.h). Host input; nothing
 * but the name is taken from it (C17: a host can add a disk whose volume group has the name of the root's).
 */
#ifndef CRYPTATTEST_LUKS_LVM_LABEL_H
#define CRYPTATTEST_LUKS_LVM_LABEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LVM_LABEL_AREA 2048 /* bytes at the start of the disk */
#define LVM_NAME_MAX 128

/* Pure. Where the first metadata area is; false: no physical volume. */
bool lvm_label_parse(const uint8_t *area, size_t len, uint64_t *ret_offset, uint64_t *ret_size);
/* Pure. mda: the area's first sector (512 bytes). Where its text is, relative to the area. */
bool lvm_mda_parse(const uint8_t *mda, size_t len, uint64_t area_size, uint64_t *ret_offset);
/* Pure. The name at the start of the text: [A-Za-z0-9+_.-]+ followed by blanks and '{'. */
bool lvm_text_name(const char *text, size_t len, char out[static LVM_NAME_MAX]);

/* From an open disk. false: none, or not readable. */
bool lvm_vg_name(int fd, char out[static LVM_NAME_MAX]);

#endif
