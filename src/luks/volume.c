/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <stdlib.h>

#include "base/cleanup.h"
#include "luks/audit.h"
#include "luks/volume_impl.h"

/* After the audit, which found exactly one digest. */
static void describe(struct luks_volume *v, const struct luks_header *h, const struct luks_device *dev)
{
	v->h = h;
	v->dev = dev;
	v->integrity = header_has_integrity(h->json);
	v->sector_size = (unsigned int)crypt_get_sector_size(v->cd);
	v->key_size = (size_t)crypt_get_volume_key_size(v->cd);
	json_only_member(json_object_get(h->json, "digests"), &v->digest);
}

int luks_volume_new(const struct luks_header *h, const struct luks_device *dev, const struct luks_policy *policy,
		    struct luks_volume **ret, struct err **err)
{
	_cleanup_luks_volume_ struct luks_volume *v = calloc(1, sizeof(*v));
	struct luks_findings findings = { 0 };
	int r;

	if (!v)
		return err_nomem(err);
	r = audit_run(h, dev, policy, &findings, &v->cd, err);
	luks_findings_clear(&findings);
	if (r < 0)
		return r;
	describe(v, h, dev);
	*ret = TAKE_PTR(v);
	return 0;
}

int luks_volume_open(const struct luks_device *dev, const struct luks_policy *policy, struct luks_header *ret_header,
		     struct luks_findings *ret_findings, struct luks_volume **ret, struct err **err)
{
	_cleanup_luks_volume_ struct luks_volume *v = calloc(1, sizeof(*v));

	*ret_header = (struct luks_header)LUKS_HEADER_INIT;
	*ret_findings = (struct luks_findings){ 0 };
	if (!v)
		return err_nomem(err);
	if (header_inspect(dev, policy, ret_header, ret_findings, &v->cd, err) < 0)
		return -1;
	describe(v, ret_header, dev);
	*ret = TAKE_PTR(v);
	return 0;
}

void luks_volume_free(struct luks_volume *v)
{
	if (!v)
		return;
	context_freep(&v->cd);
	free(v);
}

void luks_volume_freep(struct luks_volume **v)
{
	luks_volume_free(*v);
	*v = NULL;
}

const char *luks_volume_uuid(const struct luks_volume *v)
{
	return v->h->uuid;
}

unsigned int luks_volume_sector_size(const struct luks_volume *v)
{
	return v->sector_size;
}

bool luks_volume_has_integrity(const struct luks_volume *v)
{
	return v->integrity;
}
