/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <stdlib.h>

#include "base/cleanup.h"
#include "luks/audit.h"
#include "luks/volume_impl.h"

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
	v->h = h;
	v->dev = dev;
	v->integrity = header_has_integrity(h->json);
	v->sector_size = (unsigned int)crypt_get_sector_size(v->cd);
	v->key_size = (size_t)crypt_get_volume_key_size(v->cd);
	json_only_member(json_object_get(h->json, "digests"), &v->digest);
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
