/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/log.h"
#include "evidence/trustee_json.h"
#include "kbsd/options.h"
#include "kbsd/statedir.h"
#include "kbsd/verbs.h"
#include "verify/policy.h"
#include "verify/verify_options.h"
#include "wire/resource_uri.h"

#define POLICY_MAX (4 * 1024 * 1024)
#define EVIDENCE_MAX (2 * 1024 * 1024)
#define RESOURCE_EXAMPLE "default/CHANGE-ME/root"

static const char help_text[] =
	"`check` reads a policy as serve would and says what is wrong with it, with file and\n"
	"line; it prints nothing and exits 0 when all is well.\n"
	"\n"
	"`from-evidence` prints a rule that accepts the machine whose report, quote or Trustee\n"
	"evidence object is in FILE, and says whether that verified with the certificates it\n"
	"holds, those of --ca and --store, and those in the server's directory. Compare the\n"
	"measurement with one that you computed. The rule says covers = FILL-IN, which `check`\n"
	"refuses: only you know what the measurement of your platform covers.\n";

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

static void say_verdict(const char *path, const struct verdict *v)
{
	if (v->verified)
		log_info("%s: verified, up to the root %s", path, v->root);
	else
		log_warning("%s: NOT VERIFIED (%s: %s)", path, v->reason_id, v->reason);
}

/* A rule needs the fields and the TCB, which the verdict holds whether or not the chain was found. */
static int from_evidence(const char *path, const char *resource, const struct verify_options *o, struct err **err)
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
	if (verify_options_judge(o, &ev, &v, err) < 0 || policy_from_evidence(uri.path, &v, &rule, err) < 0 || buf_check(&rule, err) < 0)
		return -1;
	say_verdict(path, &v);
	if (fwrite(rule.data, 1, rule.len, stdout) != rule.len || fflush(stdout) != 0)
		return err_set_errno(err, ERR_INTERNAL, "write", errno, "standard output");
	return 0;
}

static int set(void *ctx, const char *name, const char *value, struct err **err)
{
	return verify_options_set(ctx, name, value, err);
}

static int rule_for(const char *path, const char *resource, const char *dir, struct verify_options *o, struct err **err)
{
	_cleanup_certs_ struct statedir_certs certs = { .dir = dir };

	o->find = statedir_find_certs;
	o->find_ctx = &certs;
	return from_evidence(path, resource, o, err);
}

int cmd_policy(int n, char **args)
{
	const char *resource = NULL, *dir = NULL;
	struct verify_options o = { 0 };
	const struct option_def defs[] = {
		{ "resource", OPTION_STRING, &resource, "NAME", "from-evidence: what the rule is for" },
		{ "dir", OPTION_STRING, &dir, "DIR", "ca.pem and kds-store of this server (" STATEDIR_DEFAULT ", if any)" },
		{ "ca", OPTION_CALL, &o, "FILE", "certificates of the chain instead, DER or PEM", .call = set },
		{ "store", OPTION_CALL, &o, "DIR", "offline certificate store instead", .call = set },
		{ "test-root", OPTION_CALL, &o, "FILE", "trust this root as well (repeatable)", .call = set },
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
				     "       cryptattest-kbs policy from-evidence FILE [--resource NAME] [--dir DIR]", help_text, defs);
		return EXIT_DONE;
	}
	if (strcmp(words[0], "check") == 0 && !resource && !dir && !o.ca && !o.store && !o.test_roots_n)
		r = check(words[1], &e);
	else if (strcmp(words[0], "from-evidence") == 0)
		r = rule_for(words[1], resource, dir, &o, &e);
	else
		r = err_set(&e, ERR_CONFIG, "usage", "policy check FILE, or policy from-evidence FILE [--resource NAME] [--dir DIR]");
	return r < 0 ? verb_fail(e) : EXIT_DONE;
}
