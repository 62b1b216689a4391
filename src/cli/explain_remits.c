/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * explain --remits: who answers for what, from the chip to the secret, and whether anything covers this initrd. Only what this machine
 * can see is said; nothing is claimed for a broker's policy, which decides elsewhere.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/text.h"
#include "cli/explain.h"
#include "evidence/evidence.h"
#include "tee/tee.h"
#include "unlock/boot_log.h"
#include "unlock/exitcode.h"
#include "unlock/predict_env.h"
#include "unlock/rules.h"
#include "wire/json.h"

#define CCEL "sys/firmware/acpi/tables/data/CCEL"
#define REMITS 6

struct remits {
	const struct config *c;
	const struct config_volume *v;
	const struct tee_provider *tee; /* NULL: none */
	struct buf line[REMITS];
	struct buf initrd;
};

enum { ROOT_OF_TRUST, ENDORSEMENT, MEASUREMENT, IDENTITY, TRUST, SECRETS };
static const char *const names[REMITS] = { "Root of trust", "Endorsement", "Measurement", "Identity", "Trust", "Secrets" };

static bool is_tdx(const struct remits *r)
{
	return r->tee && r->tee->kind == TEE_TDX;
}

/* The PCRs that a policy of ours names, literally or by signature. */
static uint32_t policy_pcrs(const struct remits *r)
{
	return config_mode_uses_vtpm(r->v->mode) ? r->c->vtpm.pcrs | (r->c->vtpm.signer_pem ? r->c->vtpm.signed_pcrs : 0) : 0;
}

/* PCRs into which this boot measured its initrd, as the log says. */
static uint32_t initrd_pcrs(const struct boot_log *l)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct boot_event *e = &l->events[i];

		if (e->kind == BOOT_INITRD || (e->kind == BOOT_UKI_SECTION && text_eq(e->name, ".initrd")) ||
		    (e->kind == BOOT_GRUB_FILE && (strstr(e->name, "initrd") || strstr(e->name, "initramfs"))))
			mask |= UINT32_C(1) << e->pcr;
		/* The image that holds the initrd is measured as a whole. */
		if (e->kind == BOOT_INNER_IMAGE)
			mask |= UINT32_C(1) << 4;
	}
	return mask;
}

/* RTMR2 of a TDX machine takes what goes to PCR 8 to 15 (UEFI CC measurement mapping). */
static bool ccel_has_initrd(int root_fd)
{
	_cleanup_free_ char *raw = NULL;
	struct boot_event_info info;
	struct tcg_event ev;
	struct tcg_log log;
	bool found = false;
	size_t len;

	if (file_read(root_fd, CCEL, TCG_LOG_MAX, ERR_NOEVIDENCE, &raw, &len, NULL) < 0 ||
	    tcg_log_open((const uint8_t *)raw, len, &log, NULL) < 0)
		return false;
	while (tcg_log_next(&log, &ev, NULL) > 0) {
		tcg_event_describe(&ev, &info);
		found = found || (ev.mr == 3 && (info.kind == BOOT_INITRD || text_eq(info.name, ".initrd")));
	}
	return found;
}

static bool covered_by_pcrs(struct cli *cli, struct remits *r)
{
	const struct unlock_env env = cli_env(cli);
	const enum pcr_bank bank = rules_bank(r->c);
	_cleanup_boot_log_ struct boot_log log = { 0 };
	uint32_t mask, explained = 0;
	struct pcr_values live;
	char text[80];

	if (!policy_pcrs(r) || (r->c->profile == PROFILE_CVM && r->c->vtpm.allow_untrusted) ||
	    boot_log_load(cli->root_fd, bank, &log, NULL) < 0)
		return false;
	mask = initrd_pcrs(&log) & policy_pcrs(r);
	if (!mask || predict_live(&env, bank, mask, &live, NULL) < 0 ||
	    boot_log_explains(&log, &live, (unsigned int)r->c->vtpm.cap_pcr, &explained, NULL) < 0 || !(mask & explained))
		return false;
	pcr_mask_text(mask & explained, text, sizeof(text));
	buf_printf(&r->initrd, "PCR %s of the vTPM's policy covers this initrd", text);
	if (config_mode_uses_kbs(r->v->mode) && r->v->mode != MODE_KBS_AND_VTPM)
		buf_puts(&r->initrd, "; the broker's way is covered by what its policy compares, see its `covers`");
	return true;
}

