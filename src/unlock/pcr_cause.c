/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "unlock/pcr_cause.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/text.h"

#define MEASURED_MAX 160
#define STORY_MAX 16384

#define BIT(n) (UINT32_C(1) << (n))

static bool measured_kind(const struct boot_log *log, unsigned int pcr, enum boot_event_kind kind)
{
	for (size_t i = 0; log && i < log->n; i++)
		if (log->events[i].pcr == pcr && log->events[i].kind == kind)
			return true;
	return false;
}

/* What a change of this PCR means, by itself (tpm-sealing.md 6.1). */
static const char *meaning(unsigned int pcr, const struct boot_log *log)
{
	switch (pcr) {
	case 0:
	case 2:
		return "firmware";
	case 1:
		return "firmware settings, boot order or size of the machine";
	case 3:
		return "configuration of a device's firmware";
	case 4:
		return measured_kind(log, 4, BOOT_INNER_IMAGE) ? "unified kernel image or boot loader" : "kernel or boot loader";
	case 5:
		return "partition table";
	case 7:
		return "Secure Boot state (switched, or keys in db or dbx updated)";
	case 8:
		return "kernel command line or boot menu (GRUB's commands)";
	case 9:
		if (measured_kind(log, 9, BOOT_GRUB_FILE))
			return "initrd, kernel or boot menu (files that GRUB reads)";
		return measured_kind(log, 9, BOOT_LOAD_OPTIONS) ? "initrd or kernel command line" : "initrd";
	case 10:
		return "files measured by IMA, which change with every boot";
	case 11:
		return "unified kernel image, or another phase of the boot";
	case 12:
		return "kernel command line, or credentials and add-ons of the boot loader";
	case 13:
		return "system extensions";
	case 14:
		return "machine owner keys (MOK) of shim";
	case 15:
		return "cap (a secret was used already in this boot)";
	default:
		return "what user space measures";
	}
}

static void these(uint32_t mask, struct buf *out)
{
	char text[3 * PCR_COUNT + 1];

	pcr_mask_text(mask, text, sizeof(text));
	buf_printf(out, " (PCR%s %s)", mask & (mask - 1) ? "s" : "", text);
}

