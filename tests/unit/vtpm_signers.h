/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Two signers of PCR policies, made with openssl, and what systemd 252 makes of them. */
#ifndef CRYPTATTEST_TESTS_VTPM_SIGNERS_H
#define CRYPTATTEST_TESTS_VTPM_SIGNERS_H

#define SIGNER_RSA_PEM \
	"-----BEGIN PUBLIC KEY-----\n" \
	"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAy63TVI3SpQYgs8fDlyHo\n" \
	"v0e2Yhk8OibFw7VGY8X0TsrVXWOySLfuhGQPBs8f0mx0VoeddRR2DmpJ/ZpyLFNp\n" \
	"GJwWAPetwNFQgWYZLeYi15pe6dZOleIS2ASv0BS5jL0iegD/IlRGiGX5nVkfdzLS\n" \
	"KXcqVG+JJO7Avpzgczpdr2YwtN0FGzDFmJSEn1nWmvZurhvzzPQMc/5sAppvIvr0\n" \
	"CF184K9CB7FvFB7vUg009HO0RQh9JBwDT2u1bavQaMG4PDeXOMJ3XUll6X/FpDcK\n" \
	"qD+z+YnkpKsnQwKHwGLKe2JjXazQjmiu1VbNOw9COw7ECMInP71IeU8yj7l7GTk3\n" \
	"+wIDAQAB\n" \
	"-----END PUBLIC KEY-----\n"
#define SIGNER_RSA_PKFP "e7b00ec4af0f4cafde82569f74a5ca8a8ce01cf4bc6db4422353f9b7313c757f"
#define SIGNER_EC_PEM \
	"-----BEGIN PUBLIC KEY-----\n" \
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEzitQglOvPjnHZfkThQGH6NYqeI+j\n" \
	"OvEa5+bPQLPkDgHnzly5ojHRw/Idp5uzEL5AidNI+Pu2ct0DTpvSzvzaZg==\n" \
	"-----END PUBLIC KEY-----\n"
#define SIGNER_EC_PKFP "250ee5b7f17b5e48ee94ef0a70edae5869a49178e27eed7f7e50460993c6db91"

/* systemd-measure sign --phase=enter-initrd: one entry for each of the two keys, and the PCR value that both approve. */
#define SIGNED_PCR11 "5c36cd8e536514074c29dd469a99a586a530e15100c3a51dcbc1c14a4f56237e"
#define SIGNED_POL "a02e8312b51ad1f066ef515edadaebdd4d6ccd079f031d0d27ea74dbd59a9a4d"
#define SIGNED_RSA_ENTRY \
	"{\"pcrs\":[11],\"pkfp\":\"" SIGNER_RSA_PKFP "\",\"pol\":\"" SIGNED_POL "\",\"sig\":\"" \
	"jLYSfnNgKpQ9HAtczFHmcDRaSX4By/Zi9CB0zQZJR9LHaNmBzIkC5yT1eJhAqbD1wxhpZcjWLXQgcSDTjut8pF0nVYhEexOMXA8W" \
	"0P69KDbDMU1C2+5Nt5xULfydNU2hgjrKL6Nwc7KqDF3il+vpNrWkhhxleZizNkg0+wpXqwcn7MAzDFZ7NdCshieyB8oHQmKMHNFe" \
	"nej+psaMXlYIk2iaol+JsdOyT+5CBSF6MYb+N9eUiRcsxw78cWm5PxIeVXvAjoTg3yEH65eXxA6i1ASzyZbcQBo5khcYyxjITq6h" \
	"+qef/5AesY3nAlsTn8zOeZt/BX+k9wYUtzwfRlYKjQ==\"}"
#define SIGNED_EC_ENTRY \
	"{\"pcrs\":[11],\"pkfp\":\"" SIGNER_EC_PKFP "\",\"pol\":\"" SIGNED_POL "\",\"sig\":\"" \
	"MEYCIQDItCzUMT8vk8YmASkGJy8+OGobo4/KB/Y1fTE+Wm8nVAIhAO8XBAc13zIRM+RBVNJHRM65p574YTIKlmSvfc/JQw2z\"}"

#endif
