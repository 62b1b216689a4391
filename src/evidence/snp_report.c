/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "evidence/snp_report.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

void snp_tcb_decode(const uint8_t raw[static 8], bool turin_layout, struct snp_tcb *ret)
{
	*ret = (struct snp_tcb){ .microcode = raw[7] };
	if (turin_layout) {
		ret->fmc = raw[0];
		ret->bootloader = raw[1];
		ret->tee = raw[2];
		ret->snp = raw[3];
	} else {
		ret->bootloader = raw[0];
		ret->tee = raw[1];
		ret->snp = raw[6];
	}
	memcpy(ret->raw, raw, sizeof(ret->raw));
}

void snp_tcb_encode(const struct snp_tcb *t, bool turin_layout, uint8_t out[static 8])
{
	const uint8_t turin[8] = { t->fmc, t->bootloader, t->tee, t->snp, 0, 0, 0, t->microcode };
	const uint8_t milan[8] = { t->bootloader, t->tee, 0, 0, 0, 0, t->snp, t->microcode };

	memcpy(out, turin_layout ? turin : milan, 8);
}

static enum snp_generation generation_by_cpuid(uint8_t family, uint8_t model)
{
	if (family == 0x19) {
		if (model <= 0x0F)
			return SNP_MILAN;
		if ((model >= 0x10 && model <= 0x1F) || (model >= 0xA0 && model <= 0xAF))
			return SNP_GENOA;
	}
	if (family == 0x1A) {
		if (model <= 0x11)
			return SNP_TURIN;
		if ((model >= 0x50 && model <= 0x57) || (model >= 0x90 && model <= 0xAF) ||
		    (model >= 0xC0 && model <= 0xC7))
			return SNP_VENICE;
	}
	return SNP_GEN_UNKNOWN;
}

void snp_report_layout(const uint8_t raw[static SNP_REPORT_SIZE], enum snp_generation *ret_gen, bool *ret_turin_layout)
{
	const uint8_t *chip = raw + SNP_OFF_CHIP_ID;
	bool v3 = raw[0] >= 3 || raw[1] || raw[2] || raw[3];

	if (v3) {
		*ret_gen = generation_by_cpuid(raw[SNP_OFF_CPUID], raw[SNP_OFF_CPUID + 1]);
		*ret_turin_layout = raw[SNP_OFF_CPUID] >= 0x1A;
		return;
	}
	/* v2 carries no CPUID. Turin's chip id has eight bytes; a chip id of zero is masked and tells nothing. */
	*ret_turin_layout = all_zero(chip + 8, 56) && !all_zero(chip, 8);
	*ret_gen = *ret_turin_layout ? SNP_TURIN : SNP_GEN_UNKNOWN;
}

static int check_zero(const uint8_t *raw, size_t from, size_t to, struct err **err)
{
	for (size_t i = from; i < to; i++)
		if (raw[i])
			return err_set(err, ERR_INTEGRITY, "snp-reserved",
				       "SNP report: reserved byte at offset 0x%zx is 0x%02x, not zero", i, raw[i]);
	return 0;
}

