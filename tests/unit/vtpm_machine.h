/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* One machine, one volume's sealed file: for the tests of sealing. */
#ifndef CRYPTATTEST_TESTS_VTPM_MACHINE_H
#define CRYPTATTEST_TESTS_VTPM_MACHINE_H

#include "tests/lib/vtpm_boot.h"

struct machine {
	struct swtpm *s;
	struct tpm_name primary;
	struct vtpm_rules r;
	struct sealed_blob b;
};

static inline int setup(void **state)
{
	static struct machine m;

	memset(&m, 0, sizeof(m));
	m.s = boot_machine(&m.primary);
	m.r = boot_rules();
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

static inline void seal(struct machine *m, const char *pin)
{
	sealed_blob_clear(&m->b);
	boot_seal_now(m->s, &m->primary, &m->r, pin, &m->b);
}

static inline int unseal(struct machine *m, const char *pin, bool need_origin, bool offline, struct err **err)
{
	enum sealed_origin origin;

	if (boot_unseal_full(swtpm_access(m->s), &m->primary, &m->r, &m->b, pin, need_origin, offline, &origin, err) < 0)
		return -1;
	assert_int_equal(origin, need_origin ? ORIGIN_CREATION : ORIGIN_UNPROVEN);
	return 0;
}

static inline bool current(struct machine *m)
{
	struct vtpm *v = boot_open(swtpm_access(m->s), &m->primary);
	bool is;

	assert_ok(vtpm_current(v, &m->r, &m->b, &is, &_err));
	vtpm_close(v);
	return is;
}

#define t(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
