/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A machine on which other systems ran, and sealed. */
#ifndef CRYPTATTEST_TESTS_VTPM_STRANGER_H
#define CRYPTATTEST_TESTS_VTPM_STRANGER_H

#include "tests/lib/vtpm_boot.h"

#include "base/cleanup.h"
#include "vtpm/seal.h"
#include "vtpm/state.h"

#define EVIL_SECRET "the secret that the attacker uses"

struct machine {
	struct swtpm *s;
	struct tpm_name primary;
	struct vtpm_rules r;
	struct sealed_blob b;
	uint8_t policy[POLICY_DIGEST]; /* of the good state; anybody can compute it */
	uint32_t creation_mask;
};

static inline int setup(void **state)
{
	static struct machine m;
	struct vtpm_state s;
	struct vtpm *v;

	memset(&m, 0, sizeof(m));
	m.s = boot_machine(&m.primary);
	m.r = boot_rules();
	v = boot_open(swtpm_access(m.s), &m.primary);
	boot_seal(v, &m.r, NULL, &m.b);
	assert_ok(vtpm_state_read(v, &m.r, NULL, 0, &s, &_err));
	assert_ok(policy_digest(&s.policy, m.policy, &_err));
	m.creation_mask = s.creation_mask;
	vtpm_state_clear(&s);
	vtpm_close(v);
	*state = &m;
	return 0;
}

static inline int teardown(void **state)
{
	struct machine *m = *state;

	sealed_blob_clear(&m->b);
	swtpm_stop(m->s);
	return 0;
}

static inline struct secret *evil_payload(void)
{
	struct sealed_payload p = boot_payload();
	struct secret *bytes = NULL;

	memcpy(secret_data(p.secret), EVIL_SECRET, SEALED_SECRET_LEN);
	assert_ok(sealed_payload_encode(&p, &bytes, &_err));
	sealed_payload_clear(&p);
	return bytes;
}

/* Replaces the object in the file by one that the attacker sealed in the state that the machine is in, for the good state. */
static inline void seal_evil(struct machine *m)
{
	_cleanup_secret_ struct secret *bytes = evil_payload();
	struct vtpm *v = boot_open(swtpm_access(m->s), &m->primary);
	struct sealed_bytes *const parts[] = { &m->b.pub, &m->b.priv, &m->b.creation_data, &m->b.creation_ticket };
	struct seal_result made;

	assert_ok(seal_create(v->t, m->policy, bytes, NULL, PCR_SHA256, m->creation_mask, &made, &_err));
	vtpm_close(v);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		free(parts[i]->data);
	m->b.pub = made.pub;
	m->b.priv = made.priv;
	m->b.creation_data = made.creation_data;
	m->b.creation_ticket = made.creation_ticket;
}

static inline int unseal(struct machine *m, bool need_origin, enum sealed_origin *ret_origin, char ret_first[static 9], struct err **err)
{
	_cleanup_vtpm_ struct vtpm *v = boot_open(swtpm_access(m->s), &m->primary);
	struct sealed_payload p;

	if (vtpm_unseal(v, &m->r, &m->b, NULL, need_origin, false, &p, ret_origin, err) < 0)
		return -1;
	snprintf(ret_first, 9, "%.8s", (const char *)secret_cdata(p.secret) + 24);
	sealed_payload_clear(&p);
	return 0;
}

/* It does open where the configuration vouches for the volume; what comes out is then of no use to the attacker (vk_id). */
static inline void expect_refused(struct machine *m, const char *word)
{
	_cleanup_err_ struct err *e = NULL;
	enum sealed_origin origin;
	char first[9];

	assert_true(unseal(m, true, &origin, first, &e) < 0);
	assert_int_equal(err_class(e), ERR_TPM);
	assert_string_equal(err_id(e), "sealed-origin");
	if (!strstr(err_message(e), word))
		fail_msg("said \"%s\", expected \"%s\"", err_message(e), word);
	assert_ok(unseal(m, false, &origin, first, &_err));
	assert_int_equal(origin, ORIGIN_UNPROVEN);
}

static inline void expect_origin(struct machine *m, enum sealed_origin want)
{
	enum sealed_origin origin;
	char first[9];

	assert_ok(unseal(m, true, &origin, first, &_err));
	assert_int_equal(origin, want);
	assert_memory_equal(first, &BOOT_SECRET[24], 8);
}

#define t(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
