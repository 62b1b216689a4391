/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * src/tee by hand, for tests in guests: what unlock does to get evidence, and nothing else.
 *
 *   tee_probe detect
 *   tee_probe collect [--provider NAME] [--once] [--deadline MS] [--roots FILE] [--save FILE]
 *   tee_probe svsm [--deadline MS] [--roots FILE]
 *
 * detect prints each probe's reason and "provider NAME". collect prints "ok NAME report N aux N [vmpl N] MS ms" or
 * "error CLASS ID MESSAGE | HINT". --once calls the provider itself, without retries and self-check. --roots has src/verify
 * judge the evidence with these test roots, and adds "verified ROOT" or "refused ID REASON". svsm asks the SVSM for its vTPM's manifest
 * and adds "manifest N" to the line; --roots then demands report data of nonce and manifest. Exit status 0, 1, or 2 for usage.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/text.h"
#include "evidence/snp_report.h"
#include "evidence/svsm_manifest.h"
#include "tee/tee.h"
#include "verify/verify.h"

struct options {
	const char *provider, *roots, *save;
	uint64_t deadline_ms;
	bool once;
};

static int fail(const struct err *e)
{
	printf("error %s %s %s | %s\n", err_class_name(err_class(e)), err_id(e), err_message(e), err_hint_text(e));
	return 1;
}

static int detect(const struct tee_env *env, const struct tee_provider **ret, bool print)
{
	struct buf why _cleanup_buf_ = BUF_INIT(4096);
	_cleanup_err_ struct err *e = NULL;
	int r = tee_detect(tee_providers, env, ret, &why, &e);

	if (print)
		fputs(buf_cstr(&why) ? buf_cstr(&why) : "", stdout);
	return r < 0 ? fail(e) : 0;
}

static int verify(const struct evidence *ev, const uint8_t *data, const char *roots)
{
	_cleanup_err_ struct err *e = NULL;
	_cleanup_free_ char *pem = NULL;
	struct trust_anchors *ta = NULL;
	static struct verdict v;
	size_t len;
	struct verify_input in = { .evidence = ev, .report_data = data, .at = (int64_t)time(NULL) };
	int r;

	if (file_read(AT_FDCWD, roots, 65536, ERR_CONFIG, &pem, &len, &e) < 0 || trust_anchors_new(&ta, &e) < 0)
		return fail(e);
	in.anchors = ta;
	r = trust_anchors_add_test_root(ta, pem, len, &e) < 0 ? -1 : verify_evidence(&in, &v, &e);
	trust_anchors_free(ta);
	if (r < 0)
		return fail(e);
	if (v.verified)
		printf("verified %s\n", v.root);
	else
		printf("refused %s %s\n", v.reason_id, v.reason);
	return v.verified ? 0 : 1;
}

static void report(const struct tee_provider *p, const struct evidence *ev, uint64_t ms)
{
	struct snp_report r;

	printf("ok %s report %zu aux %zu", p->name, ev->report_len, ev->aux_len);
	if (ev->tee == TEE_SNP && snp_report_decode(ev->report, ev->report_len, &r, NULL) == 0)
		printf(" vmpl %u", r.vmpl);
	printf(" %llu ms\n", (unsigned long long)ms);
}

static int collect(const struct tee_env *env, const struct options *o)
{
	_cleanup_err_ struct err *e = NULL;
	const struct tee_provider *p = NULL;
	uint8_t data[TEE_REPORT_DATA];
	struct evidence ev = { 0 };
	struct deadline d = deadline_in_ms(o->deadline_ms);
	uint64_t begin;
	int r;

	for (size_t i = 0; o->provider && tee_providers[i]; i++)
		if (text_eq(tee_providers[i]->name, o->provider))
			p = tee_providers[i];
	if (!p && detect(env, &p, false) != 0)
		return 1;
	if (getrandom(data, sizeof(data), 0) != (ssize_t)sizeof(data))
		return 1;
	begin = clock_ns();
	r = o->once ? p->collect(env, data, d, &ev, &e) : tee_collect(p, env, data, d, &ev, &e);
	if (r < 0)
		return fail(e);
	report(p, &ev, (clock_ns() - begin) / NSEC_PER_MSEC);
	if (o->save && file_write_atomic(AT_FDCWD, o->save, ev.report, ev.report_len, 0644, &e) < 0)
		r = fail(e);
	if (r == 0 && o->roots)
		r = verify(&ev, data, o->roots);
	evidence_clear(&ev);
	return r;
}

static int svsm(const struct tee_env *env, const struct options *o)
{
	struct buf manifest _cleanup_buf_ = BUF_INIT(SVSM_MANIFEST_MAX);
	_cleanup_err_ struct err *e = NULL;
	uint8_t nonce[TEE_REPORT_DATA], data[TEE_REPORT_DATA];
	const struct tee_provider *p = NULL;
	struct evidence ev = { 0 };
	int r = 0;

	for (size_t i = 0; !p && tee_providers[i]; i++)
		if (tee_providers[i]->service)
			p = tee_providers[i];
	printf("svsm %s\n", p && p->has_svsm(env) ? "yes" : "no");
	if (!p || getrandom(nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce))
		return 1;
	if (p->service(env, SVSM_GUID_VTPM, nonce, deadline_in_ms(o->deadline_ms), &ev, &manifest, &e) < 0)
		return fail(e);
	printf("manifest %zu ", manifest.len);
	report(p, &ev, 0);
	if (svsm_manifest_report_data(nonce, manifest.data, manifest.len, data, &e) < 0)
		r = fail(e);
	else if (o->roots)
		r = verify(&ev, data, o->roots);
	evidence_clear(&ev);
	return r;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "provider", 1, NULL, 'p' }, { "once", 0, NULL, 'o' }, { "deadline", 1, NULL, 'd' },
		{ "roots", 1, NULL, 'r' },    { "save", 1, NULL, 's' }, { 0 },
	};
	struct options o = { .deadline_ms = 60000 };
	struct tee_env env = { .root_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), .may_mount = true };
	const struct tee_provider *p;
	int c;

	log_init("tee_probe", LOGL_DEBUG, false);
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'p')
			o.provider = optarg;
		else if (c == 'o')
			o.once = true;
		else if (c == 'd' && text_u64(optarg, 1, 600000, &o.deadline_ms, NULL) == 0)
			continue;
		else if (c == 'r')
			o.roots = optarg;
		else if (c == 's')
			o.save = optarg;
		else
			return 2;
	}
	if (optind + 1 != argc)
		return 2;
	if (text_eq(argv[optind], "detect"))
		return detect(&env, &p, true) == 0 ? printf("provider %s\n", p->name) < 0 : 1;
	if (text_eq(argv[optind], "svsm"))
		return svsm(&env, &o);
	return text_eq(argv[optind], "collect") ? collect(&env, &o) : 2;
}
