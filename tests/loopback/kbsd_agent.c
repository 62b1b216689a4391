/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/loopback/kbsd_agent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"
#include "evidence/trustee_json.h"
#include "wire/jwe.h"
#include "wire/runtime_data.h"

#define INSTANCE 0x1d /* every byte of HOST_DATA and MRCONFIGID: not zero, which would bind to nothing */

void agent_open(struct agent *a, const struct kbsd *k, enum kbs_protocol p, enum tee_kind tee, enum key_type type)
{
	*a = (struct agent){ .port = k->port, .pki = k->pki, .protocol = p, .tee = tee };
	assert_int_equal(keypair_generate(type, &a->key, NULL), 0);
	a->jwk.alg = type <= KEY_RSA_4096 ? JWK_RSA_OAEP_256 : JWK_ECDH_A256KW;
	keypair_public(a->key, &a->jwk.key);
	assert_true(http_open(&a->http, a->port, NULL, 0));
}

void agent_close(struct agent *a)
{
	http_close(&a->http);
	keypair_free(a->key);
	free(a->token);
	*a = (struct agent){ .http = { .fd = -1 } };
}

void agent_reconnect(struct agent *a)
{
	http_close(&a->http);
	assert_true(http_open(&a->http, a->port, NULL, 0));
}

void agent_auth(struct agent *a, struct response *r)
{
	_cleanup_free_ char *body = NULL;
	struct kbs_challenge c = { 0 };

	assert_int_equal(kbs_auth_request(a->protocol, tee_kind_name(a->tee), &body, NULL), 0);
	http_request(&a->http, "POST", PATH_AUTH, "Content-Type: application/json\r\n", body, r);
	if (r->status != 200)
		return;
	snprintf(a->cookie, sizeof(a->cookie), "%s", r->cookie);
	assert_int_equal(kbs_challenge_parse(r->body, r->len, &c, NULL), 0);
	snprintf(a->nonce, sizeof(a->nonce), "%s", c.nonce);
	kbs_challenge_clear(&c);
}

static void make_snp(const struct agent *a, const uint8_t data[static TEE_REPORT_DATA], struct evidence *ev)
{
	_cleanup_buf_ struct buf certs = BUF_INIT(CERT_TABLE_MAX);
	struct snp_report r;

	testpki_snp_template(a->pki, &r);
	memset(r.host_data, INSTANCE, sizeof(r.host_data));
	memcpy(r.report_data, data, TEE_REPORT_DATA);
	if (a->snp)
		a->snp(&r);
	ev->report = malloc(SNP_REPORT_SIZE);
	ev->report_len = SNP_REPORT_SIZE;
	assert_int_equal(testpki_snp_sign(a->pki, &r, ev->report, NULL), 0);
	if (a->flip)
		ev->report[0x90] ^= 1;
	if (a->no_certs)
		return;
	assert_int_equal(testpki_snp_certs(a->pki, snp_signing_key(&r) == 1, &certs, NULL), 0);
	ev->aux = malloc(certs.len);
	memcpy(ev->aux, certs.data, certs.len);
	ev->aux_len = certs.len;
}

static void make_tdx(const struct agent *a, const uint8_t data[static TEE_REPORT_DATA], struct evidence *ev)
{
	_cleanup_buf_ struct buf quote = BUF_INIT(TDX_QUOTE_MAX);
	struct testpki_tdx t;

	testpki_tdx_template(a->pki, &t);
	memset(t.body.mrconfigid, INSTANCE, sizeof(t.body.mrconfigid));
	memcpy(t.body.report_data, data, TEE_REPORT_DATA);
	if (a->tdx)
		a->tdx(&t);
	assert_int_equal(testpki_tdx_sign(a->pki, &t, &quote, NULL), 0);
	if (a->flip)
		quote.data[48 + 136] ^= 1; /* MRTD of a v4 quote */
	ev->report = malloc(quote.len);
	memcpy(ev->report, quote.data, quote.len);
	ev->report_len = quote.len;
}

