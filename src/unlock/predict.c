/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "unlock/predict.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/text.h"
#include "unlock/predict_impl.h"

static const char *const phase_words[] = { "enter-initrd", "leave-initrd", "sysinit", "ready" };

static int load_given(const char *path, bool pe, struct predict_file *ret, struct err **err)
{
	struct err *e = NULL;
	struct pe_image image;

	if (!path)
		return 0;
	if (predict_load(AT_FDCWD, path, ret, &e) == 0 && (!pe || pe_parse((const uint8_t *)ret->bytes, ret->len, &image, &e) == 0))
		return 0;
	err_set(err, ERR_CONFIG, "predict-file", "%s: %s", path, err_message(e));
	err_free(e);
	return -1;
}

/* The word behind the command: "initrd /boot/initrd.img" -> "/boot/initrd.img". */
static bool command_word(const char *command, const char *verb, char *out, size_t cap, bool *ret_more)
{
	size_t n = strlen(verb), len;

	if (strncmp(command, verb, n) != 0 || command[n] != ' ')
		return false;
	command += n + strspn(command + n, " ");
	len = strcspn(command, " ");
	*ret_more = command[len] == ' ';
	snprintf(out, cap, "%.*s", (int)len, command);
	return len;
}

/* Words that a loader puts before the arguments. */
static void survey_text(struct predictor *c, const char *text)
{
	while (text_starts(text, "BOOT_IMAGE=") || text_starts(text, "initrd=")) {
		if (*text == 'i') {
			c->several_initrds |= *c->initrd_path && !c->grub;
			snprintf(c->initrd_path, sizeof(c->initrd_path), "%.*s", (int)strcspn(text + 7, " "), text + 7);
		}
		text += strcspn(text, " ");
		text += strspn(text, " ");
	}
}

static void survey_event(struct predictor *c, size_t i)
{
	const struct boot_event *ev = &c->p->log->events[i];
	bool more = false;

	switch (ev->kind) {
	case BOOT_IMAGE:
		c->kernel_image = i; /* the last one */
		return;
	case BOOT_INNER_IMAGE:
		c->inner_image = i;
		c->uki_image = c->kernel_image;
		return;
	case BOOT_GRUB_CMDLINE:
		c->grub = true;
		c->kernel_image = NO_EVENT; /* what came before were loaders */
		snprintf(c->kernel_path, sizeof(c->kernel_path), "%.*s", (int)strcspn(ev->name, " "), ev->name);
		return;
	case BOOT_GRUB_COMMAND:
		if (command_word(ev->name, "initrd", c->initrd_path, sizeof(c->initrd_path), &more) ||
		    command_word(ev->name, "initrdefi", c->initrd_path, sizeof(c->initrd_path), &more))
			c->several_initrds = more;
		return;
	case BOOT_LOADER_CMDLINE:
		if (!*c->initrd_path)
			survey_text(c, ev->name);
		return;
	default:
		return;
	}
}

/* GRUB's configuration is a file that it measures like any other: is it still what it was? */
static void survey_grub(struct predictor *c)
{
	for (size_t i = 0; i < c->p->log->n && !*c->grub_changed; i++) {
		const struct boot_event *ev = &c->p->log->events[i];
		size_t n = strlen(ev->name);
		struct predict_file f;
		uint8_t digest[DIGEST_MAX];

		if (ev->kind != BOOT_GRUB_FILE || !((n > 4 && text_eq(ev->name + n - 4, ".cfg")) || predict_same_name(ev->name, "grubenv")))
			continue;
		if (!predict_find(c, ev->name, WHOLE_FILE, ev->digest, &f))
			continue; /* said where the file itself is judged */
		if (predict_digest_file(c, &f, WHOLE_FILE, digest, NULL) < 0 || memcmp(digest, ev->digest, c->size) != 0)
			snprintf(c->grub_changed, sizeof(c->grub_changed), "%s", f.path);
		predict_file_clear(&f);
	}
}

static void survey_cmdline(struct predictor *c)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;

	if (file_read(c->p->root_fd, "proc/cmdline", CMDLINE_MAX - 1, ERR_TPM, &text, &len, NULL) < 0)
		return;
	while (len && text[len - 1] == '\n')
		text[--len] = 0;
	snprintf(c->cmdline, sizeof(c->cmdline), "%s", text);
}

