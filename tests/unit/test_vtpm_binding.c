/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* vtpm/binding.h on swtpm: which key does this TPM hold, and which primary does that prove? */
#include "tests/lib/vtpm_check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/encode.h"
#include "tests/lib/azure_tpm.h"
#include "tests/lib/mutate.h"
#include "tests/lib/tpm_interposer.h"
#include "vtpm/binding.h"

#define AK_ELSEWHERE UINT32_C(0x81000042)

static void certified(struct swtpm *s, const struct public_key *ak, struct tpm_name *ret)
{
	_cleanup_tpm_ struct tpm *t = check_open(swtpm_access(s));

	assert_ok(binding_certify(t, ak, ret, &_err));
}

static void salted(struct swtpm *s, const struct public_key *ek, struct tpm_name *ret)
{
	_cleanup_tpm_ struct tpm *t = check_open(swtpm_access(s));

	assert_ok(binding_read_salted(t, ek, NULL, ret, &_err));
}

/* Both proofs name the same primary, over a transient and over a persistent one, and again after a boot. */
static void both_ways(void **state)
{
	struct swtpm *s = *state;
	struct tpm_name by_ak, by_ek, again;
	struct public_key ak, ek;

	azure_tpm_make_key(s, true, HANDLE_AZURE_AK, &ak);
	azure_tpm_make_key(s, false, HANDLE_EK_RSA, &ek);
	certified(s, &ak, &by_ak);
	salted(s, &ek, &by_ek);
	assert_int_equal(by_ak.len, 34);
	assert_true(tpm_name_equal(&by_ak, &by_ek));
	swtpm_reboot(s);
	salted(s, &ek, &again);
	assert_true(tpm_name_equal(&by_ak, &again));
	/* A persistent one is used whatever its template. */
	assert_int_equal(swtpm_sh(s, "d=$(mktemp -d) && tpm2_createprimary -G rsa -C o -c $d/c && tpm2_evictcontrol -C o -c $d/c 0x81000001 && "
				     "rm -r $d && tpm2_flushcontext -t"), 0);
	certified(s, &ak, &by_ak);
	salted(s, &ek, &by_ek);
	assert_true(tpm_name_equal(&by_ak, &by_ek));
	assert_false(tpm_name_equal(&by_ak, &again));
}

/* A key need not lie where it usually does; an endorsement key need not be persistent at all. */
static void elsewhere(void **state)
{
	struct swtpm *s = *state;
	struct tpm_name by_ak, by_ek;
	struct public_key ak, ek;

	azure_tpm_make_key(s, true, AK_ELSEWHERE, &ak);
	azure_tpm_make_key(s, false, 0, &ek);
	certified(s, &ak, &by_ak);
	salted(s, &ek, &by_ek);
	assert_true(tpm_name_equal(&by_ak, &by_ek));
}

static void foreign_keys(void **state)
{
	struct swtpm *s = *state, *other = swtpm_start();
	_cleanup_tpm_ struct tpm *t = NULL;
	struct public_key ak, ek, lying;
	struct tpm_name name;

	azure_tpm_make_key(s, true, HANDLE_AZURE_AK, &ak);
	azure_tpm_make_key(s, false, HANDLE_EK_RSA, &ek);
	azure_tpm_make_key(other, true, HANDLE_AZURE_AK, &lying);
	swtpm_stop(other);
	t = check_open(swtpm_access(s));
	assert_fails(binding_certify(t, &lying, &name, &_err), ERR_TPM, "vtpm-ak");
	/* An endorsement key in place of the attestation key has no say. */
	assert_fails(binding_certify(t, &ek, &name, &_err), ERR_TPM, "tpm-auth");
	assert_fails(binding_read_salted(t, &lying, NULL, &name, &_err), ERR_TPM, "vtpm-ek");
	/* The right modulus under another exponent is another key. */
	lying = ek;
	lying.e[2] = 3;
	assert_fails(binding_read_salted(t, &lying, NULL, &name, &_err), ERR_TPM, "vtpm-ek");
	/* By Name: the whole public area counts. */
	memset(&name, 0, sizeof(name));
	name.len = 34;
	name.bytes[1] = 0x0b;
	assert_fails(binding_read_salted(t, &ek, &name, &name, &_err), ERR_TPM, "vtpm-ek");
}

