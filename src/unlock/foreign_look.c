/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "unlock/foreign_look.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "unlock/header_policy.h"
#include "unlock/rules.h"

bool foreign_wanted(const struct config_volume *v)
{
	return !v->sealed && v->interop_unsafe;
}

static int audited(const struct unlock_env *env, const struct config_volume *v, struct luks_header *h, struct err **err)
{
	const struct luks_policy policy = header_policy_of(v);
	struct luks_device dev = LUKS_DEVICE_INIT;
	struct luks_findings findings = { 0 };
	int rc;

	if (device_find(env->root_fd, v->device, true, &dev, err) < 0)
		return -1;
	rc = luks_inspect(&dev, &policy, h, &findings, err);
	luks_findings_clear(&findings);
	device_close(&dev);
	return rc;
}

static int look(const struct unlock_env *env, struct machine_tpm *m, const struct config_volume *v, const json_t *tokens, char **ret,
		struct err **err)
{
	_cleanup_rules_ struct rules rules = { 0 };
	_cleanup_foreign_answer_ struct foreign_answer a = { 0 };
	struct foreign_request r = { .tokens = tokens, .keyslot = v->keyslot, .look = true };

	if (machine_tpm_trust(env, m, &r.vtpm, err) < 0 || rules_load(env->config, env->root_fd, v->pin, &rules, err) < 0)
		return -1;
	r.rules = &rules.vtpm;
	if (keysrc_foreign(&r, &a, err) < 0)
		return -1;
	*ret = text_printf("%s token of keyslot %d: its policy holds now, for other programs as well", foreign_kind_name(a.kind), a.keyslot);
	return *ret ? 0 : err_nomem(err);
}

int foreign_look(const struct unlock_env *env, struct machine_tpm *m, const struct config_volume *v, char **ret, struct err **err)
{
	struct luks_header h = LUKS_HEADER_INIT;
	int rc = audited(env, v, &h, err);

	if (rc == 0)
		rc = look(env, m, v, json_object_get(h.json, "tokens"), ret, err);
	luks_header_clear(&h);
	return rc;
}
