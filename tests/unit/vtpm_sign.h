/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Signs PCR policies as systemd-measure does, with keys that openssl made for these tests. */
#ifndef CRYPTATTEST_TESTS_VTPM_SIGN_H
#define CRYPTATTEST_TESTS_VTPM_SIGN_H

#include "tests/lib/check.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/encode.h"
#include "base/text.h"
#include "vtpm/policy.h"

#define SIGN_RSA_2048_PEM \
	"-----BEGIN PRIVATE KEY-----\n" \
	"MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDLrdNUjdKlBiCz\n" \
	"x8OXIei/R7ZiGTw6JsXDtUZjxfROytVdY7JIt+6EZA8Gzx/SbHRWh511FHYOakn9\n" \
	"mnIsU2kYnBYA963A0VCBZhkt5iLXml7p1k6V4hLYBK/QFLmMvSJ6AP8iVEaIZfmd\n" \
	"WR93MtIpdypUb4kk7sC+nOBzOl2vZjC03QUbMMWYlISfWdaa9m6uG/PM9Axz/mwC\n" \
	"mm8i+vQIXXzgr0IHsW8UHu9SDTT0c7RFCH0kHANPa7Vtq9Bowbg8N5c4wnddSWXp\n" \
	"f8WkNwqoP7P5ieSkqydDAofAYsp7YmNdrNCOaK7VVs07D0I7DsQIwic/vUh5TzKP\n" \
	"uXsZOTf7AgMBAAECggEAH5c7jsLxLSj+USlxPpODADQKZ5G8GSrirqBYUBOnzmwV\n" \
	"sYahOY0ptf1iT+8343vF2ZaZh0t1T3a7ONXyfR8yJEqFUStulthVm78EYG2a8YTf\n" \
	"JswCDquXZPY+d1As7VV32k4lmaNSTfKUcjbHXhtoTwfNbXY1N8to4seoj8a5jtbM\n" \
	"G4nvUWq/wbvxRXcrf5VD3g6h5zcbFpiRhZmrQmELaFPPD72z2ldDR9GnlvLOUqdY\n" \
	"Qa3ld6CTRfdiYxOMTwUysBo8G4ETuJCVZtpYEiJJek/Eb01Ka3Sab00c2+kc9PY+\n" \
	"jUxI402+lkx/cxSzyKaHkBHfQflJlTdPtxV6xCa3bQKBgQD7RU4fJ6dhHGwV28wR\n" \
	"lYu1eK9xEcdcvDbjm67gp37KAAggINTZTx/EBjvFPyGKO84eY+Z5gRI62oL6jY/k\n" \
	"TjAg2DGQq8ISDm1jZnyQkRXJSUr9Oi6lIx5PWO0znxIxgcGqa5Gi5HpVPZvemN5Y\n" \
	"vD1KhAgnHoZL6/HykKOe8nbePQKBgQDPgzWwS2NiWVFrwJ31z3smQmtVCXuECtBu\n" \
	"xa13gRBv5PfrvDpw2KBeb4SkxaF+q3VUTknkCJDUvMl1UNi5Ooc0rN1EWTM0aYj9\n" \
	"HYt+MxWuGqcO+gtJ9tO+67o/aj0C4k0zX1y77k8QB+J6jwequLs7J25Mk/5i5SC3\n" \
	"N0FdzMDKlwKBgQCBoeDK+/dDh5lPsaTXkZKRXiENMYHsGwIqbQBM0Lz91ARdJvMI\n" \
	"5eRaimi9u3M/UNlnHl0iZG+WQ3N9dhk9TQVRfJgdri8ih6Txukcbgm59+T0h5al4\n" \
	"8uRJRXSixDdrqSjUFkj9g+iFH5LRxYY4u2zXi8R1Ai+A7cpWPT7c2vRudQKBgGkz\n" \
	"ot9aiOsOTxnqj+pToqJV3+Y/pW/er6bI7tV8CCJCGXJYfeRB3qOhs8R5MRNvx07T\n" \
	"VeCWex5vC08/im/1fSA2VwLUmgIDUuDHvrVfHqmid3k/SMPZr6XGCikmKgIxSmQ1\n" \
	"/2SDP2/oH2h05LUnbDxkFCYcjUYD1V8tUyVDraXHAoGBAN4/Gf3+kMLshPVudd6Q\n" \
	"nzAUSKTyY9hSxrd8ylxU13hvOyhTcGgjdDNK5A3Y6U4es0EbcLtbVAy7JkU7hlEh\n" \
	"jjDmAJZ0KQyQ4cxBK3EbBDeYk67Ztr870zRK2DM/GfjHjvOWnHKD7yhrmja7t0wO\n" \
	"nOXFF3J421jojJclJJC4D0fZ\n" \
	"-----END PRIVATE KEY-----\n"
