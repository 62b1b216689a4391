/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What one event of a boot was, for people and for prediction: one line of printable ASCII, a kind, and the name of what was measured
 * (a path, a variable, a section, a command). The event's data is the story that firmware and boot loaders tell beside the digest: it is
 * not protected, so it explains and never decides. Pure.
 */
#ifndef CRYPTATTEST_EVIDENCE_TCG_EVENT_H
#define CRYPTATTEST_EVIDENCE_TCG_EVENT_H

#include "evidence/tcg_log.h"

enum boot_event_kind {
	BOOT_OTHER,
	BOOT_FIRMWARE,	      /* firmware code and tables */
	BOOT_PLATFORM_CONFIG, /* SMBIOS, handoff tables, boot variables other than the order */
	BOOT_ORDER,	      /* BootOrder, Boot0000 ... */
	BOOT_SECURE_BOOT,     /* SecureBoot, PK, KEK, db, dbx, and the certificates used */
	BOOT_PARTITIONS,      /* GPT */
	BOOT_IMAGE,	      /* a PE image: boot loader, kernel, unified kernel image; name = its path, "" if the event has none */
	BOOT_INNER_IMAGE,     /* the kernel inside a unified image, which its stub starts */
	BOOT_GRUB_COMMAND,    /* name = the command */
	BOOT_GRUB_CMDLINE,    /* name = kernel path and arguments */
	BOOT_GRUB_FILE,	      /* name = the path as GRUB has it */
	BOOT_SHIM_MOK,
	BOOT_UKI_SECTION,     /* name = ".linux" */
	BOOT_LOADER_CMDLINE,  /* systemd-boot or systemd-stub: text that goes to the kernel */
	BOOT_LOAD_OPTIONS,    /* the kernel's EFI stub: its command line */
	BOOT_INITRD,	      /* the kernel's EFI stub: all initrds it was given */
	BOOT_LOADER_CONFIG,   /* loader.conf, device tree, add-ons, credentials */
	BOOT_PHASE,	      /* a word of systemd-pcrphase */
	BOOT_SEPARATOR,
	BOOT_ACTION,	      /* "Exit Boot Services Invocation", "Calling EFI Application ..." */
};

#define BOOT_NAME_MAX 1024
#define BOOT_TEXT_MAX 200

struct boot_event_info {
	enum boot_event_kind kind;
	char name[BOOT_NAME_MAX]; /* sanitised; cut text ends in ".." and matches no file */
	char text[BOOT_TEXT_MAX];
};

void tcg_event_describe(const struct tcg_event *ev, struct boot_event_info *ret);

#endif
