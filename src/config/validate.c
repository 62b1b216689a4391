/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What needs the whole configuration: things that are missing, things that do not go together. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "config/parse.h"

static int check_urls(const struct config_section *s, struct config_kbs *k, bool allow_http, bool *ret_tls, struct err **err)
{
	*ret_tls = false;
	for (size_t i = 0; k->urls && k->urls[i]; i++) {
		char *url = k->urls[i];
		size_t n;

		if (text_starts(url, "http://") && !allow_http)
			return config_fail(s, "url", i, err, "url = %.200s: plain http would let anyone answer; use https://", url);
		if (!config_url_ok(url, allow_http))
			return config_fail(s, "url", i, err, "url = %.200s: https://host[:port][/prefix] is wanted", url);
		*ret_tls |= text_starts(url, "https://");
		/* The client appends /kbs/v0/...; only the slash of an empty path or a prefix can stand here. */
		n = strlen(url);
		if (url[n - 1] == '/')
			url[n - 1] = '\0';
	}
	return k->urls ? 0 : config_fail(s, NULL, 0, err, "[kbs %s] has no url", k->name);
}

static int check_identity(const struct config_section *s, const struct config_kbs *k, bool tls, struct err **err)
{
	for (size_t i = 0; k->pins && k->pins[i]; i++)
		if (!config_pin_ok(k->pins[i]))
			return config_fail(s, "pin", i, err, "pin = %.100s: sha256// and the base64 of 32 bytes is wanted", k->pins[i]);
	for (size_t i = 0; k->server_names && k->server_names[i]; i++)
		if (!config_host_ok(k->server_names[i], strlen(k->server_names[i])))
			return config_fail(s, "server-name", i, err, "server-name = %.100s: a DNS name or an address is wanted",
					   k->server_names[i]);
	if (k->ca && k->ca[0] != '/')
		return config_fail(s, "ca", 0, err, "ca = %.200s: an absolute path is wanted", k->ca);
	/* With pins alone the certificate's names are not looked at; a key without effect is an error. */
	if (k->server_names && !k->ca)
		return config_fail(s, "server-name", 0, err, "server-name needs ca: a pin already names the one key accepted");
	if (tls && !k->pins && !k->ca) {
		config_fail(s, NULL, 0, err, "[kbs %s] has neither pin nor ca: any server could answer for this broker", k->name);
		return err_hint(err, "cryptattest-kbs init prints the pin of its certificate");
	}
	return 0;
}

static int check_kbs(const struct config_section *s, bool allow_http, struct err **err)
{
	struct config_kbs *k = s->target;
	bool tls;

	if (check_urls(s, k, allow_http, &tls, err) < 0 || check_identity(s, k, tls, err) < 0)
		return -1;
	if (k->proxy && !config_proxy_ok(k->proxy))
		return config_fail(s, "proxy", 0, err, "proxy = %.200s: http://host:port is wanted", k->proxy);
	return 0;
}

static int check_report_identity(const struct config_section *s, const struct config_report *r, struct err **err)
{
	for (size_t i = 0; r->pins && r->pins[i]; i++)
		if (!config_pin_ok(r->pins[i]))
			return config_fail(s, "report-pin", i, err, "report-pin = %.100s: sha256// and the base64 of 32 bytes is wanted", r->pins[i]);
	for (size_t i = 0; r->server_names && r->server_names[i]; i++)
		if (!config_host_ok(r->server_names[i], strlen(r->server_names[i])))
			return config_fail(s, "report-server-name", i, err, "report-server-name = %.100s: a DNS name or an address is wanted",
					   r->server_names[i]);
	if (r->ca && r->ca[0] != '/')
		return config_fail(s, "report-ca", 0, err, "report-ca = %.200s: an absolute path is wanted", r->ca);
	if (r->server_names && !r->ca)
		return config_fail(s, "report-server-name", 0, err, "report-server-name needs report-ca: a pin already names the one key accepted");
	if (r->proxy && !config_proxy_ok(r->proxy))
		return config_fail(s, "report-proxy", 0, err, "report-proxy = %.200s: http://host:port is wanted", r->proxy);
	return 0;
}

