/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A machine with a TPM that boots systems which measure themselves; for the tests of sealing. */
#ifndef CRYPTATTEST_TESTS_VTPM_BOOT_H
#define CRYPTATTEST_TESTS_VTPM_BOOT_H

#include "tests/lib/check.h"

#include <fcntl.h>
#include <string.h>

#include "base/text.h"
#include "tests/lib/swtpm.h"
#include "vtpm/session.h"
#include "vtpm/srk.h"
#include "vtpm/vtpm.h"

#define BOOT_PCRS (UINT32_C(1) << 7 | UINT32_C(1) << 9)
#define BOOT_CAP 15
#define BOOT_VK_ID "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define BOOT_HEADER_ID "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
#define BOOT_SECRET "the secret that opens the volume" /* 32 characters */

static inline struct vtpm_rules boot_rules(void)
{
	return (struct vtpm_rules){ .bank = PCR_SHA256, .pcrs = BOOT_PCRS, .cap_pcr = BOOT_CAP };
}

static inline void boot_extend(const struct tpm_access *access, unsigned int pcr, const char *event)
{
	struct tpm *t = NULL;

	assert_ok(tpm_open(access, AT_FDCWD, deadline_in_ms(20000), &t, &_err));
	assert_ok(pcr_extend_all(t, pcr, event, strlen(event), &_err));
	tpm_close(t);
}

/* The firmware says "secure boot" into PCR 7, the loader the system's name into PCR 9 and 11. */
static inline void boot_measure(struct swtpm *s, const char *system)
{
	boot_extend(swtpm_access(s), 7, "secure boot");
	boot_extend(swtpm_access(s), 9, system);
	boot_extend(swtpm_access(s), 11, system);
}

static inline void boot_system(struct swtpm *s, const char *system)
{
	swtpm_reboot(s);
	boot_measure(s, system);
}

static inline void boot_cap(struct swtpm *s)
{
	boot_extend(swtpm_access(s), BOOT_CAP, "cap");
}

/* A new machine with a provisioned primary, running "system". */
static inline struct swtpm *boot_machine(struct tpm_name *ret_primary)
{
	struct swtpm *s = swtpm_start();
	struct vtpm *v = NULL;

	assert_ok(vtpm_open(swtpm_access(s), AT_FDCWD, deadline_in_ms(20000), &v, &_err));
	assert_ok(vtpm_provision(v, NULL, &_err));
	assert_ok(vtpm_primary_name(v, ret_primary, &_err));
	vtpm_close(v);
	boot_measure(s, "system");
	return s;
}

static inline struct vtpm *boot_open(const struct tpm_access *access, const struct tpm_name *primary)
{
	struct vtpm *v = NULL;

	assert_ok(vtpm_open(access, AT_FDCWD, deadline_in_ms(20000), &v, &_err));
	assert_ok(vtpm_trust(v, primary, &_err));
	return v;
}

static inline struct sealed_payload boot_payload(void)
{
	struct sealed_payload p = { .vk_id = BOOT_VK_ID, .header_id = BOOT_HEADER_ID };

	assert_ok(secret_from(BOOT_SECRET, SEALED_SECRET_LEN, &p.secret, &_err));
	return p;
}

static inline struct secret *boot_secret(const char *text)
{
	struct secret *s = NULL;

	assert_ok(secret_from(text, strlen(text), &s, &_err));
	return s;
}

/* Seals for the current state, as the engine would at boot. */
static inline int boot_seal_err(struct vtpm *v, const struct vtpm_rules *r, const char *pin, struct sealed_blob *ret, struct err **err)
{
	struct sealed_payload p = boot_payload();
	_cleanup_secret_ struct secret *code = pin ? boot_secret(pin) : NULL;
	int rc = vtpm_seal(v, r, &p, code, NULL, NULL, ret, err);

	sealed_payload_clear(&p);
	if (rc < 0)
		return -1;
	ret->name = text_dup("root");
	ret->uuid = text_dup("6f1c2d3e-1111-4222-8333-444455556666");
	ret->sealed_at = text_dup("boot");
	return 0;
}

static inline void boot_seal(struct vtpm *v, const struct vtpm_rules *r, const char *pin, struct sealed_blob *ret)
{
	assert_ok(boot_seal_err(v, r, pin, ret, &_err));
}

/* The same with a connection of its own. */
static inline void boot_seal_now(struct swtpm *s, const struct tpm_name *primary, const struct vtpm_rules *r, const char *pin,
				 struct sealed_blob *ret)
{
	struct vtpm *v = boot_open(swtpm_access(s), primary);

	boot_seal(v, r, pin, ret);
	vtpm_close(v);
}

/* Unseals with a connection of its own; 0 only when the secret is the one that was sealed. */
static inline int boot_unseal_full(const struct tpm_access *access, const struct tpm_name *primary, const struct vtpm_rules *r,
				   const struct sealed_blob *b, const char *pin, bool need_origin, bool offline,
				   enum sealed_origin *ret_origin, struct err **err)
{
	_cleanup_secret_ struct secret *code = pin ? boot_secret(pin) : NULL;
	_cleanup_vtpm_ struct vtpm *v = NULL;
	struct sealed_payload p = { 0 };

	if (vtpm_open(access, AT_FDCWD, deadline_in_ms(20000), &v, err) < 0 || vtpm_trust(v, primary, err) < 0 ||
	    vtpm_unseal(v, r, b, code, need_origin, offline, &p, ret_origin, err) < 0)
		return -1;
	assert_memory_equal(secret_cdata(p.secret), BOOT_SECRET, SEALED_SECRET_LEN);
	assert_string_equal(p.vk_id, BOOT_VK_ID);
	assert_string_equal(p.header_id, BOOT_HEADER_ID);
	sealed_payload_clear(&p);
	return 0;
}

static inline int boot_unseal(struct swtpm *s, const struct tpm_name *primary, const struct vtpm_rules *r, const struct sealed_blob *b,
			      struct err **err)
{
	enum sealed_origin origin;

	return boot_unseal_full(swtpm_access(s), primary, r, b, NULL, true, false, &origin, err);
}

#endif
