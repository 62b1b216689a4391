/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "vtpm/pcr_sign.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "vtpm/counter.h"
#include "vtpm/policy.h"
#include "wire/json.h"

static int check_key(const struct keypair *key, struct err **err)
{
	struct public_key pub;

	keypair_public(key, &pub);
	if (pub.rsa || pub.curve_bits == 256)
		return 0;
	return err_set(err, ERR_CONFIG, "signer", "PCR policies are signed with RSA, or EC on P-256");
}

int pcr_sign(const struct pcr_sign_params *p, const struct pcr_values *values, struct pcr_sig *ret, struct err **err)
{
	struct policy policy = { .bank = values->bank, .signed_pcrs = p->pcrs,
				 .version = { .index = p->version_index, .limit = p->version } };
	struct pcr_sig e = { .pcrs = p->pcrs, .has_version = p->has_version, .version = p->version };

	if (p->version_index && !p->has_version) {
		err_set(err, ERR_CONFIG, "version", "version-index is configured: a signed policy without a version is not accepted");
		return err_hint(err, "give --version N, and a greater N with each update");
	}
	if (check_key(p->key, err) < 0 || (p->version_index && counter_name(p->version_index, &policy.version.name, err) < 0))
		return -1;
	if (policy_pcr_digest(values, p->pcrs, policy.signed_digest, err) < 0 || policy_approved(&policy, e.policy, err) < 0)
		return -1;
	if (keypair_fingerprint(p->key, e.fingerprint, err) < 0 ||
	    keypair_sign_sha256(p->key, e.policy, sizeof(e.policy), e.sig, sizeof(e.sig), &e.sig_len, err) < 0)
		return -1;
	*ret = e;
	return 0;
}

static json_t *entry_json(const struct pcr_sig *e)
{
	char fingerprint[65], policy[65];
	_cleanup_free_ char *sig = b64_encode_dup(B64_STD, e->sig, e->sig_len);
	json_t *pcrs = json_array(), *obj;

	hex_encode(e->fingerprint, 32, fingerprint);
	hex_encode(e->policy, 32, policy);
	for (int i = 0; i < PCR_COUNT; i++)
		if (e->pcrs >> i & 1)
			json_array_append_new(pcrs, json_integer(i));
	obj = sig ? json_pack("{s:o, s:s, s:s, s:s}", "pcrs", pcrs, "pkfp", fingerprint, "pol", policy, "sig", sig) : NULL;
	if (obj && e->has_version)
		json_object_set_new(obj, "version", json_integer((json_int_t)e->version));
	return obj;
}

int pcr_sigs_text(const struct pcr_sigs *s, enum pcr_bank bank, char **ret, struct err **err)
{
	_cleanup_buf_ struct buf out = BUF_INIT(PCR_SIG_FILE_MAX);
	_cleanup_json_ json_t *root = json_object();
	json_t *list = json_array();
	char *text;

	for (size_t i = 0; i < s->n; i++)
		if (json_array_append_new(list, entry_json(&s->entry[i])) < 0) {
			json_decref(list);
			return err_nomem(err);
		}
	if (json_object_set_new(root, pcr_bank_name(bank), list) < 0)
		return err_nomem(err);
	if (json_compact(root, &out, err) < 0)
		return -1;
	buf_putc(&out, '\n');
	text = buf_take_str(&out);
	if (!text)
		return err_nomem(err);
	*ret = text;
	return 0;
}
