/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The kernel command line as the boot scripts and systemd read it. Pure. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "unlock/preflight.h"
#include "unlock/preflight_impl.h"

void preflight_add(struct preflight_findings *f, const char *id, const char *hint, const char *fmt, ...)
{
	struct preflight_finding *it;
	char text[512];
	va_list ap;

	if (f->n == PREFLIGHT_FINDINGS_MAX)
		return;
	it = &f->items[f->n++];
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	it->id = id;
	text_sanitise(text, strlen(text), it->message, sizeof(it->message));
	text_sanitise(hint, strlen(hint), it->hint, sizeof(it->hint));
}

/* Next word; double quotes keep blanks together, as in the kernel. Words longer than the buffer are cut: they are none of ours. */
static bool next_word(const char **text, char *out, size_t cap)
{
	bool quoted = false;
	size_t n = 0;

	while (**text == ' ' || **text == '\t' || **text == '\n')
		(*text)++;
	if (!**text)
		return false;
	for (; **text && (quoted || (**text != ' ' && **text != '\t' && **text != '\n')); (*text)++) {
		if (**text == '"')
			quoted = !quoted;
		else if (n + 1 < cap)
			out[n++] = **text;
	}
	out[n] = '\0';
	return true;
}

bool preflight_word(const char *text, const char *name, char *out, size_t cap)
{
	size_t len = strlen(name);
	char word[512];
	bool found = false;

	/* The last one wins. */
	while (next_word(&text, word, sizeof(word))) {
		if (strncmp(word, name, len) != 0 || (word[len] != '=' && word[len] != '\0'))
			continue;
		snprintf(out, cap, "%s", word[len] ? word + len + 1 : "");
		found = true;
	}
	return found;
}

/* device-mapper's name of a logical volume: VG-LV, hyphens of each doubled. */
static void vg_of_mapper(const char *name, char *out, size_t cap)
{
	size_t n = 0;

	*out = '\0';
	for (; *name && n + 1 < cap; name++) {
		if (*name == '-' && name[1] != '-') {
			out[n] = '\0';
			return; /* a single hyphen ends the group's name */
		}
		if (*name == '-')
			name++;
		out[n++] = *name;
	}
	*out = '\0'; /* no hyphen: no logical volume */
}

static bool one_of(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (text_eq(*list, name))
			return true;
	return false;
}

/* /dev/VG/LV, and not one of the folders that udev fills. */
static bool vg_of_path(const char *path, char *out, size_t cap)
{
	static const char *const folders[] = { "disk", "block", "mapper", "md", "char", "bus", "input", NULL };
	const char *slash = strchr(path + 5, '/');

	if (!slash || !slash[1] || strchr(slash + 1, '/') || (size_t)(slash - path - 5) >= cap)
		return false;
	memcpy(out, path + 5, (size_t)(slash - path - 5));
	out[slash - path - 5] = '\0';
	if (!one_of(out, folders))
		return true;
	*out = '\0';
	return false;
}

static void check_root(const char *text, const char *const *volumes, struct preflight_findings *f)
{
	char root[256], hint[300], verity[256];

	snprintf(hint, sizeof(hint), "on the kernel command line: root=/dev/mapper/%s", volumes[0] ? volumes[0] : "NAME");
	if (preflight_word(text, "roothash", verity, sizeof(verity)) && *verity)
		return; /* dm-verity: the hash names the content */
	if (!preflight_word(text, "root", root, sizeof(root)) || !*root) {
		preflight_add(f, "root-by-label", hint, "the kernel command line has no root=: whatever disk looks like a root is mounted");
		return;
	}
	if (text_starts(root, "/dev/mapper/")) {
		if (!one_of(root + 12, volumes))
			vg_of_mapper(root + 12, f->root_vg, sizeof(f->root_vg));
		return;
	}
	if (text_starts(root, "/dev/") && vg_of_path(root, f->root_vg, sizeof(f->root_vg)))
		return;
	preflight_add(f, "root-by-label", hint,
		      "root=%s names a disk that the host can put there, not a volume that is opened here", root);
}

static void check_shells(const char *text, struct preflight_findings *f)
{
	/* What starts a shell, or stops the boot where one is offered. */
	static const char *const words[] = { "break",		   "rd.break",		    "rdbreak",
					     "systemd.debug_shell", "systemd.debug-shell", "rd.systemd.debug_shell",
					     "rd.systemd.debug-shell", NULL };
	char value[64];

	for (const char *const *w = words; *w; w++) {
		bool on = true;

		if (!preflight_word(text, *w, value, sizeof(value)))
			continue;
		if (*value && text_bool(value, &on, NULL) == 0 && !on)
			continue;
		preflight_add(f, "debug-shell", "remove it from the kernel command line; a shell on this console is the host's",
			      "the kernel command line has %s: a shell on the host's console", *w);
	}
}

void preflight_command_line(const char *text, const char *const *volumes, struct preflight_findings *ret)
{
	char value[256];

	check_root(text, volumes, ret);
	check_shells(text, ret);
	if (preflight_word(text, "resume", value, sizeof(value)) && *value && !preflight_word(text, "noresume", value, sizeof(value)))
		preflight_add(ret, "resume", "put noresume on the kernel command line, and take resume= away",
			      "the kernel command line has resume=: a hibernation image that the host wrote would replace this system");
}
