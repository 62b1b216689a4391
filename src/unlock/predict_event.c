/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* One event of this boot, as the next boot will have it. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "unlock/predict_impl.h"

static void unknown(struct predicted *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void unknown(struct predicted *r, const char *fmt, ...)
{
	va_list ap;

	r->state = PREDICT_UNKNOWN;
	va_start(ap, fmt);
	vsnprintf(r->why, sizeof(r->why), fmt, ap);
	va_end(ap);
}

static const struct boot_event *event(const struct predictor *c, size_t i)
{
	return &c->p->log->events[i];
}

static void becomes(const struct predictor *c, size_t i, const uint8_t *digest, const char *because, struct predicted *r)
{
	memcpy(r->digest, digest, c->size);
	if (memcmp(digest, event(c, i)->digest, c->size) == 0)
		return;
	r->state = PREDICT_CHANGES;
	snprintf(r->why, sizeof(r->why), "%.250s", because);
}

static void from_file(const struct predictor *c, size_t i, const struct predict_file *f, enum predict_digest how, struct predicted *r)
{
	_cleanup_err_ struct err *e = NULL;
	uint8_t digest[DIGEST_MAX];

	if (predict_digest_file(c, f, how, digest, &e) < 0)
		unknown(r, "%.100s: %.120s", f->path, err_message(e));
	else
		becomes(c, i, digest, f->path, r);
}

static void from_name(const struct predictor *c, size_t i, const char *name, enum predict_digest how, struct predicted *r)
{
	struct predict_file f;

	if (!predict_find(c, name, how, event(c, i)->digest, &f)) {
		unknown(r, "%.150s was measured and is not to be found here%s", name,
			how == PE_IMAGE ? " (is the EFI system partition mounted?)" : "");
		return;
	}
	from_file(c, i, &f, how, r);
	predict_file_clear(&f);
}

static void inner_kernel(const struct predictor *c, size_t i, struct predicted *r)
{
	const struct pe_section *s = predict_uki_used(c) ? pe_find(&c->uki_pe, ".linux") : NULL;
	_cleanup_err_ struct err *e = NULL;
	uint8_t digest[DIGEST_MAX];
	struct pe_content content;
	struct pe_image kernel;

	if (!s)
		unknown(r, "the unified kernel image of this boot is not to be found here; name the next one with --uki");
	else if (pe_content(&c->uki_pe, s, &content, &e) < 0 || pe_parse(content.bytes, content.len, &kernel, &e) < 0 ||
		 pe_authenticode(&kernel, c->hash, digest, &e) < 0)
		unknown(r, "kernel inside %.100s: %.100s", c->uki.path, err_message(e));
	else
		becomes(c, i, digest, c->uki.path, r);
}

static void image(const struct predictor *c, size_t i, struct predicted *r)
{
	const char *name = event(c, i)->name;

	if (i == c->uki_image && c->uki.bytes)
		from_file(c, i, &c->uki, PE_IMAGE, r);
	else if (i == c->kernel_image && c->kernel.bytes)
		from_file(c, i, &c->kernel, PE_IMAGE, r);
	else if (*name)
		from_name(c, i, name, PE_IMAGE, r);
	else if (i == c->kernel_image && *c->kernel_path)
		from_name(c, i, c->kernel_path, PE_IMAGE, r);
	else
		unknown(r, "an image was measured whose path the log does not tell");
}

/* The loader's own words stay, the arguments behind them are replaced. */
static void swap_args(const char *old, const char *args, char *out, size_t cap)
{
	const char *p = old;

	while (text_starts(p, "BOOT_IMAGE=") || text_starts(p, "initrd=")) {
		p += strcspn(p, " ");
		p += strspn(p, " ");
	}
	snprintf(out, cap, "%.*s%s%s", (int)(p - old), old, p > old && p[-1] != ' ' && *args ? " " : "", args);
}

static int digest_utf16(const struct predictor *c, const char *text, bool final_zero, uint8_t *out)
{
	_cleanup_buf_ struct buf b = BUF_INIT(4 * CMDLINE_MAX);

	for (const char *p = text; *p; p++)
		buf_put_u16le(&b, (uint8_t)*p);
	if (final_zero)
		buf_put_u16le(&b, 0);
	return buf_ok(&b) ? digest_bytes(c->hash, b.data, b.len, out, NULL) : -1;
}

/* The digest is of this text in UTF-16: with or without its final zero? */
static bool is_text(const struct predictor *c, size_t i, const char *text, bool *ret_zero)
{
	uint8_t digest[DIGEST_MAX];

	for (int zero = 1; zero >= 0; zero--) {
		*ret_zero = zero;
		if (digest_utf16(c, text, zero, digest) == 0 && memcmp(digest, event(c, i)->digest, c->size) == 0)
			return true;
	}
	return false;
}

static const char *because_cmdline(const struct predictor *c)
{
	return c->p->next.cmdline ? "the kernel command line" : c->uki.path;
}

static bool loader_names_initrd(const struct predictor *c, const char *text)
{
	return c->initrd.bytes && *c->initrd_path && text_starts(text, "initrd=") && !predict_same_name(c->initrd_path, c->initrd.path);
}

/* A command line in UTF-16, by loader, stub or kernel: its text is in the event, or is what /proc tells. */
static void cmdline(const struct predictor *c, size_t i, struct predicted *r)
{
	const char *old = event(c, i)->kind == BOOT_LOADER_CMDLINE ? event(c, i)->name : c->cmdline;
	char next[2 * CMDLINE_MAX];
	uint8_t digest[DIGEST_MAX];
	bool zero;

	if (loader_names_initrd(c, old)) {
		unknown(r, "the boot loader puts the initrd's path before the command line, and %.120s has another name", c->initrd.path);
		return;
	}
	if (!c->new_args) {
		if (*c->grub_changed)
			unknown(r, "%.150s changed: the command line may have changed with it; give it with --cmdline", c->grub_changed);
		return;
	}
	if (!is_text(c, i, old, &zero)) {
		unknown(r, "this boot's command line is not what was measured, so its form is not known");
		return;
	}
	swap_args(old, c->new_args, next, sizeof(next));
	if (digest_utf16(c, next, zero, digest) < 0)
		unknown(r, "the command line is too long");
	else
		becomes(c, i, digest, because_cmdline(c), r);
}

/* GRUB measures what it runs: another configuration, another command line, another name means other events. */
static bool other_commands(const struct predictor *c, struct predicted *r)
{
	char prefix[CMDLINE_MAX];

	swap_args(c->cmdline, "", prefix, sizeof(prefix));
	if (*c->grub_changed)
		unknown(r, "%.150s changed, and GRUB measures every command that it will run", c->grub_changed);
	else if (c->new_args && !text_eq(c->cmdline + strlen(prefix), c->new_args))
		unknown(r, "GRUB measures every command that it runs; with another command line these are others");
	else if (c->kernel.bytes && *c->kernel_path && !predict_same_name(c->kernel_path, c->kernel.path))
		unknown(r, "GRUB will run other commands for %.150s", c->kernel.path);
	else if (c->initrd.bytes && *c->initrd_path && !predict_same_name(c->initrd_path, c->initrd.path))
		unknown(r, "GRUB will run other commands for %.150s", c->initrd.path);
	else
		return false;
	return true;
}

/* GRUB's files do not say what they are for; without its commands in the log, an initrd that is given is known by its name alone. */
static bool initrd_unplaced(const struct predictor *c)
{
	if (!c->initrd.bytes || *c->initrd_path)
		return false;
	for (size_t i = 0; i < c->p->log->n; i++)
		if (event(c, i)->kind == BOOT_GRUB_FILE && predict_same_name(event(c, i)->name, c->initrd.path))
			return false;
	return true;
}

static void grub_file(const struct predictor *c, size_t i, struct predicted *r)
{
	const char *name = event(c, i)->name;

	if (other_commands(c, r))
		return;
	if (initrd_unplaced(c)) {
		unknown(r, "the log does not tell whether %.150s takes the place of one of GRUB's files", c->initrd.path);
		return;
	}
	if (c->kernel.bytes && *c->kernel_path && predict_same_name(name, c->kernel_path))
		from_file(c, i, &c->kernel, WHOLE_FILE, r);
	else if (c->initrd.bytes && predict_same_name(name, *c->initrd_path ? c->initrd_path : c->initrd.path))
		from_file(c, i, &c->initrd, WHOLE_FILE, r);
	else
		from_name(c, i, name, WHOLE_FILE, r);
}

/* The stub gives .initrd alone only when it adds nothing: credentials, signatures and extensions travel behind it. */
static void uki_initrd(const struct predictor *c, size_t i, struct predicted *r)
{
	const struct pe_section *s = predict_uki_used(c) ? pe_find(&c->uki_pe, ".initrd") : NULL;
	uint8_t digest[DIGEST_MAX];
	struct pe_content content;
	bool alone = false;

	for (size_t k = 0; k < c->p->log->n; k++)
		alone |= event(c, k)->kind == BOOT_UKI_SECTION && memcmp(event(c, k)->digest, event(c, i)->digest, c->size) == 0;
	if (!s)
		unknown(r, "the unified kernel image of this boot is not to be found here; name the next one with --uki");
	else if (!alone || pe_find(&c->uki_pe, ".pcrsig") || pe_find(&c->uki_pe, ".pcrpkey"))
		unknown(r, "systemd-stub adds files of its own to the initrd; use PCR 11, which covers the initrd in the image");
	else if (pe_content(&c->uki_pe, s, &content, NULL) < 0 || pe_content_digest(&content, c->hash, digest, NULL) < 0)
		unknown(r, "the initrd in %.150s cannot be read", c->uki.path);
	else
		becomes(c, i, digest, c->uki.path, r);
}

/* The file of the running kernel's release that has this digest: so it is the one, unchanged. */
static bool initrd_by_release(const struct predictor *c, size_t i)
{
	static const char *const forms[] = { "/boot/initrd.img-%s", "/boot/initramfs-%s.img", "/boot/initrd-%s" };
	struct utsname u;
	char path[300];
	bool found = false;

	if (uname(&u) < 0)
		return false;
	for (size_t k = 0; k < ARRAY_SIZE(forms) && !found; k++) {
		const char *mark = strstr(forms[k], "%s");
		struct predict_file f;
		uint8_t digest[DIGEST_MAX];

		snprintf(path, sizeof(path), "%.*s%s%s", (int)(mark - forms[k]), forms[k], u.release, mark + 2);
		if (!predict_find(c, path, WHOLE_FILE, event(c, i)->digest, &f))
			continue;
		found = predict_digest_file(c, &f, WHOLE_FILE, digest, NULL) == 0 && memcmp(digest, event(c, i)->digest, c->size) == 0;
		predict_file_clear(&f);
	}
	return found;
}

static void initrd(const struct predictor *c, size_t i, struct predicted *r)
{
	if (c->inner_image != NO_EVENT)
		uki_initrd(c, i, r);
	else if (c->initrd.bytes)
		from_file(c, i, &c->initrd, WHOLE_FILE, r);
	else if (c->several_initrds)
		unknown(r, "several initrds are joined; give the joined file with --initrd");
	else if (*c->initrd_path)
		from_name(c, i, c->initrd_path, WHOLE_FILE, r);
	else if (!initrd_by_release(c, i))
		unknown(r, "the log does not tell which file the initrd came from; name the next one with --initrd");
}

void predict_event(struct predictor *c, size_t i, struct predicted *ret)
{
	*ret = (struct predicted){ .state = PREDICT_SAME };
	memcpy(ret->digest, event(c, i)->digest, c->size);
	switch (event(c, i)->kind) {
	case BOOT_IMAGE:
		image(c, i, ret);
		return;
	case BOOT_INNER_IMAGE:
		inner_kernel(c, i, ret);
		return;
	case BOOT_GRUB_FILE:
		grub_file(c, i, ret);
		return;
	case BOOT_GRUB_COMMAND:
	case BOOT_GRUB_CMDLINE:
		other_commands(c, ret);
		return;
	case BOOT_LOADER_CMDLINE:
	case BOOT_LOAD_OPTIONS:
		cmdline(c, i, ret);
		return;
	case BOOT_INITRD:
		initrd(c, i, ret);
		return;
	default:
		return; /* firmware and its settings: taken to stay */
	}
}
