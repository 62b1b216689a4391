/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/lib/tee_testpki.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/text.h"
#include "evidence/snp_report.h"
#include "evidence/svsm_manifest.h"
#include "tee/errors.h"
#include "tee/providers.h"
#include "tee/tsm.h"
#include "tests/lib/testpki_fields.h"

/* ---- signing ---- */

static int copy_out(enum tee_kind kind, const void *report, size_t report_len, const struct buf *aux, struct evidence *ret,
		    struct err **err)
{
	struct evidence ev = { .tee = kind, .report_len = report_len, .aux_len = aux ? aux->len : 0 };

	ev.report = malloc(report_len + 1);
	ev.aux = ev.aux_len ? malloc(ev.aux_len) : NULL;
	if (!ev.report || (ev.aux_len && !ev.aux)) {
		evidence_clear(&ev);
		return err_nomem(err);
	}
	memcpy(ev.report, report, report_len);
	if (ev.aux_len)
		memcpy(ev.aux, aux->data, ev.aux_len);
	*ret = ev;
	return 0;
}

static int sign_snp(const struct tee_testpki *t, const uint8_t data[static TEE_REPORT_DATA], struct evidence *ret,
		    struct err **err)
{
	struct buf certs _cleanup_buf_ = BUF_INIT(CERT_TABLE_MAX);
	uint8_t raw[SNP_REPORT_SIZE];
	struct snp_report r;

	testpki_snp_template(t->pki, &r);
	memcpy(r.report_data, data, TEE_REPORT_DATA);
	if (t->vmpl >= 0)
		r.vmpl = (uint32_t)t->vmpl;
	for (char *const *s = t->sets; s && *s; s++)
		if (testpki_snp_set(&r, *s, err) < 0)
			return -1;
	if (testpki_snp_sign(t->pki, &r, raw, err) < 0)
		return -1;
	if (!t->no_certs && testpki_snp_certs(t->pki, snp_signing_key(&r) == 1, &certs, err) < 0)
		return -1;
	return copy_out(TEE_SNP, raw, sizeof(raw), &certs, ret, err);
}

static int sign_tdx(const struct tee_testpki *t, const uint8_t data[static TEE_REPORT_DATA], struct evidence *ret,
		    struct err **err)
{
	struct buf quote _cleanup_buf_ = BUF_INIT(TDX_QUOTE_MAX);
	struct testpki_tdx q;

	testpki_tdx_template(t->pki, &q);
	memcpy(q.body.report_data, data, TEE_REPORT_DATA);
	for (char *const *s = t->sets; s && *s; s++)
		if (testpki_tdx_set(&q, *s, err) < 0)
			return -1;
	if (testpki_tdx_sign(t->pki, &q, &quote, err) < 0)
		return -1;
	return copy_out(TEE_TDX, quote.data, quote.len, NULL, ret, err);
}

int tee_testpki_sign(const struct tee_testpki *t, const uint8_t data[static TEE_REPORT_DATA], struct evidence *ret,
		     struct err **err)
{
	int r = t->kind == TEE_SNP ? sign_snp(t, data, ret, err) : sign_tdx(t, data, ret, err);

	if (r == 0 && t->flip && t->flip <= ret->report_len)
		ret->report[t->flip - 1] ^= 1;
	return r;
}

int tee_testpki_errno(const char *name)
{
	for (int e = 1; e < 134; e++)
		if (text_eq(strerrorname_np(e), name))
			return e;
	return 0;
}

/* ---- what the test put below tee/ ---- */

struct setup {
	char *pki_dir;
	char **sets;
	int errnum;
	uint64_t hang_ms;
	bool empty, wrong_data, no_certs;
	size_t flip;
};

static void setup_free(struct setup *s)
{
	free(s->pki_dir);
	strv_free(s->sets);
}

/* A file's lines; none when it is missing. */
static int read_lines(const struct tee_env *env, const char *path, char ***ret, struct err **err)
{
	_cleanup_err_ struct err *e = NULL;
	_cleanup_free_ char *text = NULL;
	char *save = NULL, **v = NULL;
	bool failed = false;
	size_t len;

	if (file_read(env->root_fd, path, 16384, ERR_CONFIG, &text, &len, &e) < 0) {
		*ret = NULL;
		return err_errno(e) == ENOENT ? 0 : err_propagate(err, TAKE_PTR(e));
	}
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		v = strv_append(v, l, &failed);
	if (failed) {
		strv_free(v);
		return err_nomem(err);
	}
	*ret = v;
	return 0;
}

