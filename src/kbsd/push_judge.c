/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "kbsd/push_judge.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "evidence/trustee_json.h"

/* First, because it costs nothing: evidence of another connection is not looked at any further. */
static int check_report_data(const struct evidence *ev, const uint8_t expected[static PUSH_REPORT_DATA], struct err **err)
{
	uint8_t found[TEE_REPORT_DATA];
	char hex[2 * TEE_REPORT_DATA + 1];

	if (evidence_report_data(ev, found, err) < 0)
		return -1;
	if (memcmp(found, expected, sizeof(found)) == 0)
		return 0;
	hex_encode(found, sizeof(found), hex);
	err_set(err, ERR_REFUSED, "report-data",
		"the evidence (report data %.16s...) was not made for this connection: it is old, of another machine, or somebody sits in between", hex);
	return err_hint(err, "nothing was sent; find out who answers at this address");
}

static int check_verdict(const struct verdict *v, struct buf *note, struct err **err)
{
	if (v->verified)
		return 0;
	for (size_t i = 0; i < v->missing_n; i++)
		buf_printf(note, "missing: %s\n", v->missing[i]);
	if (*v->kds_url)
		buf_printf(note, "to be had from: %s\n", v->kds_url);
	return err_set(err, ERR_REFUSED, v->reason_id, "the machine's evidence: %s", v->reason);
}

/* 1: there are some, and they are the ones that the report names. */
static int take_init_data(const struct push_answer *a, const struct verdict *v, struct init_data *ret, struct err **err)
{
	const uint8_t *field = v->tee == TEE_SNP ? v->snp.host_data : v->tdx.body.mrconfigid;
	size_t len = v->tee == TEE_SNP ? 32 : 48;

	if (!a->init_data)
		return 0;
	if (init_data_parse(a->init_data, strlen(a->init_data), ret, err) < 0)
		return -1;
	if (init_data_matches(ret, field, len))
		return 1;
	init_data_clear(ret);
	return err_set(err, ERR_REFUSED, "init-data", "the init-data sent do not hash to the machine's %s",
		       v->tee == TEE_SNP ? "HOST_DATA" : "MRCONFIGID");
}

static int check_policy(const struct push_judge *j, const struct push_answer *a, const struct verdict *v, struct buf *note, struct err **err)
{
	__attribute__((cleanup(policy_decision_clear))) struct policy_decision d = { 0 };
	struct init_data id = { 0 };
	int have = take_init_data(a, v, &id, err), rc;
	const struct policy_request rq = { .resource = j->resource,
					   .verdict = v,
					   .init_data = have > 0 ? &id : NULL,
					   .test_server = trust_anchors_have_test(j->anchors) };

	if (have < 0)
		return -1;
	rc = policy_evaluate(j->policy, &rq, &d, err);
	if (have > 0)
		init_data_clear(&id);
	if (rc < 0)
		return -1;
	if (d.allow) {
		buf_printf(note, "%s: allowed by %s, covers %s; root %s\n", j->resource, d.rule, d.covers, v->root);
		return 0;
	}
	buf_append(note, d.explanation.data, d.explanation.len);
	return err_set(err, ERR_REFUSED, "policy-deny", "no rule of the policy accepts this machine for %s", j->resource);
}

/* The host may have put another disk before the right machine. */
static int check_volume(const struct push_judge *j, const struct push_answer *a, struct buf *note, struct err **err)
{
	if (push_instance_find(&a->instance, j->document->name, j->document->uuid))
		return 0;
	for (size_t i = 0; i < a->instance.n; i++)
		buf_printf(note, "waits for: %s, UUID %s\n", a->instance.volumes[i].name, a->instance.volumes[i].uuid);
	err_set(err, ERR_INTEGRITY, "push-volume", "the machine does not wait for the document's volume %s with the UUID %s", j->document->name,
		j->document->uuid);
	return err_hint(err, "another document, or another machine; nothing was sent");
}

int push_judge(const struct push_judge *j, const struct push_answer *a, struct push_binding *binding,
	       uint8_t ret_report_data[static PUSH_REPORT_DATA], struct buf *note, struct err **err)
{
	__attribute__((cleanup(evidence_clear))) struct evidence ev = { 0 };
	struct verdict v = { 0 };

	if (a->is_result)
		return err_set(err, ERR_REFUSED, "push-no-evidence", "the machine gives no evidence: %s%s%s%s", a->message, *a->id ? " [" : "", a->id,
			       *a->id ? "]" : "");
	memcpy(binding->machine, a->machine, sizeof(binding->machine));
	if (push_report_data(binding, &a->instance, ret_report_data, err) < 0 ||
	    evidence_from_trustee_object(tee_kind_by_name(a->tee), a->evidence, &ev, err) < 0 || check_report_data(&ev, ret_report_data, err) < 0)
		return -1;
	const struct verify_input in = { .evidence = &ev,
					 .anchors = j->anchors,
					 .ca = j->ca,
					 .ca_len = j->ca_len,
					 .store_dir = j->store_dir,
					 .report_data = ret_report_data,
					 .at = j->at };
	if (verify_evidence(&in, &v, err) < 0 || check_verdict(&v, note, err) < 0 || check_policy(j, a, &v, note, err) < 0)
		return -1;
	return check_volume(j, a, note, err);
}
