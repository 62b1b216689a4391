/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <string.h>

#include "evidence/cert_table.h"
#include "tests/lib/testpki_int.h"

#define AMD "1.3.6.1.4.1.3704.1."

const uint8_t testpki_chip_id[64] = {
	0x7E, 0x57, 0xC4, 0x1F, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B,
	0x0C, 0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x1B,
	0x1C, 0x1D, 0x1E, 0x1F, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x2B,
	0x2C, 0x2D, 0x2E, 0x2F, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x3B,
};

static const struct snp_tcb pki_tcb = { .bootloader = 4, .tee = 0, .snp = 24, .microcode = 219 };

void testpki_vek_template(const struct testpki *pki, bool vlek, struct testpki_vek *ret)
{
	*ret = (struct testpki_vek){
		.vlek = vlek,
		.cn = vlek ? "SEV-VLEK" : "SEV-VCEK",
		.product = vlek ? "Milan" : "Milan-B0",
		.csp_id = vlek ? "CN=cc-test.cryptattest.invalid" : NULL,
		.bootloader = pki_tcb.bootloader,
		.tee = pki_tcb.tee,
		.snp = pki_tcb.snp,
		.microcode = pki_tcb.microcode,
		.hwid = vlek ? NULL : testpki_chip_id,
		.hwid_len = vlek ? 0 : sizeof(testpki_chip_id),
		.not_before = PKI_NOT_BEFORE,
		.not_after = PKI_NOT_AFTER,
	};
}

static int add_int(X509 *x, const char *oid, uint8_t v)
{
	const uint8_t small[] = { 0x02, 0x01, v }, large[] = { 0x02, 0x02, 0x00, v };

	return v < 0x80 ? pki_add_raw(x, oid, small, sizeof(small)) : pki_add_raw(x, oid, large, sizeof(large));
}

static int add_string(X509 *x, const char *oid, const char *s)
{
	uint8_t der[128] = { 0x16, (uint8_t)strlen(s) };

	memcpy(der + 2, s, der[1]);
	return pki_add_raw(x, oid, der, 2U + der[1]);
}

static int add_hwid(X509 *x, const struct testpki_vek *v)
{
	uint8_t der[2 + 64] = { 0x04, (uint8_t)v->hwid_len };

	memcpy(der + 2, v->hwid, v->hwid_len);
	return v->hwid_octet_string ? pki_add_raw(x, AMD "4", der, 2 + v->hwid_len) :
				      pki_add_raw(x, AMD "4", v->hwid, v->hwid_len);
}

static int extend_vek(X509 *x, const void *arg)
{
	const struct testpki_vek *v = arg;

	return add_int(x, AMD "1", 0) && (!v->product || add_string(x, AMD "2", v->product)) &&
	       add_int(x, AMD "3.1", v->bootloader) && add_int(x, AMD "3.2", v->tee) && add_int(x, AMD "3.3", v->snp) &&
	       (!v->repeat_snp || add_int(x, AMD "3.3", v->snp)) && add_int(x, AMD "3.4", 0) && add_int(x, AMD "3.5", 0) &&
	       add_int(x, AMD "3.6", 0) && add_int(x, AMD "3.7", 0) && add_int(x, AMD "3.8", v->microcode) &&
	       (!v->fmc || add_int(x, AMD "3.9", 0)) && (!v->hwid || add_hwid(x, v)) &&
	       (!v->csp_id || add_string(x, AMD "5", v->csp_id));
}

int pki_amd_leaf(const struct testpki *pki, const struct testpki_vek *v, X509 **ret, struct err **err)
{
	enum pki_item issuer = v->vlek != v->wrong_issuer ? PKI_ASVK : PKI_ASK;
	struct pki_cert c = {
		.subject = { .cn = v->cn },
		.key = pki->key[v->vlek ? PKI_VLEK : PKI_VCEK],
		.issuer = pki->cert[issuer],
		.issuer_key = pki->key[issuer],
		.sig = v->salt_32 ? SIG_PSS_SALT_32 : SIG_PSS,
		.pathlen = -1,
		.not_before = v->not_before,
		.not_after = v->not_after,
		.extend = extend_vek,
		.arg = v,
	};
	EVP_PKEY *weak = NULL;
	int r;

	if (v->weak_key && pki_key_ec("P-256", &weak, err) < 0)
		return -1;
	if (weak)
		c.key = weak;
	r = pki_issue(&c, ret, err);
	EVP_PKEY_free(weak);
	return r;
}

