/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "verify/vek.h"

#include <stdio.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/text.h"
#include "crypto/ossl.h"

#define AMD "1.3.6.1.4.1.3704.1."

/* The value bytes of an extension; *ret_len 0 when it is not there. */
static int find_ext(const X509 *x, const char *oid, const uint8_t **ret, size_t *ret_len, struct err **err)
{
	ASN1_OBJECT *obj = OBJ_txt2obj(oid, 1);
	int at = obj ? X509_get_ext_by_OBJ(x, obj, -1) : -1;
	bool again = at >= 0 && X509_get_ext_by_OBJ(x, obj, at) >= 0;
	const ASN1_OCTET_STRING *data;

	ASN1_OBJECT_free(obj);
	*ret = NULL;
	*ret_len = 0;
	if (!obj)
		return ossl_err(err, ERR_INTERNAL, "openssl", "%s", oid);
	if (again)
		return err_set(err, ERR_REFUSED, "vek-extension", "VEK certificate: extension %s stands twice", oid);
	if (at < 0)
		return 0;
	data = X509_EXTENSION_get_data(X509_get_ext(x, at));
	*ret = ASN1_STRING_get0_data(data);
	*ret_len = (size_t)ASN1_STRING_length(data);
	return 0;
}

static int malformed(const char *oid, const char *what, struct err **err)
{
	return err_set(err, ERR_REFUSED, "vek-extension", "VEK certificate: extension %s is %s", oid, what);
}

/* DER INTEGER 0..255, shortest form: 02 01 xx, or 02 02 00 xx from 80 on. */
static int read_level(const X509 *x, const char *oid, bool *ret_there, uint8_t *ret, struct err **err)
{
	const uint8_t *p;
	size_t len;

	if (find_ext(x, oid, &p, &len, err) < 0)
		return -1;
	*ret_there = p != NULL;
	if (!p)
		return 0;
	if (len == 3 && p[0] == 2 && p[1] == 1 && p[2] < 0x80)
		*ret = p[2];
	else if (len == 4 && p[0] == 2 && p[1] == 2 && p[2] == 0 && p[3] >= 0x80)
		*ret = p[3];
	else
		return malformed(oid, "no integer from 0 to 255", err);
	return 0;
}

static int need_level(const X509 *x, const char *oid, uint8_t *ret, struct err **err)
{
	bool there;

	if (read_level(x, oid, &there, ret, err) < 0)
		return -1;
	return there ? 0 : malformed(oid, "missing", err);
}

/* DER IA5String; "" when it is not there. */
static int read_string(const X509 *x, const char *oid, char *out, size_t cap, struct err **err)
{
	const uint8_t *p;
	size_t len;

	if (find_ext(x, oid, &p, &len, err) < 0)
		return -1;
	out[0] = 0;
	if (!p)
		return 0;
	if (len < 2 || p[0] != 0x16 || p[1] >= 0x80 || p[1] != len - 2 || p[1] >= cap)
		return malformed(oid, "no short string", err);
	text_sanitise((const char *)p + 2, p[1], out, cap);
	return 0;
}

/* Old certificates hold the bytes, newer ones an OCTET STRING of them; eight on Turin, else 64. */
static int read_hwid(const X509 *x, struct vek *v, struct err **err)
{
	const uint8_t *p;
	size_t len;

	if (find_ext(x, AMD "4", &p, &len, err) < 0)
		return -1;
	if (!p)
		return 0;
	if ((len == 66 || len == 10) && p[0] == 4 && p[1] == len - 2) {
		p += 2;
		len -= 2;
	}
	if (len != 64 && len != 8)
		return malformed(AMD "4", "no hardware id of 8 or 64 bytes", err);
	memcpy(v->hwid, p, len);
	v->hwid_len = len;
	return 0;
}

static int check_key(const X509 *x, struct err **err)
{
	const EVP_PKEY *key = X509_get0_pubkey(x);
	char group[32] = "";
	bool ok = key && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
		  EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) && strcmp(group, SN_secp384r1) == 0;

	ERR_clear_error();
	if (ok)
		return 0;
	return err_set(err, ERR_REFUSED, "vek-key", "VEK certificate: its key is not on P-384");
}

