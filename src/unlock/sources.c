/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "config.h"

#include "unlock/sources.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "evidence/snp_report.h"
#include "evidence/tdx_quote.h"
#include "evidence/trustee_json.h"
#include "net/net.h"
#include "unlock/job.h"

static struct tee_env tee_env_of(const struct unlock_env *env)
{
	return (struct tee_env){ .root_fd = env->root_fd, .may_mount = true };
}

static int load_init_data(struct collector *c, bool needed, struct err **err)
{
	enum config_init_data use = c->env->config->init_data;

	c->init_data_required = needed || use == INIT_DATA_REQUIRED;
	if (use == INIT_DATA_OFF && !needed)
		return 0;
	if (facts_init_data_text(c->env, &c->init_data_text, err) < 0)
		return -1;
	if (!c->init_data_text) {
		if (!c->init_data_required)
			return 0;
		err_set(err, ERR_CONFIG, "init-data-absent", "init-data is required and there is none");
		return err_hint(err, "the boot puts it at /run/cryptattest/init-data.toml, see cryptattest.conf(5)");
	}
	c->init_data = calloc(1, sizeof(*c->init_data));
	if (!c->init_data)
		return err_nomem(err);
	if (init_data_parse(c->init_data_text, strlen(c->init_data_text), c->init_data, err) < 0)
		return -1;
	return 0;
}

int collector_init(struct collector *c, const struct unlock_env *env, bool need_init_data, struct err **err)
{
	struct tee_env te = tee_env_of(env);
	_cleanup_buf_ struct buf why = BUF_INIT(16384);

	*c = (struct collector){ .env = env };
	if (tee_detect(env->platform->tees, &te, &c->provider, &why, err) < 0)
		return -1;
	log_debug("TEE: %s (%s)", c->provider->name, c->provider->summary);
	return load_init_data(c, need_init_data, err);
}

void collector_clear(struct collector *c)
{
	if (c->init_data)
		init_data_clear(c->init_data);
	free(c->init_data);
	free(c->init_data_text);
	if (c->hears_routers)
		close(c->rdnss_fd);
	*c = (struct collector){ 0 };
}

/* Equality proves that the host gave us the init-data it launched us with, not that they are the owner's (C1). */
static int check_init_data(const struct collector *c, const struct evidence *ev, struct err **err)
{
	struct snp_report snp;
	struct tdx_quote tdx;
	bool same;

	if (!c->init_data)
		return 0;
	if (ev->tee == TEE_SNP) {
		if (snp_report_decode(ev->report, ev->report_len, &snp, err) < 0)
			return -1;
		same = init_data_matches(c->init_data, snp.host_data, sizeof(snp.host_data));
	} else {
		if (tdx_quote_decode(ev->report, ev->report_len, &tdx, err) < 0)
			return -1;
		same = init_data_matches(c->init_data, tdx.body.mrconfigid, sizeof(tdx.body.mrconfigid));
	}
	if (same)
		return 0;
	err_set(err, ERR_INTEGRITY, "init-data-mismatch", "the init-data given to this machine do not hash to its %s",
		ev->tee == TEE_SNP ? "HOST_DATA" : "MRCONFIGID");
	return err_hint(err, "start the machine with the digest of exactly these init-data, or set init-data = off");
}

int unlock_check_init_data(const struct unlock_env *env, const struct evidence *ev, bool *ret_used, struct err **err)
{
	struct collector c = { .env = env };
	int rc = load_init_data(&c, false, err);

	if (rc == 0)
		rc = check_init_data(&c, ev, err);
	*ret_used = c.init_data != NULL;
	collector_clear(&c);
	return rc;
}

/* Raw evidence for these 64 bytes, self-checked, init-data compared with HOST_DATA or MRCONFIGID. */
static int collector_evidence(struct collector *c, const uint8_t data[static TEE_REPORT_DATA], struct deadline d,
			      struct evidence *ret, struct err **err)
{
	struct tee_env te = tee_env_of(c->env);
	struct evidence ev = { 0 };
	int rc;