/* False: nothing covers it. */
static bool say_initrd(struct cli *cli, struct remits *r)
{
	const bool kbs = config_mode_uses_kbs(r->v->mode) && (config_find_kbs(r->c, r->v->source_name) || text_eq(r->v->source_name, "push"));

	if (r->c->profile == PROFILE_CVM && r->c->vtpm.allow_untrusted && r->v->mode == MODE_VTPM) {
		buf_puts(&r->initrd, "NOTHING against the host, which runs this TPM and can give it any value");
		return false;
	}
	if (covered_by_pcrs(cli, r))
		return true;
	if (kbs && is_tdx(r) && ccel_has_initrd(cli->root_fd)) {
		buf_puts(&r->initrd, "RTMR2 covers this initrd, if the broker's policy pins rtmr2");
		return true;
	}
	if (kbs && r->tee)
		buf_puts(&r->initrd, "NOTHING that can be seen from here: only a launch with measured kernel and initrd covers it, and a policy of "
				     "the broker that compares that measurement (covers = kernel+initrd+cmdline)");
	else if (policy_pcrs(r) && !(r->c->profile == PROFILE_CVM && r->c->vtpm.allow_untrusted))
		buf_puts(&r->initrd, "NOTHING that can be seen from here: no event log says that one of the policy's PCRs measures it");
	else
		buf_puts(&r->initrd, "NOTHING: whoever can write the boot disk can replace it and take the secret");
	return false;
}

static void say_hardware(struct remits *r)
{
	const bool kbs = config_mode_uses_kbs(r->v->mode), vtpm = config_mode_uses_vtpm(r->v->mode);
	struct buf *root = &r->line[ROOT_OF_TRUST], *endorsed = &r->line[ENDORSEMENT];

	if (r->tee) {
		buf_printf(root, "%s (%s)", is_tdx(r) ? "Intel's processor and TDX module" : "AMD's secure processor", r->tee->summary);
		buf_puts(endorsed, is_tdx(r) ? "Intel's SGX root certificate, built into the broker, by way of the quoting enclave" :
					       "AMD's root keys, built into the broker, by way of the chip's VCEK");
	} else {
		buf_puts(root, kbs ? "none found: this machine gives no evidence" : "no TEE is asked");
		buf_puts(endorsed, kbs ? "none" : "no evidence is shown to anyone");
	}
	if (!vtpm)
		return;
	buf_puts(root, r->c->profile == PROFILE_CVM && r->c->vtpm.allow_untrusted ? "; a TPM that the host runs, and can read" : "; the TPM");
	if (r->c->vtpm.srk_name)
		buf_printf(endorsed, "; the TPM's storage primary by srk-name (%s:%u)", r->c->vtpm.file, r->c->vtpm.line);
	else
		buf_puts(endorsed, "; the TPM by the hardware report (binding)");
}

static void say_measurement(struct remits *r)
{
	struct buf *b = &r->line[MEASUREMENT];
	char text[80];

	if (config_mode_uses_kbs(r->v->mode) && r->tee)
		buf_puts(b, is_tdx(r) ? "MRTD (firmware) and RTMR0 to RTMR3 (the boot), compared by the broker's policy" :
					"the launch measurement (firmware, and what the launch adds), compared by the broker's policy");
	if (policy_pcrs(r)) {
		pcr_mask_text(policy_pcrs(r), text, sizeof(text));
		buf_printf(b, "%sPCR %s, and PCR %d at zero, compared by the TPM", b->len ? "; " : "", text, r->c->vtpm.cap_pcr);
	}
	if (!b->len)
		buf_puts(b, "none");
}

static void say_identity(struct remits *r)
{
	struct buf *b = &r->line[IDENTITY];

	if (r->v->vk_id)
		buf_printf(b, "the volume is the one of vk-id (%s:%u)", r->v->file, r->v->line);
	else if (r->v->form == CONF_FORM_RAW)
		buf_puts(b, "nothing says which volume this is: a swapped disk would be taken");
	else if (r->v->mode == MODE_MANUAL || text_eq(r->v->source_name, "prompt"))
		buf_puts(b, "nothing but the passphrase says which volume this is");
	else if (text_eq(r->v->source_name, "file"))
		buf_puts(b, "the volume is the one of the secret document, if the key file is one");
	else if (text_eq(r->v->source_name, "push"))
		buf_puts(b, "the volume is the one of the document that the operator signs");
	else if (config_mode_uses_kbs(r->v->mode))
		buf_puts(b, "the volume is the one of the broker's secret document, if it holds one");
	else
		buf_puts(b, "the volume is the one that the sealed secret names");
	if (config_mode_uses_kbs(r->v->mode))
		buf_puts(b, r->c->init_data == INIT_DATA_OFF ? "; the machine is one of those that the broker's policy binds" :
							       "; the machine is the one of its init-data, as far as the broker binds them");
}

