/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Operator push: what a waiting machine and its owner say to each other inside one TLS 1.3 connection, version 1. Pure over bytes.
 *
 *   operator  hello     "CAPUSHH1" and a nonce of 32 bytes
 *   machine   evidence  JSON: instance, an EC key of this connection, evidence whose report data is push_report_data()
 *   operator  secret    "CAPUSHS1", a signature of 64 bytes, the five members of a JWE to that key (u32be length and bytes each)
 *   machine   result    JSON: whether the document opened the volume
 *
 * Each message is preceded by its length (u32be). A machine that will not or cannot answer sends a result in place of evidence.
 *
 * Nothing here rests on TLS alone. The report data binds label, nonce, TLS exporter, both keys and the instance, each with its length, so
 * evidence is worth nothing on another connection, to another operator, for another machine or boot, or as evidence for a key broker. The
 * secret is encrypted to a key that is in that report data, and the operator's signature covers report data and ciphertext: whoever
 * terminates TLS in between, the machine's own network process included, can neither read a document nor put one of their own in its
 * place (A18), and the machine decrypts nothing before the signature has been verified, so nobody can use it as an oracle.
 *
 * What comes from the operator's side is read by the agent's main process: fixed offsets and lengths, no text format before the
 * signature. What comes from the machine is JSON, read by the operator's program.
 */
#ifndef CRYPTATTEST_WIRE_PUSH_H
#define CRYPTATTEST_WIRE_PUSH_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "wire/jwe.h"

#define PUSH_EXPORTER_LABEL "EXPORTER-cryptattest-push-v1"
#define PUSH_NONCE 32
#define PUSH_EXPORTER 32
#define PUSH_POINT 64 /* X and Y of a key on P-256: all keys here are on that curve */
#define PUSH_SIGNATURE 64
#define PUSH_REPORT_DATA 64
#define PUSH_PIN_TEXT 64 /* "sha256//" and 44 characters */
#define PUSH_HELLO (8 + PUSH_NONCE)
#define PUSH_SECRET_MAX (128 * 1024)
#define PUSH_ANSWER_MAX (1536 * 1024)
#define PUSH_VOLUMES_MAX 64

struct push_volume {
	char name[64], uuid[37]; /* uuid in lower case */
};

/* Which machine, in which boot, waits for what. */
struct push_instance {
	char boot_id[37];
	struct push_volume volumes[PUSH_VOLUMES_MAX];
	size_t n;
};
/* NULL when the instance does not wait for this volume. */
const struct push_volume *push_instance_find(const struct push_instance *i, const char *name, const char *uuid);

struct push_binding {
	uint8_t nonce[PUSH_NONCE], exporter[PUSH_EXPORTER];
	uint8_t machine[PUSH_POINT], operator[PUSH_POINT];
};

/* "sha256//BASE64" of the SubjectPublicKeyInfo of this point: what [push] operator names. */
int push_pin(const uint8_t point[static PUSH_POINT], char out[static PUSH_PIN_TEXT], struct err **err);
/* ERR_INTEGRITY (id "push-key"): not a key on P-256. Form only, see jwk.h. */
int push_point(const struct public_key *key, uint8_t out[static PUSH_POINT], struct err **err);
void push_key(const uint8_t point[static PUSH_POINT], struct public_key *ret);
int push_report_data(const struct push_binding *b, const struct push_instance *i, uint8_t out[static PUSH_REPORT_DATA], struct err **err);

void push_hello_put(const uint8_t nonce[static PUSH_NONCE], struct buf *out);
/* ERR_INTEGRITY (id "push-hello"). */
int push_hello_get(const uint8_t *data, size_t len, uint8_t nonce[static PUSH_NONCE], struct err **err);

struct push_secret {
	uint8_t signature[PUSH_SIGNATURE];
	struct jwe jwe;
};
void push_secret_clear(struct push_secret *s);
/* Encrypts the document to the machine's key and signs it for this report data. */
int push_secret_make(const struct keypair *operator_key, const uint8_t machine[static PUSH_POINT], const uint8_t report_data[static PUSH_REPORT_DATA],
		     const struct secret *document, struct buf *out, struct err **err);
/* Form only: lengths, and characters of base64url. ERR_INTEGRITY (id "push-secret"). */
int push_secret_parse(const uint8_t *data, size_t len, struct push_secret *ret, struct err **err);
/* The signature first, then the decryption. ERR_INTEGRITY (ids "push-signature", "jwe"). */
int push_secret_open(const struct push_secret *s, const uint8_t operator[static PUSH_POINT], const uint8_t report_data[static PUSH_REPORT_DATA],
		     const struct keypair *machine_key, struct secret **ret, struct err **err);

/* Evidence as a Trustee object, as text; init_data NULL = none. */
int push_evidence_make(const struct push_instance *i, const uint8_t machine[static PUSH_POINT], const char *tee, const char *evidence,
		       const char *init_data, struct buf *out, struct err **err);
/* id "" when ok. */
int push_result_make(bool ok, const char *id, const char *message, struct buf *out, struct err **err);

struct push_answer {
	bool is_result;
	/* evidence */
	struct push_instance instance;
	uint8_t machine[PUSH_POINT];
	char tee[16];
	json_t *evidence; /* see evidence_from_trustee_object(); its byte arrays are json_bytes() values */
	char *init_data;  /* NULL = none */
	/* result; printable */
	bool ok;
	char id[64], message[512];
};
/* ERR_INTEGRITY (ids "push-answer", "json", "jwk"). */
int push_answer_parse(const char *text, size_t len, struct push_answer *ret, struct err **err);
void push_answer_clear(struct push_answer *a);

#endif
