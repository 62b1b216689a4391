/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* [vtpm], and what it and a volume's mode demand of each other. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/text.h"
#include "config/parse.h"
#include "wire/tcb_floor.h"

#define PCR(n) (1u << (n))
/* Firmware settings, option ROM settings, partition table, platform events: the host chooses them (tpm-sealing.md 6.1). */
#define PCRS_OF_THE_HOST (PCR(1) | PCR(3) | PCR(5) | PCR(6))
/* An initramfs is in these: as part of a UKI that the firmware starts (4) or that measures itself (11), or as a file (9). grub's words (8) and
 * the overrides of a UKI (12, most often none) say nothing about it. */
#define PCRS_OF_THE_INITRAMFS (PCR(4) | PCR(9) | PCR(11))
/* Which loader the firmware started: 4 its digest, 7 who signed it. All that comes after is measured by it, or by what it starts: another
 * loader extends those registers to whatever values it likes, from zero. */
#define PCRS_OF_THE_LOADER (PCR(4) | PCR(7))
#define PCR_IMA PCR(10)

const char *const *config_pcr_signatures(const struct config *c)
{
	static const char *const usual[] = { "/.extra/tpm2-pcr-signature.json", "/etc/systemd/tpm2-pcr-signature.json",
					     "/run/systemd/tpm2-pcr-signature.json", "/usr/local/lib/systemd/tpm2-pcr-signature.json",
					     "/usr/lib/systemd/tpm2-pcr-signature.json", NULL };

	return c->vtpm.pcr_signatures ? (const char *const *)c->vtpm.pcr_signatures : usual;
}

bool config_mode_uses_kbs(enum config_mode m)
{
	return m == MODE_KBS || m == MODE_KBS_AND_VTPM || m == MODE_KBS_OR_VTPM;
}

bool config_mode_uses_vtpm(enum config_mode m)
{
	return m == MODE_VTPM || m == MODE_KBS_AND_VTPM || m == MODE_KBS_OR_VTPM;
}

/* About the list that there is: pcrs, or signed-pcrs alone, which has a default. */
static int insecure(const struct config_section *s, bool literal, const char *why, struct err **err)
{
	const char *key = literal ? "pcrs" : "signed-pcrs";
	const struct config_setting *set = config_setting_of(s, key, 0);

	config_fail(s, key, 0, err, "%s = %s: %s", key, set ? set->value : keyword_find(SCOPE_VTPM, key)->def, why);
	return err_hint(err, "4 7 9 covers a loader, Secure Boot and an initramfs of its own; insecure-pcrs = yes accepts the list as it is");
}

/* A list that protects nothing looks like one that does (C6, tpm-sealing.md 6.1). Both lists together, as the policy has them. */
static int check_pcrs(const struct config *c, const struct config_section *s, const struct config_vtpm *t, struct err **err)
{
	const uint32_t signed_pcrs = t->signer ? t->signed_pcrs : 0, chosen = t->pcrs | signed_pcrs;
	const bool literal = t->pcrs != 0;

	if (t->pcrs & PCR(t->cap_pcr))
		return config_fail(s, "pcrs", 0, err, "pcrs holds %d, the cap register: it is always demanded, at zero", t->cap_pcr);
	if (signed_pcrs & (PCR(t->cap_pcr) | t->pcrs))
		return config_fail(s, "signed-pcrs", 0, err, "a PCR stands in signed-pcrs and in pcrs or cap-pcr");
	if (!chosen || t->insecure_pcrs)
		return 0;
	if (chosen & PCR_IMA)
		return insecure(s, (t->pcrs & PCR_IMA) != 0, "PCR 10 changes with every file that IMA measures", err);
	if (!(chosen & ~PCRS_OF_THE_HOST))
		return insecure(s, literal, "the host chooses the values of all of them", err);
	if (c->profile != PROFILE_CVM)
		return 0;
	if (!(chosen & PCRS_OF_THE_INITRAMFS))
		return insecure(s, literal, "none of them measures the initramfs, which a host can edit on its disk", err);
	if (!(chosen & PCRS_OF_THE_LOADER))
		return insecure(s, literal, "neither 4 nor 7 is among them: a boot loader of the host's gives the others any value", err);
	return 0;
}

static int check_signed(const struct config_section *s, const struct config_vtpm *t, struct err **err)
{
	static const char *const needs_signer[] = { "signed-pcrs", "pcr-signature", "version-index", NULL };

	for (const char *const *key = needs_signer; !t->signer && *key; key++)
		if (config_setting_of(s, *key, 0))
			return config_fail(s, *key, 0, err, "%s needs signer, the key of the signatures", *key);
	if (t->signer && t->signer[0] != '/')
		return config_fail(s, "signer", 0, err, "signer = %.200s: an absolute path is wanted", t->signer);
	for (size_t i = 0; t->pcr_signatures && t->pcr_signatures[i]; i++)
		if (t->pcr_signatures[i][0] != '/')
			return config_fail(s, "pcr-signature", i, err, "pcr-signature = %.200s: an absolute path is wanted",
					   t->pcr_signatures[i]);
	return 0;
}

