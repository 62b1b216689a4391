/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Key sources as the configuration names them: one session per key broker, fed with this machine's evidence. Internal to unlock/;
 * keysrc/ knows nothing of configuration or TEEs.
 */
#ifndef CRYPTATTEST_UNLOCK_SOURCES_H
#define CRYPTATTEST_UNLOCK_SOURCES_H

#include "keysrc/keysrc.h"
#include "net/net.h"
#include "tee/tee.h"
#include "unlock/unlock.h"
#include "wire/init_data.h"

struct collector {
	const struct unlock_env *env;
	const struct tee_provider *provider;
	struct init_data *init_data; /* NULL when none is used */
	char *init_data_text;
	bool init_data_required; /* by the configuration, or because a path is made of it */
	bool needs_network;	 /* the broker is not on this machine */
	enum net_family family;	 /* of the broker's address, as far as its URLs tell */
	struct net_facts net;	 /* as the last attempt found it */
	bool hears_routers;	 /* name servers are wanted from whoever announces some */
	int rdnss_fd;
};

/* Which TEE, and the init-data text when it is used. ERR_NOEVIDENCE, ERR_INTEGRITY, ERR_CONFIG. */
int collector_init(struct collector *c, const struct unlock_env *env, bool need_init_data, struct err **err);
void collector_clear(struct collector *c);

/* Evidence for these 64 bytes as Trustee's JSON, checked against the init-data; for a struct collector as ctx. */
int collector_json(void *collector, const uint8_t data[static 64], struct deadline d, char **ret_json, struct err **err);

/* What the transport child needs to know of one [kbs] section. Borrows from it. */
struct transport_config source_transport(const struct unlock_env *env, const struct config_kbs *kbs);
/* The same of [agent] report-*; its url is set. */
struct transport_config source_report_transport(const struct config_report *report, const char *const urls[static 2]);
/* Session with one [kbs] section. Key generation starts at once; no traffic. The collector must outlive it. */
int source_open_kbs(const struct unlock_env *env, const struct config_kbs *kbs, struct collector *c, struct deadline d,
		    struct key_source **ret, struct err **err);

#endif