static void say_trust(struct remits *r)
{
	const struct config_kbs *k = r->v->source_name ? config_find_kbs(r->c, r->v->source_name) : NULL;
	struct buf *b = &r->line[TRUST];

	if (k)
		buf_printf(b, "the broker [kbs %s] decides; it is known by %s (%s:%u)", k->name,
			   k->pins && *k->pins ? "its pinned key" : "CA and server name", k->file, k->line);
	if (r->v->push || text_eq(r->v->source_name, "push"))
		buf_printf(b, "%san operator of [push] decides%s (%s:%u)", k ? "; " : "", k ? " when the host lets no broker be reached" : "",
			   r->c->push.file, r->c->push.line);
	if (r->v->mode == MODE_KBS_OR_VTPM)
		buf_puts(b, "; the TPM's policy instead, when the host lets no broker be reached");
	else if (r->v->mode == MODE_KBS_AND_VTPM)
		buf_puts(b, "; the TPM's policy as well");
	else if (r->v->mode == MODE_VTPM)
		buf_puts(b, "the TPM's policy alone decides");
	if (config_mode_uses_vtpm(r->v->mode) && r->c->vtpm.signer)
		buf_printf(b, "; the holder of %s approves updates", r->c->vtpm.signer);
	if (!b->len)
		buf_puts(b, "whoever holds the passphrase");
}

static void say_secrets(struct remits *r)
{
	struct buf *b = &r->line[SECRETS];

	buf_printf(b, "volume %s: ", r->v->name);
	if (r->v->secret)
		buf_printf(b, "%s", r->v->secret);
	if (r->v->sealed)
		buf_printf(b, "%s%s", r->v->secret ? r->v->mode == MODE_KBS_AND_VTPM ? " and " : " or " : "", r->v->sealed);
	if (!r->v->sealed && r->v->interop_unsafe)
		buf_printf(b, "%sa keyslot that another program sealed (interop-unsafe)", r->v->secret ? " or " : "");
	else if (!r->v->secret && !r->v->sealed)
		buf_puts(b, "by hand");
}

static const char *text_or_empty(struct buf *b)
{
	return b->len && buf_cstr(b) ? buf_cstr(b) : "";
}

static int print_json(struct remits *r)
{
	static const char *const keys[REMITS] = { "root_of_trust", "endorsement", "measurement", "identity", "trust", "secrets" };
	json_t *root = json_pack("{s:i, s:s, s:s}", "version", 1, "volume", r->v->name, "covers_initrd", text_or_empty(&r->initrd));

	for (size_t i = 0; i < REMITS; i++)
		json_object_set_new(root, keys[i], json_string(text_or_empty(&r->line[i])));
	return cli_put_json(root);
}

bool explain_covers(struct cli *cli, const struct config_volume *v, struct buf *out)
{
	struct remits r = { .c = cli->config, .v = v };
	struct tee_env te = { .root_fd = cli->root_fd, .may_mount = false };
	bool covered;

	buf_init(&r.initrd, 1024);
	if (config_mode_uses_kbs(v->mode))
		tee_detect(cli->platform->tees, &te, &r.tee, NULL, NULL);
	covered = say_initrd(cli, &r);
	buf_puts(out, text_or_empty(&r.initrd));
	buf_free(&r.initrd);
	return covered;
}

int explain_remits(struct cli *cli, const struct config_volume *v)
{
	struct remits r = { .c = cli->config, .v = v };
	struct tee_env te = { .root_fd = cli->root_fd, .may_mount = false };
	int code = EXIT_OK;

	for (size_t i = 0; i < REMITS; i++)
		buf_init(&r.line[i], 4096);
	buf_init(&r.initrd, 1024);
	if (config_mode_uses_kbs(v->mode))
		tee_detect(cli->platform->tees, &te, &r.tee, NULL, NULL);
	say_hardware(&r);
	say_measurement(&r);
	say_identity(&r);
	say_trust(&r);
	say_secrets(&r);
	say_initrd(cli, &r);
	if (cli->opts.json) {
		code = print_json(&r);
	} else {
		for (size_t i = 0; i < REMITS; i++)
			printf("%-13s > %s\n", names[i], text_or_empty(&r.line[i]));
		printf("covers initrd > %s\n", text_or_empty(&r.initrd));
		code = fflush(stdout) == 0 ? EXIT_OK : EXIT_INTERNAL;
	}
	for (size_t i = 0; i < REMITS; i++)
		buf_free(&r.line[i]);
	buf_free(&r.initrd);
	return code;
}
