/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* doctor: from the link to the key broker's first answer. The request is the one that opens every handshake; it says no more than which
 * TEE asks. */
#include "config.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "net/net.h"
#include "unlock/doctor.h"
#include "unlock/job.h"
#include "unlock/sources.h"
#include "wire/kbs_messages.h"

#define ANSWER_MS 15000

static void check_local(struct doctor *d)
{
	struct net_facts f = { 0 };
	struct err *err = NULL;

	if (net_probe(&f, &err) < 0) {
		doctor_add_err(d, "link", NULL, DOCTOR_WARN, err);
		return;
	}
	doctor_add(d, "link", NULL, f.link_up ? DOCTOR_OK : DOCTOR_WARN, f.link_up ? NULL : "load the network driver, plug the cable",
		   f.link_up ? "up" : "no interface but loopback is up");
	doctor_add(d, "address", NULL, f.path[NET_ANY].address ? DOCTOR_OK : DOCTOR_WARN, f.path[NET_ANY].address ? NULL : "ip= on the kernel command line, or DHCP",
		   f.path[NET_ANY].address ? "there is one" : "no address but those of loopback and link");
	if (f.path[NET_ANY].default_route)
		doctor_add(d, "route", NULL, DOCTOR_OK, NULL, "default route");
	else
		doctor_add(d, "route", NULL, DOCTOR_WARN, "only brokers on the same networks can be reached",
			   f.path[NET_ANY].route ? "no default route" : "no route at all");
}

/* Rows before the one that failed have passed, those behind it could not be tried. */
enum layer { LAYER_DNS, LAYER_TCP, LAYER_TLS, LAYER_KBS, LAYERS };
static const char *const layer_ids[LAYERS] = { "dns", "tcp", "tls", "kbs" };

static enum layer failed_at(const struct transport_reply *r)
{
	if (r->kind != TREPLY_FAIL)
		return LAYER_KBS;
	switch (r->fail) {
	case TFAIL_DNS:
		return LAYER_DNS;
	case TFAIL_CONNECT:
		return LAYER_TCP;
	case TFAIL_TIMEOUT:
		return r->peer_pin[0] ? LAYER_KBS : LAYER_TCP;
	case TFAIL_TLS:
	case TFAIL_IDENTITY:
		return LAYER_TLS;
	default:
		return LAYER_KBS;
	}
}

static const char *layer_hint(enum layer l, const struct transport_reply *r)
{
	switch (l) {
	case LAYER_DNS:
		return "see /etc/resolv.conf of this phase, or put the address into the URL";
	case LAYER_TCP:
		return "a firewall, another port, or a broker that is down";
	case LAYER_TLS:
		return r->fail == TFAIL_IDENTITY ? "the certificate is not the one of pin or ca; both pins belong into the image before the server changes" :
						   "no common TLS version, or something in between";
	default:
		return "see the broker's log; url may lack a prefix";
	}
}

static void passed(struct doctor *d, enum layer l, const char *url, const struct config_kbs *k, const struct transport_reply *r)
{
	switch (l) {
	case LAYER_DNS:
		if (k->proxy)
			doctor_add(d, "dns", url, DOCTOR_SKIP, NULL, "the proxy resolves it");
		else
			doctor_add(d, "dns", url, DOCTOR_OK, NULL, "resolved, or an address");
		return;
	case LAYER_TCP:
		doctor_add(d, "tcp", url, DOCTOR_OK, NULL, k->proxy ? "connected by the proxy" : "connected");
		return;
	case LAYER_TLS:
		if (r->peer_pin[0])
			doctor_add(d, "tls", url, DOCTOR_OK, NULL, "the configured server: %s, %s", r->peer_pin, r->peer_validity);
		else
			doctor_add(d, "tls", url, DOCTOR_SKIP, NULL, "plain http");
		return;
	default:
		doctor_add(d, "kbs", url, DOCTOR_OK, NULL, "answers the first step of the protocol");
	}
}

static void failed(struct doctor *d, enum layer l, const char *url, const struct transport_reply *r)
{
	const enum err_class cls = l == LAYER_TLS && r->fail == TFAIL_IDENTITY ? ERR_IDENTITY :
				   l == LAYER_KBS && r->kind != TREPLY_FAIL    ? ERR_INDETERMINATE :
										 ERR_UNREACHABLE;
	struct err *err = NULL;

	if (r->kind == TREPLY_FAIL)
		err_set(&err, cls, layer_ids[l], "%s", r->what[0] ? r->what : transport_fail_name(r->fail));
	else if (r->kind == TREPLY_ERROR && r->server_version[0])
		err_set(&err, ERR_CONFIG, "kbs-version", "speaks protocol %s", r->server_version);
	else if (r->kind == TREPLY_ERROR)
		err_set(&err, cls, "kbs-answer", "HTTP status %u %s %s", r->status, r->type, r->detail);
	else
		err_set(&err, cls, "kbs-answer", "an answer that belongs to another step");
	err_hint(&err, "%s", layer_hint(l, r));
	doctor_add_err(d, layer_ids[l], url, DOCTOR_FAIL, err);
}

