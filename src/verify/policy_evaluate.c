/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Evidence against rules. Each check writes a line when it fails, so a denial names every reason at once. */
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/text.h"
#include "verify/policy_rule.h"

#define EXPLANATION_MAX (1024 * 1024)
#define SECTIONS_EXPLAINED 16
#define VALUES_SHOWN 3

struct judge {
	const struct policy *policy;
	const struct policy_rule *rule;
	const struct policy_request *rq;
	struct buf *out; /* NULL: only the answer matters */
};

/* The beginning of a line "FILE:LINE [resource X]: KEY: found ", or false when nobody listens. */
static bool complain(const struct judge *j, const char *key)
{
	if (!j->out)
		return false;
	buf_printf(j->out, "%s:%u [resource %s]: %s: ", j->policy->file, j->rule->line, j->rule->pattern, key);
	return true;
}

static bool check_field(const struct judge *j, const struct policy_field *f)
{
	const uint8_t *found = (const uint8_t *)j->rq->verdict + f->offset;
	char hex[2 * PIN_MAX + 1];
	size_t shown = 0, wanted = 0;

	for (size_t i = 0; i < j->rule->n_pins; i++) {
		if (j->rule->pins[i].field != f)
			continue;
		if (memcmp(j->rule->pins[i].value, found, f->len) == 0)
			return true;
		wanted++;
	}
	if (wanted == 0)
		return true;
	if (!complain(j, f->name))
		return false;
	hex_encode(found, f->len, hex);
	buf_printf(j->out, "found %s, wanted ", hex);
	for (size_t i = 0; i < j->rule->n_pins && shown < VALUES_SHOWN; i++) {
		if (j->rule->pins[i].field != f)
			continue;
		hex_encode(j->rule->pins[i].value, f->len, hex);
		buf_printf(j->out, "%s%s", shown++ ? " or " : "", hex);
	}
	if (wanted > shown)
		buf_printf(j->out, " or one of %zu more", wanted - shown);
	buf_putc(j->out, '\n');
	return false;
}

static bool check_dangers(const struct judge *j)
{
	unsigned int bad = policy_dangers_of(j->rq->verdict) & ~j->rule->overrides;

	for (const struct policy_danger *d = policy_dangers; d->name; d++)
		if ((bad & d->bit) && complain(j, d->name))
			buf_printf(j->out, "found yes (%s), wanted no unless the rule says %s = allow\n", d->meaning, d->name);
	return bad == 0;
}

static bool check_signer(const struct judge *j)
{
	enum snp_signer s = j->rq->verdict->signer;

	/* VLEK is a danger of its own; what is neither was signed by nobody we know. */
	if (s == SIGNER_VCEK || s == SIGNER_VLEK)
		return true;
	if (complain(j, "signer"))
		buf_puts(j->out, "found none, wanted VCEK\n");
	return false;
}

static bool check_vmpl(const struct judge *j)
{
	unsigned int allowed = j->rule->vmpls ? j->rule->vmpls : 1;
	uint32_t vmpl = j->rq->verdict->snp.vmpl;

	if (vmpl < 4 && (allowed & 1U << vmpl))
		return true;
	if (complain(j, "vmpl")) {
		buf_printf(j->out, "found %u, wanted", vmpl);
		for (unsigned int i = 0; i < 4; i++)
			if (allowed & 1U << i)
				buf_printf(j->out, " %u", i);
		buf_putc(j->out, '\n');
	}
	return false;
}

static bool at_least(const struct snp_tcb *have, const struct snp_tcb *floor)
{
	return have->fmc >= floor->fmc && have->bootloader >= floor->bootloader && have->tee >= floor->tee && have->snp >= floor->snp &&
	       have->microcode >= floor->microcode;
}

static bool check_min_tcb(const struct judge *j)
{
	const struct snp_report *r = &j->rq->verdict->snp;
	const struct policy_rule *rule = j->rule;
	unsigned int g = r->generation < GENERATIONS ? r->generation : SNP_GEN_UNKNOWN;

	if (rule->tcb_none || ((rule->floors & 1U << g) && at_least(&r->reported_tcb, &rule->floor[g])))
		return true;
	if (!complain(j, "min-tcb"))
		return false;
	buf_puts(j->out, "found ");
	policy_put_tcb(j->out, g, &r->reported_tcb);
	buf_puts(j->out, ", wanted at least ");
	if (rule->floors & 1U << g)
		policy_put_tcb(j->out, g, &rule->floor[g]);
	else
		buf_printf(j->out, "a line for %s, which the rule does not have", policy_generation_word(g));
	buf_putc(j->out, '\n');
	return false;
}

static bool names_resource(const struct init_data *d, const char *resource)
{
	for (size_t i = 0; d->values && d->values[i]; i++) {
		const char *v = d->values[i];

		if (text_starts(v, "kbs:///"))
			v += strlen("kbs:///");
		if (text_eq(v, resource))
			return true;
	}
	return false;
}

