/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* SEV-SNP attestation report v2-v5 (tee-evidence.md 3.1). All offsets little-endian. Pure. */
#ifndef CRYPTATTEST_EVIDENCE_SNP_REPORT_H
#define CRYPTATTEST_EVIDENCE_SNP_REPORT_H

#include <stdbool.h>

#include "evidence/evidence.h"

enum snp_generation { SNP_GEN_UNKNOWN, SNP_MILAN, SNP_GENOA, SNP_TURIN, SNP_VENICE };

struct snp_tcb {
	uint8_t fmc; /* Turin and later; else 0 */
	uint8_t bootloader, tee, snp, microcode;
	uint8_t raw[8];
};

#define SNP_POLICY_SMT (UINT64_C(1) << 16)
#define SNP_POLICY_ONE (UINT64_C(1) << 17)
#define SNP_POLICY_MIGRATE_MA (UINT64_C(1) << 18)
#define SNP_POLICY_DEBUG (UINT64_C(1) << 19)
#define SNP_POLICY_SINGLE_SOCKET (UINT64_C(1) << 20)

struct snp_version {
	uint8_t build, minor, major;
};

struct snp_report {
	uint32_t version, guest_svn;
	uint64_t policy;
	uint8_t family_id[16], image_id[16];
	uint32_t vmpl, sig_algo;
	struct snp_tcb current_tcb;
	uint64_t plat_info;
	uint32_t key_info;
	uint8_t report_data[64], measurement[48], host_data[32], id_key_digest[48], author_key_digest[48];
	uint8_t report_id[32], report_id_ma[32];
	struct snp_tcb reported_tcb;
	bool has_cpuid; /* v3 and later */
	uint8_t cpuid_fam, cpuid_mod, cpuid_step;
	uint8_t chip_id[64];
	struct snp_tcb committed_tcb;
	struct snp_version current, committed;
	struct snp_tcb launch_tcb;
	bool has_mit_vector; /* v5 and later */
	uint64_t launch_mit_vector, current_mit_vector;
	uint8_t sig_r[72], sig_s[72]; /* little-endian */
	enum snp_generation generation; /* by CPUID, for v2 by chip id */
	bool turin_layout;		 /* of the TCB bytes */
};

/* ERR_INTEGRITY: not 1184 bytes, version outside 2..5 (id "snp-version"), signature algorithm not 1, a reserved byte
 * not zero (id "snp-reserved", with offset). */
int snp_report_decode(const uint8_t *raw, size_t len, struct snp_report *ret, struct err **err);
/* Writes zeros into every reserved byte, as the verifier of a JSON object must. */
void snp_report_encode(const struct snp_report *r, uint8_t out[static SNP_REPORT_SIZE]);
const char *snp_generation_name(enum snp_generation g); /* "Milan" ... as in KDS URLs; "unknown" */
unsigned int snp_signing_key(const struct snp_report *r); /* 0 VCEK, 1 VLEK, 7 none */
bool snp_masked_chip_key(const struct snp_report *r);
bool snp_author_key_en(const struct snp_report *r);

#endif