/* A byte that no field of the JSON form can carry would be lost on the way to a verifier, and so break the signature. */
static int check_reserved(const uint8_t *raw, uint32_t version, bool turin_layout, struct err **err)
{
	static const size_t tcb_at[] = { SNP_OFF_CURRENT_TCB, SNP_OFF_REPORTED_TCB, SNP_OFF_COMMITTED_TCB,
					 SNP_OFF_LAUNCH_TCB };
	const struct {
		size_t from, to;
	} ranges[] = {
		{ 0x04C, 0x050 },
		{ version >= 3 ? 0x18B : 0x188, SNP_OFF_CHIP_ID },
		{ 0x1EB, 0x1EC },
		{ 0x1EF, 0x1F0 },
		{ version >= 5 ? 0x208 : 0x1F8, SNP_OFF_SIG_R },
		{ SNP_OFF_SIG_END, SNP_REPORT_SIZE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		if (check_zero(raw, ranges[i].from, ranges[i].to, err) < 0)
			return -1;
	for (size_t i = 0; i < ARRAY_SIZE(tcb_at); i++)
		if (check_zero(raw, tcb_at[i] + (turin_layout ? 4 : 2), tcb_at[i] + (turin_layout ? 7 : 6), err) < 0)
			return -1;
	return 0;
}

static void rd_tcb(struct rd *r, bool turin_layout, struct snp_tcb *ret)
{
	uint8_t raw[8];

	rd_copy(r, raw, sizeof(raw));
	snp_tcb_decode(raw, turin_layout, ret);
}

static void rd_version(struct rd *r, struct snp_version *ret)
{
	ret->build = rd_u8(r);
	ret->minor = rd_u8(r);
	ret->major = rd_u8(r);
	rd_skip(r, 1);
}

static void decode_fields(const uint8_t *raw, struct snp_report *r)
{
	struct rd in = RD_INIT(raw, SNP_REPORT_SIZE);

	r->version = rd_u32le(&in);
	r->guest_svn = rd_u32le(&in);
	r->policy = rd_u64le(&in);
	rd_copy(&in, r->family_id, sizeof(r->family_id));
	rd_copy(&in, r->image_id, sizeof(r->image_id));
	r->vmpl = rd_u32le(&in);
	r->sig_algo = rd_u32le(&in);
	rd_tcb(&in, r->turin_layout, &r->current_tcb);
	r->plat_info = rd_u64le(&in);
	r->key_info = rd_u32le(&in);
	rd_seek(&in, SNP_OFF_REPORT_DATA);
	rd_copy(&in, r->report_data, sizeof(r->report_data));
	rd_copy(&in, r->measurement, sizeof(r->measurement));
	rd_copy(&in, r->host_data, sizeof(r->host_data));
	rd_copy(&in, r->id_key_digest, sizeof(r->id_key_digest));
	rd_copy(&in, r->author_key_digest, sizeof(r->author_key_digest));
	rd_copy(&in, r->report_id, sizeof(r->report_id));
	rd_copy(&in, r->report_id_ma, sizeof(r->report_id_ma));
	rd_tcb(&in, r->turin_layout, &r->reported_tcb);
	r->has_cpuid = r->version >= 3;
	if (r->has_cpuid) {
		r->cpuid_fam = rd_u8(&in);
		r->cpuid_mod = rd_u8(&in);
		r->cpuid_step = rd_u8(&in);
	}
	rd_seek(&in, SNP_OFF_CHIP_ID);
	rd_copy(&in, r->chip_id, sizeof(r->chip_id));
	rd_tcb(&in, r->turin_layout, &r->committed_tcb);
	rd_version(&in, &r->current);
	rd_version(&in, &r->committed);
	rd_tcb(&in, r->turin_layout, &r->launch_tcb);
	r->has_mit_vector = r->version >= 5;
	if (r->has_mit_vector) {
		r->launch_mit_vector = rd_u64le(&in);
		r->current_mit_vector = rd_u64le(&in);
	}
	rd_seek(&in, SNP_OFF_SIG_R);
	rd_copy(&in, r->sig_r, sizeof(r->sig_r));
	rd_copy(&in, r->sig_s, sizeof(r->sig_s));
}

int snp_report_decode(const uint8_t *raw, size_t len, struct snp_report *ret, struct err **err)
{
	struct snp_report r = { 0 };

	if (len != SNP_REPORT_SIZE)
		return err_set(err, ERR_INTEGRITY, "snp-size", "SNP report: %zu bytes, not %d", len, SNP_REPORT_SIZE);
	snp_report_layout(raw, &r.generation, &r.turin_layout);
	decode_fields(raw, &r);
	if (r.version < 2 || r.version > 5)
		return err_set(err, ERR_INTEGRITY, "snp-version", "SNP report: version %u, known are 2 to 5", r.version);
	if (r.sig_algo != 1)
		return err_set(err, ERR_INTEGRITY, "snp-sig-algo",
			       "SNP report: signature algorithm %u, not 1 (ECDSA P-384 with SHA-384)", r.sig_algo);
	if (check_reserved(raw, r.version, r.turin_layout, err) < 0)
		return -1;
	*ret = r;
	return 0;
}

static void put_le(uint8_t *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static void put_version(uint8_t *p, const struct snp_version *v)
{
	p[0] = v->build;
	p[1] = v->minor;
	p[2] = v->major;
}

static void encode_identity(const struct snp_report *r, uint8_t *out)
{
	put_le(out + 0x000, r->version, 4);
	put_le(out + 0x004, r->guest_svn, 4);
	put_le(out + SNP_OFF_POLICY, r->policy, 8);
	memcpy(out + 0x010, r->family_id, sizeof(r->family_id));
	memcpy(out + 0x020, r->image_id, sizeof(r->image_id));
	put_le(out + 0x030, r->vmpl, 4);
	put_le(out + 0x034, r->sig_algo, 4);
	put_le(out + 0x040, r->plat_info, 8);
	put_le(out + SNP_OFF_KEY_INFO, r->key_info, 4);
	memcpy(out + SNP_OFF_REPORT_DATA, r->report_data, sizeof(r->report_data));
	memcpy(out + 0x090, r->measurement, sizeof(r->measurement));
	memcpy(out + 0x0C0, r->host_data, sizeof(r->host_data));
	memcpy(out + 0x0E0, r->id_key_digest, sizeof(r->id_key_digest));
	memcpy(out + 0x110, r->author_key_digest, sizeof(r->author_key_digest));
	memcpy(out + 0x140, r->report_id, sizeof(r->report_id));
	memcpy(out + 0x160, r->report_id_ma, sizeof(r->report_id_ma));
	memcpy(out + SNP_OFF_CHIP_ID, r->chip_id, sizeof(r->chip_id));
}

void snp_report_encode(const struct snp_report *r, uint8_t out[static SNP_REPORT_SIZE])
{
	memset(out, 0, SNP_REPORT_SIZE);
	encode_identity(r, out);
	snp_tcb_encode(&r->current_tcb, r->turin_layout, out + SNP_OFF_CURRENT_TCB);
	snp_tcb_encode(&r->reported_tcb, r->turin_layout, out + SNP_OFF_REPORTED_TCB);
	snp_tcb_encode(&r->committed_tcb, r->turin_layout, out + SNP_OFF_COMMITTED_TCB);
	snp_tcb_encode(&r->launch_tcb, r->turin_layout, out + SNP_OFF_LAUNCH_TCB);
	if (r->has_cpuid) {
		out[SNP_OFF_CPUID] = r->cpuid_fam;
		out[SNP_OFF_CPUID + 1] = r->cpuid_mod;
		out[SNP_OFF_CPUID + 2] = r->cpuid_step;
	}
	put_version(out + SNP_OFF_CURRENT_BUILD, &r->current);
	put_version(out + SNP_OFF_COMMITTED_BUILD, &r->committed);
	if (r->has_mit_vector) {
		put_le(out + SNP_OFF_MIT_VECTORS, r->launch_mit_vector, 8);
		put_le(out + SNP_OFF_MIT_VECTORS + 8, r->current_mit_vector, 8);
	}
	memcpy(out + SNP_OFF_SIG_R, r->sig_r, sizeof(r->sig_r));
	memcpy(out + SNP_OFF_SIG_S, r->sig_s, sizeof(r->sig_s));
}

const char *snp_generation_name(enum snp_generation g)
{
	static const char *const names[] = { "unknown", "Milan", "Genoa", "Turin", "Venice" };

	return g <= SNP_VENICE ? names[g] : names[0];
}

unsigned int snp_signing_key(const struct snp_report *r)
{
	return (r->key_info >> 2) & 7;
}

bool snp_masked_chip_key(const struct snp_report *r)
{
	return r->key_info & 2;
}

bool snp_author_key_en(const struct snp_report *r)
{
	return r->key_info & 1;
}
