/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * A swtpm dressed as the vTPM of Azure's paravisor (tee-evidence.md 2.5): an attestation key at 0x81000003, an endorsement key at
 * 0x81010001, and NV 0x01400001, which a layer between ESYS and swtpm answers itself, as the paravisor does: a fresh HCL report,
 * signed by the test PKI, with the bytes that were written to NV 0x01400002 last. (swtpm's own indices end at 2048 bytes.)
 */
#ifndef CRYPTATTEST_TESTS_AZURE_TPM_H
#define CRYPTATTEST_TESTS_AZURE_TPM_H

#include "tests/lib/hcl_sample.h"
#include "tests/lib/swtpm.h"

struct azure_tpm {
	struct tpm_access access; /* first member; for tpm_open() and vtpm_open() */
	struct swtpm *swtpm;
	const struct testpki *pki;
	struct public_key ak, ek; /* as in the claims; a test may change them */
	bool claim_ek;
	const char *configuration; /* NULL: none */
	void (*edit)(struct snp_report *r); /* before it is signed; NULL */
	void (*damage)(uint8_t *report, size_t len); /* of the finished HCL report; NULL */
	uint32_t tamper; /* command code: one bit of its (authorized) answer is turned; 0: none */
	bool stale;		   /* user data never arrive */
	unsigned int reads_late;   /* user data arrive with this many reads' delay */
	const uint8_t *fixed; /* this HCL report whatever is written; NULL */
	size_t fixed_len;
	/* inside */
	uint8_t user_data[64], pending[64];
	unsigned int waiting;
	struct buf report;
};

/* Makes the keys persistent and the NV index. s must live longer. Failures end the program with a message. */
void azure_tpm_init(struct azure_tpm *a, struct swtpm *s, const struct testpki *pki);
void azure_tpm_clear(struct azure_tpm *a);

/* Only the keys: an attestation key (restricted, RSASSA with SHA-256) and the default RSA endorsement key; handle 0: not persistent. */
void azure_tpm_make_key(struct swtpm *s, bool ak, uint32_t handle, struct public_key *ret);
/* A storage key below another one at this handle, in its place as far as looks go; movable: one that can leave the TPM. */
void azure_tpm_child_key(struct swtpm *s, uint32_t handle, bool movable);
/* An NV index for the owner, with these bytes. */
void azure_tpm_nv(struct swtpm *s, uint32_t index, const uint8_t *data, size_t len);

#endif
