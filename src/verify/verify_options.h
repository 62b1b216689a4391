/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The options that `cryptattest-kbs verify` and `cryptattest evidence --verify` share (architecture.md 6), from words to
 * verdict. The two programs parse argv their own way and hand each option over by name. May include what verify/ may,
 * and reads the files that the options name; nothing else here does I/O.
 */
#ifndef CRYPTATTEST_VERIFY_VERIFY_OPTIONS_H
#define CRYPTATTEST_VERIFY_VERIFY_OPTIONS_H

#include "base/buf.h"
#include "verify/verify.h"

#define VERIFY_TEST_ROOTS_MAX 16
#define VERIFY_EVIDENCE_FILE_MAX (2 * 1024 * 1024)
#define VERIFY_CERT_FILE_MAX (1024 * 1024)
#define VERIFY_POLICY_FILE_MAX (4 * 1024 * 1024)

/* Strings point into the caller's argv. */
struct verify_options {
	enum tee_kind tee; /* TEE_NONE: what the file holds */
	const char *evidence, *vek, *ca, *store, *policy, *resource;
	const char *test_roots[VERIFY_TEST_ROOTS_MAX];
	size_t test_roots_n;
	bool has_report_data, has_at;
	uint8_t report_data[TEE_REPORT_DATA];
	int64_t at;
	/*
	 * May be NULL. Where ca or store are missing, asked once after every file that the options name was read: what a server's own
	 * directory has. It may become that directory's owner, so whoever calls is not the same afterwards. The paths are the context's.
	 */
	int (*find)(void *ctx, const char **ret_ca, const char **ret_store, struct err **err);
	void *find_ctx;
};

/* For option tables and --help: name without dashes, what follows it, one line. Ends with a NULL name. */
struct verify_option_text {
	const char *name, *metavar, *help;
};
extern const struct verify_option_text verify_option_texts[];

/* name without dashes; value is kept, not copied. ERR_CONFIG, id "usage": unknown name, given twice, bad value. */
int verify_options_set(struct verify_options *o, const char *name, const char *value, struct err **err);

/* The verdict on ev by vek, ca, store, test roots, report data and date alone. ERR_CONFIG: a file that cannot be read or is no such thing. */
int verify_options_judge(const struct verify_options *o, const struct evidence *ev, struct verdict *ret, struct err **err);

/* Verdict as JSON (contracts.md 8) in *ret_json. *ret_exit: 0 verified, 4 refused or unparsable. *note: lines for
 * people (the rule that allowed, or why the policy says no). An error is ERR_CONFIG (exit 2: usage, or a file that
 * cannot be read) or ERR_INTERNAL, ERR_NOMEM. */
int verify_options_run(const struct verify_options *o, char **ret_json, int *ret_exit, struct buf *note,
		       struct err **err);

#endif