static int bad_fault(const char *line, struct err **err)
{
	return err_set(err, ERR_CONFIG, "test-tee", "tee/fault: %s", line);
}

/* "errno NAME N" counts down in the file, so that the next request, of whatever process, sees what is left. */
static int errno_fault(const struct tee_env *env, const char *line, struct setup *s, struct err **err)
{
	char name[16], text[64];
	unsigned int n = 0;
	int fields = sscanf(line, "errno %15s %u", name, &n);

	s->errnum = fields > 0 ? tee_testpki_errno(name) : 0;
	if (!s->errnum)
		return bad_fault(line, err);
	if (fields == 1)
		return 0;
	if (n == 0) {
		s->errnum = 0;
		return 0;
	}
	snprintf(text, sizeof(text), "errno %s %u\n", name, n - 1);
	return file_write_atomic(env->root_fd, "tee/fault", text, strlen(text), 0644, err);
}

static int read_fault(const struct tee_env *env, const char *line, struct setup *s, struct err **err)
{
	if (text_starts(line, "errno "))
		return errno_fault(env, line, s, err);
	if (text_starts(line, "hang "))
		return text_u64(line + 5, 1, 600000, &s->hang_ms, err);
	if (text_starts(line, "flip ")) {
		uint64_t off;

		if (text_u64(line + 5, 0, TDX_QUOTE_MAX, &off, err) < 0)
			return -1;
		s->flip = (size_t)off + 1;
		return 0;
	}
	if (text_eq(line, "empty"))
		s->empty = true;
	else if (text_eq(line, "wrong-data"))
		s->wrong_data = true;
	else if (text_eq(line, "no-certs"))
		s->no_certs = true;
	else
		return bad_fault(line, err);
	return 0;
}

static int read_setup(const struct tee_env *env, struct setup *s, struct err **err)
{
	char **dir = NULL, **faults = NULL;
	int r = 0;

	if (read_lines(env, "tee/pki-dir", &dir, err) < 0)
		return -1;
	if (strv_len(dir) != 1) {
		strv_free(dir);
		return err_set(err, ERR_CONFIG, "test-tee", "tee/pki-dir: must name the test PKI's directory");
	}
	s->pki_dir = text_dup(dir[0]);
	strv_free(dir);
	if (!s->pki_dir)
		return err_nomem(err);
	if (read_lines(env, "tee/set", &s->sets, err) < 0 || read_lines(env, "tee/fault", &faults, err) < 0)
		return -1;
	for (char **f = faults; f && *f && r == 0; f++)
		r = read_fault(env, *f, s, err);
	strv_free(faults);
	return r;
}

/* ---- the providers ---- */

struct hang {
	struct tee_shared shared;
	unsigned int ms;
};

static void hang_run(int root_fd, struct tee_shared *shared)
{
	tee_worker_pause_ms(((struct hang *)shared)->ms);
}

static int hang(const struct tee_env *env, uint64_t ms, struct deadline d, struct err **err)
{
	static const struct tee_job job = { .what = "test-tee", .run = hang_run, .exclusive = true };
	struct hang *h _cleanup_shared_ = tee_shared_new(sizeof(*h));

	if (!h)
		return err_nomem(err);
	h->ms = (unsigned int)ms;
	return tee_worker_run(env, &job, &h->shared, d, err);
}

/* As configfs-tsm would be judged. */
static int empty(enum tee_kind kind, struct err **err)
{
	struct tsm_request *q _cleanup_shared_ = tee_shared_new(sizeof(*q));

	if (!q)
		return err_nomem(err);
	q->step = TSM_DONE;
	return tsm_judge(q, kind, err);
}

static enum tee_presence probe(const struct tee_env *env, enum tee_kind kind, struct buf *why)
{
	char **lines = NULL;
	enum tee_presence p = TEE_ABSENT;

