/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* transport_config: checked in the parent, carried by a CONFIG frame, rebuilt in the child. http/ only. */
#ifndef CRYPTATTEST_HTTP_CONF_H
#define CRYPTATTEST_HTTP_CONF_H

#include "http/frame.h"
#include "http/transport.h"

/* What the child owns; conf points into the rest. */
struct conf_store {
	struct transport_config conf;
	char **urls, **pins, **server_names;
	char *ca_pem, *proxy, *user_agent;
};

/* ERR_CONFIG: ids "kbs-url", "kbs-pin", "kbs-ca", "kbs-server-name", "kbs-proxy". */
int conf_check(const struct transport_config *conf, struct err **err);
void conf_encode(const struct transport_config *conf, uint16_t seq, struct buf *out);
int conf_decode(const struct frame *f, struct conf_store *ret, struct err **err); /* ERR_NOMEM */
void conf_store_clear(struct conf_store *s);

#endif
