/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "evidence/trustee_snp.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "evidence/snp_report.h"
#include "wire/json.h"

/*
 * The report is a struct of the "sev" crate, not bytes: form A since its release 6, form B before. Readers ignore members
 * that they do not know, so one object with both sets is taken by all. Each entry maps a member to raw bytes.
 */
enum form { BOTH, FORM_A, FORM_B };
enum type { INT, BYTES, CPUID, TCB, VERSION, MIT };

struct field {
	const char *name;
	enum form form;
	enum type type;
	uint16_t off, len;
};

static const struct field fields[] = {
	{ "version", BOTH, INT, 0x000, 4 },
	{ "guest_svn", BOTH, INT, 0x004, 4 },
	{ "policy", BOTH, INT, SNP_OFF_POLICY, 8 },
	{ "family_id", BOTH, BYTES, 0x010, 16 },
	{ "image_id", BOTH, BYTES, 0x020, 16 },
	{ "vmpl", BOTH, INT, 0x030, 4 },
	{ "sig_algo", BOTH, INT, 0x034, 4 },
	{ "plat_info", BOTH, INT, 0x040, 8 },
	{ "key_info", FORM_A, INT, SNP_OFF_KEY_INFO, 4 },
	{ "_author_key_en", FORM_B, INT, SNP_OFF_KEY_INFO, 4 },
	{ "_reserved_0", FORM_B, INT, 0x04C, 4 },
	{ "report_data", BOTH, BYTES, SNP_OFF_REPORT_DATA, 64 },
	{ "measurement", BOTH, BYTES, 0x090, 48 },
	{ "host_data", BOTH, BYTES, 0x0C0, 32 },
	{ "id_key_digest", BOTH, BYTES, 0x0E0, 48 },
	{ "author_key_digest", BOTH, BYTES, 0x110, 48 },
	{ "report_id", BOTH, BYTES, 0x140, 32 },
	{ "report_id_ma", BOTH, BYTES, 0x160, 32 },
	{ "cpuid_fam_id", FORM_A, CPUID, SNP_OFF_CPUID, 1 },
	{ "cpuid_mod_id", FORM_A, CPUID, SNP_OFF_CPUID + 1, 1 },
	{ "cpuid_step", FORM_A, CPUID, SNP_OFF_CPUID + 2, 1 },
	{ "_reserved_1", FORM_B, BYTES, SNP_OFF_CPUID, 24 },
	{ "chip_id", BOTH, BYTES, SNP_OFF_CHIP_ID, 64 },
	{ "current", FORM_A, VERSION, SNP_OFF_CURRENT_BUILD, 3 },
	{ "current_build", FORM_B, INT, SNP_OFF_CURRENT_BUILD, 1 },
	{ "current_minor", FORM_B, INT, SNP_OFF_CURRENT_BUILD + 1, 1 },
	{ "current_major", FORM_B, INT, SNP_OFF_CURRENT_BUILD + 2, 1 },
	{ "_reserved_2", FORM_B, INT, SNP_OFF_CURRENT_BUILD + 3, 1 },
	{ "committed", FORM_A, VERSION, SNP_OFF_COMMITTED_BUILD, 3 },
	{ "committed_build", FORM_B, INT, SNP_OFF_COMMITTED_BUILD, 1 },
	{ "committed_minor", FORM_B, INT, SNP_OFF_COMMITTED_BUILD + 1, 1 },
	{ "committed_major", FORM_B, INT, SNP_OFF_COMMITTED_BUILD + 2, 1 },
	{ "_reserved_3", FORM_B, INT, SNP_OFF_COMMITTED_BUILD + 3, 1 },
	{ "launch_mit_vector", FORM_A, MIT, SNP_OFF_MIT_VECTORS, 8 },
	{ "current_mit_vector", FORM_A, MIT, SNP_OFF_MIT_VECTORS + 8, 8 },
	{ "_reserved_4", FORM_B, BYTES, SNP_OFF_MIT_VECTORS, 168 },
	/* Last: their layout depends on version, CPUID and chip id. */
	{ "current_tcb", BOTH, TCB, SNP_OFF_CURRENT_TCB, 8 },
	{ "reported_tcb", BOTH, TCB, SNP_OFF_REPORTED_TCB, 8 },
	{ "committed_tcb", BOTH, TCB, SNP_OFF_COMMITTED_TCB, 8 },
	{ "launch_tcb", BOTH, TCB, SNP_OFF_LAUNCH_TCB, 8 },
};

