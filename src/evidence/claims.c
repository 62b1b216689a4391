/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Decoded fields for people and --json; what a verdict proves is verify's to say. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "evidence/cert_table.h"
#include "evidence/event_log.h"
#include "evidence/snp_report.h"
#include "evidence/tdx_quote.h"
#include "evidence/trustee_json.h"
#include "wire/json.h"

/* Every put() takes a new reference; one NULL or failed insertion spoils the object, checked once at the end. */
struct out {
	json_t *obj;
	bool failed;
};

static void put(struct out *o, const char *key, json_t *v)
{
	if (!v || json_object_set_new(o->obj, key, v) < 0)
		o->failed = true;
}

static void put_hex(struct out *o, const char *key, const void *data, size_t len)
{
	_cleanup_free_ char *text = hex_encode_dup(data, len);

	put(o, key, text ? json_string(text) : NULL);
}

static void put_u64(struct out *o, const char *key, uint64_t v)
{
	char text[19];

	snprintf(text, sizeof(text), "0x%016" PRIx64, v);
	put(o, key, json_string(text));
}

static void put_int(struct out *o, const char *key, uint32_t v)
{
	put(o, key, json_integer(v));
}

static void put_flag(struct out *o, const char *key, uint64_t v)
{
	put(o, key, json_boolean(v != 0));
}

static void put_tcb(struct out *o, const char *key, const struct snp_tcb *t, bool turin_layout)
{
	struct out tcb = { .obj = json_object() };

	if (turin_layout)
		put_int(&tcb, "fmc", t->fmc);
	put_int(&tcb, "bootloader", t->bootloader);
	put_int(&tcb, "tee", t->tee);
	put_int(&tcb, "snp", t->snp);
	put_int(&tcb, "microcode", t->microcode);
	o->failed = o->failed || tcb.failed;
	put(o, key, tcb.obj);
}

static void put_version(struct out *o, const char *key, const struct snp_version *v)
{
	char text[16];

	snprintf(text, sizeof(text), "%u.%u.%u", v->major, v->minor, v->build);
	put(o, key, json_string(text));
}

static const char *signing_key_name(const struct snp_report *r)
{
	switch (snp_signing_key(r)) {
	case 0:
		return "vcek";
	case 1:
		return "vlek";
	case 7:
		return "none";
	default:
		return "unknown";
	}
}

static void put_policy(struct out *o, const struct snp_report *r)
{
	struct out p = { .obj = json_object() };
	char abi[16];

	snprintf(abi, sizeof(abi), "%u.%u", (unsigned int)(r->policy >> 8 & 0xFF), (unsigned int)(r->policy & 0xFF));
	put_u64(&p, "value", r->policy);
	put(&p, "abi", json_string(abi));
	put_flag(&p, "smt", r->policy & SNP_POLICY_SMT);
	put_flag(&p, "migration_agent", r->policy & SNP_POLICY_MIGRATE_MA);
	put_flag(&p, "debug", r->policy & SNP_POLICY_DEBUG);
	put_flag(&p, "single_socket", r->policy & SNP_POLICY_SINGLE_SOCKET);
	o->failed = o->failed || p.failed;
	put(o, "policy", p.obj);
}

static void put_certificates(struct out *o, const struct evidence *ev)
{
	struct cert_entry certs[CERT_TABLE_ENTRIES_MAX];
	json_t *list = json_array();
	size_t n = 0;

	/* A table that does not decode is shown as none here; the verdict names the fault. */
	if (cert_table_decode(ev->aux, ev->aux_len, certs, &n, NULL) < 0)
		n = 0;
	for (size_t i = 0; i < n; i++)
		if (json_array_append_new(list, json_string(cert_kind_name(certs[i].kind))) < 0)
			o->failed = true;
	put(o, "certificates", list);
}

static void put_snp(struct out *o, const struct snp_report *r)
{
	put_int(o, "version", r->version);
	put(o, "generation", json_string(snp_generation_name(r->generation)));
	if (r->has_cpuid) {
		const uint8_t cpuid[3] = { r->cpuid_fam, r->cpuid_mod, r->cpuid_step };

		put_hex(o, "cpuid", cpuid, sizeof(cpuid));
	}
	put_int(o, "guest_svn", r->guest_svn);
	put_policy(o, r);
	put_int(o, "vmpl", r->vmpl);
	put_hex(o, "family_id", r->family_id, sizeof(r->family_id));
	put_hex(o, "image_id", r->image_id, sizeof(r->image_id));
	put_u64(o, "platform_info", r->plat_info);
	put(o, "signing_key", json_string(signing_key_name(r)));
	put_flag(o, "author_key_en", snp_author_key_en(r));
	put_flag(o, "mask_chip_key", snp_masked_chip_key(r));
	put_hex(o, "report_data", r->report_data, sizeof(r->report_data));
	put_hex(o, "measurement", r->measurement, sizeof(r->measurement));
	put_hex(o, "host_data", r->host_data, sizeof(r->host_data));
	put_hex(o, "id_key_digest", r->id_key_digest, sizeof(r->id_key_digest));
	put_hex(o, "author_key_digest", r->author_key_digest, sizeof(r->author_key_digest));
	put_hex(o, "report_id", r->report_id, sizeof(r->report_id));
	put_hex(o, "report_id_ma", r->report_id_ma, sizeof(r->report_id_ma));
	put_hex(o, "chip_id", r->chip_id, sizeof(r->chip_id));
	put_tcb(o, "current_tcb", &r->current_tcb, r->turin_layout);
	put_tcb(o, "reported_tcb", &r->reported_tcb, r->turin_layout);
	put_tcb(o, "committed_tcb", &r->committed_tcb, r->turin_layout);
	put_tcb(o, "launch_tcb", &r->launch_tcb, r->turin_layout);
	put_version(o, "current_version", &r->current);
	put_version(o, "committed_version", &r->committed);
	if (r->has_mit_vector) {
		put_u64(o, "launch_mit_vector", r->launch_mit_vector);
		put_u64(o, "current_mit_vector", r->current_mit_vector);
	}
}

