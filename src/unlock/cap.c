/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "unlock/cap.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "state/state.h"

#define LOCK_WAIT_MS 60000
#define EVENT_MAX (64 * 1024)

/* What was capped in this boot stays so, also where the host has hidden it since. NULL: nothing was. */
static const char *capped_before(const struct state *st)
{
	return !st ? NULL : text_eq(st->cap, "done") ? "done" : text_eq(st->cap, "unproven") ? "unproven" : NULL;
}

/* Hidden by the host, or without its driver: the TPM that the configuration counts on may come back, with a register that nobody has closed. */
static bool is_hidden(const struct unlock_env *env, const struct state *st, const struct registers *r)
{
	return !r->has_pcr && !capped_before(st) && machine_tpm_proof_due(env->config);
}

static int hidden(const struct unlock_env *env, struct err **err)
{
	if (env->config->cap == CAP_REQUIRED) {
		err_set(err, ERR_CAP, "cap-no-register", "cap = required, but the TPM that the configuration counts on is not there");
		return err_hint(err, "set cap = auto to go on without it, and read \"What is not protected\" in cryptattest(8)");
	}
	log_warning("cap: the configuration counts on a TPM, and none is there to be capped: should it show up later in this boot, what is sealed "
		    "to it can be unsealed then; cap = required makes that an error");
	return 0;
}

static int no_register(const struct unlock_env *env, const struct state *st, struct cap *c, struct err **err)
{
	c->state = capped_before(st);
	if (c->state)
		return 0;
	if (is_hidden(env, st, &c->registers)) {
		c->state = "absent";
		return hidden(env, err);
	}
	c->state = "none";
	if (env->config->cap != CAP_REQUIRED)
		return 0;
	err_set(err, ERR_CAP, "cap-no-register", "cap = required, but no run-time register is usable on this machine");
	return err_hint(err, "set cap = auto to go on without one, and read \"What is not protected\" in cryptattest(8)");
}

/*
 * A run that was killed between its two events: a register that holds the first alone gets the second now. Where both are in, only the
 * record lost the word; of one that somebody has extended since, nobody can tell.
 */
static void find_outcome(const struct unlock_env *env, struct cap *c, struct state *st)
{
	const char *word = "unknown";
	bool pcr, rtmr;

	if (!st || !st->cap_event || st->cap_outcome)
		return;
	registers_hold(env, &c->registers, (const char *[]){ st->cap_event }, 1, &pcr, &rtmr);
	c->pcr |= pcr;
	c->rtmr |= rtmr;
	if (c->pcr || c->rtmr)
		return;
	for (const char *const *w = cap_outcome_words; *w; w++) {
		_cleanup_buf_ struct buf event = BUF_INIT(256);

		if (cap_outcome_event(*w, &event, NULL) < 0)
			continue;
		registers_hold(env, &c->registers, (const char *[]){ st->cap_event, buf_cstr(&event) }, 2, &pcr, &rtmr);
		if (pcr || rtmr)
			word = *w;
	}
	if (state_set(&st->cap_outcome, word, NULL) < 0)
		log_warning("status record: out of memory");
}

/* The cap is not for lack of a record left undone. */
static void note_event(const struct unlock_env *env, struct state *st, struct buf *event)
{
	_cleanup_err_ struct err *e = NULL;

	if (st && (state_set(&st->cap_event, buf_cstr(event), &e) < 0 || state_set(&st->cap_outcome, NULL, &e) < 0 ||
		   state_save(env->root_fd, st, &e) < 0))
		log_warning("status record: %s", err_message(e));
}

static const char *closed_state(const struct unlock_env *env, const struct cap *c, const struct state *st, bool unproven)
{
	/* It was this boot's right TPM then, and its register has moved now. */
	if (!c->now && st && text_eq(st->cap, "done"))
		return "done";
	if (is_hidden(env, st, &c->registers))
		return "absent";
	return unproven || (machine_tpm_proof_due(env->config) && !registers_known(&c->registers)) ? "unproven" : "done";
}

