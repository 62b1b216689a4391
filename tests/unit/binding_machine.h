/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A machine for tests of unlock/binding.h: a root directory, a swtpm, the test PKI, a configuration. */
#ifndef CRYPTATTEST_TESTS_BINDING_MACHINE_H
#define CRYPTATTEST_TESTS_BINDING_MACHINE_H

#include "tests/lib/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"
#include "tests/lib/azure_tpm.h"
#include "tests/lib/tee_testpki.h"
#include "tests/unit/tee_root.h"
#include "unlock/binding.h"
#include "vtpm/binding.h"

static struct testpki *pki;

struct machine {
	struct tee_root *root;
	struct swtpm *swtpm;
	struct azure_tpm azure; /* only after machine_is_azure() */
	struct platform platform;
	struct config config;
	struct unlock_env env;
	struct buf vek;
	char srk_name[2 * TPM_NAME_MAX + 1];
	const struct tpm_access *tpm;
	uint64_t patience_ms;
};

static inline char *machine_test_roots(int root_fd)
{
	return strdup(testpki_roots(pki));
}

static inline int machine_start(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));

	if (!m || tee_root_setup((void **)&m->root) < 0)
		return -1;
	m->swtpm = swtpm_start();
	m->tpm = swtpm_access(m->swtpm);
	m->platform = (struct platform){ .name = "test", .tees = tee_testpki_providers, .test_roots = machine_test_roots };
	m->config.vtpm.binding = BINDING_AUTO;
	m->env = (struct unlock_env){ .platform = &m->platform, .root_fd = m->root->env.root_fd, .config = &m->config };
	m->patience_ms = 20000;
	buf_init(&m->vek, 65536);
	*state = m;
	return 0;
}

static inline int machine_stop(void **state)
{
	struct machine *m = *state;

	if (m->azure.pki)
		azure_tpm_clear(&m->azure);
	swtpm_stop(m->swtpm);
	buf_free(&m->vek);
	tee_root_teardown((void **)&m->root);
	free(m);
	return 0;
}

static inline int machine_open_pki(void **state)
{
	return testpki_open(NULL, &pki, NULL);
}

static inline int machine_close_pki(void **state)
{
	testpki_free(pki);
	return 0;
}

/* vek = this key's certificate and its chain. */
static inline void machine_vek(struct machine *m, bool vlek)
{
	buf_reset(&m->vek);
	assert_ok(testpki_der(pki, vlek ? "vlek" : "vcek", &m->vek, &_err));
	assert_ok(testpki_der(pki, vlek ? "asvk" : "ask", &m->vek, &_err));
	assert_ok(testpki_der(pki, "ark", &m->vek, &_err));
	m->config.vtpm.vek = (char *)"/etc/vek.pem";
	m->config.vtpm.vek_data = m->vek.data;
	m->config.vtpm.vek_len = m->vek.len;
}

static inline void machine_is_azure(struct machine *m)
{
	azure_tpm_init(&m->azure, m->swtpm, pki);
	m->tpm = &m->azure.access;
	machine_vek(m, false);
}

/* A file below tee/ of the test TEE. */
static inline void machine_tee(struct machine *m, const char *name, const void *data, size_t len)
{
	char path[64];

	tee_root_dir(m->root, "tee");
	snprintf(path, sizeof(path), "tee/%s", name);
	tee_root_file(m->root, path, data, len);
}

static inline int machine_prove(struct machine *m, struct binding_result *ret, struct err **err)
{
	_cleanup_vtpm_ struct vtpm *v = NULL;

	if (vtpm_open(m->tpm, m->env.root_fd, deadline_in_ms(20000), &v, err) < 0)
		return -1;
	return vtpm_prove(&m->env, v, deadline_in_ms(m->patience_ms), ret, err);
}

static inline void machine_proves(struct machine *m, const char *method, struct binding_result *ret)
{
	_cleanup_vtpm_ struct vtpm *v = NULL;
	struct tpm_name shown;

	assert_ok(machine_prove(m, ret, &_err));
	assert_string_equal(ret->method, method);
	assert_int_equal(ret->proved, !text_eq(method, "config"));
	assert_true(strlen(ret->summary) > 40 && strlen(ret->summary) < sizeof(ret->summary) - 1);
	/* It is this TPM's primary, and can be trusted now. */
	assert_ok(vtpm_open(m->tpm, m->env.root_fd, deadline_in_ms(20000), &v, &_err));
	assert_ok(vtpm_primary_name(v, &shown, &_err));
	assert_true(tpm_name_equal(&shown, &ret->srk));
	assert_ok(vtpm_trust(v, &ret->srk, &_err));
}

static inline void machine_fails(struct machine *m, const char *id)
{
	struct binding_result r;

	assert_fails(machine_prove(m, &r, &_err), ERR_TPM, id);
}

/* srk-name = a Name that no TPM has. */
static inline void machine_pin_other(struct machine *m)
{
	strcpy(m->srk_name, "000b");
	memset(m->srk_name + 4, 'a', 64);
	m->config.vtpm.srk_name = m->srk_name;
}

static inline void machine_pin(struct machine *m, const struct tpm_name *name)
{
	tpm_name_text(name, m->srk_name);
	m->config.vtpm.srk_name = m->srk_name;
}

#define MACHINE_TEST(f) cmocka_unit_test_setup_teardown(f, machine_start, machine_stop)

#endif
