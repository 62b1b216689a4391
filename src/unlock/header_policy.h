/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The header audit's policy as a [volume] section states it; for the engine and for the verbs that only look. */
#ifndef CRYPTATTEST_UNLOCK_HEADER_POLICY_H
#define CRYPTATTEST_UNLOCK_HEADER_POLICY_H

#include "base/text.h"
#include "config/config.h"
#include "luks/header.h"

/* Borrows v's strings. */
static inline struct luks_policy header_policy_of(const struct config_volume *v)
{
	return (struct luks_policy){
		.profile = v->header == HEADER_COMPAT ? LUKS_COMPAT : LUKS_STRICT,
		.integrity = v->integrity == CONF_INTEGRITY_NONE	  ? INTEGRITY_NONE
			     : v->integrity == CONF_INTEGRITY_HMAC_SHA256 ? INTEGRITY_HMAC_SHA256
									  : INTEGRITY_ANY,
		.uuid = text_starts(v->device, "UUID=") ? v->device + 5 : NULL,
		.sector_size = v->sector_size,
	};
}

#endif
