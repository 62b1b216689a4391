/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What the verb `check` says about one device or file: everything that luks_inspect() found, as text or JSON. */
#ifndef CRYPTATTEST_LUKS_CHECK_REPORT_H
#define CRYPTATTEST_LUKS_CHECK_REPORT_H

#include "base/buf.h"
#include "luks/header.h"

struct luks_check {
	const char *name;	     /* volume name or the device as asked for; not owned */
	const char *device;	     /* path; not owned */
	enum luks_profile profile;
	struct luks_header header;   /* without memfd when nothing could be parsed */
	struct luks_findings findings;
	bool passed;
	bool compat_would_pass;	     /* strict failed, and compat alone would take all of it */
};

/* Runs the audit. 0 also when the header failed it (passed = false); an error is a failure to look. */
int luks_check_run(const struct luks_device *dev, const char *name, const struct luks_policy *policy, struct luks_check *ret,
		   struct err **err);
void luks_check_clear(struct luks_check *c);
void luks_check_text(const struct luks_check *c, struct buf *out);
/* {"name","device","profile","result":"passed|failed","uuid","cipher","sector_size","integrity","data_offset","keyslots":[...],
 *  "findings":[{"id","path","found","allowed","compat"}]}; NULL on OOM. */
json_t *luks_check_json(const struct luks_check *c);

#endif
