/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The rule to paste. It pins what it can and names every danger; what only the owner knows it leaves to be filled in. */
#include <string.h>

#include "base/encode.h"
#include "verify/policy_rule.h"

static bool put_field(struct buf *out, const struct verdict *v, const char *name, bool if_zero)
{
	char hex[2 * PIN_MAX + 1];

	for (const struct policy_field *f = policy_fields; f->name; f++) {
		const uint8_t *value = (const uint8_t *)v + f->offset;

		if (strcmp(f->name, name) != 0)
			continue;
		if (!if_zero && all_zero(value, f->len))
			return false;
		hex_encode(value, f->len, hex);
		buf_printf(out, "%s = %s\n", name, hex);
		return true;
	}
	return false;
}

static bool zero_field(const struct verdict *v, const char *name)
{
	struct buf none = BUF_INIT(256);
	bool zero = !put_field(&none, v, name, false);

	buf_free(&none);
	return zero;
}

/* What tells this machine from others that run the same image, the owner's own mark first. */
static void put_binding(struct buf *out, const struct verdict *v)
{
	if (v->tee == TEE_TDX) {
		if (!put_field(out, v, "mrconfigid", false))
			buf_puts(out, "# launched without MRCONFIGID: every machine with this image is accepted\nshared = yes\n");
	} else if (put_field(out, v, "host-data", false)) {
		return;
	} else if (!zero_field(v, "chip-id")) {
		buf_puts(out, "# launched without HOST_DATA: bound to the processor it runs on, refused after a move to another\n");
		put_field(out, v, "chip-id", false);
	} else if (!zero_field(v, "id-key-digest") && !(zero_field(v, "family-id") && zero_field(v, "image-id"))) {
		/* Seen on Azure: the provider's own ID key, family 01 and image 02, for every customer. */
		buf_puts(out, "# launched without HOST_DATA, chip hidden: only good if this ID key is yours and not the provider's\n");
		put_field(out, v, "id-key-digest", false);
		put_field(out, v, "family-id", false);
		put_field(out, v, "image-id", false);
	} else {
		buf_puts(out, "# launched without HOST_DATA and ID block, chip hidden: every machine with this image is accepted\nshared = yes\n");
	}
}

static void put_snp(struct buf *out, const struct verdict *v)
{
	const struct snp_report *r = &v->snp;

	put_field(out, v, "measurement", true);
	put_binding(out, v);
	if (r->vmpl != 0)
		buf_printf(out, "# VMPL 0 is trusted with everything this guest has\nvmpl = %u\n", r->vmpl);
	if (r->generation == SNP_GEN_UNKNOWN) {
		buf_puts(out, "# the processor generation is not known\nmin-tcb = none\n");
		return;
	}
	buf_puts(out, "min-tcb = ");
	policy_put_tcb(out, r->generation, &r->reported_tcb);
	buf_putc(out, '\n');
}

static void put_tdx(struct buf *out, const struct verdict *v)
{
	static const char *const names[] = { "mrtd", "rtmr0", "rtmr1", "rtmr2" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		put_field(out, v, names[i], true);
	put_binding(out, v);
	buf_puts(out, "tcb = unverified\n");
}

void policy_suggest(const char *resource, const struct verdict *v, bool test, struct buf *out)
{
	unsigned int found = policy_dangers_of(v);

	buf_printf(out, "[resource %s]\ntee = %s\n", resource, tee_kind_name(v->tee));
	if (v->tee == TEE_SNP)
		put_snp(out, v);
	else
		put_tdx(out, v);
	for (const struct policy_danger *d = policy_dangers; d->name; d++)
		if (found & d->bit)
			buf_printf(out, "# CAREFUL: %s\n%s = allow\n", d->meaning, d->name);
	if (test || v->test_root)
		buf_puts(out, "# signed by a test root, for a test server alone\ntest = yes\n");
	buf_puts(out, "covers = FILL-IN\n");
}

int policy_from_evidence(const char *resource, const struct verdict *v, struct buf *out, struct err **err)
{
	if (!policy_resource_ok(resource, false))
		return err_set(err, ERR_CONFIG, "policy-resource", "\"%.200s\" is not a resource name repository/type/tag", resource);
	/* Both versions start at 2 and 4: zero means that nothing was decoded. */
	if ((v->tee != TEE_SNP || !v->snp.version) && (v->tee != TEE_TDX || !v->tdx.version)) {
		err_set(err, ERR_REFUSED, "policy-evidence", "the evidence does not decode");
		return v->reason[0] ? err_wrap(err, "%s", v->reason) : -1;
	}
	policy_suggest(resource, v, false, out);
	return buf_check(out, err);
}
