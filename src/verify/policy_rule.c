/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The keys of a rule. A repeated key means any of its values; keys that can have only one are errors the second time. */
#include "verify/policy_rule.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"

#define PINS_MAX 4096

#define SNP(text, member, zero) \
	{ text, TEE_SNP, sizeof(((struct verdict *)0)->snp.member), offsetof(struct verdict, snp.member), zero }
#define TDX(text, member, zero) \
	{ text, TEE_TDX, sizeof(((struct verdict *)0)->tdx.body.member), offsetof(struct verdict, tdx.body.member), zero }

const struct policy_field policy_fields[] = {
	SNP("measurement", measurement, true),
	SNP("host-data", host_data, false),
	SNP("report-id", report_id, true),
	SNP("chip-id", chip_id, true),
	SNP("family-id", family_id, false),
	SNP("image-id", image_id, false),
	SNP("id-key-digest", id_key_digest, true),
	SNP("author-key-digest", author_key_digest, true),
	TDX("mrtd", mrtd, true),
	TDX("rtmr0", rtmr[0], false),
	TDX("rtmr1", rtmr[1], false),
	TDX("rtmr2", rtmr[2], false),
	TDX("rtmr3", rtmr[3], false),
	TDX("mrconfigid", mrconfigid, false),
	TDX("mrowner", mrowner, false),
	TDX("mrownerconfig", mrownerconfig, false),
	{ NULL },
};

const struct policy_danger policy_dangers[] = {
	{ "debug", OVERRIDE_DEBUG, TEE_NONE, "the host can read and write this guest's memory" },
	{ "migration-agent", OVERRIDE_MIGRATION_AGENT, TEE_SNP, "another guest may receive this guest's memory" },
	{ "vlek", OVERRIDE_VLEK, TEE_SNP, "signed by a key that the cloud provider loads, not by the chip's own" },
	{ "masked-chip-id", OVERRIDE_MASKED_CHIP_ID, TEE_SNP, "the host hides which chip this is" },
	{ "migratable", OVERRIDE_MIGRATABLE, TEE_TDX, "the host may move this guest to another machine" },
	{ NULL },
};

unsigned int policy_dangers_of(const struct verdict *v)
{
	const struct snp_report *r = &v->snp;
	uint8_t none[sizeof(r->report_id_ma)];
	unsigned int found = 0;

	if (v->tee == TEE_TDX) {
		if (v->tdx.body.td_attributes & TDX_ATTR_TUD)
			found |= OVERRIDE_DEBUG;
		/* A bound service TD is what moves a TD, as the migration agent is on SNP. */
		if ((v->tdx.body.td_attributes & TDX_ATTR_MIGRATABLE) ||
		    !all_zero(v->tdx.body.mrservicetd, sizeof(v->tdx.body.mrservicetd)))
			found |= OVERRIDE_MIGRATABLE;
		return found;
	}
	memset(none, 0xff, sizeof(none)); /* REPORT_ID_MA without an agent */
	if (r->policy & SNP_POLICY_DEBUG)
		found |= OVERRIDE_DEBUG;
	if ((r->policy & SNP_POLICY_MIGRATE_MA) || memcmp(r->report_id_ma, none, sizeof(none)) != 0)
		found |= OVERRIDE_MIGRATION_AGENT;
	if (v->signer == SIGNER_VLEK || snp_signing_key(r) == 1)
		found |= OVERRIDE_VLEK;
	if (all_zero(r->chip_id, sizeof(r->chip_id)) || snp_masked_chip_key(r))
		found |= OVERRIDE_MASKED_CHIP_ID;
	return found;
}

static int refuse(struct err **err, const char *key, const char *value, const char *allowed)
{
	return err_set(err, ERR_CONFIG, "policy-value", "%s = %.140s: allowed: %s", key, value, allowed);
}