/* Never plain http, in tests either: what a machine says of itself is for one server. */
static int check_report(const struct config_section *s, struct config_report *r, struct err **err)
{
	static const char *const keys[] = { "report-pin", "report-ca", "report-server-name", "report-proxy" };
	size_t n;

	if (!r->url) {
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			if (config_setting_of(s, keys[i], 0))
				return config_fail(s, keys[i], 0, err, "%s without report-url has no effect", keys[i]);
		return 0;
	}
	if (!config_url_ok(r->url, false))
		return config_fail(s, "report-url", 0, err, "report-url = %.200s: https://host[:port][/path] is wanted", r->url);
	if (check_report_identity(s, r, err) < 0)
		return -1;
	if (!r->pins && !r->ca)
		return config_fail(s, "report-url", 0, err, "report-url needs report-pin or report-ca: any server could take the reports");
	n = strlen("https://") + strcspn(r->url + strlen("https://"), "/");
	r->origin = strndup(r->url, n);
	r->path = text_dup(r->url[n] ? r->url + n : "/");
	return r->origin && r->path ? 0 : err_nomem(err);
}

/* "SOURCE:PATH"; prompt and push need no colon. */
static int split_secret(const struct config_section *s, struct config_volume *v, struct err **err)
{
	const char *colon = strchr(v->secret, ':');
	size_t n = colon ? (size_t)(colon - v->secret) : strlen(v->secret);

	free(v->source_name);
	free(v->path);
	v->source_name = strndup(v->secret, n);
	v->path = text_dup(colon ? colon + 1 : "");
	if (!v->source_name || !v->path)
		return err_nomem(err);
	if (!colon && !text_eq(v->source_name, "prompt") && !text_eq(v->source_name, "push"))
		return config_fail(s, "secret", 0, err, "secret = %.200s: SOURCE:PATH is wanted, such as main:default/vm1/root", v->secret);
	return 0;
}

static int check_file_source(const struct config *c, const struct config_section *s, const struct config_volume *v, struct err **err)
{
	if (v->path[0] != '/' || v->path[1] == '\0')
		return config_fail(s, "secret", 0, err, "secret = %.200s: file: takes an absolute path", v->secret);
	if (strstr(v->path, "${"))
		return config_fail(s, "secret", 0, err, "secret = %.200s: templates select resources of a broker, not files", v->secret);
	if (v->phase == PHASE_INITRD && c->profile == PROFILE_CVM && v->mode != MODE_MANUAL) {
		config_fail(s, "secret", 0, err, "secret = %.200s: a key file inside the initramfs can be read by the host", v->secret);
		return err_hint(err, "phase = system opens the volume later, with a key file on the opened root");
	}
	return 0;
}

static int unknown_source(const struct config *c, const struct config_section *s, const struct config_volume *v, struct err **err)
{
	const char **names;
	const char *near;
	size_t n = 0;

	while (c->kbs[n])
		n++;
	names = calloc(n + 4, sizeof(*names));
	if (!names)
		return err_nomem(err);
	for (size_t i = 0; i < n; i++)
		names[i] = c->kbs[i]->name;
	names[n] = "prompt";
	names[n + 1] = "file";
	names[n + 2] = "push";
	near = text_nearest(v->source_name, names);
	free(names);
	if (near)
		return config_fail(s, "secret", 0, err, "secret = %.200s: there is no [kbs %.64s], did you mean %s?", v->secret,
				   v->source_name, near);
	return config_fail(s, "secret", 0, err, "secret = %.200s: there is no [kbs %.64s]", v->secret, v->source_name);
}

static int check_broker_source(const struct config *c, const struct config_section *s, const struct config_volume *v, struct err **err)
{
	struct err *why = NULL;

	if (!config_find_kbs(c, v->source_name))
		return unknown_source(c, s, v, err);
	if (config_template_check(v->path, &why) < 0) {
		config_fail(s, "secret", 0, err, "secret = %.200s: %s", v->secret, err_message(why));
		err_free(why);
		return -1;
	}
	if (c->init_data == INIT_DATA_OFF && config_path_uses(v, "init-data."))
		return config_fail(s, "secret", 0, err, "secret = %.200s uses init-data, but [agent] says init-data = off", v->secret);
	return 0;
}