/* What lies at 0x81000001 was put there by an earlier system, which may know it. */
static void planted_primary(void **state)
{
	struct swtpm *s = *state;
	struct public_key ak, ek;

	azure_tpm_make_key(s, true, HANDLE_AZURE_AK, &ak);
	azure_tpm_make_key(s, false, HANDLE_EK_RSA, &ek);
	for (int movable = 0; movable < 2; movable++) {
		_cleanup_tpm_ struct tpm *t = NULL;
		struct tpm_name name;

		azure_tpm_child_key(s, 0x81000001, movable);
		t = check_open(swtpm_access(s));
		assert_fails(binding_certify(t, &ak, &name, &_err), ERR_TPM, movable ? "srk-type" : "vtpm-srk-kind");
		assert_fails(binding_read_salted(t, &ek, NULL, &name, &_err), ERR_TPM, movable ? "srk-type" : "vtpm-srk-kind");
		tpm_close(TAKE_PTR(t));
		assert_int_equal(swtpm_sh(s, "tpm2_evictcontrol -C o -c 0x81000001"), 0);
	}
}

static void vanishes(void **state)
{
	struct swtpm *s = *state;
	_cleanup_tpm_ struct tpm *t = NULL;
	struct public_key ak;
	struct tpm_name name;

	azure_tpm_make_key(s, true, HANDLE_AZURE_AK, &ak);
	t = check_open(swtpm_access(s));
	assert_ok(binding_certify(t, &ak, &name, &_err));
	swtpm_kill(s);
	assert_fails(binding_certify(t, &ak, &name, &_err), ERR_TPM, "tpm-io");
}

static void put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

/* A TPM with persistent handles without end. */
struct endless {
	uint32_t next;
	unsigned int lists;
};

static void lists_without_end(struct tpm_interposer *i, bool command, uint8_t *message, size_t *len)
{
	struct endless *e = i->relay_ctx;

	if (i->codes[(i->commands - 1) % ARRAY_SIZE(i->codes)] != TPM2_CC_GetCapability || i->commands > ARRAY_SIZE(i->codes))
		return;
	if (command) {
		e->next = (uint32_t)message[14] << 24 | (uint32_t)message[15] << 16 | (uint32_t)message[16] << 8 | message[17];
		return;
	}
	e->lists++;
	*len = 10 + 1 + 4 + 4 + 32 * 4;
	put32(message + 2, (uint32_t)*len);
	put32(message + 6, 0);
	message[10] = 1; /* there are more */
	put32(message + 11, TPM2_CAP_HANDLES);
	put32(message + 15, 32);
	for (uint32_t h = 0; h < 32; h++)
		put32(message + 19 + 4 * h, e->next + h);
}

/* 256 of them are looked at, and no more; in numbers, so that the limit does not move unseen. */
static void handles_without_end(void **state)
{
	struct swtpm *s = *state;
	struct endless e = { 0 };
	struct tpm_interposer i;
	struct public_key ak;
	struct tpm_name name;
	struct tpm *t;

	azure_tpm_make_key(s, true, 0x81008100, &ak); /* past the last one that is looked at */
	interposer_init(&i, swtpm_access(s), NULL);
	i.relay = lists_without_end;
	i.relay_ctx = &e;
	t = check_open(&i.access);
	assert_fails(binding_certify(t, &ak, &name, &_err), ERR_TPM, "vtpm-ak");
	assert_in_range(e.next, 0x81000000 + 7 * 32, 0x81000000 + 8 * 32);
	assert_in_range(i.commands, 256 + 7, 256 + 16);
	tpm_close(t);
	interposer_clear(&i);
}