static int put_der(X509 *x, struct buf *out, struct err **err)
{
	uint8_t *der = NULL;
	int len = i2d_X509(x, &der);

	if (len < 0)
		return pki_fail(err, "encoding");
	buf_append(out, der, (size_t)len);
	OPENSSL_free(der);
	return buf_check(out, err);
}

int testpki_vek_issue(const struct testpki *pki, const struct testpki_vek *spec, struct buf *ret_der, struct err **err)
{
	X509 *x = NULL;
	int r;

	if (pki_amd_leaf(pki, spec, &x, err) < 0)
		return -1;
	r = put_der(x, ret_der, err);
	X509_free(x);
	return r;
}

int testpki_der(const struct testpki *pki, const char *name, struct buf *out, struct err **err)
{
	static const char *const names[] = { "ark", "ask", "asvk", "vcek", "vlek", "intel-root", "pck-ca", "pck" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return put_der(pki->cert[i], out, err);
	return err_set(err, ERR_CONFIG, "testpki", "test PKI: no certificate %s", name);
}

int testpki_snp_certs(const struct testpki *pki, bool vlek, struct buf *out, struct err **err)
{
	const char *const names[] = { vlek ? "vlek" : "vcek", vlek ? "asvk" : "ask", "ark" };
	const enum cert_kind kinds[] = { vlek ? CERT_VLEK : CERT_VCEK, CERT_ASK, CERT_ARK };
	struct cert_entry entries[3] = { 0 };
	_cleanup_buf_ struct buf der = BUF_INIT(CERT_TABLE_MAX);
	size_t at[4] = { 0 };

	for (size_t i = 0; i < 3; i++) {
		if (testpki_der(pki, names[i], &der, err) < 0)
			return -1;
		at[i + 1] = der.len;
	}
	for (size_t i = 0; i < 3; i++)
		entries[i] = (struct cert_entry){ .kind = kinds[i], .der = der.data + at[i], .der_len = at[i + 1] - at[i] };
	return cert_table_encode(entries, 3, out, err);
}

void testpki_snp_template(const struct testpki *pki, struct snp_report *ret)
{
	*ret = (struct snp_report){
		.version = 3,
		.policy = SNP_POLICY_SMT | SNP_POLICY_ONE,
		.sig_algo = 1,
		.plat_info = 0x25,
		.current_tcb = pki_tcb,
		.reported_tcb = pki_tcb,
		.committed_tcb = pki_tcb,
		.launch_tcb = pki_tcb,
		.has_cpuid = true,
		.cpuid_fam = 0x19,
		.cpuid_mod = 0x01,
		.cpuid_step = 0x01,
		.current = { .build = 29, .minor = 55, .major = 1 },
		.committed = { .build = 29, .minor = 55, .major = 1 },
		.generation = SNP_MILAN,
	};
	memcpy(ret->chip_id, testpki_chip_id, sizeof(ret->chip_id));
	memset(ret->measurement, 0x4D, sizeof(ret->measurement));
	memset(ret->report_id, 0x1D, sizeof(ret->report_id));
	memset(ret->report_id_ma, 0xFF, sizeof(ret->report_id_ma));
}

/* The report stores r and s little-endian in 72 bytes each. */
static void reverse_into(uint8_t out[static 72], const uint8_t in[static 48])
{
	memset(out, 0, 72);
	for (size_t i = 0; i < 48; i++)
		out[i] = in[47 - i];
}

int testpki_snp_sign(const struct testpki *pki, struct snp_report *r, uint8_t out[static SNP_REPORT_SIZE], struct err **err)
{
	EVP_PKEY *key = pki->key[snp_signing_key(r) == 1 ? PKI_VLEK : PKI_VCEK];
	uint8_t rr[48], ss[48];

	snp_report_encode(r, out);
	if (pki_sign_rs(key, EVP_sha384(), out, SNP_SIGNED_SIZE, rr, ss, 48, err) < 0)
		return -1;
	reverse_into(r->sig_r, rr);
	reverse_into(r->sig_s, ss);
	snp_report_encode(r, out);
	return 0;
}
