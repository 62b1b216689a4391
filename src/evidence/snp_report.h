/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* SEV-SNP attestation report v2-v5 (tee-evidence.md 3.1). All offsets little-endian. Pure. */
#ifndef CRYPTATTEST_EVIDENCE_SNP_REPORT_H
#define CRYPTATTEST_EVIDENCE_SNP_REPORT_H

#include <stdbool.h>

#include "evidence/evidence.h"

enum snp_generation { SNP_GEN_UNKNOWN, SNP_MILAN, SNP_GENOA, SNP_TURIN, SNP_VENICE };

/* Offsets that more than one file needs (tee-evidence.md 3.1). */
#define SNP_OFF_POLICY 0x008
#define SNP_OFF_CURRENT_TCB 0x038
#define SNP_OFF_KEY_INFO 0x048
#define SNP_OFF_REPORT_DATA 0x050
#define SNP_OFF_REPORTED_TCB 0x180
#define SNP_OFF_CPUID 0x188
#define SNP_OFF_CHIP_ID 0x1A0
#define SNP_OFF_COMMITTED_TCB 0x1E0
#define SNP_OFF_CURRENT_BUILD 0x1E8
#define SNP_OFF_COMMITTED_BUILD 0x1EC
#define SNP_OFF_LAUNCH_TCB 0x1F0
#define SNP_OFF_MIT_VECTORS 0x1F8
#define SNP_OFF_SIG_R 0x2A0
#define SNP_OFF_SIG_S 0x2E8
#define SNP_OFF_SIG_END 0x330

struct snp_tcb {
	uint8_t fmc; /* Turin and later; else 0 */
	uint8_t bootloader, tee, snp, microcode;
	uint8_t raw[8]; /* as decoded */
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
	enum snp_generation generation; /* by CPUID; v2: Turin by chip id, else unknown (the VEK's issuer tells) */
	bool turin_layout;		 /* of the TCB bytes */
};

/* ERR_INTEGRITY: not 1184 bytes (id "snp-size"), version outside 2..5 ("snp-version"), signature algorithm not 1
 * ("snp-sig-algo"), a reserved byte not zero ("snp-reserved", with offset), TCB bytes without a field included. */
int snp_report_decode(const uint8_t *raw, size_t len, struct snp_report *ret, struct err **err);
/* Generation and TCB layout by version, CPUID bytes and chip id alone; for readers that build the bytes. */
void snp_report_layout(const uint8_t raw[static SNP_REPORT_SIZE], enum snp_generation *ret_gen, bool *ret_turin_layout);
/* From the fields (never tcb.raw); writes zeros into every reserved byte, as the verifier of a JSON object must. */
void snp_report_encode(const struct snp_report *r, uint8_t out[static SNP_REPORT_SIZE]);
const char *snp_generation_name(enum snp_generation g); /* "Milan" ... as in KDS URLs; "unknown" */
/* 8 bytes to components and back. */
void snp_tcb_decode(const uint8_t raw[static 8], bool turin_layout, struct snp_tcb *ret);
void snp_tcb_encode(const struct snp_tcb *t, bool turin_layout, uint8_t out[static 8]);
unsigned int snp_signing_key(const struct snp_report *r); /* 0 VCEK, 1 VLEK, 7 none */
bool snp_masked_chip_key(const struct snp_report *r);
bool snp_author_key_en(const struct snp_report *r);

#endif
