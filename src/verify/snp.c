/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* SEV-SNP: tee-evidence.md 4.1. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "evidence/cert_table.h"
#include "verify/appraise.h"
#include "verify/chain.h"
#include "verify/store.h"
#include "verify/vek.h"

struct snp {
	const struct verify_input *in;
	struct verdict *v;
	struct snp_report *r; /* v->snp */
	bool vlek;
	struct cert_pool pool; /* chain candidates */
	struct cert_pool leaf; /* the first is used */
};

static void snp_clear(struct snp *s)
{
	cert_pool_free(&s->pool);
	cert_pool_free(&s->leaf);
}

static int check_key_info(struct snp *s, struct err **err)
{
	unsigned int key = snp_signing_key(s->r);

	if (key > 1)
		return err_set(err, ERR_REFUSED, "snp-signing-key", "report says signing key %u%s: only VCEK (0) and VLEK (1) prove anything",
			       key, key == 7 ? " (none)" : "");
	if (snp_masked_chip_key(s->r))
		return err_set(err, ERR_REFUSED, "snp-masked-key", "report says MASK_CHIP_KEY: the chip's key is not in use");
	s->vlek = key == 1;
	s->v->signer = s->vlek ? SIGNER_VLEK : SIGNER_VCEK;
	return 0;
}

/* --- certificates: from the evidence, then by option, then from the store --- */

