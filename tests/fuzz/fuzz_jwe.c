/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Responses of a broker, decrypted with keys that exist for this purpose only. An input that does not start with { is five
 * lines: the header as plain JSON, then the other members, so that mutations reach the header without base64 in between.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"
#include "wire/jwe.h"

static const char rsa_pem[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCkLQy9icZvDWJu\n"
	"gtUVtrw16JhtZ0JxTMGHbsco1JeP99x9pVNzJ58l7oWZUDDTFHWWJ8KreHTUASpx\n"
	"Vx08NxdPrvC3uqZq2SIAhhhDhwr/TqRny7U4jveMBhBxVID59Dq73ulqm0OBOx5J\n"
	"oB1WZugyAUglAwR/W4JJU5xJo1YI2MQyJGQX50Q7qpFSLTxKT3RKvqEPqKtNm7dD\n"
	"bAUVzTtLSQJUDygj/86tz6tLqURWI5fXc6x8StZq9G+QStF+92YXFBjMCz5VyU65\n"
	"9t6Ufzf5ZjjVvowGlnJo9q7q7+icX5TxlI2IJY9jufZ8PCrsEGYST1eXvjXKJ0+S\n"
	"OpBJ0venAgMBAAECggEAJpMZL72b/MLZ0lp2Q6xUa5wzmF0PPPzKag5qyBqvY9na\n"
	"mkEKqv9vwuNYy62OU0I24KmF8XETji6Z8NiFm3zcQtI5aAn4iRlshk/7in5D5Lnv\n"
	"Ih44fcoFuwY/vckbpt8uH69gC7bgdRBVbPosen0iaIFpmJytZVk0cxMsoRa6I8ie\n"
	"bpBEDipj+Ok9V8RNY3ILzAfXjFIxg9EBkEGMd5O5KRM9g9a95qzJrwpqHaQzbEJW\n"
	"Es+GnRrJ4yq2D4m6BV2JeSwXMeVXuGxlIVS1wz96xZWv1jj4DWZUmSSQOW29H7Mk\n"
	"JdZmiR7Fnb2xSURCb5ELTU/7s8z5OdcSe7MPX1tC+QKBgQDSCI/qPkLpVzauXCsx\n"
	"+P0LMQjFxvGnmZx9DNdCQMi6MmQiCOkqeSDyHX7lxW32OeY0rnRdQFmQxgeBbQgS\n"
	"Of5igRPme2z07D3uYQw7ACpAh3e8FSAGeBtwDX/uZI3kTyBbg4FNrOOlkSkRZFAO\n"
	"8Z5ltf43dh9XzXSYFyHZr1gDjwKBgQDIG0EXYabpurZMmJkXqdWgqw92yIHZt24A\n"
	"cf85TLskfbWtIPmOfTtXKMgerMm/PFrf4wEhlorBD4X55VHM01kkdVkkeY6GOvv1\n"
	"vn1YPnOSp6oNREaaqgeywdrDDVQeEC3P63fqeFvLaCkwDmU6Mnas2wtkR+FM2H4C\n"
	"losu+mVeaQKBgQDBGjompQOjwRl3CSp1kXQku/pSy+wVqXdkyU+HjESAXCAP4p1s\n"
	"/Vy6/T9URUYqIWVzfgliSu2N22O/LN1E1Kj7K61+NHAiZqkx52v1Otud5G7DL7D4\n"
	"AalIRkEejrid9dnMCYXyQkgyStm1McMhWifFX6PQnfuHIFBYHLx0hW+oJQKBgDul\n"
	"nBZrHkTHSfW0+tVJ44q70qU2iTYrbhel40ziKVpsOk476QdnHtwRJO231X8yb2gT\n"
	"E1A+vmdjyCzABU0Hpqeubv7nWOt8A4Sx3k0CeJK7dX303xLVIexPynSfsXYwnmc+\n"
	"qgTzEXGlP7m6YMQjLKrDtDaVEnxEf/Mnip9bNgIZAoGAExYoe2yCdAQjjnNotZDb\n"
	"VUbgNDH2mvC6IDUATzHtZ6eIXWCHtUISBYJhrvxPKkwlGIlly9MPIYWYYpoJT+Ee\n"
	"0E/ffwU3BMAgDCQ3NSH/MchPjBZ1QvuAvefGYuOHvIywWqv8lovuUOses6NRJu+B\n"
	"43tar53hywctZ1nfaNd8Dnw=\n"
	"-----END PRIVATE KEY-----\n";

static const char ec_pem[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg8HrU0DUucV8BnIk/\n"
	"cI5zRU75L/wFpD2t6zsQp3qfYSihRANCAAT4ctXUU9qApbNGSw4dUF7bTsc0kBqy\n"
	"Be+diCJg+fv6bNJkQCoJhyqzr9waTYVvsKE+ULzftYrPJ9YocmzVyRWG\n"
	"-----END PRIVATE KEY-----\n";

static void decrypt(const struct jwe *jwe, const struct keypair *kp, enum jwk_alg alg, bool old_form)
{
	_cleanup_secret_ struct secret *out = NULL;
	_cleanup_err_ struct err *e = NULL;

	if (jwe_decrypt(jwe, kp, alg, old_form, &out, &e) < 0 && (out || err_class(e) != ERR_INTEGRITY))
		abort();
}

static void decrypt_all(const struct jwe *jwe)
{
	static struct keypair *rsa, *ec;

	if (!rsa && (keypair_from_pem(rsa_pem, sizeof(rsa_pem) - 1, &rsa, NULL) < 0 ||
		     keypair_from_pem(ec_pem, sizeof(ec_pem) - 1, &ec, NULL) < 0))
		abort();
	decrypt(jwe, rsa, JWK_RSA_OAEP_256, false);
	decrypt(jwe, rsa, JWK_RSA1_5, false);
	decrypt(jwe, rsa, JWK_RSA1_5, true);
	decrypt(jwe, ec, JWK_ECDH_A256KW, false);
}

static void five_lines(const char *text)
{
	_cleanup_free_ char *copy = text_dup(text);
	char *rest = copy, *lines[5];
	struct jwe jwe;

	for (size_t i = 0; i < 5; i++) {
		char *line = strsep(&rest, "\n");

		lines[i] = line ? line : strchr(copy, 0);
	}
	jwe = (struct jwe){ NULL, lines[1], lines[2], lines[3], lines[4] };
	jwe.protected_text = b64_encode_dup(B64_URL, lines[0], strlen(lines[0]));
	decrypt_all(&jwe);
	free(jwe.protected_text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = strndup((const char *)data, size);
	struct jwe jwe;

	if (!text)
		abort();
	if (text[0] == '{' && jwe_parse((const char *)data, size, &jwe, NULL) == 0) {
		decrypt_all(&jwe);
		jwe_clear(&jwe);
	}
	five_lines(text);
	return 0;
}
