/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The TPM's indices of ours, removed: for a machine that is taken out of service, or set up anew. */
#include "vtpm/counter.h"
#include "vtpm/nv_pin.h"
#include "vtpm/vtpm.h"

/* Whatever policy it has now: that is of the boot state that wrote it. */
static bool is_pin(const TPM2B_NV_PUBLIC *pub)
{
	return (pub->nvPublic.attributes & ~TPMA_NV_WRITTEN) == NV_PIN_ATTRIBUTES && pub->nvPublic.dataSize == NV_PIN_SIZE;
}

static bool is_counter(const TPM2B_NV_PUBLIC *pub, uint32_t index)
{
	TPM2B_NV_PUBLIC wanted;

	nv_counter_public(index, &wanted);
	return nv_same(pub, &wanted, NULL) == 0;
}

static int forget(struct vtpm *v, uint32_t index, bool pin, const struct secret *owner_auth, unsigned int *removed, struct err **err)
{
	_cleanup_nv_ struct nv n = NV_INIT(v->t);

	if (!index)
		return 0;
	if (nv_find(v->t, index, &n, err) < 0)
		return -1;
	if (n.index.tr == ESYS_TR_NONE)
		return 0;
	if (pin ? !is_pin(&n.pub) : !is_counter(&n.pub, index)) {
		err_set(err, ERR_TPM, "nv-attributes", "index 0x%08x was not made by cryptattest; it stays", index);
		return err_hint(err, "tpm2_nvreadpublic 0x%08x shows it", index);
	}
	if (nv_undefine(v->t, &n, owner_auth, err) < 0)
		return -1;
	(*removed)++;
	return 0;
}

int vtpm_forget(struct vtpm *v, const struct vtpm_rules *r, const struct secret *owner_auth, unsigned int *ret, struct err **err)
{
	unsigned int removed = 0;

	if (forget(v, r->pin_index, true, owner_auth, &removed, err) < 0 || forget(v, r->version_index, false, owner_auth, &removed, err) < 0 ||
	    forget(v, r->offline_index, false, owner_auth, &removed, err) < 0)
		return -1;
	*ret = removed;
	return 0;
}
