/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The leaf certificate, wrong in one point each, and against the report. */
#include "tests/unit/snp_sample.h"

/* The table with this leaf in place of the PKI's own. */
static void sample_use_vek(const struct judge *j, struct sample *s, const struct testpki_vek *vek)
{
	_cleanup_buf_ struct buf leaf = BUF_INIT(8192), ca = BUF_INIT(8192), ark = BUF_INIT(8192);
	struct cert_entry e[3] = { { .kind = vek->vlek ? CERT_VLEK : CERT_VCEK }, { .kind = CERT_ASK }, { .kind = CERT_ARK } };

	assert_ok(testpki_vek_issue(j->pki, vek, &leaf, &_err));
	assert_ok(testpki_der(j->pki, vek->vlek != vek->wrong_issuer ? "asvk" : "ask", &ca, &_err));
	assert_ok(testpki_der(j->pki, "ark", &ark, &_err));
	e[0].der = leaf.data, e[0].der_len = leaf.len;
	e[1].der = ca.data, e[1].der_len = ca.len;
	e[2].der = ark.data, e[2].der_len = ark.len;
	buf_reset(&s->table);
	assert_ok(cert_table_encode(e, 3, &s->table, &_err));
	sample_sign(j, s);
}

static void wrong_veks_are_refused(void **state)
{
	static const uint8_t other_chip[64] = { 1 };
	struct {
		const char *what, *id;
		struct testpki_vek v;
	} cases[] = {
		{ "octet string", NULL, { .hwid_octet_string = true } },
		{ "bootloader", "vek-tcb", { .bootloader = 5 } },
		{ "tee", "vek-tcb", { .tee = 1 } },
		{ "snp", "vek-tcb", { .snp = 23 } },
		{ "microcode", "vek-tcb", { .microcode = 218 } },
		{ "chip", "vek-chip-id", { .hwid = other_chip, .hwid_len = 64 } },
		{ "chip of eight bytes", "vek-chip-id", { .hwid_len = 8 } },
		{ "odd hardware id", "vek-extension", { .hwid_len = 63 } },
		{ "product", "snp-generation", { .product = "Genoa-B0" } },
		{ "product that only starts alike", "snp-generation", { .product = "Milano" } },
		{ "subject", "vek-kind", { .cn = "SEV-VLEK" } },
		{ "subject in Trustee's words", "vek-kind", { .cn = "VCEK" } },
		{ "issuer", "vek-kind", { .wrong_issuer = true } },
		{ "curve", "vek-key", { .weak_key = true } },
		{ "repeated extension", "vek-extension", { .repeat_snp = true } },
		{ "FMC of zero", NULL, { .fmc = true } },
		{ "salt", "chain-algorithm", { .salt_32 = true } },
		{ "expired", "chain-expired", { .not_after = JUDGE_AT - 1 } },
		{ "not yet valid", "chain-not-yet-valid", { .not_before = JUDGE_AT + 1 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_sample_ struct sample s;
		struct testpki_vek v, *c = &cases[i].v;

		testpki_vek_template(((struct judge *)*state)->pki, false, &v);
		v.hwid_octet_string = c->hwid_octet_string;
		v.bootloader = c->bootloader ? c->bootloader : v.bootloader;
		v.tee = c->tee;
		v.snp = c->snp ? c->snp : v.snp;
		v.microcode = c->microcode ? c->microcode : v.microcode;
		v.hwid = c->hwid ? c->hwid : v.hwid;
		v.hwid_len = c->hwid_len ? c->hwid_len : v.hwid_len;
		v.product = c->product ? c->product : v.product;
		v.cn = c->cn ? c->cn : v.cn;
		v.wrong_issuer = c->wrong_issuer;
		v.weak_key = c->weak_key;
		v.repeat_snp = c->repeat_snp;
		v.fmc = c->fmc;
		v.salt_32 = c->salt_32;
		v.not_after = c->not_after ? c->not_after : v.not_after;
		v.not_before = c->not_before ? c->not_before : v.not_before;
		sample_init(*state, &s);
		sample_use_vek(*state, &s, &v);
		judged(cases[i].what, *state, &s, cases[i].id);
	}
}

static void extensions_that_must_be_there(void **state)
{
	const struct judge *j = *state;
	_cleanup_sample_ struct sample a, b, c;
	struct testpki_vek v;

	testpki_vek_template(j->pki, false, &v);
	v.hwid = NULL;
	sample_init(j, &a);
	sample_use_vek(j, &a, &v);
	judged("no hardware id", j, &a, "vek-extension");
	testpki_vek_template(j->pki, false, &v);
	v.product = NULL;
	sample_init(j, &b);
	sample_use_vek(j, &b, &v);
	judged("no product", j, &b, "snp-generation");
	testpki_vek_template(j->pki, true, &v);
	v.csp_id = NULL;
	sample_init(j, &c);
	c.r.key_info = 4;
	sample_use_vek(j, &c, &v);
	judged("no provider", j, &c, "vek-extension");
}

/* The key that signed and the certificate must be of the kind that the report says. */
static void other_kind_by_option(void **state)
{
	const struct judge *j = *state;

	for (int vlek = 0; vlek < 2; vlek++) {
		_cleanup_buf_ struct buf other = BUF_INIT(8192), ca = BUF_INIT(16384);
		_cleanup_sample_ struct sample s;
		struct verdict v;

		sample_init(j, &s);
		s.r.key_info = vlek ? 4 : 0;
		sample_sign(j, &s);
		assert_ok(testpki_der(j->pki, vlek ? "vcek" : "vlek", &other, &_err));
		assert_ok(testpki_der(j->pki, "ask", &ca, &_err));
		assert_ok(testpki_der(j->pki, "asvk", &ca, &_err));
		judge_evidence(j, (struct verify_input){ .evidence = &s.ev, .vek = other.data, .vek_len = other.len, .ca = ca.data,
							 .ca_len = ca.len }, &v);
		assert_verdict("other kind", &v, "vek-kind");
	}
}

static void masked_chip_id_is_said(void **state)
{
	_cleanup_sample_ struct sample s, alone;
	struct verdict v;

	sample_use(*state, &s, false);
	memset(s.r.chip_id, 0, sizeof(s.r.chip_id));
	sample_sign(*state, &s);
	judge_evidence(*state, (struct verify_input){ .evidence = &s.ev }, &v);
	assert_verdict("masked", &v, NULL);
	assert_int_equal(v.missing_n, 1);
	assert_non_null(strstr(v.missing[0], "chip id"));
	sample_init(*state, &alone);
	memset(alone.r.chip_id, 0, sizeof(alone.r.chip_id));
	sample_sign(*state, &alone);
	judge_evidence(*state, (struct verify_input){ .evidence = &alone.ev }, &v);
	assert_verdict("masked, no certificate", &v, "vek-missing");
	assert_string_equal(v.kds_url, "");
}

/* AMD's roots are pinned and have 4096 bits: one with less would have to be signed by them, or come in with a new pin. */
static void small_keys_are_refused(void **state)
{
	static const struct {
		const char *what, *id;
		int ark, ask;
	} cases[] = {
		{ "4096 throughout", NULL, 4096, 4096 },
		{ "ASK of 3072", "chain-algorithm", 4096, 3072 },
		{ "ARK of 3072", "chain-algorithm", 3072, 4096 },
		{ "ASK of 4088", "chain-algorithm", 4096, 4088 },
		{ "ARK of 2048", "chain-algorithm", 2048, 4096 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_buf_ struct buf root = BUF_INIT(8192);
		_cleanup_sample_ struct sample s;
		struct judge j = *(struct judge *)*state;

		sample_init(&j, &s);
		assert_ok(testpki_amd_chain(j.pki, cases[i].ark, cases[i].ask, &s.table, &root, &_err));
		sample_sign(&j, &s);
		assert_ok(trust_anchors_new(&j.trusting, &_err));
		assert_ok(trust_anchors_add_test_root(j.trusting, root.data, root.len, &_err));
		judged(cases[i].what, &j, &s, cases[i].id);
		trust_anchors_free(j.trusting);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_veks_are_refused),
		cmocka_unit_test(extensions_that_must_be_there),
		cmocka_unit_test(other_kind_by_option),
		cmocka_unit_test(masked_chip_id_is_said),
		cmocka_unit_test(small_keys_are_refused),
	};

	return cmocka_run_group_tests(tests, judge_setup, judge_teardown);
}