	events_start(c->env->events, "evidence", NULL);
	rc = tee_collect(c->provider, &te, data, d, &ev, err);
	if (rc == 0)
		rc = check_init_data(c, &ev, err);
	events_done(c->env->events, "evidence", NULL, rc, err);
	if (rc < 0) {
		evidence_clear(&ev);
		return -1;
	}
	*ret = ev;
	return 0;
}

int collector_json(void *ctx, const uint8_t data[static 64], struct deadline d, char **ret_json, struct err **err)
{
	struct evidence ev = { 0 };
	int rc;

	if (collector_evidence(ctx, data, d, &ev, err) < 0)
		return -1;
	rc = evidence_to_trustee_json(&ev, ret_json, err);
	evidence_clear(&ev);
	return rc;
}

static void on_phase(void *ctx, const char *phase, bool start, bool ok, const char *id)
{
	const struct collector *c = ctx;

	if (start)
		events_start(c->env->events, phase, NULL);
	else
		events_end(c->env->events, phase, NULL, ok, id);
}

static void on_retry(void *ctx, const char *url, uint64_t in_ms, const struct err *why)
{
	bool same = text_starts(err_message(why), url);

	(void)ctx;
	log_info("%s; next try in %llu.%llu s%s%s", err_message(why), (unsigned long long)(in_ms / 1000),
		 (unsigned long long)(in_ms % 1000 / 100), same ? "" : " at ", same ? "" : url);
}

static const char *host_of(const char *url)
{
	const char *host = strstr(url, "://");

	return host ? host + strlen("://") : url;
}

static bool is_local(const char *url)
{
	const char *host = host_of(url);

	return text_starts(host, "127.") || text_starts(host, "[::1]") || text_starts(host, "localhost:");
}

/* An address in the URL says which of the two networks is needed. */
static enum net_family family_of(const char *url)
{
	const char *host = host_of(url);

	if (*host == '[')
		return NET_IPV6;
	return host[strspn(host, "0123456789.")] == ':' || strspn(host, "0123456789.") == strcspn(host, "/") ? NET_IPV4 : NET_ANY;
}

static void look_at_urls(struct collector *c, const struct config_kbs *kbs)
{
	const char *const proxy[] = { kbs->proxy, NULL };
	const char *const *urls = kbs->proxy ? proxy : (const char *const *)kbs->urls;

	c->needs_network = false;
	c->family = family_of(urls[0]);
	for (size_t i = 0; urls[i]; i++) {
		c->needs_network |= !is_local(urls[i]);
		if (family_of(urls[i]) != c->family)
			c->family = NET_ANY;
	}
}

static int say_missing(const char *what, struct err **err)
{
	static const struct {
		const char *word, *id, *hint;
	} t[] = {
		{ "link", "net-link", "is there a network card, its driver in the image, and a cable in it?" },
		{ "address", "net-address", "does DHCP or a router answer here? see ip= on the kernel command line" },
		{ "route", "net-route", "is the broker on another network? see the gateway in ip= on the kernel command line" },
	};
	const char *word = strrchr(what, ' ');

	for (size_t i = 0; word && i < ARRAY_SIZE(t); i++)
		if (text_eq(word + 1, t[i].word)) {
			err_set(err, ERR_UNREACHABLE, t[i].id, "the network has %s", what);
			return err_hint(err, "%s", t[i].hint);
		}
	return err_set(err, ERR_UNREACHABLE, "net-route", "the network has %s", what);
}

/* In the initramfs, for a broker that has a name: nobody else there may be listening when the links come up. */
static void hear_routers(struct collector *c)
{
	_cleanup_err_ struct err *err = NULL;

	if (c->hears_routers || !c->needs_network || c->family != NET_ANY || !facts_in_initrd(c->env))
		return;
	c->rdnss_fd = net_rdnss_open(&err);
	c->hears_routers = c->rdnss_fd >= 0;
	if (err)
		log_debug("network: %s", err_message(err));
}

