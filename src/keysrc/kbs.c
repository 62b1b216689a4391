/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <stdlib.h>

#include "base/text.h"
#include "keysrc/keysrc.h"

struct kbs_source_impl {
	struct key_source base;
	struct kbs_session *session;
	char *name;
};

static int kbs_fetch(struct key_source *self, const char *path, struct secret **ret, struct err **err)
{
	struct kbs_source_impl *k = (struct kbs_source_impl *)self;
	struct resource_uri uri;

	if (resource_uri_parse(path, &uri, err) < 0)
		return -1;
	return kbs_session_fetch(k->session, &uri, ret, err);
}

static bool kbs_provisioner(struct key_source *self, const char *path)
{
	struct resource_uri uri;

	(void)self;
	return resource_uri_parse(path, &uri, NULL) == 0 && text_eq(uri.plugin, "provisioner");
}

static char *kbs_describe(struct key_source *self)
{
	struct kbs_source_impl *k = (struct kbs_source_impl *)self;

	return text_printf("kbs %s (%s, protocol %s)", k->name, kbs_session_url(k->session),
			   kbs_protocol_name(kbs_session_protocol(k->session)));
}

static void kbs_destroy(struct key_source *self)
{
	struct kbs_source_impl *k = (struct kbs_source_impl *)self;

	kbs_session_free(k->session);
	free(k->name);
	free(k);
}

int keysrc_kbs_new(const struct kbs_params *params, struct key_source **ret, struct err **err)
{
	struct kbs_source_impl *k = calloc(1, sizeof(*k));

	if (!k)
		return err_nomem(err);
	k->base = (struct key_source){ .kind = "kbs",
				       .fetch = kbs_fetch,
				       .provisioner = kbs_provisioner,
				       .describe = kbs_describe,
				       .destroy = kbs_destroy };
	k->name = text_dup(params->source.name);
	if (!k->name) {
		free(k);
		return err_nomem(err);
	}
	if (kbs_session_new(params, &k->session, err) < 0) {
		free(k->name);
		free(k);
		return -1;
	}
	*ret = &k->base;
	return 0;
}

struct kbs_session *keysrc_kbs_session(struct key_source *src)
{
	return src && text_eq(src->kind, "kbs") ? ((struct kbs_source_impl *)src)->session : NULL;
}

void keysrc_free(struct key_source *src)
{
	if (src)
		src->destroy(src);
}
