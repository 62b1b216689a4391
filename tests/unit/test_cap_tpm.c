/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The cap after something went wrong between us and the TPM: a run whose connection broke, or was meddled with, still closes the register. */
#include "tests/unit/cap_machine.h"

#include <tss2/tss2_tpm2_types.h>

/* The run asks for a sealed secret, and the next answer goes wrong: ESYS takes no command any more. */
static void break_off(struct machine *m, const char *id)
{
	bool capped;
	struct vtpm *v;

	assert_ok(machine_tpm_trust(&m->env, &m->tpm, &v, &_err));
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
	assert_fails(vtpm_capped(v, &m->r, &capped, &_err), ERR_TPM, id);
}

static void closes(struct machine *m)
{
	struct cap c = { 0 };

	assert_ok(cap_close(&m->env, &m->tpm, NULL, NULL, 0, &c, &_err));
	assert_string_equal(c.state, "done");
	assert_true(c.pcr);
	assert_true(is_capped(m));
	assert_ok(cap_say_outcome(&m->env, &c, NULL, "none", &_err));
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
	assert_fails(cap_close(&m->env, &m->tpm, NULL, NULL, 0, &c, &_err), ERR_CAP, "tpm-replaced");
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
	assert_fails(cap_close(&m->env, &m->tpm, NULL, NULL, 0, &c, &_err), ERR_CAP, "cap-readback");
}

/* The TPM did as it was told, and nobody heard of it: not twice, and the outcome still follows. */
static void lost_answer(struct machine *m, unsigned int nth)
{
	struct cap c = { 0 };

	m->i.lose.code = TPM2_CC_PCR_Extend;
	m->i.lose.nth = nth;
	assert_ok(cap_close(&m->env, &m->tpm, NULL, NULL, 0, &c, &_err));
	assert_string_equal(c.state, "done");
	assert_true(c.pcr);
	assert_ok(cap_say_outcome(&m->env, &c, NULL, "none", &_err));
	assert_true(holds(m, both, 2));
}

static void lost_answer_to_the_cap(void **state)
{
	lost_answer(*state, 1);
}

static void lost_answer_to_the_outcome(void **state)
{
	lost_answer(*state, 2);
}

static void lost_answer_without_a_session(void **state)
{
	struct machine *m = *state;

	m->config.vtpm.srk_name = NULL;
	lost_answer(m, 1);
}

static void lost_command(void **state)
{
	struct machine *m = *state;
	struct cap c = { 0 };

	m->i.drop.code = TPM2_CC_PCR_Extend;
	m->i.drop.nth = 1;
	assert_ok(cap_close(&m->env, &m->tpm, NULL, NULL, 0, &c, &_err));
	assert_ok(cap_say_outcome(&m->env, &c, NULL, "none", &_err));
	assert_true(holds(m, both, 2));
}

/* Any single command of the cap and the outcome, lost or only its answer: the register gets both events, and each of them once. */
static void any_command(void **state)
{
	struct machine *m = *state;

	for (unsigned int n = 1;; n++) {
		bool hit;

		for (int lose = 0; lose < 2; lose++) {
			struct cap c = { 0 };

			swtpm_reboot(m->s);
			interposer_rewind(&m->i);
			m->i.lose.nth = lose ? n : 0;
			m->i.drop.nth = lose ? 0 : n;
			assert_ok(cap_close(&m->env, &m->tpm, NULL, NULL, 0, &c, &_err));
			assert_ok(cap_say_outcome(&m->env, &c, NULL, "none", &_err));
			hit = m->tpm.reopened > 0;
			machine_tpm_close(&m->tpm);
			assert_true(holds(m, both, 2));
		}
		if (!hit) {
			assert_true(n > 5);
			return;
		}
	}
}

/* What an interposer without the key can do with a cap: it says yes to it, and shows the value that it must have become. */
struct swallow {
	bool extending;
};