static void nv(void **state)
{
	struct swtpm *s = *state;
	_cleanup_tpm_ struct tpm *t = NULL;
	_cleanup_free_ uint8_t *got = NULL;
	uint8_t data[2048], small[64];
	size_t len;
	bool there;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
	azure_tpm_nv(s, NV_HCL_REPORT, data, sizeof(data));
	t = check_open(swtpm_access(s));
	assert_ok(binding_nv_exists(t, NV_HCL_REPORT, &there, &_err));
	assert_true(there);
	assert_ok(binding_nv_exists(t, NV_HCL_REPORT - 1, &there, &_err));
	assert_false(there); /* the TPM lists the next one */
	assert_ok(binding_nv_read(t, NV_HCL_REPORT, 16384, &got, &len, &_err));
	assert_int_equal(len, sizeof(data));
	assert_memory_equal(got, data, sizeof(data));
	free(TAKE_PTR(got));
	assert_fails(binding_nv_read(t, NV_HCL_REPORT, 2047, &got, &len, &_err), ERR_TPM, "nv-range");
	assert_fails(binding_nv_read(t, NV_HCL_USER_DATA, 64, &got, &len, &_err), ERR_TPM, "nv-absent");

	/* Made, written again, made anew when it has another size. */
	for (size_t n = 64; n >= 16; n /= 4) {
		for (int twice = 0; twice < 2; twice++) {
			memset(small, (int)n + twice, sizeof(small));
			assert_ok(binding_nv_write(t, NV_HCL_USER_DATA, small, n, &_err));
			assert_ok(binding_nv_read(t, NV_HCL_USER_DATA, 64, &got, &len, &_err));
			assert_int_equal(len, n);
			assert_memory_equal(got, small, n);
			free(TAKE_PTR(got));
		}
	}
}

/* --- what was signed --- */

#define NONCE "0123456789abcdef0123456789abcdef"

static void put_attest(struct buf *b, uint32_t magic, uint16_t kind, const char *nonce)
{
	buf_put_u32be(b, magic);
	buf_put_u16be(b, kind);
	buf_put_u16be(b, 4);
	buf_puts(b, "sign");
	buf_put_u16be(b, (uint16_t)strlen(nonce));
	buf_puts(b, nonce);
	buf_put_zero(b, 25);
	buf_put_u16be(b, 34);
	buf_puts(b, "NNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNN");
	buf_put_u16be(b, 34);
	buf_puts(b, "QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ");
}

static int parse(const uint8_t *data, size_t len, struct binding_attest *a, struct err **err)
{
	return binding_attest_parse(data, len, (const uint8_t *)NONCE, 32, a, err);
}

static void cut(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	struct binding_attest a;

	if (parse(data, len, &a, NULL) == 0)
		fail_msg("parses %s", what);
}

static void attest(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(1024), other = BUF_INIT(1024);
	struct binding_attest a;

	put_attest(&b, 0xFF544347, 0x8017, NONCE);
	assert_ok(parse(b.data, b.len, &a, &_err));
	assert_int_equal(a.name.len, 34);
	assert_int_equal(a.name.bytes[33], 'N');
	assert_int_equal(a.qualified_name.bytes[0], 'Q');
	mutate_truncations(b.data, b.len, 1, cut, NULL);
	mutate_bit_flips(b.data, 0, 8, b.len, cut, NULL);   /* magic, kind, length of the signer's name */
	mutate_bit_flips(b.data, 12, 46, b.len, cut, NULL); /* nonce and its length */
	buf_put_u8(&b, 0);
	cut(b.data, b.len, "with one more byte", NULL);

	put_attest(&other, 0xFF544347, 0x8018, NONCE); /* a quote */
	assert_fails(parse(other.data, other.len, &a, &_err), ERR_TPM, "vtpm-certify");
	buf_reset(&other);
	put_attest(&other, 0xFF544348, 0x8017, NONCE);
	assert_fails(parse(other.data, other.len, &a, &_err), ERR_TPM, "vtpm-certify");
	buf_reset(&other);
	put_attest(&other, 0xFF544347, 0x8017, "0123456789abcdef0123456789abcdeF");
	assert_fails(parse(other.data, other.len, &a, &_err), ERR_TPM, "vtpm-certify");
}

#define TEST(f) vtpm_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_ways), TEST(elsewhere), TEST(foreign_keys), TEST(planted_primary), TEST(vanishes), TEST(nv), TEST(handles_without_end), cmocka_unit_test(attest),
	};

	swtpm_or_skip();
	return cmocka_run_group_tests_name("vtpm_binding", tests, NULL, NULL);
}
