/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* One key pair from one thread. kbs/ only. */
#ifndef CRYPTATTEST_KBS_KEYGEN_H
#define CRYPTATTEST_KBS_KEYGEN_H

#include <stdbool.h>

#include "base/clock.h"
#include "crypto/keypair.h"

struct keygen;

int keygen_start(enum key_type type, struct keygen **ret, struct err **err);
bool keygen_ready(const struct keygen *g);
/* Waits for the key and takes it; call once. ERR_TIMEOUT (deadline, or id "cancelled"), ERR_INTERNAL, ERR_NOMEM. */
int keygen_take(struct keygen *g, struct deadline d, struct keypair **ret, struct err **err);
/* Stops the thread within milliseconds; takes NULL. */
void keygen_free(struct keygen *g);

#endif