static int check_indices(const struct config_section *s, const struct config_vtpm *t, struct err **err)
{
	if (!t->offline_index != !t->offline_boots)
		return config_fail(s, t->offline_index ? "offline-index" : "offline-boots", 0, err,
				   "offline-index and offline-boots need each other");
	if (t->pin_index && (t->pin_index == t->version_index || t->pin_index == t->offline_index))
		return config_fail(s, "pin-index", 0, err, "pin-index is the index of another key too");
	if (t->version_index && t->version_index == t->offline_index)
		return config_fail(s, "version-index", 0, err, "version-index and offline-index are the same");
	return 0;
}

static int check_measurements(const struct config_section *s, struct config_vtpm *t, struct err **err)
{
	uint8_t raw[48];

	for (size_t i = 0; t->binding_measurements && t->binding_measurements[i]; i++) {
		char *hex = t->binding_measurements[i];

		if (hex_decode(hex, strlen(hex), raw, sizeof(raw), NULL) < 0)
			return config_fail(s, "binding-measurement", i, err, "binding-measurement = %.100s: 96 hex digits are wanted", hex);
		hex_encode(raw, sizeof(raw), hex);
	}
	return 0;
}

static int check_min_tcb(const struct config_section *s, const struct config_vtpm *t, struct err **err)
{
	bool seen[TCB_GENERATIONS] = { false };

	for (size_t i = 0; t->min_tcb && t->min_tcb[i]; i++) {
		struct tcb_floor f;
		const char *wrong = tcb_floor_parse(t->min_tcb[i], &f);

		if (wrong)
			return config_fail(s, "min-tcb", i, err, "min-tcb = %.100s: allowed: %s", t->min_tcb[i], wrong);
		if (seen[f.generation])
			return config_fail(s, "min-tcb", i, err, "min-tcb for %s stands twice", tcb_generation_word(f.generation));
		seen[f.generation] = true;
	}
	return 0;
}

/* A vTPM is worth what its owner is worth: on a confidential VM that is proved, or said to be without proof (E5). */
static int check_binding(const struct config *c, const struct config_section *s, struct config_vtpm *t, struct err **err)
{
	if (t->srk_name && !text_starts(t->srk_name, "000b"))
		return config_fail(s, "srk-name", 0, err, "srk-name = %.80s: allowed: %s", t->srk_name,
				   keyword_find(SCOPE_VTPM, "srk-name")->allowed);
	if (t->vek && t->vek[0] != '/')
		return config_fail(s, "vek", 0, err, "vek = %.200s: an absolute path is wanted", t->vek);
	if (c->profile == PROFILE_BARE_METAL) {
		if (t->binding == BINDING_AZURE || t->binding == BINDING_SVSM)
			return config_fail(s, "binding", 0, err, "binding proves the vTPM of a confidential VM; profile = bare-metal has an ordinary TPM");
		t->binding = BINDING_NONE;
		return 0;
	}
	if (t->binding == BINDING_NONE && !t->allow_untrusted) {
		config_fail(s, "binding", 0, err, "binding = none on a confidential VM: nothing would prove that the host does not run the vTPM");
		return err_hint(err, "allow-untrusted-vtpm = yes and srk-name accept that a host can read what is sealed");
	}
	return 0;
}

int config_check_vtpm(struct config *c, const struct config_section *s, struct err **err)
{
	struct config_vtpm *t = s->target;

	if (check_pcrs(c, s, t, err) < 0 || check_signed(s, t, err) < 0 || check_indices(s, t, err) < 0 ||
	    check_measurements(s, t, err) < 0 || check_min_tcb(s, t, err) < 0 || check_binding(c, s, t, err) < 0)
		return -1;
	/* Not an error: `enroll` prints the name, and needs a configuration to run with. The unlock refuses. */
	if (!t->srk_name && (t->binding == BINDING_NONE || (t->allow_untrusted && t->binding == BINDING_AUTO)))
		log_warning("%s:%u: [vtpm] has no srk-name: sealed secrets stay unused until it names this machine's storage primary", t->file,
			    t->line);
	return 0;
}

/* "PARTUUID=...:/path" or "/path"; the value of a device may hold a colon. */
static int split_sealed(const struct config_section *s, struct config_volume *v, struct err **err)
{
	const char *colon = v->sealed[0] == '/' ? NULL : strstr(v->sealed, ":/"), *path = colon ? colon + 1 : v->sealed;
	size_t n = strlen(path);

	free(v->sealed_device);
	free(v->sealed_path);
	v->sealed_device = colon ? strndup(v->sealed, (size_t)(colon - v->sealed)) : NULL;
	v->sealed_path = text_dup(path);
	if ((colon && !v->sealed_device) || !v->sealed_path)
		return err_nomem(err);
	if (path[0] == '/' && n > 1 && n < 256 && path[n - 1] != '/' && !strstr(path, "/../") && strcmp(path + n - (n < 3 ? 1 : 3), "/..") != 0 &&
	    (!colon || config_fs_device_ok(v->sealed_device)))
		return 0;
	return config_fail(s, "sealed", 0, err, "sealed = %.300s: %s is wanted", v->sealed, keyword_find(SCOPE_VOLUME, "sealed")->allowed);
}

