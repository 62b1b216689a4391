/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "evidence/hcl_report.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "evidence/snp_report.h"
#include "wire/json.h"
#include "wire/jwk.h"
#include "wire/wire_err.h"

#define HCL_SIGNATURE UINT32_C(0x414C4348) /* "HCLA" */
#define HCL_HEADER 0x20
#define HCL_HARDWARE 1184 /* the area, whatever is in it */
#define HCL_DATA_HEADER 20
#define HCL_REQUEST_TYPE 2
#define HCL_TYPE_SNP 2
#define HCL_TYPE_TDX 4

#define TDX_OFF_REPORT_DATA 128
#define TDX_OFF_INFO 512
#define TDX_REPORT_TYPE 0x81

static int structure(struct err **err, const char *what)
{
	return err_set(err, ERR_INTEGRITY, "hcl-structure", "HCL report: %s", what);
}

bool hcl_report_is(const uint8_t *raw, size_t len)
{
	struct rd r = RD_INIT(raw, len);

	return rd_u32le(&r) == HCL_SIGNATURE && !r.bad;
}

/* --- headers --- */

struct sizes {
	uint32_t report, data, claims, type, hash;
};

static int read_headers(const uint8_t *raw, size_t len, struct hcl_report *ret, struct sizes *s, struct err **err)
{
	struct rd r = RD_INIT(raw, len);
	uint32_t request, status, data_version;

	if (rd_u32le(&r) != HCL_SIGNATURE)
		return structure(err, "it does not start with HCLA");
	ret->version = rd_u32le(&r);
	s->report = rd_u32le(&r);
	request = rd_u32le(&r);
	status = rd_u32le(&r);
	rd_seek(&r, HCL_HEADER + HCL_HARDWARE);
	s->data = rd_u32le(&r);
	data_version = rd_u32le(&r);
	s->type = rd_u32le(&r);
	s->hash = rd_u32le(&r);
	s->claims = rd_u32le(&r);
	if (r.bad || len > HCL_REPORT_MAX)
		return structure(err, r.bad ? "cut off" : "too long");
	if (ret->version < 1 || ret->version > 2 || data_version != 1)
		return err_set(err, ERR_INTEGRITY, "hcl-version", "HCL report: version %u with data version %u, known are 1 and 2 with 1",
			       ret->version, data_version);
	if (status != 0)
		return err_set(err, ERR_INTEGRITY, "hcl-status", "HCL report: the paravisor reports status %u instead of a report", status);
	if (request != HCL_REQUEST_TYPE)
		return structure(err, "not the answer to a report request");
	return 0;
}

/* All three sizes say the same thing, so all three must. */
static int check_sizes(const struct sizes *s, size_t len, struct err **err)
{
	size_t fixed = HCL_HEADER + HCL_HARDWARE;

	if (s->claims == 0 || s->claims > HCL_CLAIMS_MAX || s->data != s->claims + HCL_DATA_HEADER || s->report != fixed + s->data)
		return structure(err, "its sizes contradict each other");
	if (s->report > len)
		return structure(err, "cut off");
	return 0;
}

static int take_hardware(const uint8_t *hw, uint32_t type, struct hcl_report *ret, struct err **err)
{
	struct rd r = RD_INIT(hw, HCL_HARDWARE);

	ret->hardware = hw;
	if (type == HCL_TYPE_SNP) {
		ret->tee = TEE_SNP;
		ret->hardware_len = SNP_REPORT_SIZE;
		rd_seek(&r, SNP_OFF_REPORT_DATA);
		rd_copy(&r, ret->report_data, TEE_REPORT_DATA);
		return 0;
	}
	if (type != HCL_TYPE_TDX)
		return err_set(err, ERR_INTEGRITY, "hcl-structure", "HCL report: hardware report of type %u, known are 2 (SNP) and 4 (TDX)", type);
	if (hw[0] != TDX_REPORT_TYPE)
		return structure(err, "what should be a TDREPORT is none");
	ret->tee = TEE_TDX;
	ret->hardware_len = TDX_REPORT_SIZE;
	rd_seek(&r, TDX_OFF_REPORT_DATA);
	rd_copy(&r, ret->report_data, TEE_REPORT_DATA);
	rd_seek(&r, TDX_OFF_INFO);
	ret->td_attributes = rd_u64le(&r);
	ret->mrtd = hw + TDX_OFF_INFO + 16;
	for (size_t i = 0; i < 4; i++)
		ret->rtmr[i] = hw + TDX_OFF_INFO + 208 + 48 * i;
	return 0;
}

static int check_binding(const struct hcl_report *h, uint32_t hash, struct err **err)
{
	static const enum digest_alg algs[] = { DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512 };
	uint8_t digest[DIGEST_MAX];
	size_t n;

	if (hash < 1 || hash > ARRAY_SIZE(algs))
		return err_set(err, ERR_INTEGRITY, "hcl-structure", "HCL report: hash type %u, known are 1 to 3", hash);
	n = digest_size(algs[hash - 1]);
	if (digest_bytes(algs[hash - 1], h->claims, h->claims_len, digest, err) < 0)
		return -1;
	if (memcmp(digest, h->report_data, n) != 0 || !all_zero(h->report_data + n, TEE_REPORT_DATA - n))
		return err_set(err, ERR_INTEGRITY, "hcl-binding",
			       "HCL report: its claims are not the ones that the hardware report inside was made for");
	return 0;
}

