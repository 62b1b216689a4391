/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The sidecar file: a sealed object and what is needed to use it (C10: a file beside the header, which boot-time re-sealing may rewrite).
 * It lies on the host's disk, so nothing in it is believed: it points at sealed data, and every rule that the object must meet comes
 * from the measured configuration (tpm-sealing.md 5.4, luks-untrusted-host.md E5, C4). Pure codec.
 *
 * {"type":"cryptattest-sealed","version":1,"name","uuid","keyslot"?,"slot_mac"?,"public","private","creation_data"?,"creation_ticket"?,"bank",
 *  "pcrs":[],"pcr_values":{"7":hex},"baseline"?,"pin":bool,"pin_salt"?,"srk_name","sealed_at":"enroll"|"boot"}
 * Byte members are padded base64; pcr_values and srk_name (hex) serve diagnosis alone. The file names a PIN salt exactly when a PIN is
 * needed, and creation data only with their ticket.
 */
#ifndef CRYPTATTEST_VTPM_BLOB_H
#define CRYPTATTEST_VTPM_BLOB_H

#include "base/secret.h"
#include "vtpm/pcr.h"

#define SEALED_FILE_MAX (32 * 1024)
#define SEALED_PART_MAX 2048 /* any one TPM structure in it */
#define SEALED_PIN_SALT 32

struct sealed_bytes {
	uint8_t *data;
	size_t len;
};

struct sealed_blob {
	char *name, *uuid; /* of the volume; uuid in lower case */
	int keyslot;	   /* hint: where the secret fits; -1 = not said */
	char slot_mac[65]; /* the volume key's word on that keyslot (unlock/slot_mac.h); "" = none */
	struct sealed_bytes pub, priv;		     /* TPM2B_PUBLIC, TPM2B_PRIVATE as marshalled */
	struct sealed_bytes creation_data, creation_ticket; /* TPM2B_CREATION_DATA, TPMT_TK_CREATION; may be empty */
	uint32_t pcrs;				     /* literal PCRs at sealing time, cap register included (diagnosis) */
	struct pcr_values values;		     /* of those (diagnosis) */
	bool pin;
	uint8_t pin_salt[SEALED_PIN_SALT];
	struct tpm_name srk_name; /* diagnosis: "another TPM" */
	uint64_t baseline;	  /* of the offline counter: part of the policy, and inside the payload too; 0 without one */
	char *sealed_at;	  /* "enroll" | "boot" */
};

/* ERR_INTEGRITY "sealed-file": duplicates, unknown version, sizes, base64; unknown members are ignored. */
int sealed_blob_parse(const char *text, size_t len, struct sealed_blob *ret, struct err **err);
int sealed_blob_text(const struct sealed_blob *b, char **ret, struct err **err); /* caller frees; ends with a newline */
void sealed_blob_clear(struct sealed_blob *b);

/*
 * What is inside the sealed object, at most 128 bytes (tpm-sealing.md 2.2): "CAS1", secret[32], vk_id[32], header_id[32], offline
 * baseline u64be. The identities are the sealer's word: they count only with a proof of origin (vtpm.h).
 */
#define SEALED_SECRET_LEN 32
#define SEALED_PAYLOAD_LEN 108
struct sealed_payload {
	struct secret *secret; /* 32 random bytes; padded base64 of them is the passphrase of the keyslot (tpm-sealing.md 2.4 A) */
	char vk_id[65], header_id[65];
	uint64_t baseline; /* value of the offline counter when it was sealed; 0 without one */
};
int sealed_payload_encode(const struct sealed_payload *p, struct secret **ret, struct err **err);
int sealed_payload_decode(const struct secret *bytes, struct sealed_payload *ret, struct err **err); /* ERR_INTEGRITY */
void sealed_payload_clear(struct sealed_payload *p);

#endif