static int survey(struct predictor *c, struct err **err)
{
	const struct pe_section *s;
	struct pe_content content;

	for (size_t i = 0; c->p->log && i < c->p->log->n; i++)
		survey_event(c, i);
	survey_cmdline(c);
	if (c->p->log)
		survey_grub(c);
	if (!c->uki.bytes && c->uki_image != NO_EVENT)
		predict_find(c, c->p->log->events[c->uki_image].name, PE_IMAGE, c->p->log->events[c->uki_image].digest, &c->uki);
	if (c->uki.bytes && pe_parse((const uint8_t *)c->uki.bytes, c->uki.len, &c->uki_pe, c->p->next.uki ? err : NULL) < 0) {
		predict_file_clear(&c->uki);
		return c->p->next.uki ? -1 : 0;
	}
	c->new_args = c->p->next.cmdline;
	s = predict_uki_used(c) ? pe_find(&c->uki_pe, ".cmdline") : NULL;
	if (!c->new_args && s && pe_content(&c->uki_pe, s, &content, NULL) == 0 && content.len < sizeof(c->uki_cmdline)) {
		memcpy(c->uki_cmdline, content.bytes, content.len);
		for (size_t n = strlen(c->uki_cmdline); n && strchr(" \n\r\t", c->uki_cmdline[n - 1]); n--)
			c->uki_cmdline[n - 1] = 0;
		c->new_args = c->uki_cmdline;
	}
	return 0;
}

static void set_unknown(struct predict_pcr *o, const char *why)
{
	if (o->state == PREDICT_UNKNOWN)
		return; /* the first reason */
	o->state = PREDICT_UNKNOWN;
	snprintf(o->why, sizeof(o->why), "cannot be known: %s", why);
}

static void set_changes(struct predict_pcr *o, const char *file)
{
	size_t n = strlen(o->why);

	if (o->state == PREDICT_UNKNOWN || strstr(o->why, file))
		return;
	if (o->state == PREDICT_CHANGES)
		snprintf(o->why + n, sizeof(o->why) - n, ", %s", file);
	else
		snprintf(o->why, sizeof(o->why), "changes because of %s", file);
	o->state = PREDICT_CHANGES;
}

/* The sections in the log give way to those of the image that will boot. */
static int uki_sections(struct predictor *c, struct predict_pcr *o, uint8_t *pcr, const uint8_t *old, struct err **err)
{
	struct err *e = NULL;

	if (!predict_uki_used(c)) {
		set_unknown(o, "the unified kernel image of this boot is not to be found here; name the next one with --uki");
		return 0;
	}
	if (predict_uki_sections(c, pcr, &e) < 0) {
		if (err_class(e) == ERR_NOMEM || err_class(e) == ERR_INTERNAL)
			return err_propagate(err, e);
		set_unknown(o, err_message(e));
		err_free(e);
	} else if (old && memcmp(pcr, old, c->size) != 0) {
		set_changes(o, c->uki.path);
	}
	return 0;
}

/* PCR 11 as this boot's log leaves it, before user space. */
static int predict_events(struct predictor *c, unsigned int pcr, struct predict_pcr *o, uint8_t *value, struct err **err)
{
	const struct boot_log *l = c->p->log;
	bool sections = false;

	for (size_t i = 0; i < l->n; i++) {
		struct predicted ev;

		if (l->events[i].pcr != pcr || !l->events[i].extends)
			continue;
		if (l->events[i].kind == BOOT_UKI_SECTION) {
			if (!sections && uki_sections(c, o, value, l->replay.pcr[pcr], err) < 0)
				return -1;
			sections = true;
			continue;
		}
		predict_event(c, i, &ev);
		if (ev.state == PREDICT_UNKNOWN)
			set_unknown(o, ev.why);
		else if (ev.state == PREDICT_CHANGES)
			set_changes(o, ev.why);
		if (predict_extend(c, value, ev.digest, err) < 0)
			return -1;
	}
	if (!sections && pcr == 11 && c->p->next.uki)
		return uki_sections(c, o, value, l->replay.pcr[pcr], err);
	return 0;
}

/* How far the words of systemd-pcrphase lead from the log to the live register; user space's log says it since systemd 254. */
static int learn_phases(struct predictor *c, bool *ret_explained, struct err **err)
{
	uint8_t v[PCR_DIGEST_MAX];

	*ret_explained = false;
	if (!c->p->log || !c->p->live)
		return 0;
	memcpy(v, c->p->log->replay.pcr[11], sizeof(v));
	for (size_t i = 0; i <= ARRAY_SIZE(phase_words); i++) {
		if (memcmp(v, c->p->live->value[11], c->size) == 0) {
			*ret_explained = true;
			c->out->phases = i ? PHASES_MEASURED : PHASES_NOT_MEASURED;
			return 0;
		}
		if (i < ARRAY_SIZE(phase_words) && predict_extend_data(c, v, phase_words[i], strlen(phase_words[i]), err) < 0)
			return -1;
	}
	return 0;
}

