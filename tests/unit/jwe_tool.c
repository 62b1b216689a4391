/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * wire/jwe on the command line, for test_jose_interop.sh only:
 *   jwe_tool gen KEYTYPE ALG PEMFILE     makes a key, prints its public JWK
 *   jwe_tool enc ALG JWKFILE             plaintext on stdin, response JSON on stdout
 *   jwe_tool dec ALG PEMFILE             response JSON or compact form on stdin, plaintext on stdout
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/text.h"
#include "wire/json.h"
#include "wire/jwe.h"

static int alg_by_name(const char *name, enum jwk_alg *ret)
{
	static const enum jwk_alg all[] = { JWK_RSA_OAEP_256, JWK_RSA1_5, JWK_ECDH_A256KW };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (strcmp(name, jwk_alg_name(all[i])) == 0) {
			*ret = all[i];
			return 0;
		}
	return -1;
}

static int gen(const char *type_name, enum jwk_alg alg, const char *path, struct err **err)
{
	_cleanup_buf_ struct buf b = BUF_INIT(65536);
	_cleanup_secret_ struct secret *pem = NULL;
	_cleanup_json_ json_t *obj = NULL;
	struct jwk jwk = { .alg = alg };
	struct keypair *kp = NULL;
	enum key_type type;
	int r;

	if (key_type_by_name(type_name, &type, err) < 0 || keypair_generate(type, &kp, err) < 0)
		return -1;
	keypair_public(kp, &jwk.key);
	r = keypair_to_pem(kp, &pem, err);
	keypair_free(kp);
	if (r < 0 || file_write_atomic(AT_FDCWD, path, secret_cdata(pem), secret_len(pem), 0600, err) < 0 ||
	    jwk_to_json(&jwk, &obj, err) < 0 || json_canonical(obj, &b, err) < 0)
		return -1;
	puts(buf_cstr(&b));
	return 0;
}

/* The file's own alg is replaced: jose leaves it out. */
static int enc(enum jwk_alg alg, const char *path, struct err **err)
{
	_cleanup_free_ char *text = NULL, *plain = NULL, *out = NULL;
	_cleanup_json_ json_t *obj = NULL;
	size_t len, plain_len;
	struct jwk jwk;

	if (file_read(AT_FDCWD, path, 65536, ERR_CONFIG, &text, &len, err) < 0 ||
	    fd_read_all(0, "stdin", 65536, ERR_CONFIG, &plain, &plain_len, err) < 0 ||
	    json_parse(text, len, 65536, false, &obj, err) < 0)
		return -1;
	json_object_set_new(obj, "alg", json_string(jwk_alg_name(alg)));
	if (jwk_from_json(obj, &jwk, err) < 0 || jwe_encrypt(&jwk, plain, plain_len, &out, err) < 0)
		return -1;
	puts(out);
	return 0;
}

static int parse_compact(char *text, struct jwe *jwe, struct err **err)
{
	char **const parts[] = { &jwe->protected_text, &jwe->encrypted_key, &jwe->iv, &jwe->ciphertext, &jwe->tag };

	memset(jwe, 0, sizeof(*jwe));
	text[strcspn(text, "\n")] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		char *part = strsep(&text, ".");

		*parts[i] = text_dup(part ? part : "");
	}
	return 0;
}

static int dec(enum jwk_alg alg, const char *path, struct err **err)
{
	_cleanup_free_ char *pem = NULL, *text = NULL;
	_cleanup_secret_ struct secret *out = NULL;
	struct keypair *kp = NULL;
	size_t len, text_len;
	struct jwe jwe;
	int r;

	if (file_read(AT_FDCWD, path, 65536, ERR_CONFIG, &pem, &len, err) < 0 ||
	    fd_read_all(0, "stdin", 65536, ERR_CONFIG, &text, &text_len, err) < 0 ||
	    (text[0] == '{' ? jwe_parse(text, text_len, &jwe, err) : parse_compact(text, &jwe, err)) < 0)
		return -1;
	r = keypair_from_pem(pem, len, &kp, err);
	if (r == 0)
		r = jwe_decrypt(&jwe, kp, alg, false, &out, err);
	keypair_free(kp);
	jwe_clear(&jwe);
	if (r == 0)
		fwrite(secret_cdata(out), 1, secret_len(out), stdout);
	return r;
}

int main(int argc, char **argv)
{
	_cleanup_err_ struct err *e = NULL;
	enum jwk_alg alg;
	int r;

	if (argc == 5 && strcmp(argv[1], "gen") == 0 && alg_by_name(argv[3], &alg) == 0)
		r = gen(argv[2], alg, argv[4], &e);
	else if (argc == 4 && strcmp(argv[1], "enc") == 0 && alg_by_name(argv[2], &alg) == 0)
		r = enc(alg, argv[3], &e);
	else if (argc == 4 && strcmp(argv[1], "dec") == 0 && alg_by_name(argv[2], &alg) == 0)
		r = dec(alg, argv[3], &e);
	else
		r = err_set(&e, ERR_CONFIG, "usage", "usage: jwe_tool gen KEYTYPE ALG PEM | enc ALG JWK | dec ALG PEM");
	if (r < 0)
		fprintf(stderr, "jwe_tool: %s\n", err_message(e));
	return r < 0;
}