static bool check_bind(const struct judge *j)
{
	const struct verdict *v = j->rq->verdict;
	const struct init_data *d = j->rq->init_data;
	bool snp = v->tee == TEE_SNP;
	const char *why = NULL;

	if (!j->rule->bind_init_data)
		return true;
	if (!d)
		why = "found no init-data in the request";
	else if (snp ? !init_data_matches(d, v->snp.host_data, sizeof(v->snp.host_data)) :
		       !init_data_matches(d, v->tdx.body.mrconfigid, sizeof(v->tdx.body.mrconfigid)))
		why = snp ? "found init-data that do not hash to HOST_DATA" : "found init-data that do not hash to MRCONFIGID";
	else if (!names_resource(d, j->rq->resource))
		why = "found init-data whose [data] do not name this resource";
	if (why && complain(j, "bind"))
		buf_printf(j->out, "%s, wanted a value %s there\n", why, j->rq->resource);
	return !why;
}

/* Every check is made, so that one look at the log is enough. */
static bool accepts(const struct judge *j)
{
	const struct verdict *v = j->rq->verdict;
	bool ok = true;

	if (v->tee != j->rule->tee) {
		if (complain(j, "tee"))
			buf_printf(j->out, "found %s, wanted %s\n", tee_kind_name(v->tee), tee_kind_name(j->rule->tee));
		return false;
	}
	for (const struct policy_field *f = policy_fields; f->name; f++)
		if (f->tee == v->tee)
			ok &= check_field(j, f);
	ok &= check_dangers(j);
	ok &= check_bind(j);
	if (v->tee == TEE_SNP) {
		ok &= check_signer(j);
		ok &= check_vmpl(j);
		ok &= check_min_tcb(j);
	}
	return ok;
}

/* Secrets of test and of real machines never meet: a server that trusts a test root would give a real one to anybody who has
 * the test key. *n counts matching sections. */
static bool test_allows(const struct policy *p, const struct policy_request *rq, size_t *n, struct buf *out)
{
	const struct policy_rule *odd = NULL;

	*n = 0;
	for (size_t i = 0; i < p->n; i++) {
		if (!policy_pattern_matches(p->rules[i]->pattern, rq->resource))
			continue;
		(*n)++;
		if (!odd && p->rules[i]->test != rq->test_server)
			odd = p->rules[i];
	}
	if (!odd)
		return true;
	if (rq->test_server)
		buf_printf(out,
			   "%s:%u [resource %s]: test: found a server with a test root, wanted test = yes in every section for this resource\n",
			   p->file, odd->line, odd->pattern);
	else
		buf_printf(out, "%s:%u [resource %s]: test: found a server without a test root, wanted no test = yes for this resource\n",
			   p->file, odd->line, odd->pattern);
	return false;
}

static void explain(const struct policy *p, const struct policy_request *rq, size_t matching, struct buf *out)
{
	size_t told = 0;

	for (size_t i = 0; i < p->n && told < SECTIONS_EXPLAINED; i++) {
		const struct judge j = { .policy = p, .rule = p->rules[i], .rq = rq, .out = out };

		if (policy_pattern_matches(p->rules[i]->pattern, rq->resource)) {
			accepts(&j);
			told++;
		}
	}
	if (matching > told)
		buf_printf(out, "and %zu more sections for this resource\n", matching - told);
	if (matching == 0)
		buf_printf(out, "%s: no section is for resource %s\n", p->file, rq->resource);
	buf_puts(out, "a rule that accepts this machine, if you know it as yours:\n");
	policy_suggest(rq->resource, rq->verdict, rq->test_server, out);
}

int policy_evaluate(const struct policy *p, const struct policy_request *rq, struct policy_decision *ret, struct err **err)
{
	struct policy_decision d = { .explanation = BUF_INIT(EXPLANATION_MAX) };
	size_t matching = 0;

	if (!policy_resource_ok(rq->resource, false)) {
		buf_puts(&d.explanation, "the resource asked for is not a name repository/type/tag\n");
	} else if (!rq->verdict->verified) {
		buf_printf(&d.explanation, "the evidence is not verified: %s: %s\n", rq->verdict->reason_id, rq->verdict->reason);
	} else if (!test_allows(p, rq, &matching, &d.explanation)) {
		d.allow = false;
	} else {
		for (size_t i = 0; i < p->n && !d.allow; i++) {
			const struct judge j = { .policy = p, .rule = p->rules[i], .rq = rq };

			if (!policy_pattern_matches(p->rules[i]->pattern, rq->resource) || !accepts(&j))
				continue;
			d.allow = true;
			snprintf(d.rule, sizeof(d.rule), "%.100s:%u", p->file, p->rules[i]->line);
			snprintf(d.covers, sizeof(d.covers), "%s", p->rules[i]->covers);
		}
		if (!d.allow)
			explain(p, rq, matching, &d.explanation);
	}
	if (buf_check(&d.explanation, err) < 0) {
		buf_free(&d.explanation);
		return -1;
	}
	*ret = d;
	return 0;
}

void policy_decision_clear(struct policy_decision *d)
{
	buf_free(&d->explanation);
	*d = (struct policy_decision){ 0 };
}
