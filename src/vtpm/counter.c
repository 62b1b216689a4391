/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "vtpm/counter.h"

int counter_name(uint32_t index, struct tpm_name *ret, struct err **err)
{
	TPM2B_NV_PUBLIC pub;

	nv_counter_public(index, &pub);
	return nv_name_written(&pub, ret, err);
}

int counter_open(struct tpm *t, uint32_t index, struct nv *ret, struct err **err)
{
	TPM2B_NV_PUBLIC pub;

	nv_counter_public(index, &pub);
	return nv_get(t, &pub, ret, err);
}

int counter_read(struct tpm *t, uint32_t index, uint64_t *ret, struct err **err)
{
	_cleanup_nv_ struct nv n = NV_INIT(t);

	return counter_open(t, index, &n, err) < 0 ? -1 : nv_counter(t, &n, ret, err);
}

int counter_define(struct tpm *t, uint32_t index, const struct secret *owner_auth, struct err **err)
{
	_cleanup_nv_ struct nv n = NV_INIT(t);
	TPM2B_NV_PUBLIC pub;

	nv_counter_public(index, &pub);
	return nv_define(t, &pub, owner_auth, &n, err);
}
