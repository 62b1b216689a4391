/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The cap after something went wrong between us and the TPM: a run whose connection broke, or was meddled with, still closes the register. */
#include "tests/lib/vtpm_boot.h"

#include <tss2/tss2_tpm2_types.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "tests/lib/tpm_interposer.h"
#include "unlock/cap.h"

struct machine {
	struct swtpm *s;
	struct tpm_interposer i;
	struct platform platform;
	struct config config;
	struct unlock_env env;
	int dir;
	struct vtpm_rules r;
	char srk_name[2 * TPM_NAME_MAX + 1];
	struct machine_tpm tpm;
};

static int setup(void **state)
{
	static struct machine m;
	struct tpm_name primary;

	memset(&m, 0, sizeof(m));
	/* Without registers of a TDX machine in it. */
	m.dir = open("/proc/self/fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	m.s = boot_machine(&primary);
	tpm_name_text(&primary, m.srk_name);
	interposer_init(&m.i, swtpm_access(m.s), NULL);
	m.r = boot_rules();
	m.platform.tpm = &m.i.access;
	m.config.profile = PROFILE_BARE_METAL;
	m.config.vtpm.cap_pcr = BOOT_CAP;
	m.config.vtpm.cap_rtmr = 3;
	m.config.vtpm.srk_name = m.srk_name;
	m.env = (struct unlock_env){ .platform = &m.platform, .root_fd = m.dir, .config = &m.config };
	*state = &m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	machine_tpm_close(&m->tpm);
	interposer_clear(&m->i);
	swtpm_stop(m->s);
	close(m->dir);
	return 0;
}

static bool is_capped(struct machine *m)
{
	struct tpm *t = NULL;
	bool moved;

	assert_ok(tpm_open(swtpm_access(m->s), AT_FDCWD, deadline_in_ms(20000), &t, &_err));
	assert_ok(pcr_moved(t, BOOT_CAP, &moved, &_err));
	tpm_close(t);
	return moved;
}

/* The run asks for a sealed secret, and the next answer goes wrong: ESYS takes no command any more. */
static void break_off(struct machine *m, const char *id)
{
	bool capped;

	assert_ok(machine_tpm_trust(&m->env, &m->tpm, &_err));
	interposer_rewind(&m->i);
	if (strcmp(id, "tpm-io") == 0) {
		m->i.drop.code = TPM2_CC_PCR_Read;
		m->i.drop.nth = 1;
	} else {
		m->i.flip.code = TPM2_CC_PCR_Read;
		m->i.flip.nth = 1;
		m->i.flip.at = 17; /* the counter of updates */
		m->i.flip.mask = 1;
	}
	assert_fails(vtpm_capped(m->tpm.vtpm, &m->r, &capped, &_err), ERR_TPM, id);
}

static void closes(struct machine *m)
{
	struct cap c = { 0 };

	assert_ok(cap_close(&m->env, &m->tpm, NULL, 0, &c, &_err));
	assert_string_equal(c.state, "done");
	assert_true(c.pcr);
	assert_true(is_capped(m));
	assert_ok(cap_say_outcome(&m->env, &c, "none", &_err));
}

static void after_silence(void **state)
{
	break_off(*state, "tpm-io");
	closes(*state);
}

/* Not without a session, now that there was one: who broke the first would swallow the cap. */
static void after_meddling(void **state)
{
	struct machine *m = *state;

	break_off(m, "tpm-session");
	m->config.vtpm.srk_name = NULL; /* as where the hardware report said whose vTPM it is */
	closes(m);
	assert_true(m->tpm.trusted);
}

static void another_tpm_takes_over(void **state)
{
	struct machine *m = *state;
	struct swtpm *other = swtpm_start();
	struct cap c;

	break_off(m, "tpm-session");
	m->config.vtpm.srk_name = NULL;
	m->i.first = swtpm_access(other);
	assert_fails(cap_close(&m->env, &m->tpm, NULL, 0, &c, &_err), ERR_CAP, "tpm-replaced");
	swtpm_stop(other);
}

/* What the TPM itself says wrong of the register is final. */
static void odd_register(void **state)
{
	struct machine *m = *state;
	struct cap c;

	m->config.vtpm.srk_name = NULL;
	m->i.flip.code = TPM2_CC_PCR_Read;
	m->i.flip.nth = 2;
	m->i.flip.at = 60; /* a byte of a value */
	m->i.flip.mask = 1;
	assert_fails(cap_close(&m->env, &m->tpm, NULL, 0, &c, &_err), ERR_CAP, "cap-readback");
}

#define t(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { t(after_silence), t(after_meddling), t(another_tpm_takes_over), t(odd_register) };

	swtpm_or_skip();
	log_init("test", LOGL_ERROR, false);
	return cmocka_run_group_tests_name("cap_tpm", tests, NULL, NULL);
}
