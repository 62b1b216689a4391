/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Decoded fields of an HCL report for people and --json. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "crypto/digest.h"
#include "evidence/hcl_report.h"
#include "evidence/trustee_json.h"
#include "wire/json.h"

static int put(json_t *obj, const char *key, json_t *v, struct err **err)
{
	return v && json_object_set_new(obj, key, v) == 0 ? 0 : err_nomem(err);
}

static int put_hex(json_t *obj, const char *key, const void *data, size_t len, struct err **err)
{
	_cleanup_free_ char *text = hex_encode_dup(data, len);

	return put(obj, key, text ? json_string(text) : NULL, err);
}

static int put_fact(json_t *obj, const char *key, enum hcl_fact f, struct err **err)
{
	return put(obj, key, f == HCL_NOT_SAID ? json_null() : json_boolean(f == HCL_YES), err);
}

/* A modulus is long to read and to compare by eye: its size and digest say which key it is. */
static int put_key(json_t *obj, const char *key, const struct public_key *k, struct err **err)
{
	uint8_t digest[DIGEST_MAX];
	char text[96], hex[65];

	if (digest_bytes(DIGEST_SHA256, k->n, k->n_len, digest, err) < 0)
		return -1;
	hex_encode(digest, 32, hex);
	snprintf(text, sizeof(text), "rsa-%zu sha256:%s", 8 * k->n_len, hex);
	return put(obj, key, json_string(text), err);
}

static int put_tdreport(json_t *obj, const struct hcl_report *r, struct err **err)
{
	static const char *const names[] = { "rtmr0", "rtmr1", "rtmr2", "rtmr3" };
	char text[19];

	snprintf(text, sizeof(text), "0x%016" PRIx64, r->td_attributes);
	if (put(obj, "td_attributes", json_string(text), err) < 0 || put_hex(obj, "mrtd", r->mrtd, 48, err) < 0)
		return -1;
	for (size_t i = 0; i < 4; i++)
		if (put_hex(obj, names[i], r->rtmr[i], 48, err) < 0)
			return -1;
	return put_hex(obj, "report_data", r->report_data, sizeof(r->report_data), err);
}

static int put_hardware(json_t *obj, const struct hcl_report *r, struct err **err)
{
	const struct evidence ev = { .tee = r->tee, .report = (uint8_t *)r->hardware, .report_len = r->hardware_len };
	_cleanup_json_ json_t *hw = NULL;

	if (r->tee == TEE_SNP) {
		if (evidence_claims(&ev, &hw, err) < 0)
			return -1;
		json_object_del(hw, "certificates"); /* there is no table in it */
		return put(obj, "hardware", TAKE_PTR(hw), err);
	}
	hw = json_object();
	if (!hw || put(hw, "tee", json_string("tdx"), err) < 0 || put_tdreport(hw, r, err) < 0)
		return hw ? -1 : err_nomem(err);
	return put(obj, "hardware", TAKE_PTR(hw), err);
}

int hcl_report_claims(const struct hcl_report *r, json_t **ret, struct err **err)
{
	_cleanup_json_ json_t *obj = json_object();

	if (!obj)
		return err_nomem(err);
	if (put(obj, "tee", json_string(tee_kind_name(r->tee)), err) < 0 || put(obj, "format", json_string("azure-hcl"), err) < 0 ||
	    put(obj, "hcl_version", json_integer(r->version), err) < 0 || put_key(obj, "ak", &r->ak, err) < 0)
		return -1;
	if (r->has_ek && put_key(obj, "ek", &r->ek, err) < 0)
		return -1;
	if (put_fact(obj, "secure_boot", r->secure_boot, err) < 0 || put_fact(obj, "tpm_enabled", r->tpm_enabled, err) < 0 ||
	    put_fact(obj, "tpm_persisted", r->tpm_persisted, err) < 0 ||
	    put_fact(obj, "console_enabled", r->console_enabled, err) < 0 || put(obj, "vm_id", json_string(r->vm_id), err) < 0)
		return -1;
	if (r->has_user_data && put_hex(obj, "user_data", r->user_data, sizeof(r->user_data), err) < 0)
		return -1;
	if (put_hardware(obj, r, err) < 0)
		return -1;
	*ret = TAKE_PTR(obj);
	return 0;
}