static int check_secret(const struct config *c, const struct config_section *s, struct config_volume *v, struct err **err)
{
	if (!v->secret)
		return v->mode == MODE_MANUAL || v->mode == MODE_VTPM ? 0 : config_fail(s, NULL, 0, err, "[volume %s] has no secret", v->name);
	if (v->mode == MODE_VTPM)
		return config_fail(s, "secret", 0, err, "secret is for modes with a key broker; with mode = vtpm it comes from sealed");
	if (split_secret(s, v, err) < 0)
		return -1;
	if (config_mode_uses_vtpm(v->mode) &&
	    (text_eq(v->source_name, "prompt") || text_eq(v->source_name, "file") || text_eq(v->source_name, "push")))
		return config_fail(s, "secret", 0, err, "secret = %.200s: mode = %s needs a key broker", v->secret, config_mode_name(v->mode));
	if (text_eq(v->source_name, "prompt") || text_eq(v->source_name, "push"))
		return *v->path ? config_fail(s, "secret", 0, err, "secret = %.200s: %s takes no path", v->secret, v->source_name) : 0;
	if (text_eq(v->source_name, "file"))
		return check_file_source(c, s, v, err);
	return check_broker_source(c, s, v, err);
}

static int check_volume(const struct config *c, const struct config_section *s, struct err **err)
{
	struct config_volume *v = s->target;

	/* Ours for mappings that are not public (14.6): a run would sweep them away. */
	if (text_starts(v->name, "cryptattest-"))
		return config_fail(s, NULL, 0, err, "[volume %s]: names that begin with cryptattest- are taken", v->name);
	if (!v->device)
		return config_fail(s, NULL, 0, err, "[volume %s] has no device", v->name);
	if (!config_device_ok(v->device))
		return config_fail(s, "device", 0, err, "device = %.200s: %s is wanted", v->device,
				   keyword_find(SCOPE_VOLUME, "device")->allowed);
	if (config_check_sealed(c, s, v, err) < 0 || check_secret(c, s, v, err) < 0 || config_check_pushed(c, s, v, err) < 0)
		return -1;
	if (v->discard && v->integrity != CONF_INTEGRITY_NONE)
		return config_fail(s, "discard", 0, err,
				   "discard = yes needs integrity = none: authenticated sectors cannot be discarded");
	if (v->required && config_setting_of(s, "wait", 0))
		return config_fail(s, "wait", 0, err, "wait is for optional volumes (required = no); this one is waited for until the deadline");
	return 0;
}

static void warn_shared_devices(const struct config *c)
{
	for (size_t i = 0; c->volumes[i]; i++)
		for (size_t j = 0; j < i; j++)
			if (text_eq(c->volumes[i]->device, c->volumes[j]->device))
				log_warning("%s:%u: volumes %s and %s name the same device %s", c->volumes[i]->file,
					    c->volumes[i]->line, c->volumes[j]->name, c->volumes[i]->name, c->volumes[i]->device);
}

int config_validate(struct config *c, bool allow_http, struct err **err)
{
	if (check_report(c->sections[0], &c->report, err) < 0)
		return -1;
	/* Brokers first: a volume's complaint about its source should be about the volume. */
	for (struct config_section **s = c->sections; *s; s++)
		if ((*s)->scope == SCOPE_KBS && check_kbs(*s, allow_http, err) < 0)
			return -1;
	for (struct config_section **s = c->sections; *s; s++)
		if ((*s)->scope == SCOPE_VTPM && config_check_vtpm(c, *s, err) < 0)
			return -1;
	for (struct config_section **s = c->sections; *s; s++)
		if ((*s)->scope == SCOPE_PUSH && config_check_push(c, *s, err) < 0)
			return -1;
	for (struct config_section **s = c->sections; *s; s++)
		if ((*s)->scope == SCOPE_VOLUME && check_volume(c, *s, err) < 0)
			return -1;
	warn_shared_devices(c);
	if (c->profile == PROFILE_CVM && c->on_failure == ON_FAILURE_SHELL)
		log_warning("on-failure = shell gives the host's console a root shell in an initramfs that can attest");
	return 0;
}