char *agent_attest_body(struct agent *a)
{
	__attribute__((cleanup(evidence_clear))) struct evidence ev = { .tee = a->tee };
	_cleanup_free_ char *primary = NULL;
	uint8_t data[TEE_REPORT_DATA];
	char *body = NULL;

	assert_int_equal(runtime_data_report_data(a->protocol, DIGEST_SHA384, a->nonce, &a->jwk, "", data, NULL), 0);
	if (a->wrong_data)
		data[0] ^= 1;
	if (a->tee == TEE_SNP)
		make_snp(a, data, &ev);
	else
		make_tdx(a, data, &ev);
	assert_int_equal(evidence_to_trustee_json(&ev, &primary, NULL), 0);
	assert_int_equal(kbs_attest_request(a->protocol, a->nonce, &a->jwk, primary, a->init_data, &body, NULL), 0);
	return body;
}

void agent_post_attest(struct agent *a, const char *body, struct response *r)
{
	char extra[256] = "";

	if (*a->cookie)
		snprintf(extra, sizeof(extra), "Content-Type: application/json\r\nCookie: %s\r\n", a->cookie);
	http_request(&a->http, "POST", PATH_ATTEST, extra, body, r);
	if (r->status == 200) {
		free(a->token);
		a->token = NULL;
		assert_int_equal(kbs_token_parse(r->body, r->len, &a->token, NULL), 0);
	}
}

void agent_attest(struct agent *a, struct response *r)
{
	_cleanup_free_ char *body = NULL;

	agent_auth(a, r);
	assert_int_equal(r->status, 200);
	body = agent_attest_body(a);
	agent_post_attest(a, body, r);
}

void agent_get(struct agent *a, const char *path, struct response *r)
{
	char extra[256] = "";

	if (*a->cookie)
		snprintf(extra, sizeof(extra), "Cookie: %s\r\n", a->cookie);
	http_request(&a->http, "GET", path, extra, NULL, r);
}

bool agent_reply_is(struct agent *a, const struct response *r, const char *text)
{
	_cleanup_secret_ struct secret *plain = NULL;
	struct jwe jwe;
	bool same;

	if (r->status != 200 || jwe_parse(r->body, r->len, &jwe, NULL) < 0)
		return false;
	same = jwe_decrypt(&jwe, a->key, a->jwk.alg, false, &plain, NULL) == 0 && secret_len(plain) == strlen(text) &&
	       memcmp(secret_cdata(plain), text, strlen(text)) == 0;
	jwe_clear(&jwe);
	return same;
}

bool response_is(const struct response *r, int status, const char *type)
{
	struct kbs_error e;

	kbs_error_parse(r->body, r->len, &e);
	if (r->status == status && strcmp(e.type, type) == 0)
		return true;
	print_message("status %d, body %.300s\n", r->status, r->body);
	return false;
}

char *agent_policy(const struct testpki *pki, bool test)
{
	char measurement[97], host_data[65], mrtd[97], mrconfigid[97];
	struct snp_report r;
	struct testpki_tdx t;

	testpki_snp_template(pki, &r);
	testpki_tdx_template(pki, &t);
	memset(r.host_data, INSTANCE, sizeof(r.host_data));
	memset(t.body.mrconfigid, INSTANCE, sizeof(t.body.mrconfigid));
	hex_encode(r.measurement, 48, measurement);
	hex_encode(r.host_data, 32, host_data);
	hex_encode(t.body.mrtd, 48, mrtd);
	hex_encode(t.body.mrconfigid, 48, mrconfigid);
	return text_printf("[resource default/vm/root]\ntee = snp\nmeasurement = %s\nhost-data = %s\n"
			   "covers = kernel+initrd+cmdline\nmin-tcb = milan bootloader:4 tee:0 snp:24 microcode:219\n%s"
			   "[resource default/vm/root]\ntee = tdx\nmrtd = %s\nmrconfigid = %s\ntcb = unverified\n"
			   "covers = kernel+initrd+cmdline\n%s",
			   measurement, host_data, test ? "test = yes\n" : "", mrtd, mrconfigid, test ? "test = yes\n" : "");
}

void agent_install_policy(struct kbsd *k)
{
	_cleanup_free_ char *policy = agent_policy(k->pki, true);

	assert_non_null(policy);
	kbsd_write(k, "policy.conf", policy, 0600);
}
