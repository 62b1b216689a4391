/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * A software TPM per test: swtpm with its state and its sockets in a private temporary directory. It dies with the thread that started
 * it (PR_SET_PDEATHSIG), however that ends. Each command is a connection of its own, so several clients may take turns; there is no
 * resource manager: what one leaves loaded takes the room of the others.
 *
 * For shell tests: tests/lib/swtpm.sh.
 */
#ifndef CRYPTATTEST_TESTS_SWTPM_H
#define CRYPTATTEST_TESTS_SWTPM_H

#include <stdbool.h>

#include "vtpm/tpm.h"

struct swtpm;

/* Prints the TAP skip line and exits 0 where swtpm is not installed: first statement of main(). */
void swtpm_or_skip(void);
/* A new TPM: own seeds, started up, PCRs at reset. Every failure ends the program with a message. */
struct swtpm *swtpm_start(void);
/* Ends it and removes the directory. Takes NULL. */
void swtpm_stop(struct swtpm *s);

/* A machine that boots: PCRs reset, seeds, NV and lockout counter kept. Connections of before break. */
void swtpm_reboot(struct swtpm *s);
/* Another TPM at the same place: new seeds, nothing kept. */
void swtpm_replace(struct swtpm *s);
/* It vanishes (SIGKILL); swtpm_reboot() brings it back. */
void swtpm_kill(struct swtpm *s);

/* Absolute path of the data socket; the control socket is this with ".ctrl". */
const char *swtpm_path(const struct swtpm *s);
/* The value for tpm2-tools' -T and TPM2TOOLS_TCTI, and for systemd-cryptenroll --tpm2-device=: "swtpm:path=...". */
const char *swtpm_tcti(const struct swtpm *s);
/* For tpm_open() and vtpm_open(); root_fd is ignored. Valid as long as s. */
const struct tpm_access *swtpm_access(struct swtpm *s);
/* Runs a shell command with TPM2TOOLS_TCTI set and its output thrown away; its exit status. */
int swtpm_sh(const struct swtpm *s, const char *command);

#endif