static void swallow(struct tpm_interposer *i, bool command, uint8_t *message, size_t *len)
{
	struct swallow *s = i->relay_ctx;
	const uint32_t code = i->codes[i->commands - 1];

	if (command && code == TPM2_CC_PCR_Extend) {
		s->extending = true;
		/* In its place the TPM extends a register that nobody asks for. */
		message[13] = 16;
	}
	(void)len;
}

static void swallowed(void **state)
{
	struct machine *m = *state;
	struct swallow s = { 0 };
	struct cap c;

	m->i.relay = swallow;
	m->i.relay_ctx = &s;
	assert_fails(cap_close(&m->env, &m->tpm, NULL, NULL, 0, &c, &_err), ERR_CAP, "tpm-session");
	assert_true(s.extending);
	assert_false(is_capped(m));
}

/* Another TPM than the one that srk-name says: `required` is not fulfilled by capping it. It is capped all the same. */
static void another_tpm(void **state)
{
	struct machine *m = *state;
	struct cap c = { 0 };

	m->srk_name[10] = m->srk_name[10] == '0' ? '1' : '0';
	m->config.cap = CAP_REQUIRED;
	assert_fails(cap_close(&m->env, &m->tpm, NULL, NULL, 0, &c, &_err), ERR_CAP, "cap-unproven");
	assert_true(is_capped(m));
	machine_tpm_close(&m->tpm);
	assert_fails(cap_close(&m->env, &m->tpm, NULL, NULL, 0, &c, &_err), ERR_CAP, "cap-unproven"); /* and stays so */
	machine_tpm_close(&m->tpm);
	swtpm_reboot(m->s);
	m->config.cap = CAP_AUTO;
	assert_ok(cap_close(&m->env, &m->tpm, NULL, NULL, 0, &c, &_err));
	assert_string_equal(c.state, "unproven");
	assert_true(is_capped(m));
}

/* What is on record when nothing went wrong, but nothing was shown either. */
static void auto_says_what_it_knows(void **state)
{
	struct machine *m = *state;
	struct config_volume v = { .name = (char *)"root", .mode = MODE_KBS_OR_VTPM }, *volumes[] = { &v, NULL };
	const struct {
		enum config_mode mode;
		enum config_on_failure on_failure;
		bool stated;
		const char *state;
	} t[] = {
		{ MODE_KBS_OR_VTPM, ON_FAILURE_REBOOT, true, "done" },	    /* a session to the primary of srk-name */
		{ MODE_KBS_OR_VTPM, ON_FAILURE_REBOOT, false, "unproven" }, /* sealed to it, and nothing was asked of the hardware */
		{ MODE_KBS_OR_VTPM, ON_FAILURE_SHELL, false, "unproven" },  /* asked, and nothing proves it */
		{ MODE_KBS, ON_FAILURE_REBOOT, false, "done" },		    /* nothing of ours depends on whose it is */
	};

	m->config.volumes = volumes;
	m->config.cap = CAP_AUTO;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct cap c = { 0 };

		swtpm_reboot(m->s);
		v.mode = t[i].mode;
		m->config.on_failure = t[i].on_failure;
		m->config.vtpm.srk_name = t[i].stated ? m->srk_name : NULL;
		assert_ok(cap_close(&m->env, &m->tpm, NULL, NULL, 0, &c, &_err));
		assert_string_equal(c.state, t[i].state);
		assert_true(is_capped(m));
		machine_tpm_close(&m->tpm);
	}
	m->config.volumes = NULL;
}

/* Where volumes are sealed `required` asks for the proof that an unsealing asks for, also in a boot that unsealed nothing. */
static void required_proves(void **state)
{
	struct machine *m = *state;
	struct config_volume v = { .name = (char *)"root", .mode = MODE_KBS_OR_VTPM }, *volumes[] = { &v, NULL };
	struct cap c = { 0 };

	m->config.volumes = volumes;
	m->config.cap = CAP_REQUIRED;
	assert_ok(cap_close(&m->env, &m->tpm, NULL, NULL, 0, &c, &_err));
	assert_true(m->tpm.trusted);
	machine_tpm_close(&m->tpm);
	swtpm_reboot(m->s);
	m->config.vtpm.srk_name = NULL; /* nothing says which one it is */
	assert_fails(cap_close(&m->env, &m->tpm, NULL, NULL, 0, &c, &_err), ERR_CAP, "cap-unproven");
	assert_true(is_capped(m));
	machine_tpm_close(&m->tpm);
	swtpm_reboot(m->s);
	v.mode = MODE_KBS; /* nothing is sealed: there is nothing to ask */
	assert_ok(cap_close(&m->env, &m->tpm, NULL, NULL, 0, &c, &_err));
	m->config.volumes = NULL;
}

