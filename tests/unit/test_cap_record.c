/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A run that ends between the two events of the cap, and what the next one, which knows the record and the register alone, makes of it. */
#include "tests/unit/cap_machine.h"

#include <stdlib.h>

static char root[32];

static int record_setup(void **state)
{
	struct machine *m;

	setup(state);
	m = *state;
	close(m->dir);
	strcpy(root, "/tmp/test_cap_record.XXXXXX");
	assert_non_null(mkdtemp(root));
	m->dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	m->env.root_fd = m->dir;
	return 0;
}

static int record_teardown(void **state)
{
	struct machine *m = *state;

	unlinkat(m->dir, STATE_DIR "/status.json", 0);
	unlinkat(m->dir, STATE_DIR, AT_REMOVEDIR);
	unlinkat(m->dir, "run", AT_REMOVEDIR);
	rmdir(root);
	return teardown(state);
}

static struct state *loaded(struct machine *m)
{
	struct state *st = NULL;

	assert_ok(state_load(m->dir, &st, &_err));
	return st;
}

/* As far as a run gets that is killed: nothing of it is left but what it saved. */
static void killed_run(struct machine *m, bool outcome)
{
	struct state *st = loaded(m);
	struct cap c = { 0 };

	assert_ok(cap_close(&m->env, &m->tpm, st, NULL, 0, &c, &_err));
	assert_true(c.now && c.pcr);
	if (outcome)
		assert_ok(cap_say_outcome(&m->env, &c, st, "none", &_err));
	machine_tpm_close(&m->tpm);
	state_free(st);
}

static void next_call(struct machine *m, bool adds, const char *word)
{
	struct state *st = loaded(m);
	struct cap c = { 0 };

	assert_string_equal(st->cap_event, both[0]);
	assert_null(st->cap_outcome);
	assert_ok(cap_close(&m->env, &m->tpm, st, NULL, 0, &c, &_err));
	assert_false(c.now);
	assert_true(c.pcr == adds);
	assert_ok(cap_say_outcome(&m->env, &c, st, "none", &_err));
	assert_string_equal(st->cap_outcome, word);
	assert_ok(state_save(m->dir, st, &_err));
	machine_tpm_close(&m->tpm);
	state_free(st);
}

static void no_third(struct machine *m)
{
	struct state *st = loaded(m);
	struct cap c = { 0 };

	assert_ok(cap_close(&m->env, &m->tpm, st, NULL, 0, &c, &_err));
	assert_false(c.now || c.pcr || c.rtmr);
	assert_ok(cap_say_outcome(&m->env, &c, st, "kbs", &_err));
	assert_string_not_equal(st->cap_outcome, "kbs");
	machine_tpm_close(&m->tpm);
	state_free(st);
}

static void killed_between(void **state)
{
	killed_run(*state, false);
	next_call(*state, true, "none");
	assert_true(holds(*state, both, 2));
	no_third(*state);
	assert_true(holds(*state, both, 2));
}

/* The event is in, the record of it is not. */
static void killed_after_the_outcome(void **state)
{
	killed_run(*state, true);
	next_call(*state, false, "none");
	assert_true(holds(*state, both, 2));
	no_third(*state);
}

/* Killed, and then systemd measures something into the same PCR: nobody can tell any more. */
static void killed_and_extended(void **state)
{
	static const char *const events[] = { "cryptattest:cap:v1\n-\n", "machine-id" };
	struct machine *m = *state;
	struct tpm *t = NULL;

	killed_run(m, false);
	assert_ok(tpm_open(swtpm_access(m->s), AT_FDCWD, deadline_in_ms(20000), &t, &_err));
	assert_ok(pcr_extend_all(t, BOOT_CAP, events[1], strlen(events[1]), &_err));
	tpm_close(t);
	next_call(m, false, "unknown");
	assert_true(holds(m, events, 2));
	no_third(m);
}

/* The outcome fails, or the run dies over it: the next call has another try. */
static void outcome_that_failed(void **state)
{
	struct machine *m = *state;
	struct state *st = loaded(m);
	struct cap c = { 0 };

	assert_ok(cap_close(&m->env, &m->tpm, st, NULL, 0, &c, &_err));
	swtpm_kill(m->s);
	assert_true(cap_say_outcome(&m->env, &c, st, "none", NULL) < 0);
	assert_null(st->cap_outcome);
	machine_tpm_close(&m->tpm);
	state_free(st);
}

/* A run that proved its TPM has said "done"; the boot script's call, which proves nothing, does not take it back. */
static void done_stays_done(void **state)
{
	struct machine *m = *state;
	struct config_volume v = { .name = (char *)"root", .mode = MODE_KBS_OR_VTPM }, *volumes[] = { &v, NULL };
	struct state *st = loaded(m);
	struct cap c = { 0 };

	assert_ok(cap_close(&m->env, &m->tpm, st, NULL, 0, &c, &_err));
	assert_ok(state_set(&st->cap, c.state, &_err));
	assert_string_equal(st->cap, "done");
	machine_tpm_close(&m->tpm);
	m->config.volumes = volumes;
	m->config.vtpm.srk_name = NULL;
	assert_ok(cap_close(&m->env, &m->tpm, st, NULL, 0, &c, &_err));
	assert_string_equal(c.state, "done");
	machine_tpm_close(&m->tpm);
	/* But in a record that says nothing it is not made better than it is. */
	assert_ok(state_set(&st->cap, NULL, &_err));
	assert_ok(cap_close(&m->env, &m->tpm, st, NULL, 0, &c, &_err));
	assert_string_equal(c.state, "unproven");
	m->config.volumes = NULL;
	state_free(st);
}

int main(void)
{
#define t(f) cmocka_unit_test_setup_teardown(f, record_setup, record_teardown)
	const struct CMUnitTest tests[] = { t(killed_between), t(killed_after_the_outcome), t(killed_and_extended), t(outcome_that_failed), t(done_stays_done) };

	swtpm_or_skip();
	log_init("test", LOGL_ERROR, false);
	return cmocka_run_group_tests_name("cap_record", tests, NULL, NULL);
}