	if (read_lines(env, "tee/kind", &lines, NULL) < 0 || !lines) {
		buf_puts(why, "no tee/kind");
	} else {
		buf_printf(why, "tee/kind is %s", lines[0]);
		if (tee_kind_by_name(lines[0]) == kind)
			p = TEE_PRESENT;
	}
	strv_free(lines);
	return p;
}

static int collect_with(const struct tee_env *env, enum tee_kind kind, const struct setup *s, const uint8_t *data,
			struct deadline d, struct evidence *ret, struct err **err)
{
	_cleanup_testpki_ struct testpki *pki = NULL;
	struct tee_testpki t = { .kind = kind, .sets = s->sets, .vmpl = -1, .no_certs = s->no_certs, .flip = s->flip };
	uint8_t other[TEE_REPORT_DATA];

	if (s->hang_ms && hang(env, s->hang_ms, d, err) < 0)
		return -1;
	if (s->errnum)
		return tee_errno(kind, s->errnum, "test-tee", err);
	if (s->empty)
		return empty(kind, err);
	if (testpki_open(s->pki_dir, &pki, err) < 0)
		return -1;
	t.pki = pki;
	memcpy(other, data, sizeof(other));
	other[0] ^= s->wrong_data;
	if (tee_testpki_sign(&t, other, ret, err) < 0)
		return -1;
	return kind == TEE_TDX ? tdx_event_log(env->root_fd, &ret->aux, &ret->aux_len, err) : 0;
}

static int collect(const struct tee_env *env, enum tee_kind kind, const uint8_t *data, struct deadline d,
		   struct evidence *ret, struct err **err)
{
	struct setup s __attribute__((cleanup(setup_free))) = { 0 };
	struct evidence ev = { 0 };

	if (read_setup(env, &s, err) < 0)
		return -1;
	if (collect_with(env, kind, &s, data, d, &ev, err) < 0) {
		evidence_clear(&ev);
		return -1;
	}
	*ret = ev;
	return 0;
}

static enum tee_presence snp_probe(const struct tee_env *env, struct buf *why)
{
	return probe(env, TEE_SNP, why);
}

static enum tee_presence tdx_probe(const struct tee_env *env, struct buf *why)
{
	return probe(env, TEE_TDX, why);
}

static int snp_collect(const struct tee_env *env, const uint8_t data[static TEE_REPORT_DATA], struct deadline d,
		       struct evidence *ret, struct err **err)
{
	return collect(env, TEE_SNP, data, d, ret, err);
}

static int tdx_collect(const struct tee_env *env, const uint8_t data[static TEE_REPORT_DATA], struct deadline d,
		       struct evidence *ret, struct err **err)
{
	return collect(env, TEE_TDX, data, d, ret, err);
}

static bool snp_has_svsm(const struct tee_env *env)
{
	return faccessat(env->root_fd, "tee/svsm-manifest", F_OK, 0) == 0;
}

static int snp_service(const struct tee_env *env, const char *guid, const uint8_t data[static TEE_REPORT_DATA], struct deadline d,
		       struct evidence *ret, struct buf *ret_manifest, struct err **err)
{
	_cleanup_free_ char *manifest = NULL;
	uint8_t bound[TEE_REPORT_DATA];
	size_t len;

	if (file_read(env->root_fd, "tee/svsm-manifest", SVSM_MANIFEST_MAX, ERR_CONFIG, &manifest, &len, err) < 0 ||
	    svsm_manifest_report_data(data, (const uint8_t *)manifest, len, bound, err) < 0)
		return -1;
	buf_append(ret_manifest, manifest, len);
	return collect(env, TEE_SNP, bound, d, ret, err);
}

static const struct tee_provider test_snp = {
	.name = "test-snp",
	.kind = TEE_SNP,
	.summary = "SNP reports signed by the test PKI",
	.probe = snp_probe,
	.collect = snp_collect,
	.has_svsm = snp_has_svsm,
	.service = snp_service,
};

static const struct tee_provider test_tdx = {
	.name = "test-tdx",
	.kind = TEE_TDX,
	.summary = "TD quotes signed by the test PKI",
	.probe = tdx_probe,
	.collect = tdx_collect,
};

const struct tee_provider *const tee_testpki_providers[] = { &test_snp, &test_tdx, NULL };