/* --- claims --- */

/* The two keys that count stand there once; others may come. */
static int take_keys(const json_t *claims, struct hcl_report *ret, struct err **err)
{
	bool has_ak = false;
	json_t *keys, *k;
	size_t i;

	if (json_get_arr(claims, "claims", "keys", &keys, err) < 0)
		return -1;
	if (json_array_size(keys) > HCL_KEYS_MAX)
		return err_set(err, ERR_INTEGRITY, "hcl-claims", "more than %d keys", HCL_KEYS_MAX);
	json_array_foreach(keys, i, k) {
		const char *kid;
		bool ak, ek;

		if (json_get_str(k, "key", "kid", &kid, err) < 0)
			return -1;
		ak = text_eq(kid, "HCLAkPub");
		ek = text_eq(kid, "HCLEkPub");
		if (!ak && !ek)
			continue;
		if (ak ? has_ak : ret->has_ek)
			return err_set(err, ERR_INTEGRITY, "hcl-claims", "two keys named %s", kid);
		if (jwk_key_from_json(k, ak ? &ret->ak : &ret->ek, err) < 0)
			return err_wrap(err, "%s", kid);
		if (!(ak ? &ret->ak : &ret->ek)->rsa)
			return err_set(err, ERR_INTEGRITY, "hcl-claims", "%s is not an RSA key", kid);
		has_ak |= ak;
		ret->has_ek |= ek;
	}
	return has_ak ? 0 : err_set(err, ERR_INTEGRITY, "hcl-claims", "no key named HCLAkPub");
}

static int take_fact(const json_t *conf, const char *key, enum hcl_fact *ret, struct err **err)
{
	const json_t *v = json_object_get(conf, key);

	if (v && !json_is_boolean(v))
		return err_set(err, ERR_INTEGRITY, "hcl-claims", "vm-configuration: %s is not a boolean", key);
	*ret = !v ? HCL_NOT_SAID : json_is_true(v) ? HCL_YES : HCL_NO;
	return 0;
}

static int take_configuration(const json_t *claims, struct hcl_report *ret, struct err **err)
{
	const char *id;
	json_t *conf;

	if (!json_object_get(claims, "vm-configuration"))
		return 0;
	if (json_get_obj(claims, "claims", "vm-configuration", &conf, err) < 0 ||
	    take_fact(conf, "secure-boot", &ret->secure_boot, err) < 0 ||
	    take_fact(conf, "tpm-enabled", &ret->tpm_enabled, err) < 0 ||
	    take_fact(conf, "tpm-persisted", &ret->tpm_persisted, err) < 0 ||
	    take_fact(conf, "console-enabled", &ret->console_enabled, err) < 0)
		return -1;
	if (!json_object_get(conf, "vmUniqueId"))
		return 0;
	if (json_get_str(conf, "vm-configuration", "vmUniqueId", &id, err) < 0)
		return -1;
	text_sanitise(id, strlen(id), ret->vm_id, sizeof(ret->vm_id));
	return 0;
}

static int take_user_data(const json_t *claims, struct hcl_report *ret, struct err **err)
{
	const char *hex;
	size_t n;

	if (!json_object_get(claims, "user-data"))
		return 0;
	if (json_get_str(claims, "claims", "user-data", &hex, err) < 0)
		return -1;
	n = strlen(hex);
	if (n % 2 || n > 2 * TEE_REPORT_DATA)
		return err_set(err, ERR_INTEGRITY, "hcl-claims", "user-data of %zu digits, at most %d", n, 2 * TEE_REPORT_DATA);
	if (hex_decode(hex, n, ret->user_data, n / 2, err) < 0)
		return err_wrap(err, "user-data");
	ret->has_user_data = true;
	return 0;
}

static int take_claims(struct hcl_report *ret, struct err **err)
{
	_cleanup_json_ json_t *claims = NULL;

	if (json_parse(ret->claims, ret->claims_len, HCL_CLAIMS_MAX, false, &claims, err) < 0)
		return -1;
	if (take_keys(claims, ret, err) < 0 || take_configuration(claims, ret, err) < 0)
		return -1;
	return take_user_data(claims, ret, err);
}

int hcl_report_decode(const uint8_t *raw, size_t len, struct hcl_report *ret, struct err **err)
{
	struct hcl_report h = { 0 };
	struct err *cause = NULL;
	struct sizes s = { 0 };

	if (read_headers(raw, len, &h, &s, err) < 0 || check_sizes(&s, len, err) < 0 ||
	    take_hardware(raw + HCL_HEADER, s.type, &h, err) < 0)
		return -1;
	h.claims = (const char *)raw + HCL_HEADER + HCL_HARDWARE + HCL_DATA_HEADER;
	h.claims_len = s.claims;
	if (check_binding(&h, s.hash, err) < 0)
		return -1;
	if (take_claims(&h, &cause) < 0)
		return wire_err(err, "hcl-claims", cause, "HCL report: claims");
	*ret = h;
	return 0;
}
