/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The engine: the only place where a secret, a volume and a decision meet. May include everything below it; cli/ calls it. The life of one
 * unlock is readable top to bottom in run.c (architecture.md 3).
 */
#ifndef CRYPTATTEST_UNLOCK_UNLOCK_H
#define CRYPTATTEST_UNLOCK_UNLOCK_H

#include "base/clock.h"
#include "base/secret.h"
#include "config/config.h"
#include "http/transport.h"
#include "unlock/events.h"
#include "unlock/platform.h"

struct guardian;
struct push;

/* What every verb has. Nothing here is owned. */
struct unlock_env {
	const struct platform *platform;
	int root_fd;
	const struct config *config;
	struct transport *transport; /* forked first thing in main(); NULL in verbs without network */
	struct events *events;
	struct guardian *guardian; /* forked before any secret; NULL in verbs that map nothing */
	struct push *push; /* forked before any secret; NULL unless unlock_may_be_pushed() */
};

struct unlock_options {
	char *const *names; /* NULL-terminated; NULL with all */
	bool all;
	bool boot;		      /* waits of the phase, on-failure, deadline that acts by itself */
	bool prepare;		      /* audit, leave the header copies, no more (handout.h) */
	bool key;		      /* the passphrase to stdout instead of a mapping; exactly one name */
	bool peer;		      /* key: stdout is a socket of systemd-cryptsetup */
	const struct secret *recover; /* by hand: this passphrase instead of any source; exactly one name */
	bool push;		      /* by hand: an operator's document instead of any source; exactly one name */
};

/* May this run come to wait for an operator (acquire_push.c)? Then the listener is forked before anything else happens. */
bool unlock_may_be_pushed(const struct config *c, const struct unlock_options *opt);

/* Returns an exit code (exitcode.h); has printed one line per volume and written the status record. */
int unlock_run(const struct unlock_env *env, const struct unlock_options *opt);

/* Handshake only, for `attest`: the session stays in *ret_source (keysrc_kbs_session). */
struct key_source;
int unlock_attest(const struct unlock_env *env, const struct config_kbs *kbs, struct deadline d, struct key_source **ret_source,
		  struct err **err);

/* Judges the init-data of this machine as an unlock under env->config would; *ret_used: there are some and they are bound. Classes of
 * a collector: ERR_CONFIG "init-data-absent", ERR_INTEGRITY. */
struct evidence;
int unlock_check_init_data(const struct unlock_env *env, const struct evidence *ev, bool *ret_used, struct err **err);

int unlock_lock_volume(const struct unlock_env *env, const char *name, bool *ret_closed, struct err **err);
/* The `cap` verb: takes the lock, caps what has not moved, keeps the record. Idempotent. *ret_state becomes what the record says: "none", "absent",
 * "done", "off"; *ret_now: this call did it. ERR_CAP. */
int unlock_cap(const struct unlock_env *env, const char **ret_state, bool *ret_now, struct err **err);

#endif