void pcr_cause_likely(uint32_t differing, const struct boot_log *log, struct buf *out)
{
	static const struct {
		uint32_t all, any; /* every one of all, nothing outside all and any */
		const char *text;
	} patterns[] = {
		{ BIT(0) | BIT(4) | BIT(7), ~UINT32_C(0), "another machine, or firmware that was replaced" },
		{ BIT(0) | BIT(7), ~UINT32_C(0), "a firmware update that came with other Secure Boot keys" },
		{ BIT(4) | BIT(7), BIT(8) | BIT(9) | BIT(11) | BIT(12) | BIT(14), "a boot loader that is signed by another key" },
		{ BIT(4) | BIT(11), BIT(8) | BIT(9) | BIT(12), "another unified kernel image" },
		{ BIT(4) | BIT(9), BIT(8) | BIT(12), "another kernel, with its initrd" },
		{ BIT(8) | BIT(9), BIT(12), "another command line or boot menu, and what GRUB read for it" },
		{ BIT(9) | BIT(12), 0, "another kernel command line" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
		if ((differing & patterns[i].all) == patterns[i].all && !(differing & ~(patterns[i].all | patterns[i].any))) {
			buf_printf(out, "probably %s", patterns[i].text);
			these(differing, out);
			return;
		}
	for (unsigned int p = 0, n = 0; p < PCR_COUNT; p++) {
		if (!(differing & BIT(p)))
			continue;
		buf_printf(out, "%s%s", n++ ? "; " : "probably the ", meaning(p, log));
		these(BIT(p), out);
	}
}

static const char *shown(const struct boot_event *ev)
{
	switch (ev->kind) {
	case BOOT_SEPARATOR:
	case BOOT_ACTION:
	case BOOT_OTHER:
	case BOOT_GRUB_COMMAND: /* many, and the command line says it again */
		return NULL;
	case BOOT_LOAD_OPTIONS:
		return "kernel command line";
	case BOOT_INITRD:
		return "initrd";
	case BOOT_INNER_IMAGE:
		return "kernel in the unified image";
	case BOOT_FIRMWARE:
	case BOOT_PARTITIONS:
	case BOOT_PLATFORM_CONFIG:
		return ev->text;
	default:
		return *ev->name ? ev->name : ev->text;
	}
}

void pcr_cause_measured(const struct boot_log *log, unsigned int pcr, size_t max_len, struct buf *out)
{
	const size_t start = out->len;
	const char *last = NULL;

	for (size_t k = 0; k < log->n + log->n_user; k++) {
		const struct boot_event *ev = k < log->n ? &log->events[k] : &log->user[k - log->n];
		const char *text = ev->pcr == pcr && ev->extends ? shown(ev) : NULL;

		if (!text || text_eq(text, last)) /* a section's name and its content */
			continue;
		last = text;
		if (out->len - start + strlen(text) + 2 > max_len) {
			buf_puts(out, out->len > start ? ", .." : "..");
			return;
		}
		buf_printf(out, "%s%s", out->len > start ? ", " : "", text);
	}
}

static void value(const struct pcr_values *v, unsigned int pcr, struct buf *out)
{
	char hex[2 * PCR_DIGEST_MAX + 1];

	if (!(v->mask & BIT(pcr))) {
		buf_puts(out, "nothing");
		return;
	}
	hex_encode(v->value[pcr], pcr_bank_size(v->bank), hex);
	buf_puts(out, hex);
}

static void line(unsigned int pcr, const struct sealed_blob *b, const struct pcr_values *now, const struct boot_log *log, struct buf *out)
{
	_cleanup_buf_ struct buf m = BUF_INIT(MEASURED_MAX + 64);

	buf_printf(out, "PCR %u: sealed for ", pcr);
	value(&b->values, pcr, out);
	buf_puts(out, ", now ");
	value(now, pcr, out);
	if (log)
		pcr_cause_measured(log, pcr, MEASURED_MAX, &m);
	if (m.len)
		buf_printf(out, "; this boot measured %s", buf_cstr(&m) ? buf_cstr(&m) : "");
	buf_putc(out, '\n');
}

/* Text about the log itself: it counts only where it leads to the register. */
static void about_log(const struct boot_log *log, const struct err *why, uint32_t differing, const struct pcr_values *now, unsigned int cap_pcr,
		      struct buf *out)
{
	uint32_t explained = 0;
	char text[3 * PCR_COUNT + 1];

	if (!log) {
		buf_printf(out, "what was measured is not known: %s\n", err_message(why));
		return;
	}
	if (boot_log_explains(log, now, cap_pcr, &explained, NULL) < 0)
		return;
	explained |= BIT(cap_pcr);
	if (!(differing & now->mask & ~explained))
		return;
	pcr_mask_text(differing & now->mask & ~explained, text, sizeof(text));
	buf_printf(out, "the event log does not lead to PCR %s as it is: it is incomplete, or was changed\n", text);
}

int pcr_cause_explain(const struct unlock_env *env, struct vtpm *v, const struct vtpm_rules *r, const struct sealed_blob *b,
		      uint32_t *ret_differing, struct buf *out, struct err **err)
{
	_cleanup_boot_log_ struct boot_log log = { 0 };
	_cleanup_err_ struct err *no_log = NULL;
	const struct boot_log *l = NULL;
	struct pcr_values now;
	uint32_t differing;

	if (vtpm_explain(v, r, b, &differing, &now, err) < 0)
		return -1;
	if (!differing) {
		buf_puts(out, "no PCR differs: bank, pcrs, signer, cap-pcr, counters or PIN are configured otherwise than at the sealing\n");
		*ret_differing = 0;
		return 0;
	}
	if (boot_log_load(env->root_fd, r->bank, &log, &no_log) == 0)
		l = &log;
	for (unsigned int p = 0; p < PCR_COUNT; p++)
		if (differing & BIT(p))
			line(p, b, &now, l, out);
	about_log(l, no_log, differing, &now, r->cap_pcr, out);
	pcr_cause_likely(differing, l, out);
	buf_putc(out, '\n');
	*ret_differing = differing;
	return 0;
}

/* The last line goes into the error, which ends the story on the console; the others come before. */
static void tell(const char *volume, char *story, struct err **err)
{
	char *end = story + strlen(story), *p = story;

	while (end > story && end[-1] == '\n')
		*--end = 0;
	for (char *nl; (nl = strchr(p, '\n')); p = nl + 1) {
		*nl = 0;
		log_info("%s: %s", volume, p);
	}
	err_wrap(err, "%s", p);
}

void pcr_cause_hint(const struct unlock_env *env, const char *volume, struct vtpm *v, const struct vtpm_rules *r, const char *sealed,
		    size_t sealed_len, struct err **err)
{
	_cleanup_buf_ struct buf story = BUF_INIT(STORY_MAX);
	_cleanup_err_ struct err *e = NULL;
	_cleanup_free_ char *text = NULL;
	struct sealed_blob b = { 0 };
	uint32_t differing;

	if (!err || !*err || !text_eq(err_id(*err), "policy"))
		return;
	if (sealed_blob_parse(sealed, sealed_len, &b, &e) < 0 || pcr_cause_explain(env, v, r, &b, &differing, &story, &e) < 0) {
		log_debug("%s: %s", volume, err_message(e));
	} else {
		text = buf_take_str(&story);
		if (text)
			tell(volume, text, err);
	}
	sealed_blob_clear(&b);
}