static void note_name_servers(const struct collector *c)
{
	_cleanup_err_ struct err *err = NULL;

	if (c->hears_routers && net_rdnss_write(c->rdnss_fd, c->env->root_fd, &err) < 0)
		log_warning("network: %s", err_message(err));
}

static int wait_route(void *ctx, struct deadline d, struct err **err)
{
	struct collector *c = ctx;
	const char *what;

	if (!c->needs_network)
		return 0;
	if (net_wait_route(c->family, d, &c->net, err) < 0)
		return -1;
	note_name_servers(c);
	what = net_missing(&c->net, c->family);
	return *what ? say_missing(what, err) : 0;
}

static bool wait_news(void *ctx, struct deadline d)
{
	const struct collector *c = ctx;
	_cleanup_err_ struct err *err = NULL;
	bool more = false;

	if (!c->needs_network) {
		clock_sleep_ms(deadline_left_ms(d), d);
		return false;
	}
	if (net_wait_gain(&c->net, d, &more, &err) < 0) {
		log_debug("network: %s", err_message(err));
		clock_sleep_ms(deadline_left_ms(d), d);
	}
	return more;
}

static int choose_key(const char *name, struct key_choice *ret, struct err **err)
{
	*ret = (struct key_choice){ .automatic = text_eq(name, "auto"), .type = KEY_RSA_3072 };
	return ret->automatic ? 0 : key_type_by_name(name, &ret->type, err);
}

struct transport_config source_transport(const struct unlock_env *env, const struct config_kbs *kbs)
{
	return (struct transport_config){ .urls = (const char *const *)kbs->urls,
					  .pins = (const char *const *)kbs->pins,
					  .ca_pem = kbs->ca_pem,
					  .server_names = (const char *const *)kbs->server_names,
					  .proxy = kbs->proxy,
					  .verify_time_floor = BUILD_EPOCH,
					  .allow_http = env->platform->allow_http,
					  .user_agent = "cryptattest/" PACKAGE_VERSION };
}

struct transport_config source_report_transport(const struct config_report *report, const char *const urls[static 2])
{
	return (struct transport_config){ .urls = urls,
					  .pins = (const char *const *)report->pins,
					  .ca_pem = report->ca_pem,
					  .server_names = (const char *const *)report->server_names,
					  .proxy = report->proxy,
					  .verify_time_floor = BUILD_EPOCH,
					  .user_agent = "cryptattest/" PACKAGE_VERSION };
}

int source_open_kbs(const struct unlock_env *env, const struct config_kbs *kbs, struct collector *c, struct deadline d,
		    struct key_source **ret, struct err **err)
{
	struct kbs_params p = {
		.source = { .name = kbs->name,
			    .transport = source_transport(env, kbs),
			    .init_data = c->init_data_text,
			    .init_data_required = c->init_data_required },
		.transport = env->transport,
		.tee = tee_kind_name(c->provider->kind),
		.collect = collector_json,
		.collect_ctx = c,
		.events = { .phase = on_phase, .retrying = on_retry, .ctx = c },
		.deadline = d,
		.wait_route = wait_route,
		.wait_news = wait_news,
		.wait_ctx = c,
	};

	look_at_urls(c, kbs);
	hear_routers(c);
	if (kbs_protocol_by_name(kbs->min_protocol, &p.source.min_protocol, err) < 0)
		return -1;
	/* 0.1.x means RSA1_5; asking for it is the switch (architecture.md 4 "KBS protocol"). */
	p.source.allow_rsa1_5 = p.source.min_protocol < KBS_0_2_0;
	if (choose_key(kbs->key, &p.source.key, err) < 0)
		return -1;
	return keysrc_kbs_new(&p, ret, err);
}