#define SIGN_RSA_3072_PEM \
	"-----BEGIN PRIVATE KEY-----\n" \
	"MIIG/gIBADANBgkqhkiG9w0BAQEFAASCBugwggbkAgEAAoIBgQCLVA76akfalRLo\n" \
	"lVn4/ai0iL9CkwNB05JPsU5S9YlK1CZEoLTRh3KOYnDuqYb6lEbkgnhcEgGO64yy\n" \
	"Bf/nzwCxPgGEPUBvsVGFad/mUQ+ms9P0AJ0f4ilkKFZMf3JUamxEcrdkPEKd+yw7\n" \
	"SiziCbAHUqO3R3ouMDJxFrflEiB0R/PsPYIpDukpqEx/Ya533JCUYgJGe7xa8xIy\n" \
	"FDH/oShUnpDgHQ7gC49k3D65qwgdDVB+B+FnDW6EPjIBfEb4bagB17dziy4N8e6a\n" \
	"CX97gAwGHI0pwR0NpdB20ypzVZB2Uq2BhQVAqwHyRjiUkM6pnjdoa6a5Vsjzj0YE\n" \
	"RB8wB43nXp8kJTbTXK0hsBr3OOmxHlVC9GzAeEQjXjp4U07q8OumDmBIYS8V4ZEg\n" \
	"tqXy/VFUTXeBx6x+SB4TW56K4q6Ws3QPpfVVWkve+enSzWH0XX6kLNJTk5zLSCUY\n" \
	"fdEqi0yX2vOijj9NwBm7gdO88ZRgVsQegQAtDDIfxHV9BnCgC0MCAwEAAQKCAYAQ\n" \
	"G3Up1Qyeg/puIgoHQ4fz6xU1ZJqNSyDQjr5vz8wB9xm/eFa/HGoNdOr6ZGXi5S52\n" \
	"73BrsHc2pxuaXyAxE9jQJMt3Fr+yyeyTQGSukzN8gbCgtktz6qj/V7x2VouIn88J\n" \
	"cLur3l2TNvzrk80xio4roo2jvCMvYMoMEeTLmjdfSgw0hP3dskgZVUgWt9u8Jqce\n" \
	"SGBb9qUVXKF/YZ9QHrjzY2t7RVC5bQy0S9QCkfe7qBTkpROVXtOmfSw5yLzJrp+A\n" \
	"f7OrvGtEOrZJ7osyh8BgY/H+S+3I5PAnqoSZpBXKweUxbKfuUYVeEfNeZUW7W0iO\n" \
	"o0/n1X3o+xOfjYCm2aOXrVXz5cNtQ/Ddf8uu2rhYvuzGhES8NPmMU1/LsDv2ykM3\n" \
	"dcxq2xGfyTKZK/eEue3e/6QJtVEbJ5zHGJ/PHJsJ0ypmkNsOSo4jnc6ZGKqNkXWF\n" \
	"J24tPba2myTmmRMkgZokUIzGiRumtGifcxFnDFB8hbHvrPLP/xRDfnInAHPZ4DEC\n" \
	"gcEAvo7pmJpLa2tEYC5TcCRi1cFXH9SgUm+utS43AFyyWtY1VdGd9u7PnN+69kg6\n" \
	"nZiYXG6Xr5yJSKWQfM7buQpIJQSCOoNC5YyvdeIzXfry81k12lUq/EbIWBWMBvS6\n" \
	"9WrLAt8zPmwmiHscpY9OQkQBKn9JCUdowV4A6IWsHZ0dzij3JYw7tvrTn7n1nH/1\n" \
	"33GP9HO5alHyNnUbEl+YA08KTQm9M9wmO99pgqbf4wsp6q/k24m/wpvzkM6uDDmr\n" \
	"DNYzAoHBALstOhDMDjeejY0q9a0Fkgnxz6ryR3x9+1ogeTI+X4pOiQ3jKy3G0R7W\n" \
	"d+4awayaKMWtvQLSOv0jXbDpm6QwVELAXrmg5Pn7GdGxYYDMmJLIGGqY5WfkdCF7\n" \
	"QkzPH3jEuIbnEzPFaK+iWXAI9cf0k0DQqew7cX0hh5g63C+X50045cUTiaI87FKC\n" \
	"3X4T262HHu7O5ZA+cOj/LxCk4UQiIqKTri03lznqTpyCMdUlOlVGsasJ9D20tVcR\n" \
	"BlK5cxpGsQKBwQCACEN5LcoYrWSuftG+2iOx3Qptr43cdX9b6mY4DxAiqiQBuio5\n" \
	"XDEQBN54VQVVF87e48t0yWcP8XXH9bB5figE/yeEqubKlqDZQpciwNZ1nG3reSe9\n" \
	"gs1fKXMAxXPMKumlz1N90Gp/bsBLmKKLMWfbJtRqsJj4uvE/SXjgGM2K08liZ/tD\n" \
	"MPn5KpeUhAEuFP4Uz6A3iEGGR15eFO5s4rFYG4ANFRB3T99zUi3BPaH3NiE9RCsc\n" \
	"VW3r0IHuYtzDbjMCgcAORYuI3lYzLXazjdP/pk4VTge8jA6hUmXI4HL9Pr5AKG7Q\n" \
	"zUJskh090bKBSC7+Px7eu7mOroLq7DhnldhVM44pLMvMMZVj7h5w26qIjJERmAos\n" \
	"jo3nVwb3ypMqkhxfM/ix6IqRRvsNcT6KiVRcM6zKo15hccLcfKL/G3XQdy+etrjm\n" \
	"RvAWm7iVLf8/browR/42zTW5wtkPGu32weufK08iwEnmjreMJe5qho7QJq+E8wf2\n" \
	"96JU1iOBiP3HbvZ0yXECgcEAlZNYoy4lfYrblB2nl5sIptJmZRnxdTCwfBjdB5Jz\n" \
	"Q0glsNMj2sihugJ3uTHpcwLCx0rq1gKL1gh1N+DpSiy2w/ygXd71e86/ErRUdbrR\n" \
	"vqWIPfSSuA45uKTtAaxAKhNv9QBnNkutbzZv6GX/Z/GvjKUV+IOs7PgA4hf7ct1u\n" \
	"fOVcgQuQxQ22L2u78Ebclqh6QjTCwEVp9UQQIRn1XU5yoxpzqQgBkhGRJg2gOy9A\n" \
	"QXU7D0L/p5do91fOfnGU9OD1\n" \
	"-----END PRIVATE KEY-----\n"
