/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The test seam (contracts.md 9): everything below us that a test replaces. Only src/cli/platform.c and tests/platform_test.c
 * define `platform`; the production binary has no emulation option or variable.
 */
#ifndef CRYPTATTEST_UNLOCK_PLATFORM_H
#define CRYPTATTEST_UNLOCK_PLATFORM_H

#include "luks/mapper.h"
#include "tee/tee.h"
#include "vtpm/tpm.h"

struct platform {
	const char *name; /* "" in production */
	const struct tee_provider *const *tees;
	const struct mapper *mapper;
	const struct tpm_access *tpm;
	/* Roots that the proof of the vTPM's origin (binding.h) trusts besides the built-in ones, in PEM; caller frees. NULL in
	 * production. */
	char *(*test_roots)(int root_fd);
	bool allow_http;
	bool allow_file_devices; /* volumes in regular files */
	const char *root; /* "/" in production */
	/* reboot(2) in production; the recorder writes a line. */
	void (*power)(bool poweroff); /* async-signal-safe: the deadline acts from a signal handler */
};

extern const struct platform platform;

#endif