static void put_event_log(struct out *o, const struct evidence *ev, const struct tdx_quote *q)
{
	uint8_t rtmr[4][48];

	if (!ev->aux)
		put(o, "event_log", json_string("none"));
	else if (event_log_replay(ev->aux, ev->aux_len, rtmr, NULL) < 0)
		put(o, "event_log", json_string("malformed"));
	else if (memcmp(rtmr, q->body.rtmr, sizeof(rtmr)) != 0)
		put(o, "event_log", json_string("does not replay"));
	else
		put(o, "event_log", json_string("replays"));
}

static void put_qe(struct out *o, const struct tdx_quote *q)
{
	struct out qe = { .obj = json_object() };

	put_hex(&qe, "mrsigner", q->qe.mrsigner, sizeof(q->qe.mrsigner));
	put_hex(&qe, "mrenclave", q->qe.mrenclave, sizeof(q->qe.mrenclave));
	put_int(&qe, "isvprodid", q->qe.isvprodid);
	put_int(&qe, "isvsvn", q->qe.isvsvn);
	put_hex(&qe, "attributes", q->qe.attributes, sizeof(q->qe.attributes));
	put_hex(&qe, "cpusvn", q->qe.cpusvn, sizeof(q->qe.cpusvn));
	o->failed = o->failed || qe.failed;
	put(o, "quoting_enclave", qe.obj);
}

static void put_tdx(struct out *o, const struct tdx_quote *q)
{
	const struct tdx_body *b = &q->body;

	put_int(o, "version", q->version);
	put_int(o, "body_type", q->body_type);
	put_hex(o, "tee_tcb_svn", b->tee_tcb_svn, sizeof(b->tee_tcb_svn));
	put_hex(o, "mrseam", b->mrseam, sizeof(b->mrseam));
	put_hex(o, "mrsignerseam", b->mrsignerseam, sizeof(b->mrsignerseam));
	put_u64(o, "seam_attributes", b->seam_attributes);
	put_u64(o, "td_attributes", b->td_attributes);
	put_flag(o, "debug", b->td_attributes & TDX_ATTR_TUD);
	put_flag(o, "sept_ve_disable", b->td_attributes & TDX_ATTR_SEPT_VE_DISABLE);
	put_flag(o, "migratable", b->td_attributes & TDX_ATTR_MIGRATABLE);
	put_u64(o, "xfam", b->xfam);
	put_hex(o, "mrtd", b->mrtd, sizeof(b->mrtd));
	put_hex(o, "mrconfigid", b->mrconfigid, sizeof(b->mrconfigid));
	put_hex(o, "mrowner", b->mrowner, sizeof(b->mrowner));
	put_hex(o, "mrownerconfig", b->mrownerconfig, sizeof(b->mrownerconfig));
	put_hex(o, "rtmr0", b->rtmr[0], sizeof(b->rtmr[0]));
	put_hex(o, "rtmr1", b->rtmr[1], sizeof(b->rtmr[1]));
	put_hex(o, "rtmr2", b->rtmr[2], sizeof(b->rtmr[2]));
	put_hex(o, "rtmr3", b->rtmr[3], sizeof(b->rtmr[3]));
	put_hex(o, "report_data", b->report_data, sizeof(b->report_data));
	if (b->has_15) {
		put_hex(o, "tee_tcb_svn2", b->tee_tcb_svn2, sizeof(b->tee_tcb_svn2));
		put_hex(o, "mrservicetd", b->mrservicetd, sizeof(b->mrservicetd));
	}
	put_qe(o, q);
}

int evidence_claims(const struct evidence *ev, json_t **ret, struct err **err)
{
	struct snp_report snp;
	struct tdx_quote tdx;
	struct out o;

	if (ev->tee == TEE_NONE)
		return err_set(err, ERR_INTEGRITY, "evidence-format", "evidence: neither SNP nor TDX");
	if (ev->tee == TEE_SNP ? snp_report_decode(ev->report, ev->report_len, &snp, err) < 0 :
				 tdx_quote_decode(ev->report, ev->report_len, &tdx, err) < 0)
		return -1;
	o = (struct out){ .obj = json_object() };
	put(&o, "tee", json_string(tee_kind_name(ev->tee)));
	if (ev->tee == TEE_SNP) {
		put_snp(&o, &snp);
		put_certificates(&o, ev);
	} else {
		put_tdx(&o, &tdx);
		put_event_log(&o, ev, &tdx);
	}
	if (o.failed) {
		json_decref(o.obj);
		return err_nomem(err);
	}
	*ret = o.obj;
	return 0;
}
