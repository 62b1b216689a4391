/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Sealing and unsealing across boots, updates, and what happens to TPMs. */
#include "tests/lib/vtpm_boot.h"

struct machine {
	struct swtpm *s;
	struct tpm_name primary;
};

static int setup(void **state)
{
	static struct machine m;

	m.s = boot_machine(&m.primary);
	*state = &m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	swtpm_stop(m->s);
	return 0;
}

static void test_reboot(void **state)
{
	struct machine *m = *state;
	const struct vtpm_rules r = boot_rules();
	struct sealed_blob b;
	enum sealed_origin origin;

	boot_seal_now(m->s, &m->primary, &r, NULL, &b);
	assert_ok(boot_unseal(m->s, &m->primary, &r, &b, &_err));
	boot_system(m->s, "system");
	assert_ok(boot_unseal_full(swtpm_access(m->s), &m->primary, &r, &b, NULL, true, false, &origin, &_err));
	assert_int_equal(origin, ORIGIN_CREATION);
	sealed_blob_clear(&b);
}

#define t(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(test_reboot),
	};

	swtpm_or_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
