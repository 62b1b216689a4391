/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/lib/testpki_fields.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"

struct field {
	const char *name;
	size_t off, size;
	bool number;
};

#define BYTES(type, name, member) { name, offsetof(struct type, member), sizeof(((struct type *)0)->member), false }
#define NUMBER(type, name, member) { name, offsetof(struct type, member), sizeof(((struct type *)0)->member), true }

static const struct field snp_fields[] = {
	NUMBER(snp_report, "version", version),
	NUMBER(snp_report, "guest-svn", guest_svn),
	NUMBER(snp_report, "policy", policy),
	NUMBER(snp_report, "vmpl", vmpl),
	NUMBER(snp_report, "plat-info", plat_info),
	NUMBER(snp_report, "key-info", key_info),
	BYTES(snp_report, "family-id", family_id),
	BYTES(snp_report, "image-id", image_id),
	BYTES(snp_report, "measurement", measurement),
	BYTES(snp_report, "host-data", host_data),
	BYTES(snp_report, "id-key-digest", id_key_digest),
	BYTES(snp_report, "author-key-digest", author_key_digest),
	BYTES(snp_report, "report-id", report_id),
	BYTES(snp_report, "chip-id", chip_id),
	NUMBER(snp_report, "tcb-bootloader", reported_tcb.bootloader),
	NUMBER(snp_report, "tcb-tee", reported_tcb.tee),
	NUMBER(snp_report, "tcb-snp", reported_tcb.snp),
	NUMBER(snp_report, "tcb-microcode", reported_tcb.microcode),
};

static const struct field tdx_fields[] = {
	NUMBER(testpki_tdx, "version", version),
	NUMBER(testpki_tdx, "td15", body.has_15),
	NUMBER(testpki_tdx, "td-attributes", body.td_attributes),
	NUMBER(testpki_tdx, "seam-attributes", body.seam_attributes),
	NUMBER(testpki_tdx, "xfam", body.xfam),
	BYTES(testpki_tdx, "mrseam", body.mrseam),
	BYTES(testpki_tdx, "mrsignerseam", body.mrsignerseam),
	BYTES(testpki_tdx, "mrtd", body.mrtd),
	BYTES(testpki_tdx, "mrconfigid", body.mrconfigid),
	BYTES(testpki_tdx, "mrowner", body.mrowner),
	BYTES(testpki_tdx, "mrownerconfig", body.mrownerconfig),
	BYTES(testpki_tdx, "rtmr0", body.rtmr[0]),
	BYTES(testpki_tdx, "rtmr1", body.rtmr[1]),
	BYTES(testpki_tdx, "rtmr2", body.rtmr[2]),
	BYTES(testpki_tdx, "rtmr3", body.rtmr[3]),
	NUMBER(testpki_tdx, "foreign-qe", foreign_qe),
	NUMBER(testpki_tdx, "debug-qe", debug_qe),
	NUMBER(testpki_tdx, "foreign-product", foreign_product),
	NUMBER(testpki_tdx, "foreign-vendor", foreign_vendor),
	NUMBER(testpki_tdx, "unbound-key", unbound_key),
	NUMBER(testpki_tdx, "no-root", no_root),
};

static int set_number(const struct field *f, void *obj, const char *value, struct err **err)
{
	unsigned long long v;
	char *end;

	v = strtoull(value, &end, 0);
	if (!*value || *end || (f->size < 8 && v >> (8 * f->size)))
		return err_set(err, ERR_CONFIG, "usage", "%s: \"%s\" is no number of %zu bytes", f->name, value, f->size);
	/* x86 only, like the reports themselves. */
	memcpy((char *)obj + f->off, &v, f->size);
	return 0;
}

static int set_field(const struct field *fields, size_t n, void *obj, const char *assignment, struct err **err)
{
	const char *eq = strchr(assignment, '=');

	for (size_t i = 0; eq && i < n; i++) {
		const struct field *f = &fields[i];

		if (strlen(f->name) != (size_t)(eq - assignment) || strncmp(f->name, assignment, strlen(f->name)) != 0)
			continue;
		if (f->number)
			return set_number(f, obj, eq + 1, err);
		if (hex_decode(eq + 1, strlen(eq + 1), (uint8_t *)obj + f->off, f->size, err) < 0)
			return err_wrap(err, "%s (%zu bytes)", f->name, f->size);
		return 0;
	}
	return err_set(err, ERR_CONFIG, "usage", "%s: no such field", assignment);
}

int testpki_snp_set(struct snp_report *r, const char *assignment, struct err **err)
{
	return set_field(snp_fields, ARRAY_SIZE(snp_fields), r, assignment, err);
}

int testpki_tdx_set(struct testpki_tdx *t, const char *assignment, struct err **err)
{
	return set_field(tdx_fields, ARRAY_SIZE(tdx_fields), t, assignment, err);
}
