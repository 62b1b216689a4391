/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "verify/verify_options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/fileio.h"
#include "base/text.h"
#include "evidence/trustee_json.h"
#include "verify/policy.h"

#define EXPLAINED_MAX 8 /* sections */

const struct verify_option_text verify_option_texts[] = {
	{ "tee", "snp|tdx", "what the evidence must be" },
	{ "evidence", "FILE", "raw report or quote, or the evidence object that a Trustee KBS takes" },
	{ "vek", "FILE", "VCEK or VLEK certificate, DER or PEM" },
	{ "ca", "FILE", "certificates of the chain, DER or PEM, any order; the root must be a built-in one" },
	{ "store", "DIR", "offline certificate store: vcek/HWID/..._vcek.der" },
	{ "test-root", "FILE", "trust this root as well; the verdict says so (repeatable)" },
	{ "report-data", "HEX", "the report data expected, up to 64 bytes, right-padded with zeros" },
	{ "at", "DATE", "YYYY-MM-DD or RFC 3339: judge certificate dates at this time instead of now" },
	{ "policy", "FILE", "also judge by this release policy" },
	{ "resource", "NAME", "the resource that the policy is asked for: repository/type/tag (default: any)" },
	{ NULL, NULL, NULL },
};

static int set_text(const char **target, const char *name, const char *value, struct err **err)
{
	if (*target)
		return err_set(err, ERR_CONFIG, "usage", "--%s: given twice", name);
	if (!*value)
		return err_set(err, ERR_CONFIG, "usage", "--%s: empty", name);
	*target = value;
	return 0;
}

static int set_tee(struct verify_options *o, const char *value, struct err **err)
{
	enum tee_kind k = tee_kind_by_name(value);

	if (o->tee != TEE_NONE)
		return err_set(err, ERR_CONFIG, "usage", "--tee: given twice");
	if (k == TEE_NONE)
		return err_set(err, ERR_CONFIG, "usage", "--tee: \"%s\" is neither snp nor tdx", value);
	o->tee = k;
	return 0;
}

static int set_report_data(struct verify_options *o, const char *value, struct err **err)
{
	size_t digits = strlen(value);

	if (o->has_report_data)
		return err_set(err, ERR_CONFIG, "usage", "--report-data: given twice");
	if (!digits || digits % 2 || digits > 2 * TEE_REPORT_DATA)
		return err_set(err, ERR_CONFIG, "usage", "--report-data: 2 to %d hexadecimal digits, an even number",
			       2 * TEE_REPORT_DATA);
	if (hex_decode(value, digits, o->report_data, digits / 2, err) < 0) {
		err_reclass(err, ERR_CONFIG);
		return err_wrap(err, "--report-data");
	}
	o->has_report_data = true;
	return 0;
}

static int set_at(struct verify_options *o, const char *value, struct err **err)
{
	if (o->has_at)
		return err_set(err, ERR_CONFIG, "usage", "--at: given twice");
	if (text_time(value, &o->at, err) < 0)
		return err_wrap(err, "--at");
	o->has_at = true;
	return 0;
}

int verify_options_set(struct verify_options *o, const char *name, const char *value, struct err **err)
{
	const struct {
		const char *name, **target;
	} texts[] = { { "evidence", &o->evidence }, { "vek", &o->vek },	      { "ca", &o->ca },
		      { "store", &o->store },	    { "policy", &o->policy }, { "resource", &o->resource } };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (strcmp(name, texts[i].name) == 0)
			return set_text(texts[i].target, name, value, err);
	if (strcmp(name, "tee") == 0)
		return set_tee(o, value, err);
	if (strcmp(name, "report-data") == 0)
		return set_report_data(o, value, err);
	if (strcmp(name, "at") == 0)
		return set_at(o, value, err);
	if (strcmp(name, "collateral") == 0)
		return err_set(err, ERR_CONFIG, "usage",
			       "--collateral: this release does not evaluate Intel's collateral; TDX verdicts say tcb \"unverified\"");
	if (strcmp(name, "test-root") != 0)
		return err_set(err, ERR_CONFIG, "usage", "there is no option --%s", name);
	if (o->test_roots_n == VERIFY_TEST_ROOTS_MAX)
		return err_set(err, ERR_CONFIG, "usage", "--test-root: given more than %d times", VERIFY_TEST_ROOTS_MAX);
	o->test_roots[o->test_roots_n++] = value;
	return 0;
}

/* A file of the command line that cannot be read is a usage error, never a verdict. */
static int read_named(const char *option, const char *path, size_t max, char **ret, size_t *ret_len, struct err **err)
{
	if (file_read(AT_FDCWD, path, max, ERR_CONFIG, ret, ret_len, err) < 0)
		return err_wrap(err, "--%s", option);
	return 0;
}

