/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* For `explain` and `doctor`: the keyslot of another program that an unlock would use now. Unseals nothing. */
#ifndef CRYPTATTEST_UNLOCK_FOREIGN_LOOK_H
#define CRYPTATTEST_UNLOCK_FOREIGN_LOOK_H

#include "keysrc/foreign.h"
#include "unlock/machine_tpm.h"
#include "unlock/unlock.h"

/* Is the volume configured to be opened by such a keyslot (interop-unsafe = yes, no sealed)? */
bool foreign_wanted(const struct config_volume *v);
/* One line for people: "systemd-tpm2 token of keyslot 1: its policy holds now". The errors are those of the unlock, up to the PIN. */
int foreign_look(const struct unlock_env *env, struct machine_tpm *m, const struct config_volume *v, char **ret, struct err **err);

#endif
