/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/log.h"
#include "evidence/trustee_json.h"
#include "kbsd/options.h"
#include "kbsd/verbs.h"
#include "verify/policy.h"
#include "wire/resource_uri.h"

#define POLICY_MAX (4 * 1024 * 1024)
#define EVIDENCE_MAX (2 * 1024 * 1024)
#define RESOURCE_EXAMPLE "default/CHANGE-ME/root"

static const char help_text[] =
	"`check` reads a policy as serve would and says what is wrong with it, with file and\n"
	"line; it prints nothing and exits 0 when all is well.\n"
	"\n"
	"`from-evidence` prints a rule that accepts the machine whose report, quote or Trustee\n"
	"evidence object is in FILE. The evidence is decoded, not verified: use\n"
	"`cryptattest-kbs verify` for that, and compare the measurement with one that you\n"
	"computed. The rule says covers = FILL-IN, which `check` refuses: only you know what\n"
	"the measurement of your platform covers.\n";

static int check(const char *path, struct err **err)
{
	_cleanup_free_ char *text = NULL;
	struct policy *p;
	size_t len;

	if (file_read(AT_FDCWD, path, POLICY_MAX, ERR_CONFIG, &text, &len, err) < 0 ||
	    policy_parse(path, text, len, &p, err) < 0)
		return -1;
	if (policy_rules(p) == 0)
		log_warning("%s: no rule: every request will be refused", path);
	policy_free(p);
	return 0;
}

/* A rule needs the fields and the TCB, which the verdict holds whether or not the chain was found. */
static int decode(const struct evidence *ev, struct verdict *ret, struct err **err)
{
	struct trust_anchors *anchors = NULL;
	int r;

	if (trust_anchors_new(&anchors, err) < 0)
		return -1;
	const struct verify_input in = { .evidence = ev, .anchors = anchors, .at = (int64_t)time(NULL) };
	r = verify_evidence(&in, ret, err);
	trust_anchors_free(anchors);
	return r;
}

static int from_evidence(const char *path, const char *resource, struct err **err)
{
	__attribute__((cleanup(evidence_clear))) struct evidence ev = { 0 };
	_cleanup_buf_ struct buf rule = BUF_INIT(64 * 1024);
	_cleanup_free_ char *text = NULL;
	struct resource_uri uri = { .path = RESOURCE_EXAMPLE };
	struct verdict v = { 0 };
	size_t len;

	if (resource && resource_uri_parse(resource, &uri, err) < 0)
		return err_wrap(err, "--resource");
	if (file_read(AT_FDCWD, path, EVIDENCE_MAX, ERR_CONFIG, &text, &len, err) < 0)
		return -1;
	if (evidence_load((const uint8_t *)text, len, &ev, err) < 0) {
		/* What verify calls unparsable, with its exit code. */
		if (err_class(*err) == ERR_INTEGRITY)
			err_reclass(err, ERR_REFUSED);
		return err_wrap(err, "%s", path);
	}
	if (decode(&ev, &v, err) < 0 || policy_from_evidence(uri.path, &v, &rule, err) < 0 || buf_check(&rule, err) < 0)
		return -1;
	if (!v.verified)
		log_warning("%s: NOT VERIFIED (%s: %s)", path, v.reason_id, v.reason);
	if (fwrite(rule.data, 1, rule.len, stdout) != rule.len || fflush(stdout) != 0)
		return err_set_errno(err, ERR_INTERNAL, "write", errno, "standard output");
	return 0;
}

int cmd_policy(int n, char **args)
{
	const char *resource = NULL;
	const struct option_def defs[] = {
		{ "resource", OPTION_STRING, &resource, "NAME", "from-evidence: what the rule is for" },
		{ NULL },
	};
	const char *words[2] = { NULL };
	struct err *e = NULL;
	bool help;
	int r;

	if (options_parse(defs, n, args, 2, 2, words, &help, &e) < 0)
		return verb_fail(e);
	if (help) {
		options_help(stdout, "policy check FILE\n"
				     "       cryptattest-kbs policy from-evidence FILE [--resource NAME]", help_text, defs);
		return EXIT_DONE;
	}
	if (strcmp(words[0], "check") == 0 && !resource)
		r = check(words[1], &e);
	else if (strcmp(words[0], "from-evidence") == 0)
		r = from_evidence(words[1], resource, &e);
	else
		r = err_set(&e, ERR_CONFIG, "usage", "policy check FILE, or policy from-evidence FILE [--resource NAME]");
	return r < 0 ? verb_fail(e) : EXIT_DONE;
}
