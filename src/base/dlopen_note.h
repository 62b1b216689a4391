/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What an ELF file loads by itself at run time, said in the file: a note ".note.dlopen" of type 0x407c0c0a and owner "FDO" that holds a
 * JSON array, as https://uapi-group.org/specifications/specs/elf_dlopen_metadata/ has it. Those who build images and packages read it.
 */
#ifndef CRYPTATTEST_BASE_DLOPEN_NOTE_H
#define CRYPTATTEST_BASE_DLOPEN_NOTE_H

#include <stdint.h>

#define DLOPEN_NOTE(name, feature, description, priority, soname)                                                                           \
	DLOPEN_NOTE_TEXT(name, "[{\"feature\":\"" feature "\",\"description\":\"" description "\",\"priority\":\"" priority                  \
			       "\",\"soname\":[\"" soname "\"]}]")
#define DLOPEN_NOTE_TEXT(name, text)                                                                                                        \
	__attribute__((used, section(".note.dlopen"), aligned(4))) static const struct {                                                    \
		uint32_t owner_size, text_size, type;                                                                                       \
		char owner[4];                                                                                                              \
		__attribute__((aligned(4))) char json[sizeof(text)];                                                                        \
	} name = { .owner_size = 4, .text_size = sizeof(text), .type = UINT32_C(0x407c0c0a), .owner = "FDO", .json = text }

#endif