#define SIGN_RSA_4096_PEM \
	"-----BEGIN PRIVATE KEY-----\n" \
	"MIIJQQIBADANBgkqhkiG9w0BAQEFAASCCSswggknAgEAAoICAQDhlpiSWzPMgVuq\n" \
	"Z77sbgCnaqRgVqjF6Unpu47+9+MQNQEalrgZ106H1zLjFHQnI1kc+HgWkiZzemPV\n" \
	"5EDZ4dXPTR9NZyd3IOTxa+FRSAbB3QczGTAXYGwrLFrES/gqLoEb8eMKtwnX0+1i\n" \
	"LwAAIgze0HW0TNGb0XByXAGWQnkyZOiiq9T3IrIc/U4JfkgplW5fjJjMGAIhtVLI\n" \
	"OaGBcgd/fAwn85HIfLPMgP3tSpSz76uFhyo/4lNPjqjjOwmuQ/2Y84lbamffm5HF\n" \
	"i7r4kq097UYMVL2377iV0bFsmHssAd9HVMML8tI9AGT5fxymznDx69hVUTuQi49x\n" \
	"ncNzSeQvqlA0EzyrVb/6ib7arjclOgpBYOpOsWnjRQ/sCvUeKl0A6Zl20MCgPK/P\n" \
	"MLDD/Z6xZ3HvHmOnJy+ZSGMXiaWMyXmxwR+hF40hS1CTx7xEjDkuPsFh5wyvwuDZ\n" \
	"IlOovShEH/MZmFr6l+8iBGpl3Eg7ZQ0N49a7GTvBTjUBnNdPHXllKnlbuqYd4iGU\n" \
	"Lw0ZJCdVhCO7RySuK/3eoal9R8IQ69WRTVkxemxpUvV/Em4vm+xO6zLmX6KaGZhX\n" \
	"Oe6M3KhJnMiNyG4OjoAGF5gjnGWQq4AvjRyLvb9nKFodP3K4PXE3C1qIYTDPeyVW\n" \
	"K+EmM5Ozg6fVCHVUIM5d0ZxF2grf/wIDAQABAoICAEgKcMTkbUFU2jIsGXOlmX3d\n" \
	"d4rwgctaOelzpTHVdeTaGHUmRrqx4HlPBwgvovxQtIek7ay/lZnxLurCjtdF4KLo\n" \
	"DSQJ2jeYAKT8f6MWbloAvOjblVkRyNlsu7vOSv0lhsOm1ou4cmNDYZ6mRcjFFvkc\n" \
	"90nR8mphUxiiOzuCFPQ793LjjwoxQVIyrnYnpuHov6ux2aXr0Np07m/Uv7f3818J\n" \
	"/VPQ2/B7qmuXkf/yflSMKGlnBd4K5/ITK+oNE4VcXyM2Oto/u9ZT9xRwEBCLvtl0\n" \
	"6ZbMhR21Z2wo4BE/DK68FlLQRc2OCQfEFXr71emLKdSILbjpTS1W9EMjT6SEp2Lb\n" \
	"vRAWNm/8aiyXeDP5tNAnSId9fxdFcaLKUBUgDBQIW4cRQDC4T/oSyDFwtaURWx4B\n" \
	"UvJheFvLivrBhA65a/V+896FY41EiaGmDkXGCvHXPfQ1w2SPrGGUn2ZH1sNocHp2\n" \
	"v9gVGHvXDZyvgat7iDRniJ9b7GSaSDPGNgk3uvBBZcZfFn5a2Z6cWpFm6gQ0bEiX\n" \
	"bFaeCAMQAJdd2pNh32I276/TLUkJGmDDne3vo+MwvCTiEb/gZhK+h7xlsndk2WQ/\n" \
	"/6jfAqsOvCqN0myqn809QpSzATCtgBY3bveEpaIR24ipatLKroxW3w/jvzxKjvaQ\n" \
	"bvNxINzBR4yKaJNkbzVJAoIBAQD9NkK4l7N+56j/C1PrCsJ2fMxiAZ+7Bvs6dcfo\n" \
	"AGR38/U1skHiJEzfmFTkCVj+CbTJma4wrN9Q38O/o3mAN1Wd0u9d/OmrcDSGzOC0\n" \
	"TkIj2stv/kHsXI92C44N3Y0d6WeMBfsrS+eQ7zm0jPzF4HUSiHX43nwRXRRNj1U6\n" \
	"STMr7HxRHyAf3hMQSNsUw4KUikV0+Mnh6wtjmTqkg9NKvrQaDGmRakgl82OUKwzW\n" \
	"R99X+SlmvG7QRRhmnaSbBZUTUj9dCCnNjWTWQhpefviXAkNBRJJg4I+R+JJNZfyz\n" \
	"kAQ19WfGdF1Fd1OdKpByuVG00gu93RikVkQXsJssKUQLVHDzAoIBAQDkEniloaBb\n" \
	"5qEzKRsGiWLZK4tB4iFJbeynR/ygSwUc8Vb+DKLzhPIl4t2sCWjuYbsiWk5aoSCE\n" \
	"5kgwdiAkFmqbQAr3wGBz8U3LWl7IUUc74lAe8lw7gVL23jxmGJev4doarjmOlFQk\n" \
	"np5hnwQcfQjON9cKJtSw8MpalxNX2bCXx9hpP9fmFLSr1xABAulBSYHFGthp2nJV\n" \
	"E14m4gHCKy0WQsE4hnxW8EKMve0iKL/vNz7uvMa4/aTe2Veo2AzYh9jKfG6dDYdL\n" \
	"XRV+sQtzOVlQ1381ukIUZ4+qalxQ3Xiy58YPJYCUAhqecUocV4vEZsJV1wSn4chX\n" \
	"1itst3JT9XfFAoIBADXtxowWEy6mHEIloXvf0Mb3kXgWLHTi6cLrruXkn4FEvibv\n" \
	"jkShwpWklf/zVbbVTmHZj1Xim7VX0xMPuCLsphl1AXIdGY9f2HAVVo5QVJnaUZXK\n" \
	"qzOyCwPzNhAR7ao/OcSCyZnREsK1kK65kGR8h7Koyad1iysPjfFu45IEYReryFZm\n" \
	"sKrY22qOecqUUU1dnalqC2VIcCaITgsX4Hp831Lk7d8AqdkbW0wFVziUGidcc8rj\n" \
	"ux40eRvx20sBB10UGVaxFGYpBR70+TTDCiLvYm+WMS7c5PcL3+0IGagMtjjfyXhk\n" \
	"9DCFV5OTqywj+Bjw23tWiZcGoH4DKSlgqJNZKq0CggEACx9LeuhS5ahtnA0ZIEx6\n" \
	"4ZRaCjB45xfRPqcoDrkZ2rt6PpFnMPD+zhIuNUGQOG/TrG0y/QB2kYSZaKOaFahy\n" \
	"MngBEOv0yDKwVIZnsOUl0CnNNnUjQlOgNCHKWEBCxXUCKeLtM6LQJ6kEmEYk8S63\n" \
	"yza16ezS2n4joB9V9ibLkdtRFnDimnnQBcFLKoF11pU7Gt2gSCk7AiMbqFHFPC7W\n" \
	"2AsRWSxVy/eTh0GL2uqZ0ZSkIQhbuJHGBIgc2kMO/VBCpj1DN619N5OmhLMll8zo\n" \
	"KiUYMwqORmh2fR0Ku3bReAgNhJeTmaQwoCFuN8udKUrJl14RAA7mskHjhD29+ZIy\n" \
	"8QKCAQB6YkyKdyPmn65ckNHPtnGbAMF1Xi/Qv2mvdhQFi8Q7txjG3v1OQHugIuTh\n" \
	"qO+sBji/JMypUOEdBSwFz/AKQhM6c1FEd8h/cCXfkC1coSYFSlMRsD42SYLymWvz\n" \
	"4LzR4EWcvduwk7yd9KREohwlwPeSvvwwy/mDz1n4tSb0IrWCh936aHg7YNIlWx2p\n" \
	"D6ekpM14XOeg04pgDl00PAj/ju1LIBYbQyJr5Y0rBA9hVyIFwDEV5OlYbwqeaXLT\n" \
	"BI2kDhNOSytfZMzOlhUs+sp35bwiWi0Yde1P8X8W3NTVBrsC2yMTHkVfNzLB5Y7o\n" \
	"DGDApw270hTGCZ2QlELybh7c1nGx\n" \
	"-----END PRIVATE KEY-----\n"