/* A later volume of the run: a new connection to the same TPM, which knows that this boot was counted. */
static void a_new_connection(void **state)
{
	struct machine *m = *state;
	struct err *why = NULL;
	bool capped;

	for (int i = 0; i < 2; i++) {
		break_off(m, i ? "tpm-session" : "tpm-io");
		vtpm_set_counted(m->tpm.connection);
		assert_true(vtpm_capped(m->tpm.connection, &m->r, &capped, &why) < 0);
		assert_ok(machine_tpm_again(&m->env, &m->tpm, false, &why));
		assert_null(why);
		assert_true(m->tpm.trusted && vtpm_counted(m->tpm.connection));
		assert_ok(vtpm_capped(m->tpm.connection, &m->r, &capped, &_err));
		m->i.drop.nth = m->i.flip.nth = 0;
	}
	/* Not for ever, and not after what is no matter of the connection; */
	break_off(m, "tpm-io");
	err_set(&why, ERR_TPM, "tpm-io", "broken");
	assert_int_equal(machine_tpm_again(&m->env, &m->tpm, false, &why), -1);
	assert_string_equal(err_message(why), "broken");
	err_clear(&why);
	/* but the cap still comes. */
	closes(m);
	machine_tpm_close(&m->tpm);
	err_set(&why, ERR_TPM, "policy", "other PCRs");
	assert_int_equal(machine_tpm_again(&m->env, &m->tpm, false, &why), -1);
	err_clear(&why);
}

/* The new connection breaks, too: the TPM is one that we trusted, and there is no way to it. Who asks next gets a way, or an error. */
static void no_connection(void **state)
{
	struct machine *m = *state;
	struct err *why = NULL;
	struct vtpm *v = NULL;
	struct cap c = { 0 };
	bool capped;

	break_off(m, "tpm-io");
	m->i.drop.code = INTERPOSER_ANY;
	m->i.drop.nth = 1;
	interposer_rewind(&m->i);
	err_set(&why, ERR_TPM, "tpm-io", "broken");
	assert_int_equal(machine_tpm_again(&m->env, &m->tpm, false, &why), -1);
	err_clear(&why);
	interposer_rewind(&m->i);
	assert_fails(machine_tpm_trust(&m->env, &m->tpm, &v, &_err), ERR_TPM, "tpm-io");
	assert_null(v);
	interposer_rewind(&m->i);
	assert_fails(machine_tpm_salt(&m->env, &m->tpm, false, &_err), ERR_TPM, "tpm-io");
	m->i.drop.nth = 0;
	assert_ok(machine_tpm_trust(&m->env, &m->tpm, &v, &_err));
	assert_ok(vtpm_capped(v, &m->r, &capped, &_err));
	assert_ok(cap_close(&m->env, &m->tpm, NULL, NULL, 0, &c, &_err));
	assert_true(is_capped(m));
}

#define t(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { t(after_silence), t(after_meddling), t(another_tpm_takes_over), t(odd_register),
					     t(lost_answer_to_the_cap), t(lost_answer_to_the_outcome), t(lost_answer_without_a_session),
					     t(lost_command), t(any_command), t(swallowed), t(another_tpm), t(required_proves), t(auto_says_what_it_knows),
					     t(a_new_connection), t(no_connection) };

	swtpm_or_skip();
	log_init("test", LOGL_ERROR, false);
	return cmocka_run_group_tests_name("cap_tpm", tests, NULL, NULL);
}