static void anchors_cleanup(struct trust_anchors **ta)
{
	trust_anchors_free(*ta);
}

static void policy_cleanup(struct policy **p)
{
	policy_free(*p);
}

static int load_anchors(const struct verify_options *o, struct trust_anchors **ret, struct err **err)
{
	__attribute__((cleanup(anchors_cleanup))) struct trust_anchors *ta = NULL;

	if (trust_anchors_new(&ta, err) < 0)
		return -1;
	for (size_t i = 0; i < o->test_roots_n; i++) {
		_cleanup_free_ char *text = NULL;
		size_t len;

		if (read_named("test-root", o->test_roots[i], VERIFY_CERT_FILE_MAX, &text, &len, err) < 0)
			return -1;
		if (trust_anchors_add_test_root(ta, text, len, err) < 0) {
			err_reclass(err, ERR_CONFIG);
			return err_wrap(err, "--test-root %s", o->test_roots[i]);
		}
	}
	*ret = TAKE_PTR(ta);
	return 0;
}

static void refuse(struct verdict *v, const char *id, const char *why)
{
	v->verified = false;
	snprintf(v->reason_id, sizeof(v->reason_id), "%s", id);
	snprintf(v->reason, sizeof(v->reason), "%s", why);
}

static int find_rest(const struct verify_options *o, const char **ca_file, const char **store, char **ca, size_t *ca_len, struct err **err)
{
	const char *found_ca = NULL, *found_store = NULL;

	if (!o->find || (o->ca && o->store))
		return 0;
	if (o->find(o->find_ctx, &found_ca, &found_store, err) < 0)
		return -1;
	if (!o->ca && found_ca && file_read_regular(AT_FDCWD, found_ca, VERIFY_CERT_FILE_MAX, ERR_CONFIG, ca, ca_len, err) < 0)
		return -1;
	*ca_file = o->ca ? o->ca : found_ca;
	*store = o->store ? o->store : found_store;
	return 0;
}

int verify_options_judge(const struct verify_options *o, const struct evidence *ev, struct verdict *ret, struct err **err)
{
	__attribute__((cleanup(anchors_cleanup))) struct trust_anchors *anchors = NULL;
	_cleanup_free_ char *vek = NULL, *ca = NULL;
	const char *ca_file = o->ca, *store = o->store;
	size_t vek_len = 0, ca_len = 0;

	if (load_anchors(o, &anchors, err) < 0)
		return -1;
	if (o->store && access(o->store, R_OK | X_OK) < 0)
		return err_set_errno(err, ERR_CONFIG, "open", errno, "--store: %s", o->store);
	if (o->vek && read_named("vek", o->vek, VERIFY_CERT_FILE_MAX, &vek, &vek_len, err) < 0)
		return -1;
	if (o->ca && read_named("ca", o->ca, VERIFY_CERT_FILE_MAX, &ca, &ca_len, err) < 0)
		return -1;
	if (find_rest(o, &ca_file, &store, &ca, &ca_len, err) < 0)
		return -1;
	const struct verify_input in = {
		.evidence = ev,
		.anchors = anchors,
		.vek = vek,
		.vek_len = vek_len,
		.ca = ca,
		.ca_len = ca_len,
		.vek_file = o->vek,
		.ca_file = ca_file,
		.store_dir = store,
		.report_data = o->has_report_data ? o->report_data : NULL,
		.at = o->has_at ? o->at : (int64_t)time(NULL),
	};
	return verify_evidence(&in, ret, err);
}

/* 1 allowed, 0 denied, -1 error. */
static int ask_for(const char *resource, const struct policy *p, const struct verdict *v, struct buf *note, struct err **err)
{
	const struct policy_request rq = { .resource = resource, .verdict = v, .test_server = v->test_root };
	struct policy_decision d = { 0 };
	bool allow;

	if (policy_evaluate(p, &rq, &d, err) < 0)
		return -1;
	allow = d.allow;
	if (allow && note)
		buf_printf(note, "%s: allowed by %s, covers %s\n", resource, d.rule, d.covers);
	else if (note)
		buf_append(note, d.explanation.data, d.explanation.len);
	policy_decision_clear(&d);
	return allow;
}

/* Some resource that a section is for: a `*` stands for any segment. */
static char *example_of(const char *pattern)
{
	struct buf b = BUF_INIT(1024);

	for (; *pattern; pattern++)
		buf_puts(&b, *pattern == '*' ? "any" : (const char[]){ *pattern, 0 });
	char *ret = buf_take_str(&b);
	buf_free(&b);
	return ret;
}

