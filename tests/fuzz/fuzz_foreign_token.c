/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Tokens of systemd-cryptenroll and clevis, as they come from a header. What parses keeps its bounds, and fits the rules that it claims. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "vtpm/foreign.h"
#include "wire/json.h"

static void check(const struct foreign_token *k)
{
	_cleanup_err_ struct err *e = NULL;
	struct vtpm_rules r;

	if (k->keyslot < 0 || k->keyslot > 31 || !k->pub.len || k->pub.len > SEALED_PART_MAX || !k->priv.len || k->priv.len > SEALED_PART_MAX ||
	    k->salt_len > FOREIGN_SALT_MAX || (k->pcrs | k->signed_pcrs) >> PCR_COUNT || (k->signer_pem && !k->signed_pcrs))
		abort();
	foreign_rules(k, PCR_SHA256, &r);
	if (foreign_check(k, &r, &e) < 0 && strcmp(err_id(e), "foreign-policy") != 0 && err_class(e) != ERR_CONFIG)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *obj = NULL;

	if (json_parse((const char *)data, size, 65536, false, &obj, NULL) < 0)
		return 0;
	for (int kind = 0; kind < FOREIGN_KINDS; kind++) {
		_cleanup_err_ struct err *e = NULL;
		struct foreign_token k;

		if (foreign_token_parse(obj, (enum foreign_kind)kind, &k, &e) < 0) {
			if (err_class(e) != ERR_INTEGRITY && (err_class(e) != ERR_TPM || strcmp(err_id(e), "foreign-unsupported") != 0))
				abort();
			continue;
		}
		check(&k);
		foreign_token_clear(&k);
	}
	json_decref(obj);
	return 0;
}
