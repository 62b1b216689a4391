/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What the processor says this machine is (tee-evidence.md 1.1). Only an explanation for people when no provider is there: the
 * host chooses what CPUID shows, so nothing is decided by it. What counts is a verified report.
 */
#ifndef CRYPTATTEST_TEE_DETECT_H
#define CRYPTATTEST_TEE_DETECT_H

#include <stdint.h>

#include "tee/tee.h"

enum cpu_verdict {
	CPU_UNKNOWN,	 /* not x86-64 */
	CPU_BARE_METAL,
	CPU_PLAIN_VM,
	CPU_SEV,	 /* SEV or SEV-ES without SNP: no reports */
	CPU_SEV_HIDDEN,	 /* SEV leaf shown, SEV_STATUS unreadable: may be SNP */
	CPU_SNP,
	CPU_TDX,
	CPU_HYPERV_VBS,
	CPU_HYPERV_SNP, /* behind a paravisor: no /dev/sev-guest */
	CPU_HYPERV_TDX,
};

struct cpu_source {
	/* r: EAX, EBX, ECX, EDX */
	void (*cpuid)(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t r[static 4]);
	int (*msr)(void *ctx, uint32_t number, uint64_t *ret); /* 0, or negative: not readable */
	void *ctx;
};

/* The decision tree. Pure over the source. */
enum cpu_verdict detect_cpu(const struct cpu_source *src);
/* The same for this machine; MSRs through root_fd's dev/cpu/0/msr. */
enum cpu_verdict detect_this_cpu(int root_fd);
const char *detect_text(enum cpu_verdict v); /* "the processor shows ..." */

/* One sentence on what to load or build, from the verdict and from files below root_fd. Never NULL. */
const char *detect_hint(const struct tee_env *env, enum cpu_verdict v);

#endif
