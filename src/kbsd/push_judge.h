/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What an operator must know before a document leaves: that the evidence was made for this very connection, by a machine that the
 * policy accepts, and that this machine waits for this document's volume. The rules are those of `serve`; default deny. Pure over bytes
 * and a given time, but for what verify/ reads.
 */
#ifndef CRYPTATTEST_KBSD_PUSH_JUDGE_H
#define CRYPTATTEST_KBSD_PUSH_JUDGE_H

#include "verify/policy.h"
#include "wire/document.h"
#include "wire/push.h"

struct push_judge {
	const struct trust_anchors *anchors;
	const char *ca; /* NULL = none */
	size_t ca_len;
	const char *store_dir; /* NULL = none */
	const struct policy *policy;
	const char *resource;
	const struct secret_document *document;
	int64_t at;
};

/*
 * binding: nonce, exporter and operator as they were here; machine is filled in. *ret_report_data is what to sign. *note: lines for
 * people, also on failure. ERR_REFUSED (ids "push-no-evidence", "report-data", "init-data", "policy-deny", those of a verdict);
 * ERR_INTEGRITY (id "push-volume", and what does not decode).
 */
int push_judge(const struct push_judge *j, const struct push_answer *a, struct push_binding *binding,
	       uint8_t ret_report_data[static PUSH_REPORT_DATA], struct buf *note, struct err **err);

#endif
