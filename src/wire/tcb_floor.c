/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "wire/tcb_floor.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

bool tcb_has_fmc(unsigned int generation)
{
	return generation == TCB_TURIN || generation == TCB_VENICE;
}

const char *tcb_generation_word(unsigned int generation)
{
	static const char *const words[TCB_GENERATIONS] = { "unknown", "milan", "genoa", "turin", "venice" };

	return generation < TCB_GENERATIONS ? words[generation] : "unknown";
}

/* "name:number" words in any order, each component of the generation exactly once. */
static bool parse_components(char *words, struct tcb_floor *ret)
{
	struct {
		const char *name;
		uint8_t *out;
		bool seen;
	} parts[] = { { "bootloader", &ret->bootloader, false },
		      { "tee", &ret->tee, false },
		      { "snp", &ret->snp, false },
		      { "microcode", &ret->microcode, false },
		      { "fmc", &ret->fmc, false } };
	const size_t wanted = tcb_has_fmc(ret->generation) ? 5 : 4;
	size_t found = 0;
	char *save = NULL;

	for (char *w = strtok_r(words, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
		char *colon = strchr(w, ':');
		uint64_t v;
		size_t i = 0;

		if (!colon || text_u64(colon + 1, 0, 255, &v, NULL) < 0)
			return false;
		*colon = '\0';
		while (i < wanted && strcmp(parts[i].name, w) != 0)
			i++;
		if (i == wanted || parts[i].seen)
			return false;
		parts[i].seen = true;
		*parts[i].out = (uint8_t)v;
		found++;
	}
	return found == wanted;
}

const char *tcb_floor_parse(const char *text, struct tcb_floor *ret)
{
	const size_t n = strcspn(text, " \t");
	_cleanup_free_ char *words = text_dup(text + n);
	unsigned int g = TCB_MILAN;

	while (g < TCB_GENERATIONS && (strlen(tcb_generation_word(g)) != n || strncmp(text, tcb_generation_word(g), n) != 0))
		g++;
	if (g == TCB_GENERATIONS)
		return "milan, genoa, turin or venice with its components";
	*ret = (struct tcb_floor){ .generation = (enum tcb_generation)g };
	if (words && parse_components(words, ret))
		return NULL;
	return tcb_has_fmc(g) ? "fmc, bootloader, tee, snp and microcode, each NAME:0..255" :
				"bootloader, tee, snp and microcode, each NAME:0..255";
}