/* Without a resource: is there one that this evidence gets? */
static int ask_for_any(const struct policy *p, const struct verdict *v, struct buf *note, struct err **err)
{
	_cleanup_buf_ struct buf denials = BUF_INIT(256 * 1024);
	const char *pattern;

	for (size_t i = 0; (pattern = policy_pattern(p, i)); i++) {
		_cleanup_free_ char *resource = example_of(pattern);
		int r;

		if (!resource)
			return err_nomem(err);
		r = ask_for(resource, p, v, i < EXPLAINED_MAX ? &denials : NULL, err);
		if (r < 0)
			return -1;
		if (r > 0)
			return ask_for(resource, p, v, note, err);
	}
	if (!policy_rules(p))
		buf_puts(note, "the policy has no rule\n");
	buf_append(note, denials.data, denials.len);
	return 0;
}

static int ask_policy(const struct verify_options *o, const struct policy *p, struct verdict *v, struct buf *note,
		      struct err **err)
{
	int r = o->resource ? ask_for(o->resource, p, v, note, err) : ask_for_any(p, v, note, err);

	if (r == 0)
		refuse(v, "policy-deny", o->resource ? "no rule of the policy accepts this evidence for the resource" :
						       "no rule of the policy accepts this evidence");
	return r < 0 ? -1 : 0;
}

/* The verdict says what to fetch; this, where to put it. */
static void say_where(const struct verdict *v, struct buf *note)
{
	if (strcmp(v->reason_id, "vek-missing") == 0)
		buf_puts(note, "to do: name the certificate's file by --vek, and those of its chain by --ca\n");
	else if (strcmp(v->reason_id, "chain-missing") == 0)
		buf_puts(note, "to do: name the file with the chain's certificates by --ca\n");
}

static int finish(const struct verdict *v, const struct evidence *ev, char **ret_json, int *ret_exit, struct err **err)
{
	if (verdict_json(v, ev, ret_json, err) < 0)
		return -1;
	*ret_exit = v->verified ? 0 : 4;
	return 0;
}

/* Evidence that does not decode is refused, not an error: nobody's machine may run on it either way. */
static int unparsable(const struct verify_options *o, struct err *why, char **ret_json, int *ret_exit, struct err **err)
{
	_cleanup_err_ struct err *e = why;
	const struct evidence none = { .tee = o->tee };
	struct verdict v = { .tee = o->tee };

	if (err_class(e) != ERR_INTEGRITY)
		return err_propagate(err, TAKE_PTR(e));
	refuse(&v, err_id(e), err_message(e));
	return finish(&v, &none, ret_json, ret_exit, err);
}

static int check_usage(const struct verify_options *o, struct err **err)
{
	if (!o->evidence)
		return err_set(err, ERR_CONFIG, "usage", "--evidence FILE is missing");
	if (o->resource && !o->policy)
		return err_set(err, ERR_CONFIG, "usage", "--resource is for --policy FILE");
	return 0;
}

int verify_options_run(const struct verify_options *o, char **ret_json, int *ret_exit, struct buf *note,
		       struct err **err)
{
	__attribute__((cleanup(policy_cleanup))) struct policy *policy = NULL;
	__attribute__((cleanup(evidence_clear))) struct evidence ev = { 0 };
	_cleanup_free_ char *text = NULL, *rules = NULL;
	size_t len, rules_len;
	struct verdict v = { 0 };
	struct err *why = NULL;

	if (check_usage(o, err) < 0)
		return -1;
	if (read_named("evidence", o->evidence, VERIFY_EVIDENCE_FILE_MAX, &text, &len, err) < 0)
		return -1;
	if (o->policy && (read_named("policy", o->policy, VERIFY_POLICY_FILE_MAX, &rules, &rules_len, err) < 0 ||
			  policy_parse(o->policy, rules, rules_len, &policy, err) < 0))
		return -1;
	if (evidence_load((const uint8_t *)text, len, &ev, &why) < 0)
		return unparsable(o, why, ret_json, ret_exit, err);
	if (verify_options_judge(o, &ev, &v, err) < 0)
		return -1;
	if (o->tee != TEE_NONE && o->tee != ev.tee) {
		char message[80];

		snprintf(message, sizeof(message), "the file holds %s evidence, asked for was %s", tee_kind_name(ev.tee),
			 tee_kind_name(o->tee));
		refuse(&v, "tee", message);
	}
	if (v.verified && policy && ask_policy(o, policy, &v, note, err) < 0)
		return -1;
	if (!v.verified)
		say_where(&v, note);
	return finish(&v, &ev, ret_json, ret_exit, err);
}