static int take_table(struct snp *s, struct err **err)
{
	const struct evidence *ev = s->in->evidence;
	struct cert_entry certs[CERT_TABLE_ENTRIES_MAX];
	size_t n;

	if (cert_table_decode(ev->aux, ev->aux_len, certs, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		bool leaf = certs[i].kind == (s->vlek ? CERT_VLEK : CERT_VCEK);
		bool chain = certs[i].kind == CERT_ASK || certs[i].kind == CERT_ARK;

		if (leaf && s->leaf.n)
			return err_set(err, ERR_REFUSED, "snp-certificates", "the evidence holds two certificates of kind %s",
				       cert_kind_name(certs[i].kind));
		if ((leaf || chain) && cert_pool_add(leaf ? &s->leaf : &s->pool, certs[i].der, certs[i].der_len,
						     cert_kind_name(certs[i].kind), ERR_REFUSED, err) < 0)
			return err_wrap(err, "certificates of the evidence");
	}
	return 0;
}

/* A VEK file may hold the chain behind the leaf, as Azure's does. */
static int take_option_vek(struct snp *s, struct err **err)
{
	struct cert_pool *to = s->leaf.n ? &s->pool : &s->leaf;

	if (!s->in->vek)
		return 0;
	if (cert_pool_add(to, s->in->vek, s->in->vek_len, s->in->vek_file ? s->in->vek_file : "VEK", ERR_CONFIG, err) < 0)
		return -1;
	for (; s->leaf.n > 1; s->leaf.n--) {
		if (s->pool.n == CERT_POOL_MAX)
			return err_set(err, ERR_CONFIG, "certificate", "VEK: too many certificates");
		s->pool.cert[s->pool.n++] = s->leaf.cert[s->leaf.n - 1];
	}
	return 0;
}

static int take_certificates(struct snp *s, struct err **err)
{
	if (take_table(s, err) < 0 || take_option_vek(s, err) < 0)
		return -1;
	if (s->in->ca && cert_pool_add_own(&s->pool, s->in->ca, s->in->ca_len, s->in->ca_file, s->in->anchors->cache, err) < 0)
		return -1;
	if (!s->leaf.n && !s->vlek && s->in->store_dir && !all_zero(s->r->chip_id, sizeof(s->r->chip_id)))
		return store_read_vcek(s->in->store_dir, s->r, &s->leaf, err);
	return 0;
}

/* --- generation --- */

/* Without a leaf, a version 2 report's generation can only be guessed, and only for the sake of the URL. */
static enum snp_generation guess_generation(const struct cert_pool *pool)
{
	enum snp_generation found = SNP_GEN_UNKNOWN;

	for (enum snp_generation g = SNP_MILAN; g <= SNP_GENOA; g++) {
		char cn[32];

		snprintf(cn, sizeof(cn), "ARK-%s", snp_generation_name(g));
		if (!cert_pool_has(pool, cn))
			continue;
		if (found != SNP_GEN_UNKNOWN)
			return SNP_GEN_UNKNOWN;
		found = g;
	}
	return found;
}

static void describe_tcb(struct verdict *v)
{
	const struct snp_tcb *t = &v->snp.reported_tcb;
	char gen[16], fmc[16] = "";

	snprintf(gen, sizeof(gen), "%s", snp_generation_name(v->snp.generation));
	gen[0] = (char)tolower((unsigned char)gen[0]);
	if (v->snp.turin_layout)
		snprintf(fmc, sizeof(fmc), "fmc:%u ", t->fmc);
	snprintf(v->tcb, sizeof(v->tcb), "%s %sbootloader:%u tee:%u snp:%u microcode:%u", gen, fmc, t->bootloader, t->tee,
		 t->snp, t->microcode);
}

/* Version 2 carries no CPUID: the issuer of the key that signed it tells Milan from Genoa (both lay the TCB out alike). */
static int settle_generation(struct snp *s, const struct vek *vek, struct err **err)
{
	enum snp_generation g = vek_generation(vek);

	if (s->r->generation == SNP_GEN_UNKNOWN && s->r->version == 2 && (g == SNP_MILAN || g == SNP_GENOA))
		s->r->generation = g;
	describe_tcb(s->v);
	if (s->r->generation == SNP_GEN_UNKNOWN)
		return err_set(err, ERR_REFUSED, "snp-generation", "processor generation is unknown (CPUID %02x %02x, VEK issuer \"%s\")",
			       s->r->cpuid_fam, s->r->cpuid_mod, vek->issuer);
	return 0;
}

/* --- what is not there --- */

static int no_leaf(struct snp *s, struct err **err)
{
	bool unknown = s->r->generation == SNP_GEN_UNKNOWN;

	if (s->vlek) {
		verdict_missing(s->v, "VLEK certificate: only the cloud provider has it, in the host's certificate table");
		return err_set(err, ERR_REFUSED, "vek-missing", "the VLEK certificate that signed this report is not there");
	}
	if (unknown)
		s->r->generation = guess_generation(&s->pool);
	unknown = s->r->generation == SNP_GEN_UNKNOWN;
	if (unknown && s->r->version != 2)
		return err_set(err, ERR_REFUSED, "snp-generation", "processor generation is unknown (CPUID %02x %02x)", s->r->cpuid_fam,
			       s->r->cpuid_mod);
	if (all_zero(s->r->chip_id, sizeof(s->r->chip_id))) {
		verdict_missing(s->v, "VCEK certificate: the chip id is masked, so it cannot be asked for");
		return err_set(err, ERR_REFUSED, "vek-missing", "the VCEK certificate that signed this report is not there");
	}
	if (unknown) {
		s->r->generation = SNP_MILAN;
		verdict_missing(s->v, "VCEK certificate of this chip (version 2 names no generation: if not Milan, write Genoa in the URL)");
	} else {
		verdict_missing(s->v, "VCEK certificate of this chip at this TCB");
	}
	store_vcek_url(s->r, s->v->kds_url);
	if (unknown)
		s->r->generation = SNP_GEN_UNKNOWN;
	return err_set(err, ERR_REFUSED, "vek-missing", "the VCEK certificate that signed this report is not there: fetch %s",
		       s->v->kds_url);
}

/* Reads the store only when nobody sent the chain. */
static int need_chain(struct snp *s, const char *intermediate, const char *root, struct err **err)
{
	bool have_root = cert_pool_has(&s->pool, root) || cert_pool_has(&s->in->anchors->test, root);

	if (cert_pool_has(&s->pool, intermediate) && have_root)
		return 0;
	if (s->in->store_dir && store_read_chain(s->in->store_dir, s->r, &s->pool, err) < 0)
		return -1;
	have_root = cert_pool_has(&s->pool, root) || cert_pool_has(&s->in->anchors->test, root);
	if (!cert_pool_has(&s->pool, intermediate))
		verdict_missing(s->v, "intermediate certificate %s", intermediate);
	if (!have_root)
		verdict_missing(s->v, "root certificate %s", root);
	if (!s->v->missing_n)
		return 0;
	store_chain_url(s->r, s->v->kds_url);
	return err_set(err, ERR_REFUSED, "chain-missing", "the certificate chain is not complete: fetch %s", s->v->kds_url);
}

/* --- checks --- */

static int check_chain(struct snp *s, struct err **err)
{
	const char *gen = snp_generation_name(s->r->generation);
	char intermediate[32], root[32];
	const struct chain_request rq = {
		.tee = TEE_SNP,
		.leaf = s->leaf.cert[0],
		.intermediate = intermediate,
		.root = root,
		.pool = &s->pool,
		.anchors = s->in->anchors,
		.at = s->in->at,
	};
	bool test;

	snprintf(intermediate, sizeof(intermediate), "SEV-%s%s", s->vlek ? "VLEK-" : "", gen);
	snprintf(root, sizeof(root), "ARK-%s", gen);
	if (need_chain(s, intermediate, root, err) < 0 || chain_verify(&rq, &test, err) < 0)
		return -1;
	verdict_root(s->v, root, test);
	return 0;
}

static int check_vek(struct snp *s, const struct vek *vek, struct err **err)
{
	bool masked;

	if (vek_check_tcb(vek, s->r, err) < 0 || vek_check_chip(vek, s->r, &masked, err) < 0)
		return -1;
	if (masked)
		verdict_missing(s->v, "chip id: masked in the report, not compared with the VCEK");
	if (s->vlek)
		snprintf(s->v->csp_id, sizeof(s->v->csp_id), "%s", vek->csp_id);
	return 0;
}

static bool to_big_endian(const uint8_t in[static 72], uint8_t out[static 48])
{
	for (size_t i = 0; i < 48; i++)
		out[i] = in[47 - i];
	return all_zero(in + 48, 24);
}

static int check_signature(const struct snp *s, struct err **err)
{
	uint8_t r[48], ss[48];

	if (!to_big_endian(s->r->sig_r, r) || !to_big_endian(s->r->sig_s, ss))
		return err_set(err, ERR_REFUSED, "snp-signature", "signature of the report is longer than 48 bytes a number");
	return ecdsa_check(X509_get0_pubkey(s->leaf.cert[0]), EVP_sha384(), s->in->evidence->report, SNP_SIGNED_SIZE, r, ss, 48,
			   "snp-signature", "signature of the report is not by this VEK", err);
}

int appraise_snp(const struct verify_input *in, struct verdict *v, struct err **err)
{
	__attribute__((cleanup(snp_clear))) struct snp s = { .in = in, .v = v, .r = &v->snp,
		.pool = { .cache = in->anchors->cache }, .leaf = { .cache = in->anchors->cache } };
	struct vek vek;

	if (snp_report_decode(in->evidence->report, in->evidence->report_len, &v->snp, err) < 0)
		return -1;
	describe_tcb(v);
	if (check_key_info(&s, err) < 0 || take_certificates(&s, err) < 0)
		return -1;
	if (!s.leaf.n)
		return no_leaf(&s, err);
	if (vek_parse(s.leaf.cert[0], &vek, err) < 0 || settle_generation(&s, &vek, err) < 0 ||
	    vek_check_identity(&vek, s.r, err) < 0 || check_chain(&s, err) < 0 || check_vek(&s, &vek, err) < 0)
		return -1;
	return check_signature(&s, err);
}
