/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "unlock/rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fileio.h"

#define SIGNATURE_FILE_MAX (256 * 1024)

/* They prove themselves by the signer's key, so it does not matter who put them there (tpm-sealing.md 5.2). */
static int load_signatures(const char *const *paths, int root_fd, struct rules *r, struct err **err)
{
	size_t n = 0;

	for (; *paths && n < RULES_SIGNATURES_MAX; paths++) {
		_cleanup_err_ struct err *e = NULL;
		char *text = NULL;
		size_t len = 0;

		if (file_read(root_fd, *paths + strspn(*paths, "/"), SIGNATURE_FILE_MAX, ERR_TPM, &text, &len, &e) == 0) {
			r->texts[n++] = text;
			continue;
		}
		if (err_errno(e) != ENOENT && err_errno(e) != ENOTDIR)
			return err_set(err, ERR_TPM, "pcr-signature", "%s", err_message(e));
	}
	r->vtpm.signatures = (const char *const *)r->texts;
	return 0;
}

int rules_load(const struct config *c, int root_fd, bool pin, struct rules *ret, struct err **err)
{
	const struct config_vtpm *t = &c->vtpm;

	*ret = (struct rules){ .vtpm = { .bank = t->bank == CONF_BANK_SHA384 ? PCR_SHA384 : PCR_SHA256,
					 .pcrs = t->pcrs,
					 .cap_pcr = (unsigned int)t->cap_pcr,
					 .signer_pem = t->signer_pem,
					 .signed_pcrs = t->signer_pem ? t->signed_pcrs : 0,
					 .version_index = t->version_index,
					 .pin_index = t->pin_index,
					 .offline_index = t->offline_index,
					 .offline_boots = t->offline_boots,
					 .pin = pin } };
	if (!t->signer_pem || load_signatures(config_pcr_signatures(c), root_fd, ret, err) == 0)
		return 0;
	rules_clear(ret);
	return -1;
}

void rules_clear(struct rules *r)
{
	for (size_t i = 0; i < RULES_SIGNATURES_MAX; i++)
		free(r->texts[i]);
	*r = (struct rules){ 0 };
}