int cap_close(const struct unlock_env *env, struct machine_tpm *m, struct state *st, struct cap_volume *v, size_t n, struct cap *ret,
	      struct err **err)
{
	_cleanup_buf_ struct buf event = BUF_INIT(EVENT_MAX);
	_cleanup_err_ struct err *unproven = NULL;
	struct cap c = { .state = "off" };

	if (env->config->cap != CAP_OFF) {
		if (registers_read(env, m, &c.registers, &unproven, err) < 0)
			return -1;
		if (!registers_any(&c.registers) ? no_register(env, st, &c, err) < 0 : cap_event(v, n, &event, err) < 0)
			return -1;
	}
	if (registers_any(&c.registers)) {
		const bool pcr = c.registers.has_pcr && !c.registers.pcr_moved, rtmr = c.registers.has_rtmr && !c.registers.rtmr_moved;

		find_outcome(env, &c, st);
		c.now = pcr || rtmr;
		c.pcr |= pcr;
		c.rtmr |= rtmr;
		if (c.now)
			note_event(env, st, &event);
		if (registers_extend(env, &c.registers, pcr, rtmr, event.data, event.len, err) < 0)
			return -1;
		c.state = closed_state(env, &c, st, unproven);
		if (text_eq(c.state, "absent") && hidden(env, err) < 0)
			return -1;
	}
	/* What could be done was; it is not what is required. */
	if (unproven && env->config->cap == CAP_REQUIRED)
		return err_propagate(err, TAKE_PTR(unproven));
	*ret = c;
	return 0;
}

int cap_say_outcome(const struct unlock_env *env, const struct cap *c, struct state *st, const char *outcome, struct err **err)
{
	_cleanup_buf_ struct buf event = BUF_INIT(256);

	if (!c->pcr && !c->rtmr)
		return 0;
	if (cap_outcome_event(outcome, &event, err) < 0 ||
	    registers_extend(env, &c->registers, c->pcr, c->rtmr, event.data, event.len, err) < 0)
		return -1;
	if (!c->now)
		log_info("cap: the outcome, which a run that was killed had not measured, is in the register now: %s", outcome);
	return st ? state_set(&st->cap_outcome, outcome, err) : 0;
}

/* The volumes of the initrd phase that the record has as open. */
static size_t open_volumes(const struct state *st, struct cap_volume *v)
{
	size_t n = 0;

	for (size_t i = 0; i < st->n_volumes; i++) {
		const struct state_volume *sv = &st->volumes[i];

		if (text_eq(sv->state, "open") && text_eq(sv->phase, "initrd") && sv->uuid && sv->vk_id)
			v[n++] = (struct cap_volume){ sv->name, sv->uuid, sv->vk_id, sv->source };
	}
	return n;
}

static int cap_by_record(const struct unlock_env *env, struct state *st, struct cap *ret, struct err **err)
{
	_cleanup_free_ struct cap_volume *v = calloc(st->n_volumes + 1, sizeof(*v));
	struct machine_tpm m = { 0 };
	size_t n;
	int rc;

	if (!v)
		return err_nomem(err);
	n = open_volumes(st, v);
	rc = cap_close(env, &m, st, v, n, ret, err);
	if (rc == 0)
		rc = cap_say_outcome(env, ret, st, cap_outcome(v, n), err);
	machine_tpm_close(&m);
	return rc;
}

int unlock_cap(const struct unlock_env *env, const char **ret_state, bool *ret_now, struct err **err)
{
	_cleanup_close_ int lock = -1;
	struct state *st = NULL;
	struct cap c = { 0 };
	int rc;

	if (state_lock(env->root_fd, deadline_in_ms(LOCK_WAIT_MS), &lock, err) < 0 || state_load(env->root_fd, &st, err) < 0)
		return -1;
	rc = cap_by_record(env, st, &c, err);
	if (state_set(&st->cap, rc == 0 ? c.state : "failed", rc == 0 ? err : NULL) < 0 ||
	    state_save(env->root_fd, st, rc == 0 ? err : NULL) < 0)
		rc = -1;
	state_free(st);
	if (rc < 0)
		return -1;
	*ret_state = c.state;
	*ret_now = c.now;
	return 0;
}
