/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What the operator sends: hello and secret, in fixed fields. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "wire/document.h"
#include "wire/push.h"

#define HELLO_MAGIC "CAPUSHH1"
#define SECRET_MAGIC "CAPUSHS1"
#define MAGIC_LEN 8
#define LABEL "cryptattest:push:secret:v1"
#define MEMBERS 5

/* Of base64url text: header, wrapped key, IV, document, tag. */
static const uint32_t member_max[MEMBERS] = { (JWE_HEADER_MAX * 4 + 2) / 3, 128, 16, (SECRET_DOCUMENT_MAX * 4 + 2) / 3, 22 };

void push_hello_put(const uint8_t nonce[static PUSH_NONCE], struct buf *out)
{
	buf_append(out, HELLO_MAGIC, MAGIC_LEN);
	buf_append(out, nonce, PUSH_NONCE);
}

int push_hello_get(const uint8_t *data, size_t len, uint8_t nonce[static PUSH_NONCE], struct err **err)
{
	if (len != PUSH_HELLO || memcmp(data, HELLO_MAGIC, MAGIC_LEN) != 0)
		return err_set(err, ERR_INTEGRITY, "push-hello", "the first message is not a hello of version 1");
	memcpy(nonce, data + MAGIC_LEN, PUSH_NONCE);
	return 0;
}

void push_secret_clear(struct push_secret *s)
{
	jwe_clear(&s->jwe);
	*s = (struct push_secret){ 0 };
}

static void put_members(const struct jwe *jwe, struct buf *out)
{
	const char *const text[MEMBERS] = { jwe->protected_text, jwe->encrypted_key, jwe->iv, jwe->ciphertext, jwe->tag };

	for (size_t i = 0; i < MEMBERS; i++) {
		buf_put_u32be(out, (uint32_t)strlen(text[i]));
		buf_puts(out, text[i]);
	}
}

/* What is signed: a label of its own, the report data, and the ciphertext itself. */
static void put_signed(const struct jwe *jwe, const uint8_t report_data[static PUSH_REPORT_DATA], struct buf *out)
{
	buf_append(out, LABEL, sizeof(LABEL)); /* with its NUL */
	buf_append(out, report_data, PUSH_REPORT_DATA);
	put_members(jwe, out);
}

static int encrypt(const uint8_t machine[static PUSH_POINT], const struct secret *document, struct jwe *ret, struct err **err)
{
	struct jwk to = { .alg = JWK_ECDH_A256KW };
	_cleanup_free_ char *text = NULL;

	push_key(machine, &to.key);
	if (jwe_encrypt(&to, secret_cdata(document), secret_len(document), &text, err) < 0)
		return -1;
	return jwe_parse(text, strlen(text), ret, err);
}

int push_secret_make(const struct keypair *operator_key, const uint8_t machine[static PUSH_POINT], const uint8_t report_data[static PUSH_REPORT_DATA],
		     const struct secret *document, struct buf *out, struct err **err)
{
	_cleanup_buf_ struct buf tbs = BUF_INIT(PUSH_SECRET_MAX);
	__attribute__((cleanup(jwe_clear))) struct jwe jwe = { 0 };
	uint8_t signature[PUSH_SIGNATURE];

	if (secret_len(document) > SECRET_DOCUMENT_MAX)
		return err_set(err, ERR_INTEGRITY, "document", "a document of %zu bytes, at most %d", secret_len(document), SECRET_DOCUMENT_MAX);
	if (encrypt(machine, document, &jwe, err) < 0)
		return -1;
	put_signed(&jwe, report_data, &tbs);
	if (buf_check(&tbs, err) < 0 || keypair_sign_es256(operator_key, tbs.data, tbs.len, signature, err) < 0)
		return -1;
	buf_append(out, SECRET_MAGIC, MAGIC_LEN);
	buf_append(out, signature, PUSH_SIGNATURE);
	put_members(&jwe, out);
	return buf_check(out, err);
}

static bool is_base64url(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t c = p[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
	}
	return true;
}

static int bad(struct err **err, const char *what)
{
	return err_set(err, ERR_INTEGRITY, "push-secret", "the operator's message: %s", what);
}

static int take_member(struct rd *r, uint32_t max, char **ret, struct err **err)
{
	uint32_t len = rd_u32be(r);
	const uint8_t *p;

	if (r->bad || !len || len > max)
		return bad(err, "a part of a wrong length");
	p = rd_ref(r, len);
	if (!p || !is_base64url(p, len))
		return bad(err, "a part that is not base64url");
	*ret = strndup((const char *)p, len);
	return *ret ? 0 : err_nomem(err);
}

int push_secret_parse(const uint8_t *data, size_t len, struct push_secret *ret, struct err **err)
{
	struct rd r = RD_INIT(data, len);
	const uint8_t *magic = rd_ref(&r, MAGIC_LEN);
	struct push_secret s = { 0 };
	char **const members[MEMBERS] = { &s.jwe.protected_text, &s.jwe.encrypted_key, &s.jwe.iv, &s.jwe.ciphertext, &s.jwe.tag };

	if (!magic || memcmp(magic, SECRET_MAGIC, MAGIC_LEN) != 0)
		return bad(err, "not a secret of version 1");
	rd_copy(&r, s.signature, PUSH_SIGNATURE);
	for (size_t i = 0; i < MEMBERS; i++) {
		if (take_member(&r, member_max[i], members[i], err) < 0) {
			push_secret_clear(&s);
			return -1;
		}
	}
	if (rd_left(&r)) {
		push_secret_clear(&s);
		return bad(err, "bytes behind its end");
	}
	*ret = s;
	return 0;
}

int push_secret_open(const struct push_secret *s, const uint8_t operator[static PUSH_POINT], const uint8_t report_data[static PUSH_REPORT_DATA],
		     const struct keypair *machine_key, struct secret **ret, struct err **err)
{
	_cleanup_buf_ struct buf tbs = BUF_INIT(PUSH_SECRET_MAX);
	struct public_key key;

	push_key(operator, &key);
	put_signed(&s->jwe, report_data, &tbs);
	if (buf_check(&tbs, err) < 0)
		return -1;
	if (public_key_verify_es256(&key, tbs.data, tbs.len, s->signature, NULL) < 0)
		return err_set(err, ERR_INTEGRITY, "push-signature",
			       "the document is not signed by the operator's key for this connection and this machine");
	return jwe_decrypt(&s->jwe, machine_key, JWK_ECDH_A256KW, false, ret, err);
}
