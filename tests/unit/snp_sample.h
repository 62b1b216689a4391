/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A report of the test PKI with the certificate table beside it. */
#ifndef CRYPTATTEST_TESTS_UNIT_SNP_SAMPLE_H
#define CRYPTATTEST_TESTS_UNIT_SNP_SAMPLE_H

#include "tests/lib/check.h"

#include <string.h>

#include "base/cleanup.h"
#include "evidence/cert_table.h"
#include "tests/lib/judge.h"

struct sample {
	struct snp_report r;
	uint8_t raw[SNP_REPORT_SIZE];
	struct buf table;
	struct evidence ev;
};

static inline void sample_sign(const struct judge *j, struct sample *s)
{
	assert_ok(testpki_snp_sign(j->pki, &s->r, s->raw, &_err));
	s->ev = (struct evidence){ .tee = TEE_SNP,
				   .report = s->raw,
				   .report_len = sizeof(s->raw),
				   .aux = s->table.len ? s->table.data : NULL,
				   .aux_len = s->table.len };
}

static inline void sample_init(const struct judge *j, struct sample *s)
{
	*s = (struct sample){ .table = BUF_INIT(CERT_TABLE_MAX) };
	testpki_snp_template(j->pki, &s->r);
	sample_sign(j, s);
}

static inline void sample_clear(struct sample *s)
{
	buf_free(&s->table);
}

#define _cleanup_sample_ _cleanup_(sample_clear)

static inline void sample_use(const struct judge *j, struct sample *s, bool vlek)
{
	sample_init(j, s);
	s->r.key_info = vlek ? 4 : 0;
	assert_ok(testpki_snp_certs(j->pki, vlek, &s->table, &_err));
	sample_sign(j, s);
}

static inline void judged(const char *what, const struct judge *j, const struct sample *s, const char *id)
{
	struct verdict v;

	judge_evidence(j, (struct verify_input){ .evidence = &s->ev }, &v);
	assert_verdict(what, &v, id);
}

#endif
