/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What a confidential VM's boot must not have around it, looked at before any evidence is taken (E9, C2, C17): a root= that names whatever
 * disk the host has put that label on, a hibernation image that the host wrote, credentials that the host injects, a shell on the
 * host's console, a volume group of the root's name on a disk of the host's.
 *
 * Only with `unlock --boot` in the initramfs and profile = cvm. `preflight = warn` prints the same and goes on.
 */
#ifndef CRYPTATTEST_UNLOCK_PREFLIGHT_H
#define CRYPTATTEST_UNLOCK_PREFLIGHT_H

#include "base/buf.h"
#include "unlock/unlock.h"

struct preflight_finding {
	const char *id;	   /* "root-by-label", "resume", "credentials", "debug-shell", "foreign-vg" */
	char message[256]; /* one line, printable */
	char hint[256];	   /* the line to change */
};

#define PREFLIGHT_FINDINGS_MAX 16
struct preflight_findings {
	struct preflight_finding items[PREFLIGHT_FINDINGS_MAX];
	size_t n;
	char root_vg[64]; /* volume group that root= names; "" when it names none */
};

/* Names of the configuration's volumes of the initrd phase, NULL-terminated; borrows them, caller frees the array. NULL: no memory. */
const char **preflight_volumes(const struct config *c);
/* Pure: the kernel command line alone. volumes: names of the volumes of the initrd phase, NULL-terminated. */
void preflight_command_line(const char *text, const char *const *volumes, struct preflight_findings *ret);
/* What the files of a boot environment below root_fd say besides: resume device of the image, credentials, EFI variables. command_line as
 * above decides what is switched off. */
void preflight_files(int root_fd, const char *command_line, struct preflight_findings *ret);

/* All of it, volume groups of every visible disk included. Every finding is logged; the first becomes ERR_CONFIG when the
 * configuration enforces it. */
int preflight_check(const struct unlock_env *env, struct err **err);

#endif