static int predict_11(struct predictor *c, struct predict_pcr *o, uint32_t explained, struct err **err)
{
	uint8_t value[PCR_DIGEST_MAX] = { 0 };
	bool ok;

	if (learn_phases(c, &ok, err) < 0)
		return -1;
	if (c->p->log && (ok || explained >> 11 & 1)) {
		if (predict_events(c, 11, o, value, err) < 0)
			return -1;
		if (!ok)
			set_unknown(o, "something other than the phases of the boot extends it");
	} else if (c->p->next.uki) {
		if (uki_sections(c, o, value, NULL, err) < 0)
			return -1;
		if (o->state != PREDICT_UNKNOWN)
			set_changes(o, c->uki.path);
	} else {
		set_unknown(o, c->p->log ? "the event log does not lead to its present value" : c->p->no_log);
	}
	memcpy(c->out->before_phase, value, c->size);
	if (c->out->phases != PHASES_NOT_MEASURED && predict_extend_data(c, value, phase_words[0], strlen(phase_words[0]), err) < 0)
		return -1;
	memcpy(o->value, value, c->size);
	return 0;
}

static int predict_one(struct predictor *c, unsigned int pcr, uint32_t explained, struct err **err)
{
	struct predict_pcr *o = &c->out->pcr[pcr];
	const struct boot_log *l = c->p->log;

	snprintf(o->why, sizeof(o->why), "same as this boot");
	if (pcr == c->p->cap_pcr) {
		if (l && l->replay.touched >> pcr & 1)
			set_unknown(o, "the boot extends the cap register itself; choose another cap-pcr");
		else
			snprintf(o->why, sizeof(o->why), "the cap register, zero until cryptattest caps it");
		return 0;
	}
	if (pcr == 11)
		return predict_11(c, o, explained, err);
	if (!l)
		set_unknown(o, c->p->no_log);
	else if (!c->p->live)
		set_unknown(o, "no TPM to compare the event log with");
	else if (!(explained >> pcr & 1))
		set_unknown(o, "the event log does not lead to its present value");
	else if (memcmp(l->replay.pcr[pcr], c->p->live->value[pcr], c->size) != 0)
		set_unknown(o, "user space extends it");
	if (o->state == PREDICT_UNKNOWN)
		return 0;
	if (pcr == 0) /* StartupLocality */
		return memcpy(o->value, l->replay.pcr[0], c->size), 0;
	if (pcr >= 17 && pcr <= 22)
		memset(o->value, 0xFF, c->size);
	return predict_events(c, pcr, o, o->value, err);
}

int predict_run(const struct predict_params *p, struct prediction *ret, struct err **err)
{
	struct prediction out = { .bank = p->bank, .mask = p->mask };
	struct predictor c = { .p = p, .out = &out, .hash = p->bank == PCR_SHA384 ? DIGEST_SHA384 : DIGEST_SHA256,
			       .size = pcr_bank_size(p->bank), .kernel_image = NO_EVENT, .uki_image = NO_EVENT, .inner_image = NO_EVENT };
	uint32_t explained = 0;
	int rc = -1;

	if (p->bank != PCR_SHA256 && p->bank != PCR_SHA384)
		return err_set(err, ERR_CONFIG, "pcr-bank", "bank %s is not predicted", pcr_bank_name(p->bank));
	if (load_given(p->next.kernel, true, &c.kernel, err) == 0 && load_given(p->next.initrd, false, &c.initrd, err) == 0 &&
	    load_given(p->next.uki, true, &c.uki, err) == 0 && survey(&c, err) == 0)
		rc = p->log && p->live ? boot_log_explains(p->log, p->live, p->cap_pcr, &explained, err) : 0;
	for (unsigned int i = 0; i < PCR_COUNT && rc == 0; i++)
		if (p->mask >> i & 1)
			rc = predict_one(&c, i, explained, err);
	predict_file_clear(&c.kernel);
	predict_file_clear(&c.initrd);
	predict_file_clear(&c.uki);
	if (rc == 0)
		*ret = out;
	return rc;
}

static int unknown_value(const struct prediction *p, unsigned int pcr, struct err **err)
{
	err_set(err, ERR_TPM, "predict-unknown", "the next boot's PCR %u %s", pcr, p->mask >> pcr & 1 ? p->pcr[pcr].why : "was not predicted");
	return err_hint(err, "boot the new image once, open it by `cryptattest recover`, and enroll there; or cover updates by signer or a broker that "
			     "seals anew, or boot by a loader whose event log reaches Linux (not GRUB 2.06)");
}

int predict_values(const struct prediction *p, uint32_t mask, struct pcr_values *ret, struct err **err)
{
	struct pcr_values v = { .bank = p->bank, .mask = mask };

	for (unsigned int i = 0; i < PCR_COUNT; i++) {
		if (!(mask >> i & 1))
			continue;
		if (!(p->mask >> i & 1) || p->pcr[i].state == PREDICT_UNKNOWN)
			return unknown_value(p, i, err);
		memcpy(v.value[i], p->pcr[i].value, sizeof(v.value[i]));
	}
	*ret = v;
	return 0;
}