/* Notes where a key stands that may stand once. */
static int once(unsigned int *seen, const char *key, unsigned int line, struct err **err)
{
	if (*seen)
		return err_set(err, ERR_CONFIG, "policy-key", "%s stands twice in this rule, first in line %u", key, *seen);
	*seen = line;
	return 0;
}

static int set_pin(struct policy_rule *r, const struct policy_field *f, const char *value, unsigned int line, struct err **err)
{
	struct policy_pin pin = { .field = f, .line = line }, *grown;

	if (hex_decode(value, strlen(value), pin.value, f->len, NULL) < 0)
		return err_set(err, ERR_CONFIG, "policy-value", "%s = %.140s: %zu hex digits are wanted", f->name, value, 2 * f->len);
	if (f->never_zero && all_zero(pin.value, f->len))
		return err_set(err, ERR_CONFIG, "policy-value", "%s: all zero names nothing", f->name);
	if (r->n_pins >= PINS_MAX)
		return err_set(err, ERR_CONFIG, "policy-value", "more than %d values in one rule", PINS_MAX);
	grown = realloc(r->pins, (r->n_pins + 1) * sizeof(*grown));
	if (!grown)
		return err_nomem(err);
	r->pins = grown;
	grown[r->n_pins++] = pin;
	return 0;
}

_Static_assert((int)TCB_MILAN == SNP_MILAN && (int)TCB_GENOA == SNP_GENOA && (int)TCB_TURIN == SNP_TURIN && (int)TCB_VENICE == SNP_VENICE &&
		       (int)TCB_GENERATIONS == GENERATIONS,
	       "wire/tcb_floor.h numbers the generations as evidence/snp_report.h does");

const char *policy_generation_word(enum snp_generation g)
{
	return tcb_generation_word(g);
}

void policy_put_tcb(struct buf *out, enum snp_generation g, const struct snp_tcb *t)
{
	buf_puts(out, policy_generation_word(g));
	if (tcb_has_fmc(g))
		buf_printf(out, " fmc:%u", t->fmc);
	buf_printf(out, " bootloader:%u tee:%u snp:%u microcode:%u", t->bootloader, t->tee, t->snp, t->microcode);
}

static int set_min_tcb(struct policy_rule *r, const char *value, unsigned int line, struct err **err)
{
	_cleanup_free_ char *allowed = NULL;
	const char *wrong;
	struct tcb_floor f;

	r->min_tcb_line = line;
	if (text_eq(value, "none")) {
		r->tcb_none = true;
		return 0;
	}
	wrong = tcb_floor_parse(value, &f);
	if (wrong) {
		allowed = text_starts(wrong, "milan") ? text_printf("none, or %s", wrong) : text_dup(wrong);
		return allowed ? refuse(err, "min-tcb", value, allowed) : err_nomem(err);
	}
	if (r->floors & 1U << f.generation)
		return err_set(err, ERR_CONFIG, "policy-key", "min-tcb for %s stands twice in this rule", tcb_generation_word(f.generation));
	r->floors |= 1U << f.generation;
	r->floor[f.generation] = (struct snp_tcb){
		.fmc = f.fmc, .bootloader = f.bootloader, .tee = f.tee, .snp = f.snp, .microcode = f.microcode
	};
	return 0;
}

static int set_tee(struct policy_rule *r, const char *value, struct err **err)
{
	if (text_eq(value, "snp"))
		r->tee = TEE_SNP;
	else if (text_eq(value, "tdx"))
		r->tee = TEE_TDX;
	else
		return refuse(err, "tee", value, "snp, tdx");
	return 0;
}

static int set_vmpl(struct policy_rule *r, const char *value, unsigned int line, struct err **err)
{
	uint64_t v;

	if (text_u64(value, 0, 3, &v, NULL) < 0)
		return refuse(err, "vmpl", value, "0 to 3");
	r->vmpls |= 1U << v;
	r->vmpl_line = line;
	return 0;
}

