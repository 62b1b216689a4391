/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What this boot measured: the firmware's and boot loaders' log as Linux shows it, and user space's own. A story (tcg_event.h), until
 * the replay equals the registers.
 */
#ifndef CRYPTATTEST_UNLOCK_BOOT_LOG_H
#define CRYPTATTEST_UNLOCK_BOOT_LOG_H

#include "evidence/tcg_event.h"
#include "vtpm/pcr.h"

#define BOOT_LOG_PATH "sys/kernel/security/tpm0/binary_bios_measurements"
#define BOOT_USER_LOG_PATH "run/log/systemd/tpm2-measure.log"

struct boot_event {
	unsigned int pcr;
	bool extends; /* not EV_NO_ACTION */
	uint8_t digest[PCR_DIGEST_MAX];
	const uint8_t *data; /* into raw; NULL for user space's */
	size_t len;
	enum boot_event_kind kind;
	char *name, *text; /* printable */
};

struct boot_log {
	enum pcr_bank bank;
	char *raw;
	struct boot_event *events; /* firmware and boot loaders, in order */
	size_t n;
	struct boot_event *user; /* user space, in order; may be empty */
	size_t n_user;
	struct tcg_replay replay; /* of events */
};

/* ERR_TPM "event-log-absent": no such file (securityfs is not mounted, the firmware gave none), or an empty one; "event-log": unreadable.
 * ERR_CONFIG for SHA-1. A log of user space that is not there, or malformed, is an empty one (with a debug line). */
int boot_log_load(int root_fd, enum pcr_bank bank, struct boot_log *ret, struct err **err);
void boot_log_clear(struct boot_log *l);
#define _cleanup_boot_log_ __attribute__((cleanup(boot_log_clear)))

/* Which of the selected PCRs does the log lead to? With user space's events after it where those are needed. cap_pcr is left out:
 * our own cap moves it and is in no log. */
int boot_log_explains(const struct boot_log *l, const struct pcr_values *live, unsigned int cap_pcr, uint32_t *ret_mask, struct err **err);
enum tcg_alg boot_log_alg(enum pcr_bank bank);

#endif
