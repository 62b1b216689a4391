/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "vtpm/nv_pin.h"

#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "vtpm/nv.h"
#include "vtpm/policy_run.h"
#include "vtpm/session.h"

static const uint8_t magic[4] = { 'C', 'A', 'N', '2' };
#define OFF_NAME 32
#define OFF_FORMER 64
#define OFF_BASELINE 96

static uint8_t *entry(uint8_t *data, size_t i)
{
	return data + sizeof(magic) + i * NV_PIN_ENTRY;
}

static uint8_t *entry_for(uint8_t *data, const uint8_t id[static 32], struct err **err)
{
	uint8_t *e = NULL;

	for (size_t i = 0; i < NV_PIN_ENTRIES; i++) {
		uint8_t *at = entry(data, i);

		if (memcmp(at, id, 32) == 0)
			return at;
		if (!e && all_zero(at, NV_PIN_ENTRY))
			e = at;
	}
	if (!e)
		err_set(err, ERR_CONFIG, "pin-full", "the NV pin names %d volumes already", NV_PIN_ENTRIES);
	return e;
}

static int digest_of(const struct tpm_name *object, uint8_t ret[static DIGEST_MAX], struct err **err)
{
	return digest_bytes(DIGEST_SHA256, object->bytes, object->len, ret, err);
}

int nv_pin_put(uint8_t data[static NV_PIN_SIZE], const char *vk_id, const struct tpm_name *object, const struct tpm_name *in_place,
	       uint64_t baseline, struct err **err)
{
	uint8_t id[32], digest[DIGEST_MAX], kept[DIGEST_MAX], *e;

	if (hex_decode(vk_id, strlen(vk_id), id, sizeof(id), err) < 0 || digest_of(object, digest, err) < 0 ||
	    (in_place && digest_of(in_place, kept, err) < 0))
		return -1;
	if (memcmp(data, magic, sizeof(magic)) != 0)
		memset(data, 0, NV_PIN_SIZE);
	memcpy(data, magic, sizeof(magic));
	e = entry_for(data, id, err);
	if (!e)
		return -1;
	memcpy(e, id, sizeof(id));
	/* Cut off once, the one before the last may still be the one on the disk. */
	if (memcmp(e + OFF_NAME, digest, 32) != 0 && !(in_place && memcmp(e + OFF_FORMER, kept, 32) == 0))
		memcpy(e + OFF_FORMER, e + OFF_NAME, 32);
	memcpy(e + OFF_NAME, digest, 32);
	for (int i = 0; i < 8; i++)
		e[OFF_BASELINE + i] = (uint8_t)(baseline >> (56 - 8 * i));
	return 0;
}

bool nv_pin_get(const uint8_t data[static NV_PIN_SIZE], const struct tpm_name *object, char ret_vk_id[static 65])
{
	uint8_t digest[DIGEST_MAX];

	if (memcmp(data, magic, sizeof(magic)) != 0 || digest_of(object, digest, NULL) < 0)
		return false;
	for (size_t i = 0; i < NV_PIN_ENTRIES; i++) {
		const uint8_t *e = data + sizeof(magic) + i * NV_PIN_ENTRY;

		if (memcmp(e + OFF_NAME, digest, 32) != 0 && memcmp(e + OFF_FORMER, digest, 32) != 0)
			continue;
		hex_encode(e, 32, ret_vk_id);
		return true;
	}
	return false;
}

/* The part of the objects' policy that any sealing in this state fulfils. */
static struct policy write_policy(const struct vtpm_state *s)
{
	struct policy p = s->policy;

	p.offline = (struct policy_nv){ 0 };
	p.pin = false;
	return p;
}

static int wanted(const struct vtpm_rules *r, const struct policy *p, TPM2B_NV_PUBLIC *ret, struct err **err)
{
	uint8_t digest[POLICY_DIGEST];

	if (policy_digest(p, digest, err) < 0)
		return -1;
	nv_pin_public(r->pin_index, NV_PIN_SIZE, digest, ret);
	return 0;
}