static const struct field signature_fields[] = {
	{ "r", BOTH, BYTES, SNP_OFF_SIG_R, 72 },
	{ "s", BOTH, BYTES, SNP_OFF_SIG_S, 72 },
	{ "_reserved", FORM_B, BYTES, SNP_OFF_SIG_END, SNP_REPORT_SIZE - SNP_OFF_SIG_END },
};

#define FIELD_MAX (SNP_REPORT_SIZE - SNP_OFF_SIG_END)

static uint64_t get_le(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | p[n];
	return v;
}

static void put_le(uint8_t *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t version_of(const uint8_t *raw)
{
	return (uint32_t)get_le(raw, 4);
}

/* --- writing --- */

void trustee_bytes_write(const uint8_t *p, size_t n, struct buf *out)
{
	char text[4];

	/* Thousands of numbers on the path that unlocks a disk: no printf. */
	buf_putc(out, '[');
	for (size_t i = 0; i < n; i++) {
		size_t len = 0;

		if (i)
			text[len++] = ',';
		if (p[i] >= 100)
			text[len++] = (char)('0' + p[i] / 100);
		if (p[i] >= 10)
			text[len++] = (char)('0' + p[i] / 10 % 10);
		text[len++] = (char)('0' + p[i] % 10);
		buf_append(out, text, len);
	}
	buf_putc(out, ']');
}

/* Where the forms differ (family 1Ah) the numbers are form A's; _reserved is the same bytes in both. */
static void write_tcb(const uint8_t *p, bool turin_layout, struct buf *out)
{
	struct snp_tcb t;

	snp_tcb_decode(p, turin_layout, &t);
	if (turin_layout)
		buf_printf(out, "{\"fmc\":%u", t.fmc);
	else
		buf_puts(out, "{\"fmc\":null");
	buf_printf(out, ",\"bootloader\":%u,\"tee\":%u,\"_reserved\":", t.bootloader, t.tee);
	trustee_bytes_write(p + 2, 4, out);
	buf_printf(out, ",\"snp\":%u,\"microcode\":%u}", t.snp, t.microcode);
}

static int write_value(const struct field *f, const uint8_t *raw, bool turin_layout, struct buf *out, struct err **err)
{
	const uint8_t *p = raw + f->off;
	uint64_t v;

	switch (f->type) {
	case BYTES:
		trustee_bytes_write(p, f->len, out);
		return 0;
	case TCB:
		write_tcb(p, turin_layout, out);
		return 0;
	case VERSION:
		buf_printf(out, "{\"major\":%u,\"minor\":%u,\"build\":%u}", p[2], p[1], p[0]);
		return 0;
	case CPUID:
	case MIT:
		if (version_of(raw) < (f->type == CPUID ? 3U : 5U)) {
			buf_puts(out, "null");
			return 0;
		}
		break;
	case INT:
		break;
	}
	v = get_le(p, f->len);
	if (v > INT64_MAX)
		return err_set(err, ERR_INTEGRITY, "snp-json",
			       "SNP report: %s is 0x%" PRIx64 ": bit 63 cannot be carried by a JSON integer", f->name, v);
	buf_printf(out, "%" PRIu64, v);
	return 0;
}

static int write_fields(const struct field *f, size_t n, const uint8_t *raw, struct buf *out, struct err **err)
{
	enum snp_generation gen;
	bool turin_layout;

	snp_report_layout(raw, &gen, &turin_layout);
	for (size_t i = 0; i < n; i++) {
		buf_printf(out, "%s\"%s\":", i ? "," : "{", f[i].name);
		if (write_value(&f[i], raw, turin_layout, out, err) < 0)
			return -1;
	}
	return 0;
}

int trustee_snp_write(const uint8_t raw[static SNP_REPORT_SIZE], struct buf *out, struct err **err)
{
	if (write_fields(fields, ARRAY_SIZE(fields), raw, out, err) < 0)
		return -1;
	buf_puts(out, ",\"signature\":");
	if (write_fields(signature_fields, ARRAY_SIZE(signature_fields), raw, out, err) < 0)
		return -1;
	buf_puts(out, "}}");
	return buf_check(out, err);
}

/* --- reading --- */

static int bad_member(const char *name, const char *what, struct err **err)
{
	return err_set(err, ERR_INTEGRITY, "snp-json", "SNP evidence: member %s %s", name, what);
}

static int read_int(const json_t *v, const char *name, size_t bytes, uint64_t *ret, struct err **err)
{
	json_int_t n;

	if (!json_is_integer(v))
		return bad_member(name, v ? "is not an integer" : "is missing", err);
	n = json_integer_value(v);
	if (n < 0 || (bytes < 8 && (uint64_t)n >> (8 * bytes)))
		return bad_member(name, "is out of range", err);
	*ret = (uint64_t)n;
	return 0;
}

static int read_u8(const json_t *obj, const char *name, uint8_t *ret, struct err **err)
{
	uint64_t v = 0;

	if (read_int(json_object_get(obj, name), name, 1, &v, err) < 0)
		return -1;
	*ret = (uint8_t)v;
	return 0;
}

size_t trustee_bytes_count(const json_t *v)
{
	const uint8_t *bytes;
	size_t n;

	return json_bytes(v, &bytes, &n) ? n : json_array_size(v);
}

int trustee_bytes_read(const json_t *v, const char *name, uint8_t *out, size_t n, struct err **err)
{
	const uint8_t *bytes;
	size_t have;

	if (!json_is_array(v) && !json_bytes(v, &bytes, &have))
		return bad_member(name, v ? "is not an array" : "is missing", err);
	if (trustee_bytes_count(v) != n)
		return err_set(err, ERR_INTEGRITY, "snp-json", "SNP evidence: member %s has %zu elements, not %zu", name,
			       trustee_bytes_count(v), n);
	if (json_bytes(v, &bytes, &have)) {
		memcpy(out, bytes, n);
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		uint64_t byte;

		if (read_int(json_array_get(v, i), name, 1, &byte, err) < 0)
			return -1;
		out[i] = (uint8_t)byte;
	}
	return 0;
}

/* An option type: null or absent stand for "this version has no such field". */
static int read_option(const json_t *v, const struct field *f, uint32_t since, uint32_t version, uint8_t *out,
		       struct err **err)
{
	uint64_t n = 0;

	if (v && !json_is_null(v) && read_int(v, f->name, f->len, &n, err) < 0)
		return -1;
	if (f->type == CPUID && version >= since && (!v || json_is_null(v)))
		return bad_member(f->name, "is null, but the report's version has it", err);
	if (version < since && n)
		return bad_member(f->name, "is set, but the report's version has no such field", err);
	put_le(out, n, f->len);
	return 0;
}

static int read_tcb_a(const json_t *v, bool turin_layout, uint8_t out[static 8], struct err **err)
{
	const json_t *fmc = json_object_get(v, "fmc");
	struct snp_tcb t = { 0 };

	if (turin_layout && read_u8(v, "fmc", &t.fmc, err) < 0)
		return -1;
	if (!turin_layout && fmc && !json_is_null(fmc))
		return bad_member("fmc", "is set, but this processor's TCB has no such field", err);
	if (read_u8(v, "bootloader", &t.bootloader, err) < 0 || read_u8(v, "tee", &t.tee, err) < 0 ||
	    read_u8(v, "snp", &t.snp, err) < 0 || read_u8(v, "microcode", &t.microcode, err) < 0)
		return -1;
	snp_tcb_encode(&t, turin_layout, out);
	return 0;
}

static int read_tcb_b(const json_t *v, uint8_t out[static 8], struct err **err)
{
	const json_t *fmc = json_object_get(v, "fmc");

	if (fmc && !json_is_null(fmc))
		return bad_member("fmc", "is set in an object without key_info", err);
	if (read_u8(v, "bootloader", &out[0], err) < 0 || read_u8(v, "tee", &out[1], err) < 0 ||
	    read_u8(v, "snp", &out[6], err) < 0 || read_u8(v, "microcode", &out[7], err) < 0)
		return -1;
	return trustee_bytes_read(json_object_get(v, "_reserved"), "_reserved", out + 2, 4, err);
}

/* Form B's view of the same eight bytes, if the object has it. */
static int check_tcb_reserved(const json_t *v, const char *name, const uint8_t tcb[static 8], struct err **err)
{
	const json_t *reserved = json_object_get(v, "_reserved");
	uint8_t got[4];

	if (!reserved)
		return 0;
	if (trustee_bytes_read(reserved, "_reserved", got, sizeof(got), err) < 0)
		return -1;
	return memcmp(got, tcb + 2, sizeof(got)) == 0 ? 0 : bad_member(name, "contradicts its own _reserved bytes", err);
}

static int read_tcb(const json_t *v, const struct field *f, enum form form, const uint8_t *raw, uint8_t *out,
		    struct err **err)
{
	enum snp_generation gen;
	bool turin_layout;

	if (!json_is_object(v))
		return bad_member(f->name, v ? "is not an object" : "is missing", err);
	if (form == FORM_B)
		return read_tcb_b(v, out, err) < 0 ? err_wrap(err, "%s", f->name) : 0;
	snp_report_layout(raw, &gen, &turin_layout);
	if (read_tcb_a(v, turin_layout, out, err) < 0)
		return err_wrap(err, "%s", f->name);
	return check_tcb_reserved(v, f->name, out, err);
}

static int read_version(const json_t *v, const struct field *f, uint8_t *out, struct err **err)
{
	if (!json_is_object(v))
		return bad_member(f->name, v ? "is not an object" : "is missing", err);
	if (read_u8(v, "build", &out[0], err) < 0 || read_u8(v, "minor", &out[1], err) < 0 ||
	    read_u8(v, "major", &out[2], err) < 0)
		return err_wrap(err, "%s", f->name);
	return 0;
}

/* Bytes that this member stands for; form is the one the object is read in. */
static int read_value(const json_t *v, const struct field *f, enum form form, const uint8_t *raw, uint8_t *out,
		      struct err **err)
{
	uint64_t n;

	switch (f->type) {
	case BYTES:
		return trustee_bytes_read(v, f->name, out, f->len, err);
	case TCB:
		return read_tcb(v, f, form, raw, out, err);
	case VERSION:
		return read_version(v, f, out, err);
	case CPUID:
		return read_option(v, f, 3, version_of(raw), out, err);
	case MIT:
		return read_option(v, f, 5, version_of(raw), out, err);
	case INT:
		break;
	}
	if (read_int(v, f->name, f->len, &n, err) < 0)
		return -1;
	put_le(out, n, f->len);
	return 0;
}

static int read_fields(const json_t *obj, const struct field *f, size_t n, enum form form, uint8_t *raw, struct err **err)
{
	uint8_t tmp[FIELD_MAX];

	for (size_t i = 0; i < n; i++) {
		if (f[i].form != BOTH && f[i].form != form)
			continue;
		if (read_value(json_object_get(obj, f[i].name), &f[i], form, raw, tmp, err) < 0)
			return -1;
		memcpy(raw + f[i].off, tmp, f[i].len);
	}
	return 0;
}

/* What the other form says, where it says something, must be what has been built: two readers must not see two reports. */
static int compare_fields(const json_t *obj, const struct field *f, size_t n, enum form form, const uint8_t *raw,
			  struct err **err)
{
	uint8_t tmp[FIELD_MAX];

	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_object_get(obj, f[i].name);

		if (f[i].form == BOTH || f[i].form == form || !v)
			continue;
		if (read_value(v, &f[i], f[i].form, raw, tmp, err) < 0)
			return -1;
		if (memcmp(tmp, raw + f[i].off, f[i].len) != 0)
			return bad_member(f[i].name, "contradicts another member for the same bytes", err);
	}
	return 0;
}

int trustee_snp_read(const json_t *obj, uint8_t out[static SNP_REPORT_SIZE], struct err **err)
{
	const json_t *sig = json_object_get(obj, "signature");
	enum form form = FORM_B;
	uint8_t raw[SNP_REPORT_SIZE] = { 0 };

	if (!json_is_object(obj))
		return bad_member("attestation_report", obj ? "is not an object" : "is missing", err);
	if (!json_is_object(sig))
		return bad_member("signature", sig ? "is not an object" : "is missing", err);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i].form == FORM_A && json_object_get(obj, fields[i].name))
			form = FORM_A;
	if (read_fields(obj, fields, ARRAY_SIZE(fields), form, raw, err) < 0 ||
	    read_fields(sig, signature_fields, ARRAY_SIZE(signature_fields), form, raw, err) < 0 ||
	    compare_fields(obj, fields, ARRAY_SIZE(fields), form, raw, err) < 0 ||
	    compare_fields(sig, signature_fields, ARRAY_SIZE(signature_fields), form, raw, err) < 0)
		return -1;
	memcpy(out, raw, SNP_REPORT_SIZE);
	return 0;
}
