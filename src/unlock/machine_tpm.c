/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "unlock/machine_tpm.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"

#define TPM_MS 60000 /* for all that a run asks of it; a command takes 20 to 200 ms */
#define AGAIN_MS 20000
#define PROVE_MS 30000
#define REOPEN_MAX 2
#define REOPEN_FOR_CAP 2 /* besides: what went wrong before must not keep the door open */

bool machine_tpm_present(const struct unlock_env *env)
{
	const struct tpm_access *a = env->platform->tpm;

	return a && a->present(a, env->root_fd);
}

static void disconnect(struct machine_tpm *m)
{
	m->counted |= m->connection && vtpm_counted(m->connection);
	vtpm_close(m->connection);
	m->connection = NULL;
}

/* A TPM that we knew must be the same one. Not without a session, where there was one: who broke the first would swallow the cap. */
static int know_again(const struct unlock_env *env, struct machine_tpm *m, struct err **err)
{
	struct tpm_name name;

	if (m->trusted)
		return vtpm_trust(m->connection, &m->binding.srk, err);
	if (m->salted)
		return tpm_name_parse(env->config->vtpm.srk_name, &name, err) < 0 ? -1 : vtpm_trust(m->connection, &name, err);
	return 0;
}

static int connect_anew(const struct unlock_env *env, struct machine_tpm *m, struct err **err)
{
	/* Not the run's deadline: the cap comes after it too. */
	if (vtpm_open(env->platform->tpm, env->root_fd, deadline_in_ms(m->reopened ? AGAIN_MS : TPM_MS), &m->connection, err) < 0)
		return -1;
	if (m->counted)
		vtpm_set_counted(m->connection);
	if (know_again(env, m, err) == 0)
		return 0;
	disconnect(m);
	return -1;
}

int machine_tpm_open(const struct unlock_env *env, struct machine_tpm *m, struct vtpm **ret, struct err **err)
{
	if (!m->connection && connect_anew(env, m, err) < 0)
		return -1;
	*ret = m->connection;
	return 0;
}

static int prove(const struct unlock_env *env, struct machine_tpm *m, struct vtpm *v, struct err **err)
{
	struct binding_result *r = &m->binding;

	if (vtpm_prove(env, v, deadline_in_ms(PROVE_MS), r, err) < 0 || vtpm_trust(v, &r->srk, err) < 0)
		return -1;
	log_debug("the TPM is trusted: %s", r->summary);
	m->trusted = true;
	m->proved = r->proved;
	return 0;
}

/* Trusted is what a connection was, too, that broke since: it is always asked for. */
int machine_tpm_trust(const struct unlock_env *env, struct machine_tpm *m, struct vtpm **ret, struct err **err)
{
	struct vtpm *v;

	if (machine_tpm_open(env, m, &v, err) < 0 || (!m->trusted && prove(env, m, v, err) < 0))
		return -1;
	*ret = v;
	return 0;
}

/* A machine that uses its TPM for nothing but the cap need not say whose it is. */
bool machine_tpm_proof_due(const struct config *c)
{
	if (c->vtpm.binding == BINDING_AZURE || c->vtpm.binding == BINDING_SVSM)
		return true;
	for (struct config_volume *const *v = c->volumes; v && *v; v++)
		if (config_mode_uses_vtpm((*v)->mode))
			return true;
	return false;
}

int machine_tpm_salt(const struct unlock_env *env, struct machine_tpm *m, bool with_proof, struct err **err)
{
	const char *stated = env->config->vtpm.srk_name;
	struct tpm_name name;
	struct vtpm *v;

	if (machine_tpm_open(env, m, &v, err) < 0)
		return -1;
	if (m->trusted || m->salted)
		return 0;
	if (with_proof && machine_tpm_proof_due(env->config))
		return prove(env, m, v, err);
	if (!stated)
		return 0;
	if (tpm_name_parse(stated, &name, err) < 0 || vtpm_trust(v, &name, err) < 0)
		return -1;
	m->salted = true;
	return 0;
}

void machine_tpm_close(struct machine_tpm *m)
{
	vtpm_close(m->connection);
	*m = (struct machine_tpm){ 0 };
}

int machine_tpm_again(const struct unlock_env *env, struct machine_tpm *m, bool cap, struct err **why)
{
	struct err *e = NULL;
	struct vtpm *v;

	if ((!text_eq(err_id(*why), "tpm-io") && !text_eq(err_id(*why), "tpm-session")) || m->reopened >= REOPEN_MAX + (cap ? REOPEN_FOR_CAP : 0))
		return -1;
	log_debug("%s: trying once more with a new connection", err_message(*why));
	disconnect(m);
	m->reopened++;
	if (machine_tpm_open(env, m, &v, &e) == 0) {
		err_clear(why);
		return 0;
	}
	err_free(*why);
	*why = e;
	return -1;
}
