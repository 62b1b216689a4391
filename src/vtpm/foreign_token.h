/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Sealed keyslots of other programs, as their LUKS2 tokens describe them (tpm-sealing.md 5.1, 5.5): systemd-cryptenroll's "systemd-tpm2"
 * and clevis's "clevis" with the pin tpm2. A token comes from the host's disk and is a hint at sealed data: what its policy has to be is
 * the configuration's word (foreign.h). Pure.
 */
#ifndef CRYPTATTEST_VTPM_FOREIGN_TOKEN_H
#define CRYPTATTEST_VTPM_FOREIGN_TOKEN_H

#include <jansson.h>

#include "vtpm/blob.h"

enum foreign_kind { FOREIGN_SYSTEMD, FOREIGN_CLEVIS };
#define FOREIGN_KINDS 2

/* What the object was sealed under. */
enum foreign_parent {
	FOREIGN_LEGACY_ECC, /* a transient primary without noDA, made anew each time (tpm-sealing.md 2.1) */
	FOREIGN_LEGACY_RSA,
	FOREIGN_STORAGE, /* the storage primary, by its Name */
};

#define FOREIGN_SALT_MAX 64

struct foreign_token {
	enum foreign_kind kind;
	int keyslot;
	struct sealed_bytes pub, priv; /* TPM2B_PUBLIC, TPM2B_PRIVATE */
	uint32_t pcrs;		       /* of the literal PolicyPCR; 0 = no such part */
	bool has_bank;
	enum pcr_bank bank;
	enum foreign_parent parent;
	struct tpm_name parent_name; /* of FOREIGN_STORAGE */
	bool pin;
	uint8_t salt[FOREIGN_SALT_MAX];
	size_t salt_len; /* 0 = none */
	char *signer_pem; /* key of the signed PCR policies; NULL = none */
	uint32_t signed_pcrs;
	/* clevis: the passphrase, under the key that is sealed */
	char *protected_text; /* as it stands: the additional data */
	uint8_t iv[12], tag[16];
	struct sealed_bytes ciphertext;
};
void foreign_token_clear(struct foreign_token *k);
#define _cleanup_foreign_token_ __attribute__((cleanup(foreign_token_clear)))

const char *foreign_kind_name(enum foreign_kind kind); /* "systemd-tpm2", "clevis": the token's type, too */
bool foreign_kind_by_name(const char *name, enum foreign_kind *ret);

/* One member of the header's "tokens" whose type is that of `kind`. ERR_INTEGRITY "foreign-token" for what no such program writes, ERR_TPM
 * "foreign-unsupported" for forms that are known and not supported, by name. */
int foreign_token_parse(const json_t *token, enum foreign_kind kind, struct foreign_token *ret, struct err **err);

#endif
