/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* enroll --from: the settings of another program's token as lines of our configuration, and its keyslot as the authorization for ours. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/enroll_verb.h"
#include "unlock/enroll_from.h"

static int need_kind(const char *name, enum foreign_kind *ret, struct err **err)
{
	if (foreign_kind_by_name(name, ret))
		return 0;
	return err_set(err, ERR_CONFIG, "usage", "--from takes systemd-tpm2 or clevis");
}

int enroll_from_check(const struct cli_opts *o, struct err **err)
{
	enum foreign_kind kind;

	if (!o->from)
		return 0;
	if (need_kind(o->from, &kind, err) < 0)
		return -1;
	if (o->key_file)
		return err_set(err, ERR_CONFIG, "usage", "--from takes the passphrase from the token: leave out --key-file");
	if (!o->source && (o->output || o->document || o->kbs_part || o->pin_file || o->owner_auth_file || o->keyslot >= 0 || o->predicted))
		return err_set(err, ERR_CONFIG, "usage", "--from without --source only prints: nothing is enrolled");
	return 0;
}

int enroll_from_passphrase(const struct unlock_env *env, const struct config_volume *v, const char *from, struct secret **ret, struct err **err)
{
	_cleanup_foreign_answer_ struct foreign_answer a = { 0 };
	_cleanup_enroll_from_ struct enroll_from f = ENROLL_FROM_INIT;
	enum foreign_kind kind;

	if (need_kind(from, &kind, err) < 0 || enroll_from_open(env, v, kind, &f, err) < 0 || enroll_from_unseal(env, &f, &a, err) < 0)
		return -1;
	log_info("%s: authorized by keyslot %d of its %s token", v->name, a.keyslot, from);
	log_info("%s: it still opens the volume: when a boot with the new keyslot went well, cryptattest wipe %s --keyslot %d, then cryptsetup "
		 "token remove", v->name, v->name, a.keyslot);
	*ret = TAKE_PTR(a.passphrase);
	return 0;
}

/* --- the lines */

static void print_name(const struct unlock_env *env)
{
	_cleanup_(machine_tpm_close) struct machine_tpm m = { 0 };
	_cleanup_err_ struct err *why = NULL;
	char text[2 * TPM_NAME_MAX + 1];
	struct tpm_name name;
	struct vtpm *v;

	if (env->config->vtpm.srk_name) {
		printf("srk-name = %s\n", env->config->vtpm.srk_name);
		return;
	}
	if (machine_tpm_open(env, &m, &v, &why) < 0 || vtpm_primary_name(v, &name, &why) < 0) {
		printf("; srk-name: no TPM to ask (%s)\n", err_message(why));
		return;
	}
	tpm_name_text(&name, text);
	printf("; the TPM that answers now; nothing proves that it is this machine's\nsrk-name = %s\n", text);
}

static void print_signer(const struct foreign_token *k, const char *name)
{
	char list[3 * PCR_COUNT + 1];

	if (!k->signer_pem)
		return;
	pcr_mask_text(k->signed_pcrs, list, sizeof(list));
	printf("signer = /etc/cryptattest/%s-signer.pem\nsigned-pcrs = %s\n; the content of that file, from the header; compare it with the owner's:\n",
	       name, list);
	for (const char *p = k->signer_pem; *p;) {
		const size_t n = strcspn(p, "\n");
		char line[80];

		text_sanitise(p, n, line, sizeof(line));
		printf("; %s\n", line);
		p += n + (p[n] == '\n');
	}
}

static void print_vtpm(const struct unlock_env *env, const struct foreign_token *k, const char *name)
{
	char list[3 * PCR_COUNT + 1];

	pcr_mask_text(k->pcrs, list, sizeof(list));
	printf("[vtpm]\n");
	if (k->has_bank)
		printf("%sbank = %s\n", k->bank == PCR_SHA256 || k->bank == PCR_SHA384 ? "" : "; only without sealed (interop-unsafe = yes): ",
		       pcr_bank_name(k->bank));
	if (k->pcrs)
		printf("pcrs = %s\n", list);
	else if (!k->signer_pem)
		printf("; sealed without PCRs: it opens for any system on this machine, choose pcrs anew\n");
	print_name(env);
	print_signer(k, name);
}

/* The volume key is needed for it, so the TPM is; a PIN is not asked for to print a line. */
static void print_vk_id(const struct unlock_env *env, const struct config_volume *v, const struct enroll_from *f, const struct foreign_token *k)
{
	_cleanup_foreign_answer_ struct foreign_answer a = { 0 };
	_cleanup_enroll_ struct enroll e = ENROLL_INIT;
	_cleanup_err_ struct err *why = NULL;
	struct config_volume compat = *v;

	compat.header = HEADER_COMPAT;
	if (!k->pin && enroll_from_unseal(env, f, &a, &why) == 0 && enroll_open(env, &compat, a.passphrase, -1, &e, &why) == 0)
		printf("vk-id = %s\n", e.vk_id);
	else
		printf("; vk-id: cryptattest document %s --name %s --profile compat --pins (%s)\n", v->device, v->name, why ? err_message(why) : "the PIN would be needed here");
}

int enroll_from_print(const struct unlock_env *env, const struct config_volume *v, const char *from, struct err **err)
{
	_cleanup_enroll_from_ struct enroll_from f = ENROLL_FROM_INIT;
	_cleanup_foreign_token_ struct foreign_token k = { 0 };
	enum foreign_kind kind;

	if (need_kind(from, &kind, err) < 0 || enroll_from_open(env, v, kind, &f, err) < 0 || enroll_from_token(&f, &k, err) < 0)
		return -1;
	printf("; what the %s token of keyslot %d says\n", from, k.keyslot);
	print_vtpm(env, &k, v->name);
	printf("[volume %s]\ndevice = %s\nmode = vtpm\n; the token makes it necessary\nheader = compat\npin = %s\n", v->name, v->device, k.pin ? "yes" : "no");
	print_vk_id(env, v, &f, &k);
	printf("; either a keyslot of our own: sealed = FILE, then cryptattest enroll %s --from=%s --source=vtpm\n; or the one that is there, with what "
	       "cryptattest(8) says is lost (INTEROPERATION): interop-unsafe = yes\n", v->name, from);
	if (f.others)
		log_warning("%s: %u more %s token%s not shown", v->name, f.others, from, f.others > 1 ? "s are" : " is");
	return 0;
}