/* A broker that names its one version is there: the handshake will speak that, if min-protocol allows it. */
static bool other_version(const struct config_kbs *k, const struct transport_reply *r)
{
	enum kbs_protocol speaks, least;

	return r->kind == TREPLY_ERROR && r->server_version[0] && kbs_protocol_by_name(r->server_version, &speaks, NULL) == 0 &&
	       kbs_protocol_by_name(k->min_protocol, &least, NULL) == 0 && speaks >= least;
}

static void report(struct doctor *d, const char *url, const struct config_kbs *k, const struct transport_reply *r)
{
	const bool ok = r->kind == TREPLY_AUTH || other_version(k, r);
	const enum layer end = ok ? LAYERS : failed_at(r);

	for (int l = 0; l < LAYERS; l++)
		if (l < (int)end)
			passed(d, (enum layer)l, url, k, r);
		else if (l == (int)end)
			failed(d, end, url, r);
		else
			doctor_add(d, layer_ids[l], url, DOCTOR_SKIP, NULL, "not reached");
}

static const char *tee_name(const struct unlock_env *env)
{
	struct tee_env te = { .root_fd = env->root_fd, .may_mount = facts_in_initrd(env) };
	const struct tee_provider *tee;

	return tee_detect(env->platform->tees, &te, &tee, NULL, NULL) == 0 ? tee_kind_name(tee->kind) : "snp";
}

void doctor_broker(const struct unlock_env *env, const struct config_kbs *k, struct doctor *d)
{
	const struct transport_config conf = source_transport(env, k);
	_cleanup_free_ char *body = NULL;
	struct err *err = NULL;

	if (transport_configure(env->transport, &conf, &err) < 0 || kbs_auth_request(KBS_0_4_0, tee_name(env), &body, &err) < 0) {
		doctor_add_err(d, "kbs", k->name, DOCTOR_FAIL, err);
		return;
	}
	for (unsigned int i = 0; k->urls[i]; i++) {
		struct transport_reply r = { 0 };

		if (transport_request(env->transport, i, "POST", "/kbs/v0/auth", body, true, deadline_in_ms(ANSWER_MS), &r, &err) < 0) {
			doctor_add_err(d, "kbs", k->urls[i], DOCTOR_FAIL, TAKE_PTR(err));
			continue;
		}
		report(d, k->urls[i], k, &r);
		transport_reply_clear(&r);
	}
}

/* Where a failure would be told of. A GET, which reports nothing; any answer of that server will do. Without it a boot is no worse off. */
static void check_report(const struct unlock_env *env, struct doctor *d)
{
	const struct config_report *rep = &env->config->report;
	const char *const urls[] = { rep->origin, NULL };
	const struct transport_config conf = source_report_transport(rep, urls);
	struct transport_reply r = { 0 };
	struct err *err = NULL;

	if (!rep->url)
		return;
	if (transport_configure(env->transport, &conf, &err) < 0 ||
	    transport_request(env->transport, 0, "GET", rep->path, NULL, true, deadline_in_ms(ANSWER_MS), &r, &err) < 0) {
		doctor_add_err(d, "report", rep->url, DOCTOR_WARN, err);
	} else if (r.kind == TREPLY_FAIL) {
		doctor_add(d, "report", rep->url, DOCTOR_WARN, layer_hint(failed_at(&r), &r), "failures will not be told there: %s",
			   r.what[0] ? r.what : transport_fail_name(r.fail));
	} else {
		doctor_add(d, "report", rep->url, DOCTOR_OK, NULL, "the configured server: %s", r.peer_pin);
	}
	transport_reply_clear(&r);
}

void doctor_net(const struct unlock_env *env, struct doctor *d)
{
	bool needed = false;

	for (struct config_kbs **k = env->config->kbs; k && *k; k++)
		needed |= doctor_uses_broker(env->config, *k);
	for (struct config_volume **v = env->config->volumes; v && *v; v++)
		needed |= text_eq((*v)->source_name, "push");
	if (needed)
		check_local(d);
	else
		doctor_add(d, "link", NULL, DOCTOR_SKIP, NULL, "no volume needs somebody else: no network is needed");
	for (struct config_kbs **k = env->config->kbs; k && *k; k++)
		if (doctor_uses_broker(env->config, *k))
			doctor_broker(env, *k, d);
		else
			doctor_add(d, "kbs", (*k)->name, DOCTOR_SKIP, NULL, "not asked: no volume uses [kbs %s]; `cryptattest attest --source %s` asks it",
				   (*k)->name, (*k)->name);
	check_report(env, d);
}