int vek_parse(const X509 *x, struct vek *ret, struct err **err)
{
	struct vek v = { 0 };

	cert_subject(x, v.subject);
	cert_issuer(x, v.issuer);
	if (check_key(x, err) < 0 || read_string(x, AMD "2", v.product, sizeof(v.product), err) < 0 ||
	    need_level(x, AMD "3.1", &v.bootloader, err) < 0 || need_level(x, AMD "3.2", &v.tee, err) < 0 ||
	    need_level(x, AMD "3.3", &v.snp, err) < 0 || need_level(x, AMD "3.8", &v.microcode, err) < 0 ||
	    read_level(x, AMD "3.9", &v.has_fmc, &v.fmc, err) < 0 || read_hwid(x, &v, err) < 0 ||
	    read_string(x, AMD "5", v.csp_id, sizeof(v.csp_id), err) < 0)
		return -1;
	*ret = v;
	return 0;
}

enum snp_generation vek_generation(const struct vek *v)
{
	const char *name = v->issuer;

	if (text_starts(name, "SEV-VLEK-"))
		name += strlen("SEV-VLEK-");
	else if (text_starts(name, "SEV-"))
		name += strlen("SEV-");
	for (enum snp_generation g = SNP_MILAN; g <= SNP_VENICE; g++)
		if (strcmp(name, snp_generation_name(g)) == 0)
			return g;
	return SNP_GEN_UNKNOWN;
}

int vek_check_identity(const struct vek *v, const struct snp_report *r, struct err **err)
{
	bool vlek = snp_signing_key(r) == 1;
	const char *subject = vlek ? "SEV-VLEK" : "SEV-VCEK", *gen = snp_generation_name(r->generation);
	char issuer[32];
	size_t n = strlen(gen);

	snprintf(issuer, sizeof(issuer), "SEV-%s%s", vlek ? "VLEK-" : "", gen);
	if (strcmp(v->subject, subject) != 0)
		return err_set(err, ERR_REFUSED, "vek-kind", "report is signed by %s, the certificate is \"%s\"", subject, v->subject);
	if (strcmp(v->issuer, issuer) != 0)
		return err_set(err, ERR_REFUSED, "vek-kind", "issuer of the VEK certificate is \"%s\", for this report it is \"%s\"",
			       v->issuer, issuer);
	if (strncmp(v->product, gen, n) != 0 || (v->product[n] && v->product[n] != '-'))
		return err_set(err, ERR_REFUSED, "snp-generation", "VEK certificate is for product \"%s\", the report is of %s",
			       v->product, gen);
	if (vlek && !v->csp_id[0])
		return malformed(AMD "5", "missing (the cloud provider of a VLEK)", err);
	return 0;
}

int vek_check_tcb(const struct vek *v, const struct snp_report *r, struct err **err)
{
	const struct snp_tcb *t = &r->reported_tcb;

	if (r->turin_layout && !v->has_fmc)
		return malformed(AMD "3.9", "missing", err);
	if (v->bootloader == t->bootloader && v->tee == t->tee && v->snp == t->snp && v->microcode == t->microcode &&
	    v->fmc == t->fmc)
		return 0;
	return err_set(err, ERR_REFUSED, "vek-tcb",
		       "TCB of the VEK certificate (fmc %u bootloader %u tee %u snp %u microcode %u) is not the reported one "
		       "(fmc %u bootloader %u tee %u snp %u microcode %u)",
		       v->fmc, v->bootloader, v->tee, v->snp, v->microcode, t->fmc, t->bootloader, t->tee, t->snp, t->microcode);
}

int vek_check_chip(const struct vek *v, const struct snp_report *r, bool *ret_masked, struct err **err)
{
	char have[129], want[129];

	/* A VLEK is a provider's, not a chip's. */
	*ret_masked = false;
	if (snp_signing_key(r) == 1)
		return 0;
	if (!v->hwid_len)
		return malformed(AMD "4", "missing", err);
	*ret_masked = all_zero(r->chip_id, sizeof(r->chip_id));
	if (*ret_masked)
		return 0;
	if (memcmp(v->hwid, r->chip_id, v->hwid_len) == 0 && all_zero(r->chip_id + v->hwid_len, 64 - v->hwid_len))
		return 0;
	hex_encode(v->hwid, v->hwid_len, have);
	hex_encode(r->chip_id, sizeof(r->chip_id), want);
	return err_set(err, ERR_REFUSED, "vek-chip-id", "VCEK certificate is of chip %s, the report of chip %s", have, want);
}
