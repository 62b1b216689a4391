/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/loopback/lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/text.h"
#include "kbs/session_impl.h"

#define DEADLINE_MS 30000
#define REQUEST_MS 10000

static const struct kbs_intervals fast = {
	.refused = { 60, 120, 180 },
	.plugin = 400,
	.backoff = 20,
	.backoff_max = 100,
	.request = REQUEST_MS,
	.route = 100,
};

static void must(int r, struct err *e, const char *what)
{
	if (r == 0)
		return;
	fprintf(stderr, "lab: %s: %s\n", what, err_message(e));
	abort();
}

void lab_open(struct lab *lab)
{
	static const char *const names[] = { "127.0.0.1", "::1", "localhost", NULL };
	const struct testcert_params params = { .names = names };
	struct err *e = NULL;

	/* If any of these counted, nothing below would work. */
	setenv("https_proxy", "http://127.0.0.1:1", 1);
	setenv("HTTPS_PROXY", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("SSL_CERT_FILE", "/nonexistent", 1);
	setenv("OPENSSL_CONF", "/nonexistent", 1);
	must(transport_start(kbs_reduce, &lab->transport, &e), e, "transport");
	lab->ca = testca_new("lab authority");
	testcert_make(lab->ca, &params, &lab->cert);
}

void lab_close(struct lab *lab)
{
	transport_stop(lab->transport);
	testca_free(lab->ca);
	memset(lab, 0, sizeof(*lab));
}

int lab_collect(void *ctx, const uint8_t report_data[static 64], struct deadline d, char **ret_json, struct err **err)
{
	char text[128];

	if (ctx)
		++*(unsigned int *)ctx;
	b64_encode(B64_STD, report_data, 64, text);
	*ret_json = text_printf("{\"svn\":\"1\",\"report_data\":\"%s\"}", text);
	return *ret_json ? 0 : err_nomem(err);
}

static int no_evidence(void *ctx, const uint8_t report_data[static 64], struct deadline d, char **ret_json, struct err **err)
{
	return err_set(err, ERR_NOEVIDENCE, "vmpck", "the message key is gone");
}

static void on_retry(void *ctx, const char *url, uint64_t in_ms, const struct err *why)
{
	struct lab_run *r = ctx;

	r->retries++;
	if (!why || strstr(err_message(why), LAB_SECRET))
		abort();
	if (r->retries == r->stop_after)
		r->session->p.deadline.at_ns = clock_ns();
}

static void on_phase(void *ctx, const char *phase, bool start, bool ok, const char *id)
{
	struct lab_run *r = ctx;
	size_t n = strlen(r->phases);

	snprintf(r->phases + n, sizeof(r->phases) - n, "%s%s%s ", phase, start ? "+" : ok ? "-" : "!", start || ok ? "" : id);
}

static int no_wait(void *ctx, struct deadline d, struct err **err)
{
	return 0;
}

static size_t start_servers(const struct lab *lab, struct lab_run *r, const char **urls)
{
	size_t n = 0;

	for (; n < LAB_SERVERS && r->script[n]; n++) {
		const struct fault_conf conf = {
			.cert = r->cert[n] ? r->cert[n] : &lab->cert,
			.script = r->script[n],
			.secret = LAB_SECRET,
			.protocol = r->protocol,
		};

		fault_start(&conf, &r->server[n]);
		urls[n] = r->server[n].url;
	}
	return n;
}

static int fetch_all(struct kbs_session *s, struct lab_run *r, struct err **err)
{
	struct resource_uri uri;

	if (r->attest_only)
		return kbs_session_attest(s, err);
	must(resource_uri_parse("default/web-042/root", &uri, err), NULL, "resource");
	for (unsigned int i = 0; i < (r->fetches ? r->fetches : 1); i++) {
		struct secret *secret = NULL;
		bool right;

		if (kbs_session_fetch(s, &uri, &secret, err) < 0)
			return -1;
		right = secret_len(secret) == strlen(LAB_SECRET) && memcmp(secret_cdata(secret), LAB_SECRET, strlen(LAB_SECRET)) == 0;
		secret_free(secret);
		if (!right)
			return err_set(err, ERR_INTERNAL, "lab", "another secret");
	}
	return 0;
}

void lab_run(const struct lab *lab, struct lab_run *r)
{
	const char *urls[LAB_SERVERS + 1] = { NULL };
	struct kbs_intervals intervals = fast;
	struct kbs_params p = {
		.source = {
			.name = "lab",
			.transport = {
				.urls = urls,
				.pins = r->pins[0] ? r->pins : NULL,
				.ca_pem = r->pins[0] ? NULL : testca_pem(lab->ca),
				.user_agent = "lab/1",
				.connect_timeout_ms = r->connect_ms,
			},
			.allow_rsa1_5 = r->allow_rsa1_5,
			.key = { .automatic = r->key && strcmp(r->key, "auto") == 0, .type = KEY_EC_P256 },
			.init_data = r->init_data,
			.init_data_required = r->init_data_required,
		},
		.transport = lab->transport,
		.tee = "sample",
		.collect = r->no_evidence ? no_evidence : lab_collect,
		.collect_ctx = &r->collected,
		.events = { .phase = on_phase, .retrying = on_retry, .ctx = r },
		.wait_route = no_wait,
		.intervals = &intervals,
	};
	struct kbs_session *s = NULL;
	uint64_t start;

	if (r->key && !p.source.key.automatic)
		must(key_type_by_name(r->key, &p.source.key.type, &r->err), r->err, "key type");
	must(kbs_protocol_by_name(r->min_protocol ? r->min_protocol : "0.2.0", &p.source.min_protocol, &r->err), r->err, "protocol");
	if (r->request_ms)
		intervals.request = r->request_ms;
	start_servers(lab, r, urls);
	start = clock_ns();
	p.deadline = deadline_in_ms(r->deadline_ms ? r->deadline_ms : DEADLINE_MS);
	r->result = kbs_session_new(&p, &s, &r->err);
	r->session = s;
	if (r->result == 0) {
		r->result = fetch_all(s, r, &r->err);
		r->spoke = kbs_session_protocol(s);
		snprintf(r->url, sizeof(r->url), "%s", kbs_session_url(s));
		snprintf(r->peer, sizeof(r->peer), "%s", kbs_session_peer(s));
	}
	r->took_ms = (clock_ns() - start) / NSEC_PER_MSEC;
	r->session = NULL;
	kbs_session_free(s);
	for (size_t i = 0; i < LAB_SERVERS; i++)
		fault_stop(&r->server[i]);
}

void lab_run_clear(struct lab_run *r)
{
	err_clear(&r->err);
	for (size_t i = 0; i < LAB_SERVERS; i++)
		fault_forget(&r->server[i]);
}