#define SIGN_EC_PEM \
	"-----BEGIN PRIVATE KEY-----\n" \
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg2BXAbqhK4B4SIzWz\n" \
	"Tj78RqdjcNUIiioFSRBfHbZjGFGhRANCAATOK1CCU68+Ocdl+ROFAYfo1ip4j6M6\n" \
	"8Rrn5s9As+QOAefOXLmiMdHD8h2nm7MQvkCJ00j4+7Zy3QNOm9LO/Npm\n" \
	"-----END PRIVATE KEY-----\n"
static inline EVP_PKEY *sign_key(const char *private_pem)
{
	BIO *bio = BIO_new_mem_buf(private_pem, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	assert_non_null(key);
	BIO_free(bio);
	return key;
}

/* free() it. */
static inline char *sign_public_pem(const char *private_pem)
{
	EVP_PKEY *key = sign_key(private_pem);
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *text;
	long len;

	assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
	len = BIO_get_mem_data(bio, &data);
	text = text_printf("%.*s", (int)len, data);
	assert_non_null(text);
	BIO_free(bio);
	EVP_PKEY_free(key);
	return text;
}

/* A whole file with one entry for PCR 11. fingerprint_of: the key that pkfp names, normally the same. version < 0: none. free() it. */
static inline char *sign_file(const char *private_pem, const char *fingerprint_of, enum pcr_bank bank,
			      const uint8_t policy[static POLICY_DIGEST], int64_t version)
{
	char pol[2 * POLICY_DIGEST + 1], pkfp[65], *sig_text, *pem = sign_public_pem(fingerprint_of), *text;
	EVP_PKEY *key = sign_key(private_pem);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	struct pcr_signer s;
	uint8_t sig[512];
	size_t len = sizeof(sig);

	assert_ok(pcr_signer_parse(pem, false, &s, &_err));
	assert_int_equal(EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, key), 1);
	assert_int_equal(EVP_DigestSign(md, sig, &len, policy, POLICY_DIGEST), 1);
	hex_encode(policy, POLICY_DIGEST, pol);
	hex_encode(s.fingerprint, 32, pkfp);
	sig_text = b64_encode_dup(B64_STD, sig, len);
	text = version < 0 ? text_printf("{\"%s\":[{\"pcrs\":[11],\"pkfp\":\"%s\",\"pol\":\"%s\",\"sig\":\"%s\"}]}", pcr_bank_name(bank),
					 pkfp, pol, sig_text)
			   : text_printf("{\"%s\":[{\"pcrs\":[11],\"pkfp\":\"%s\",\"pol\":\"%s\",\"sig\":\"%s\",\"version\":%lld}]}",
					 pcr_bank_name(bank), pkfp, pol, sig_text, (long long)version);
	assert_non_null(text);
	free(sig_text);
	free(pem);
	EVP_MD_CTX_free(md);
	EVP_PKEY_free(key);
	return text;
}

#endif
