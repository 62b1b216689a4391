/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Evidence collection: the only folder that does TEE I/O. May include evidence/ and base/. Caller: unlock, cli.
 * tee-evidence.md 1, 2, 5. A new TEE = one file + one line in the table.
 */
#ifndef CRYPTATTEST_TEE_TEE_H
#define CRYPTATTEST_TEE_TEE_H

#include "base/buf.h"
#include "base/clock.h"
#include "evidence/evidence.h"

/* What a provider may touch: paths are relative to root_fd (the real "/" in production; a fake tree in tests). */
struct tee_env {
	int root_fd;
	bool may_mount; /* mount configfs when it is not there */
};

enum tee_presence { TEE_ABSENT, TEE_PRESENT, TEE_DRIVER_MISSING };

struct tee_provider {
	const char *name; /* "snp-configfs", "snp-ioctl", "tdx-configfs"; appears in JSON */
	enum tee_kind kind;
	const char *summary;
	/* Cheap (a few seconds at most while another request is in flight), no side effects beyond mounting configfs; appends one
	 * reason to why, without a newline. */
	enum tee_presence (*probe)(const struct tee_env *env, struct buf *why);
	/* Raw evidence for these 64 bytes. ERR_NOEVIDENCE (final: no driver, VMPCK gone id "vmpck"), ERR_BUSY (retry with
	 * back-off, new instance), ERR_TIMEOUT (the kernel may still be at it, see worker.h), ERR_INTEGRITY. The hardware
	 * providers serialise their requests over all processes and keep the pause (>= 2 s) between SNP requests. */
	int (*collect)(const struct tee_env *env, const uint8_t data[static TEE_REPORT_DATA], struct deadline d,
		       struct evidence *ret, struct err **err);
	/* Optional, both or neither: an SVSM below the kernel attests its services (tee-evidence.md 2.6). has_svsm: is there one? Cheap.
	 * service: its report of VMPL 0 over SHA-512(data || manifest) for the service of this GUID, and the manifest; appends to it.
	 * Errors as for collect, ERR_NOEVIDENCE also "svsm-absent", "svsm-refused". */
	bool (*has_svsm)(const struct tee_env *env);
	int (*service)(const struct tee_env *env, const char *guid, const uint8_t data[static TEE_REPORT_DATA], struct deadline d,
		       struct evidence *ret, struct buf *ret_manifest, struct err **err);
};

/* NULL-terminated, in order of preference: both users of configfs-tsm, then the older device. */
extern const struct tee_provider *const tee_providers[];

/* First present provider of the table; waits up to 3 s for a driver where there are signs of a TEE, not otherwise. why (may be NULL) gets one line per probe, "NAME: reason". ERR_NOEVIDENCE id "no-tee",
 * with every probe's reason and what the processor shows in the message and the module or kernel option to look for in the
 * hint. */
int tee_detect(const struct tee_provider *const *table, const struct tee_env *env, const struct tee_provider **ret,
	       struct buf *why, struct err **err);
/* collect + back-off on ERR_BUSY (1, 2, 4 .. 30 s, a new instance each time: 4 tries for SNP, for TDX until the deadline) +
 * evidence_self_check. What stays busy becomes ERR_NOEVIDENCE after the last try, ERR_TIMEOUT at the deadline. The caller
 * holds the state lock. */
int tee_collect(const struct tee_provider *p, const struct tee_env *env, const uint8_t data[static TEE_REPORT_DATA],
		struct deadline d, struct evidence *ret, struct err **err);

#endif
