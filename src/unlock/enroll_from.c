/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "unlock/enroll_from.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "keysrc/keysrc.h"
#include "unlock/header_policy.h"
#include "unlock/rules.h"

void enroll_from_clear(struct enroll_from *f)
{
	luks_header_clear(&f->h);
	*f = (struct enroll_from)ENROLL_FROM_INIT;
}

static bool is_kind(const json_t *token, enum foreign_kind kind)
{
	return text_eq(json_string_value(json_object_get(token, "type")), foreign_kind_name(kind));
}

int enroll_from_open(const struct unlock_env *env, const struct config_volume *conf, enum foreign_kind kind, struct enroll_from *ret,
		     struct err **err)
{
	_cleanup_enroll_from_ struct enroll_from f = ENROLL_FROM_INIT;
	struct luks_policy policy = header_policy_of(conf);
	struct luks_device dev = LUKS_DEVICE_INIT;
	struct luks_findings findings = { 0 };
	unsigned int n = 0;
	const char *name;
	json_t *token;
	int rc;

	policy.profile = LUKS_COMPAT;
	if (device_find(env->root_fd, conf->device, true, &dev, err) < 0)
		return -1;
	rc = luks_inspect(&dev, &policy, &f.h, &findings, err);
	luks_findings_clear(&findings);
	device_close(&dev);
	if (rc < 0)
		return -1;
	json_object_foreach(json_object_get(f.h.json, "tokens"), name, token)
		n += is_kind(token, kind);
	if (n == 0)
		return err_set(err, ERR_TPM, "foreign-absent", "the header has no token of type %s", foreign_kind_name(kind));
	f.kind = kind;
	f.others = n - 1;
	*ret = f;
	f = (struct enroll_from)ENROLL_FROM_INIT;
	return 0;
}

int enroll_from_token(const struct enroll_from *f, struct foreign_token *ret, struct err **err)
{
	_cleanup_err_ struct err *first = NULL;
	const char *name;
	json_t *token;

	json_object_foreach(json_object_get(f->h.json, "tokens"), name, token)
		if (is_kind(token, f->kind) && foreign_token_parse(token, f->kind, ret, first ? NULL : &first) == 0)
			return 0;
	return err_propagate(err, TAKE_PTR(first));
}

static int ask_pin(void *ctx, const struct tpm_lockout *l, struct secret **ret, struct err **err)
{
	const struct enroll_from *f = ctx;
	_cleanup_free_ char *prompt = text_printf("PIN of the %s keyslot (%u of %u tries are left)", foreign_kind_name(f->kind),
						  l->max_tries > l->failed ? l->max_tries - l->failed : 0, l->max_tries);

	return prompt ? keysrc_ask(prompt, ret, err) : err_nomem(err);
}

int enroll_from_unseal(const struct unlock_env *env, const struct enroll_from *f, struct foreign_answer *ret, struct err **err)
{
	_cleanup_(machine_tpm_close) struct machine_tpm tpm = { 0 };
	_cleanup_rules_ struct rules rules = { 0 };
	struct foreign_request r = { .tokens = json_object_get(f->h.json, "tokens"),
				     .kind = &f->kind,
				     .keyslot = -1,
				     .rules = &rules.vtpm,
				     .claimed = true,
				     .ask_pin = ask_pin,
				     .ctx = (void *)f };

	if (machine_tpm_trust(env, &tpm, &r.vtpm, err) < 0 || rules_load(env->config, env->root_fd, false, &rules, err) < 0)
		return -1;
	return keysrc_foreign(&r, ret, err);
}
