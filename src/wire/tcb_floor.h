/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * A floor of the TCB of one generation of AMD processors, as owners write it: in release policies (contracts.md 7), and in the
 * configuration for the report that vouches for a vTPM. "milan bootloader:4 tee:0 snp:24 microcode:219"; turin and venice have fmc
 * besides. Every component of the generation is named once. Pure.
 */
#ifndef CRYPTATTEST_WIRE_TCB_FLOOR_H
#define CRYPTATTEST_WIRE_TCB_FLOOR_H

#include <stdbool.h>
#include <stdint.h>

enum tcb_generation { TCB_MILAN = 1, TCB_GENOA, TCB_TURIN, TCB_VENICE, TCB_GENERATIONS }; /* numbered as enum snp_generation */

struct tcb_floor {
	enum tcb_generation generation;
	uint8_t fmc, bootloader, tee, snp, microcode; /* fmc 0 where the generation has none */
};

/* NULL, or what would have been allowed; *ret is complete only then. */
const char *tcb_floor_parse(const char *text, struct tcb_floor *ret);
bool tcb_has_fmc(unsigned int generation);
const char *tcb_generation_word(unsigned int generation); /* "milan"; "unknown" */

#endif
