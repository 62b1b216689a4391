/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The secret document (contracts.md 2) and the raw form. */
#ifndef CRYPTATTEST_WIRE_DOCUMENT_H
#define CRYPTATTEST_WIRE_DOCUMENT_H

#include <stdbool.h>

#include "base/err.h"
#include "base/secret.h"

#define SECRET_DOCUMENT_MAX 65536
#define SECRET_PASSPHRASE_MIN 16
#define SECRET_SEALED_LEN 32 /* behind the base64 of sealed_passphrase */

enum secret_form { FORM_AUTO, FORM_RAW, FORM_DOCUMENT };

struct secret_document {
	bool is_document; /* false: only passphrase is set */
	char *name, *uuid; /* uuid in lower case */
	char vk_id[65];
	char **header_ids; /* NULL = not pinned, else NULL-terminated, not empty */
	unsigned int sector_size; /* 0 = not pinned */
	int keyslot;		  /* -1 = not named */
	struct secret *passphrase;
	/* For re-sealing at boot: what the broker escrows of the keyslot that the TPM's secret opens. */
	bool may_reseal;
	int sealed_keyslot;		  /* -1 = no sealed_secret */
	struct secret *sealed_passphrase; /* 44 characters, base64 of 32 bytes; NULL = no sealed_secret */
};

/* Consumes nothing; ERR_INTEGRITY (id "document"). Enforces the 16-byte minimum for passphrases (K1).
 * FORM_AUTO: a JSON object of type "cryptattest-secret" is a document, all else is a raw passphrase byte for byte; but a
 * text that starts with { and holds that type name is an error, not a passphrase, when it does not parse.
 * provisioner: the text came from that plugin; FORM_AUTO then means its confdata TOML (kbs-protocol.md 6), whose one key
 * "io.cryptsetup.key.text.NAME" is the passphrase.
 * Turns jansson's wiping allocator on: the passphrase passes through its memory as base64. */
int secret_document_parse(const struct secret *text, enum secret_form form, bool provisioner,
			  struct secret_document *ret, struct err **err);
/* Compact JSON, one line, with trailing newline. */
int secret_document_text(const struct secret_document *doc, struct secret **ret, struct err **err);
void secret_document_clear(struct secret_document *doc);

#endif