static int no_pin(struct err **err, const struct vtpm_rules *r, const char *why)
{
	return err_set(err, ERR_TPM, "sealed-origin", "NV pin 0x%08x does not vouch for this secret: %s", r->pin_index, why);
}

int nv_pin_check(struct vtpm *v, const struct vtpm_rules *r, const struct vtpm_state *s, const struct tpm_name *object,
		 char ret_vk_id[static 65], struct err **err)
{
	const struct policy p = write_policy(s);
	_cleanup_nv_ struct nv n = NV_INIT(v->t);
	uint8_t data[NV_PIN_SIZE];
	TPM2B_NV_PUBLIC pub;

	if (wanted(r, &p, &pub, err) < 0 || nv_find(v->t, r->pin_index, &n, err) < 0)
		return -1;
	if (n.index.tr == ESYS_TR_NONE)
		return no_pin(err, r, "the TPM has no such index");
	if (nv_same(&n.pub, &pub, NULL) < 0)
		return no_pin(err, r, "others than this boot state could write it (attributes or policy differ)");
	if (!nv_written(&n.pub))
		return no_pin(err, r, "it was never written");
	if (nv_read(v->t, &n, data, sizeof(data), err) < 0)
		return -1;
	return nv_pin_get(data, object, ret_vk_id) ? 0 : no_pin(err, r, "it names other objects");
}

/* Ours, of a boot state before an update: only the policy differs. What another program defined stays. */
static bool outdated(const TPM2B_NV_PUBLIC *found, const TPM2B_NV_PUBLIC *want)
{
	TPM2B_NV_PUBLIC same = *want;

	same.nvPublic.authPolicy = found->nvPublic.authPolicy;
	return found->nvPublic.authPolicy.size == POLICY_DIGEST && nv_same(found, &same, NULL) == 0;
}

/* The index as it must be, with what it holds so far. */
static int prepare(struct vtpm *v, const struct vtpm_rules *r, const TPM2B_NV_PUBLIC *pub, uint8_t data[static NV_PIN_SIZE],
		   struct nv *ret, struct err **err)
{
	_cleanup_nv_ struct nv found = NV_INIT(v->t);

	if (nv_find(v->t, r->pin_index, &found, err) < 0)
		return -1;
	if (found.index.tr != ESYS_TR_NONE && nv_same(&found.pub, pub, NULL) < 0) {
		if (!outdated(&found.pub, pub))
			return nv_same(&found.pub, pub, err);
		if (nv_undefine(v->t, &found, v->owner_auth, err) < 0)
			return -1;
	}
	/* ESYS has one object for an index: let go after it was found again, it would be gone there too. */
	nv_release(&found);
	if (nv_define(v->t, pub, v->owner_auth, ret, err) < 0)
		return -1;
	return nv_written(&ret->pub) ? nv_read(v->t, ret, data, NV_PIN_SIZE, err) : 0;
}

int nv_pin_write(struct vtpm *v, const struct vtpm_rules *r, const struct vtpm_state *s, const struct tpm_name *object,
		 const struct tpm_name *in_place, const char *vk_id, uint64_t baseline, struct err **err)
{
	const struct policy p = write_policy(s);
	_cleanup_loaded_ struct tpm_loaded session = TPM_LOADED(v->t);
	_cleanup_nv_ struct nv n = NV_INIT(v->t);
	uint8_t data[NV_PIN_SIZE] = { 0 };
	TPM2B_NV_PUBLIC pub;

	if (wanted(r, &p, &pub, err) < 0 || prepare(v, r, &pub, data, &n, err) < 0 ||
	    nv_pin_put(data, vk_id, object, in_place, baseline, err) < 0 ||
	    session_policy(v->t, &session, err) < 0 || policy_run(v->t, session.tr, &p, err) < 0)
		return -1;
	return nv_write(v->t, &n, session.tr, data, sizeof(data), err);
}