static int set_covers(struct policy_rule *r, const char *value, struct err **err)
{
	if (text_eq(value, "FILL-IN")) {
		err_set(err, ERR_CONFIG, "policy-covers", "covers = FILL-IN: say what the pinned values cover on your platform");
		return err_hint(err, "covers = kernel+initrd+cmdline when they include all three, whoever starts the machine; "
				     "covers = firmware (tdx with rtmr1 and rtmr2) otherwise");
	}
	if (!text_eq(value, "kernel+initrd+cmdline") && !text_eq(value, "firmware"))
		return refuse(err, "covers", value, "kernel+initrd+cmdline, firmware");
	strcpy(r->covers, value);
	return 0;
}

static int set_override(struct policy_rule *r, size_t i, const char *value, unsigned int line, struct err **err)
{
	if (once(&r->override_line[i], policy_dangers[i].name, line, err) < 0)
		return -1;
	if (!text_eq(value, "allow"))
		return refuse(err, policy_dangers[i].name, value, "allow (without the key it is denied)");
	r->overrides |= policy_dangers[i].bit;
	return 0;
}

static int set_flag(bool *flag, const char *key, const char *value, struct err **err)
{
	return text_bool(value, flag, NULL) < 0 ? refuse(err, key, value, "yes, no") : 0;
}

static int set_word(bool *flag, const char *key, const char *value, const char *word, struct err **err)
{
	*flag = text_eq(value, word);
	return *flag ? 0 : refuse(err, key, value, word);
}

static int unknown_key(const char *key, struct err **err)
{
	static const char *const others[] = { "tee", "vmpl", "min-tcb", "tcb", "bind", "shared", "covers", "test" };
	const char *names[64];
	const char *near;
	size_t n = 0;

	for (const struct policy_field *f = policy_fields; f->name; f++)
		names[n++] = f->name;
	for (const struct policy_danger *d = policy_dangers; d->name; d++)
		names[n++] = d->name;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		names[n++] = others[i];
	names[n] = NULL;
	near = text_nearest(key, names);
	if (near)
		return err_set(err, ERR_CONFIG, "policy-key", "unknown key \"%.64s\", did you mean \"%s\"?", key, near);
	return err_set(err, ERR_CONFIG, "policy-key", "unknown key \"%.64s\"", key);
}

int policy_rule_set(struct policy_rule *r, const char *key, const char *value, unsigned int line, struct err **err)
{
	for (const struct policy_field *f = policy_fields; f->name; f++)
		if (text_eq(key, f->name))
			return set_pin(r, f, value, line, err);
	for (size_t i = 0; policy_dangers[i].name; i++)
		if (text_eq(key, policy_dangers[i].name))
			return set_override(r, i, value, line, err);
	if (text_eq(key, "vmpl"))
		return set_vmpl(r, value, line, err);
	if (text_eq(key, "min-tcb"))
		return set_min_tcb(r, value, line, err);
	if (text_eq(key, "tee"))
		return once(&r->tee_line, key, line, err) < 0 ? -1 : set_tee(r, value, err);
	if (text_eq(key, "covers"))
		return once(&r->covers_line, key, line, err) < 0 ? -1 : set_covers(r, value, err);
	if (text_eq(key, "tcb"))
		return once(&r->tcb_line, key, line, err) < 0 ? -1 : set_word(&r->tcb_unverified, key, value, "unverified", err);
	if (text_eq(key, "bind"))
		return once(&r->bind_line, key, line, err) < 0 ? -1 : set_word(&r->bind_init_data, key, value, "init-data", err);
	if (text_eq(key, "shared"))
		return once(&r->shared_line, key, line, err) < 0 ? -1 : set_flag(&r->shared, key, value, err);
	if (text_eq(key, "test"))
		return once(&r->test_line, key, line, err) < 0 ? -1 : set_flag(&r->test, key, value, err);
	return unknown_key(key, err);
}