static int check_interop(const struct config *c, const struct config_section *s, const struct config_volume *v, struct err **err)
{
	if (!v->interop_unsafe)
		return 0;
	/* C7: stock tools open such a volume without our checks and without the cap. */
	if (c->profile == PROFILE_CVM)
		return config_fail(s, "interop-unsafe", 0, err,
				   "interop-unsafe = yes on a confidential VM: other programs would open the volume without audit and cap");
	if (v->mode != MODE_VTPM && v->mode != MODE_KBS_OR_VTPM)
		return config_fail(s, "interop-unsafe", 0, err, "interop-unsafe = yes needs mode = vtpm or kbs-or-vtpm: with %s the header "
				   "must hold nothing that opens the volume alone", config_mode_name(v->mode));
	if (!v->sealed && (c->vtpm.offline_index || c->vtpm.version_index))
		return config_fail(s, "interop-unsafe", 0, err, "interop-unsafe = yes without sealed: the keyslots of other programs keep neither "
				   "offline-boots nor version-index");
	return 0;
}

static const struct config_section *vtpm_section(const struct config *c)
{
	for (struct config_section **s = c->sections; *s; s++)
		if ((*s)->scope == SCOPE_VTPM)
			return *s;
	return NULL;
}

/* A passphrase from a sealed secret is given out with the cap, which shuts out whoever is asked for next (architecture.md 6, `key`). */
static int check_opener(const struct config *c, const struct config_section *s, const struct config_volume *v, struct err **err)
{
	size_t n = 0;

	for (struct config_volume **other = c->volumes; *other; other++)
		n += (*other)->phase == PHASE_INITRD && (*other)->mode != MODE_MANUAL;
	if (c->opener != OPENER_CRYPTTAB || n < 2)
		return 0;
	config_fail(s, "mode", 0, err, "mode = %s with opener = crypttab and several volumes in the initrd phase: the cap after this one would shut "
				       "out the others", config_mode_name(v->mode));
	return err_hint(err, "leave out opener, or use mode = kbs");
}

/* After the cap no sealed secret can be unsealed (architecture.md 4 "phases"). */
static int check_mode(const struct config *c, const struct config_section *s, const struct config_volume *v, struct err **err)
{
	const char *mode = config_mode_name(v->mode);

	if (v->phase == PHASE_SYSTEM)
		return config_fail(s, "mode", 0, err, "mode = %s cannot be combined with phase = system: the cap comes first", mode);
	if (!c->vtpm.present)
		return config_fail(s, "mode", 0, err, "mode = %s needs a [vtpm] section, which says what a sealed secret depends on", mode);
	if (!v->sealed && !v->interop_unsafe) {
		config_fail(s, "mode", 0, err, "mode = %s needs sealed, the file of the sealed secret", mode);
		return err_hint(err, "sealed = PARTLABEL=esp:/cryptattest/%s.sealed, say; `cryptattest enroll` writes it. Keyslots of "
				     "systemd-cryptenroll and clevis open without our audit and cap: only with interop-unsafe = yes; "
				     "`cryptattest enroll --from` takes them over", v->name);
	}
	if (v->sealed && c->vtpm.bank == CONF_BANK_SHA1)
		return config_fail(vtpm_section(c), "bank", 0, err,
				   "bank = sha1 is for what clevis bound, with interop-unsafe = yes and without sealed: collisions of SHA-1 can be made");
	if (!c->vtpm.pcrs && !c->vtpm.signer)
		return config_fail(vtpm_section(c), NULL, 0, err, "[vtpm] has neither pcrs nor signer: a secret sealed without PCRs opens for any system");
	/* The broker's secret and the sealed one open keyslots of their own. */
	if (v->mode == MODE_KBS_OR_VTPM && (v->keyslot >= 0 || v->header_id))
		return config_fail(s, v->header_id ? "header-id" : "keyslot", 0, err,
				   "%s pins one keyslot, mode = kbs-or-vtpm uses two: pin vk-id", v->header_id ? "header-id" : "keyslot");
	if (v->mode == MODE_KBS_OR_VTPM && c->deadline_ms && c->vtpm.fallback_after_ms >= c->deadline_ms)
		return config_fail(vtpm_section(c), "fallback-after", 0, err,
				   "fallback-after is not shorter than deadline: the vTPM would never be reached");
	return check_opener(c, s, v, err);
}

int config_check_sealed(const struct config *c, const struct config_section *s, struct config_volume *v, struct err **err)
{
	if (v->sealed && split_sealed(s, v, err) < 0)
		return -1;
	if (check_interop(c, s, v, err) < 0)
		return -1;
	if (!config_mode_uses_vtpm(v->mode))
		return 0;
	if (check_mode(c, s, v, err) < 0)
		return -1;
	if (v->pin && c->profile == PROFILE_CVM)
		log_warning("%s:%u: [volume %s] pin = yes: on a confidential VM no boot asks for it, the console is the host's; mode = kbs+vtpm is "
			    "a second factor that needs nobody there", v->file, v->line, v->name);
	return 0;
}
