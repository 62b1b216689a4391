/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Made-up verified machines for the policy tests: every byte field is filled with one byte, so its hex is easy to write. */
#ifndef CRYPTATTEST_TESTS_POLICY_MACHINES_H
#define CRYPTATTEST_TESTS_POLICY_MACHINES_H

#include <string.h>

#include "verify/verify.h"

#define X8(s) s s s s s s s s
#define H16(s) X8(s) X8(s)	       /* 16 bytes */
#define H32(s) H16(s) H16(s)
#define H48(s) H32(s) H16(s)
#define H64(s) H32(s) H32(s)

static inline void machine_snp(struct verdict *v)
{
	struct snp_report *r = &v->snp;

	memset(v, 0, sizeof(*v));
	v->verified = true;
	v->tee = TEE_SNP;
	v->signer = SIGNER_VCEK;
	r->version = 3;
	r->policy = SNP_POLICY_ONE | SNP_POLICY_SMT;
	r->generation = SNP_MILAN;
	memset(r->measurement, 0xa1, 48);
	memset(r->host_data, 0xa2, 32);
	memset(r->report_id, 0xa3, 32);
	memset(r->report_id_ma, 0xff, 32);
	memset(r->chip_id, 0xa4, 64);
	memset(r->family_id, 0xa5, 16);
	memset(r->image_id, 0xa6, 16);
	memset(r->id_key_digest, 0xa7, 48);
	memset(r->author_key_digest, 0xa8, 48);
	r->reported_tcb = (struct snp_tcb){ .bootloader = 4, .tee = 0, .snp = 24, .microcode = 219 };
	strcpy(v->tcb, "milan bootloader:4 tee:0 snp:24 microcode:219");
}

static inline void machine_tdx(struct verdict *v)
{
	struct tdx_body *b = &v->tdx.body;

	memset(v, 0, sizeof(*v));
	v->verified = true;
	v->tee = TEE_TDX;
	v->signer = SIGNER_PCK;
	v->tdx.version = 4;
	memset(b->mrtd, 0xb1, 48);
	for (int i = 0; i < 4; i++)
		memset(b->rtmr[i], 0xc0 + i, 48);
	memset(b->mrconfigid, 0xb2, 48);
	memset(b->mrowner, 0xb3, 48);
	memset(b->mrownerconfig, 0xb4, 48);
	strcpy(v->tcb, "unverified");
}

#define RES "[resource default/web/root]\n"
#define COV "covers = kernel+initrd+cmdline\n"
#define TCB "min-tcb = milan bootloader:4 tee:0 snp:24 microcode:219\n"
#define MEAS "measurement = " H48("a1") "\n"
#define HOSTD "host-data = " H32("a2") "\n"
#define SNP_RULE RES "tee = snp\n" MEAS HOSTD TCB COV
#define TDX_RULE RES "tee = tdx\nmrtd = " H48("b1") "\nmrconfigid = " H48("b2") "\ntcb = unverified\n" COV

#endif
