/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* TCG2 crypto-agile event log (CCEL) and its replay into RTMR0-3 (kbs-protocol.md 5.2, tee-evidence.md 2.3). Pure. */
#ifndef CRYPTATTEST_EVIDENCE_EVENT_LOG_H
#define CRYPTATTEST_EVIDENCE_EVENT_LOG_H

#include "evidence/evidence.h"

/* Length up to the padding (first record whose first 8 bytes are all FF or 00). ERR_INTEGRITY. */
int event_log_length(const uint8_t *raw, size_t len, size_t *ret_used, struct err **err);
/* SHA-384 replay; MR index 1..4 = RTMR0..3. */
int event_log_replay(const uint8_t *raw, size_t len, uint8_t rtmr[static 4][48], struct err **err);

#endif
