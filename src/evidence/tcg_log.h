/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * TCG event logs of UEFI firmware (TCG PC Client Platform Firmware Profile, 10): a first record in the old SHA-1 format that names the
 * digests of all others, then crypto-agile TCG_PCR_EVENT2 records. The TPM's log (securityfs binary_bios_measurements) and the TDX
 * log (CCEL) have this form. Pure iteration and replay; a log is somebody's story until its replay equals the registers.
 *
 * Errors are ERR_INTEGRITY, id "event-log", unless a function says otherwise.
 */
#ifndef CRYPTATTEST_EVIDENCE_TCG_LOG_H
#define CRYPTATTEST_EVIDENCE_TCG_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "crypto/digest.h"

#define TCG_LOG_MAX ((size_t)4 << 20)
#define TCG_ALGS_MAX 8
#define TCG_PCRS 24

enum tcg_alg { TCG_SHA1 = 0x0004, TCG_SHA256 = 0x000B, TCG_SHA384 = 0x000C, TCG_SHA512 = 0x000D };

enum tcg_event_type {
	EV_POST_CODE = 1,
	EV_NO_ACTION = 3, /* says something, extends nothing */
	EV_SEPARATOR = 4,
	EV_ACTION = 5,
	EV_EVENT_TAG = 6,
	EV_S_CRTM_CONTENTS = 7,
	EV_S_CRTM_VERSION = 8,
	EV_CPU_MICROCODE = 9,
	EV_TABLE_OF_DEVICES = 0x0B,
	EV_COMPACT_HASH = 0x0C,
	EV_IPL = 0x0D,
	EV_IPL_PARTITION_DATA = 0x0E,
	EV_NONHOST_CODE = 0x0F,
	EV_NONHOST_CONFIG = 0x10,
	EV_OMIT_BOOT_DEVICE_EVENTS = 0x12,
	EV_EFI_VARIABLE_DRIVER_CONFIG = (int)0x80000001,
	EV_EFI_VARIABLE_BOOT = (int)0x80000002,
	EV_EFI_BOOT_SERVICES_APPLICATION = (int)0x80000003,
	EV_EFI_BOOT_SERVICES_DRIVER = (int)0x80000004,
	EV_EFI_RUNTIME_SERVICES_DRIVER = (int)0x80000005,
	EV_EFI_GPT_EVENT = (int)0x80000006,
	EV_EFI_ACTION = (int)0x80000007,
	EV_EFI_PLATFORM_FIRMWARE_BLOB = (int)0x80000008,
	EV_EFI_HANDOFF_TABLES = (int)0x80000009,
	EV_EFI_PLATFORM_FIRMWARE_BLOB2 = (int)0x8000000A,
	EV_EFI_HANDOFF_TABLES2 = (int)0x8000000B,
	EV_EFI_VARIABLE_BOOT2 = (int)0x8000000C,
	EV_EFI_GPT_EVENT2 = (int)0x8000000D,
	EV_EFI_HCRTM_EVENT = (int)0x80000010,
	EV_EFI_VARIABLE_AUTHORITY = (int)0x800000E0,
};

struct tcg_log {
	struct rd rd;
	size_t n_algs;
	struct {
		uint16_t id, size;
	} alg[TCG_ALGS_MAX];
};

/* Pointers into the log. */
struct tcg_event {
	uint32_t mr; /* PCR; CCEL: 0 = MRTD, 1..4 = RTMR0..3 */
	int type;    /* enum tcg_event_type, or what else the log says */
	size_t offset;
	size_t n_digests;
	struct {
		uint16_t alg, size;
		const uint8_t *bytes;
	} digest[TCG_ALGS_MAX];
	const uint8_t *data;
	size_t len;
};

/* Reads the first record. A log in the old format alone (SHA-1) has no bank that a policy may use: an error that says so. */
int tcg_log_open(const uint8_t *raw, size_t len, struct tcg_log *ret, struct err **err);
/* 1: *ret is the next record; 0: end of the log, or padding (a record whose first 8 bytes are all FF or 00, tee-evidence.md 2.3). The
 * bytes read so far are log->rd.off. */
int tcg_log_next(struct tcg_log *log, struct tcg_event *ret, struct err **err);
/* NULL: the event has no digest of this bank. */
const uint8_t *tcg_event_digest(const struct tcg_event *ev, enum tcg_alg alg);
bool tcg_log_has_bank(const struct tcg_log *log, enum tcg_alg alg);

/* Registers as they become. Only the SHA-2 banks are replayed: no policy of ours is on SHA-1. */
struct tcg_replay {
	enum tcg_alg alg;
	enum digest_alg hash;
	size_t size;
	uint32_t touched; /* PCRs with at least one event */
	uint8_t pcr[TCG_PCRS][DIGEST_MAX];
};
/* ERR_CONFIG "pcr-bank" for another algorithm. */
int tcg_replay_init(enum tcg_alg alg, struct tcg_replay *ret, struct err **err);
/* A "StartupLocality" record sets the first value of PCR 0; EV_NO_ACTION extends nothing. */
int tcg_replay_event(struct tcg_replay *r, const struct tcg_event *ev, struct err **err);
int tcg_replay_digest(struct tcg_replay *r, unsigned int pcr, const uint8_t *digest, struct err **err);
/* The whole log. */
int tcg_log_replay(const uint8_t *raw, size_t len, enum tcg_alg alg, struct tcg_replay *ret, struct err **err);

#endif
