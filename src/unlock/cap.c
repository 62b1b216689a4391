/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The cap (contracts.md 6): one event before anything becomes public, so that what runs later cannot obtain the secret again. This
 * release drives no run-time register; `auto` records "none" and `required` fails closed (architecture.md 4 "cap", C14).
 */
#include "base/cleanup.h"
#include "base/text.h"
#include "state/state.h"
#include "unlock/job.h"

int unlock_cap(const struct unlock_env *env, const char **ret_state, struct err **err)
{
	switch (env->config->cap) {
	case CAP_OFF:
		*ret_state = "off";
		return 0;
	case CAP_AUTO:
		*ret_state = "none";
		return 0;
	case CAP_REQUIRED:
		break;
	}
	err_set(err, ERR_CAP, "cap-no-register", "cap = required, but no run-time register is usable on this machine");
	return err_hint(err, "set cap = auto to go on without one, and read \"What is not protected\" in cryptattest(8)");
}
