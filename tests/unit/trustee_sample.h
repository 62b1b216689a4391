/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A report and its JSON object, for the tests of both halves of evidence/trustee_json.h. */
#ifndef CRYPTATTEST_TESTS_UNIT_TRUSTEE_SAMPLE_H
#define CRYPTATTEST_TESTS_UNIT_TRUSTEE_SAMPLE_H

#include "tests/lib/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "evidence/trustee_json.h"
#include "tests/lib/testpki.h"
#include "wire/json.h"

struct sample {
	uint8_t raw[SNP_REPORT_SIZE];
	struct evidence ev;
	json_t *obj, *report;
};

static inline int make(void **state)
{
	struct testpki *pki;

	if (testpki_open(NULL, &pki, NULL) < 0)
		return -1;
	*state = pki;
	return 0;
}

static inline int drop(void **state)
{
	testpki_free(*state);
	return 0;
}

static inline void sample_of(const struct snp_report *r, struct sample *s)
{
	char *text;

	snp_report_encode(r, s->raw);
	s->ev = (struct evidence){ .tee = TEE_SNP, .report = s->raw, .report_len = SNP_REPORT_SIZE };
	assert_ok(evidence_to_trustee_json(&s->ev, &text, &_err));
	assert_ok(json_parse(text, strlen(text), 1 << 20, false, &s->obj, &_err));
	s->report = json_object_get(s->obj, "attestation_report");
	free(text);
}

static inline int read_back(const json_t *obj, struct evidence *ret, struct err **err)
{
	_cleanup_free_ char *text = json_dumps(obj, JSON_COMPACT);

	return evidence_from_trustee_json(TEE_SNP, text, strlen(text), ret, err);
}

static inline void sample_reads_back(const struct sample *s)
{
	struct evidence ev;

	assert_ok(read_back(s->obj, &ev, &_err));
	assert_int_equal(ev.report_len, SNP_REPORT_SIZE);
	assert_memory_equal(ev.report, s->raw, SNP_REPORT_SIZE);
	assert_null(ev.aux);
	evidence_clear(&ev);
}

#endif
