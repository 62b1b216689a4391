/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A machine whose TPM is capped: for the tests of the cap. Included by a program's only source file. */
#ifndef CRYPTATTEST_TESTS_UNIT_CAP_MACHINE_H
#define CRYPTATTEST_TESTS_UNIT_CAP_MACHINE_H

#include "tests/lib/vtpm_boot.h"

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

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
	struct machine *m = *state;

	machine_tpm_close(&m->tpm);
	interposer_clear(&m->i);
	swtpm_stop(m->s);
	close(m->dir);
	return 0;
}

/* Is the register what these events, one after the other, make of zero, in every bank? */
static inline bool holds(struct machine *m, const char *const *events, size_t n)
{
	struct tpm *t = NULL;
	uint32_t active;
	bool same = true;

	assert_ok(tpm_open(swtpm_access(m->s), AT_FDCWD, deadline_in_ms(20000), &t, &_err));
	assert_ok(pcr_active_banks(t, &active, &_err));
	for (int b = 0; b < PCR_BANKS; b++) {
		uint8_t want[PCR_DIGEST_MAX] = { 0 };
		struct pcr_values now;

		if (!(active >> b & 1))
			continue;
		assert_ok(pcr_read(t, (enum pcr_bank)b, 1 << BOOT_CAP, &now, &_err));
		for (size_t i = 0; i < n; i++)
			assert_ok(pcr_extend_value((enum pcr_bank)b, want, events[i], strlen(events[i]), want, &_err));
		same = same && memcmp(now.value[BOOT_CAP], want, pcr_bank_size((enum pcr_bank)b)) == 0;
	}
	tpm_close(t);
	return same;
}

static inline bool is_capped(struct machine *m)
{
	struct tpm *t = NULL;
	bool moved;

	assert_ok(tpm_open(swtpm_access(m->s), AT_FDCWD, deadline_in_ms(20000), &t, &_err));
	assert_ok(pcr_moved(t, BOOT_CAP, &moved, &_err));
	tpm_close(t);
	return moved;
}

/* Of a run without volumes. */
static const char *const both[] = { "cryptattest:cap:v1\n-\n", "cryptattest:outcome:v1 none\n" };

#endif
