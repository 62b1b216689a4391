/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* contracts.md 8. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "evidence/trustee_json.h"
#include "verify/verify.h"
#include "wire/json.h"

static const char *signer_name(enum snp_signer s)
{
	switch (s) {
	case SIGNER_VCEK:
		return "vcek";
	case SIGNER_VLEK:
		return "vlek";
	case SIGNER_PCK:
		return "pck";
	case SIGNER_NONE:
		break;
	}
	return "none";
}

/* What the evidence says, whatever the verdict; nothing when it does not decode, which the reason tells. The generation
 * of a version 2 report and the provider of a VLEK are known from the certificate alone. */
static int claims_of(const struct verdict *v, const struct evidence *ev, json_t **ret, struct err **err)
{
	_cleanup_err_ struct err *e = NULL;
	_cleanup_json_ json_t *claims = NULL;

	if (ev->tee == TEE_NONE || !ev->report || evidence_claims(ev, &claims, &e) < 0) {
		if (e && err_class(e) != ERR_INTEGRITY)
			return err_propagate(err, TAKE_PTR(e));
		claims = json_object();
		if (!claims)
			return err_nomem(err);
	} else if (ev->tee == TEE_SNP &&
		   json_object_set_new(claims, "generation", json_string(snp_generation_name(v->snp.generation))) < 0) {
		return err_nomem(err);
	}
	if (v->csp_id[0] && json_object_set_new(claims, "csp_id", json_string(v->csp_id)) < 0)
		return err_nomem(err);
	*ret = TAKE_PTR(claims);
	return 0;
}

int verdict_json(const struct verdict *v, const struct evidence *ev, char **ret, struct err **err)
{
	_cleanup_json_ json_t *obj = NULL;
	json_t *claims = NULL, *missing = json_array();
	char *text;

	for (size_t i = 0; i < v->missing_n; i++)
		json_array_append_new(missing, json_string(v->missing[i]));
	if (claims_of(v, ev, &claims, err) < 0) {
		json_decref(missing);
		return -1;
	}
	/* "o" steals, also when it fails. */
	obj = json_pack("{s:i,s:s,s:s,s:{s:s,s:s},s:s,s:s,s:s,s:o,s:s,s:o}", "version", 1, "tee", tee_kind_name(v->tee), "verdict",
			v->verified ? "verified" : "refused", "reason", "id", v->reason_id, "message", v->reason, "root", v->root,
			"signer", signer_name(v->signer), "tcb", v->tcb, "missing", missing, "kds_url", v->kds_url, "claims", claims);
	text = obj ? json_dumps(obj, JSON_INDENT(2) | JSON_PRESERVE_ORDER) : NULL;
	if (!text)
		return err_nomem(err);
	*ret = text;
	return 0;
}
