/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The client session as a program, with the sample TEE, for tests that need a process to watch:
 *   kbsclient [--pin PIN]... [--ca FILE] [--server-name NAME]... [--proxy URL] [--key TYPE] [--deadline MS] [--print] URL RESOURCE
 * Prints "ok", or class, id and message of the failure; with --print the secret follows on standard output. Exit 0 or 1.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fileio.h"
#include "base/log.h"
#include "base/text.h"
#include "tests/loopback/lab.h"

struct options {
	char **urls, **pins, **names;
	char *ca;
	const char *proxy, *key, *resource;
	uint64_t deadline_ms;
	bool print;
};

static void must(int r, struct err *e)
{
	if (r == 0)
		return;
	fprintf(stderr, "kbsclient: %s\n", err_message(e));
	exit(2);
}

static void parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "pin", required_argument, NULL, 'p' },      { "ca", required_argument, NULL, 'c' },
		{ "server-name", required_argument, NULL, 'n' }, { "proxy", required_argument, NULL, 'x' },
		{ "key", required_argument, NULL, 'k' },      { "deadline", required_argument, NULL, 'd' },
		{ "print", no_argument, NULL, 'P' },	      { 0 },
	};
	bool failed = false;
	struct err *e = NULL;
	size_t n;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'p':
			o->pins = strv_append(o->pins, optarg, &failed);
			break;
		case 'n':
			o->names = strv_append(o->names, optarg, &failed);
			break;
		case 'c':
			must(file_read(AT_FDCWD, optarg, 1024 * 1024, ERR_CONFIG, &o->ca, &n, &e), e);
			break;
		case 'x':
			o->proxy = optarg;
			break;
		case 'k':
			o->key = optarg;
			break;
		case 'd':
			must(text_u64(optarg, 1, 600000, &o->deadline_ms, &e), e);
			break;
		case 'P':
			o->print = true;
			break;
		default:
			exit(2);
		}
	}
	if (failed || argc - optind < 2)
		exit(2);
	o->resource = argv[argc - 1];
	for (; optind < argc - 1; optind++)
		o->urls = strv_append(o->urls, argv[optind], &failed);
}

static void on_retry(void *ctx, const char *url, uint64_t in_ms, const struct err *why)
{
	fprintf(stderr, "retry: %s\n", err_message(why));
}

static int fetch(const struct options *o, struct transport *t, struct secret **ret, struct err **err)
{
	struct kbs_params p = {
		.source = {
			.name = "client",
			.transport = {
				.urls = (const char *const *)o->urls,
				.pins = (const char *const *)o->pins,
				.ca_pem = o->ca,
				.server_names = (const char *const *)o->names,
				.proxy = o->proxy,
			},
			.min_protocol = KBS_0_2_0,
			.key = { .automatic = strcmp(o->key, "auto") == 0 },
		},
		.transport = t,
		.tee = "sample",
		.collect = lab_collect,
		.events = { .retrying = on_retry },
		.deadline = deadline_in_ms(o->deadline_ms),
	};
	struct kbs_session *s = NULL;
	struct resource_uri uri;
	int r;

	if (resource_uri_parse(o->resource, &uri, err) < 0)
		return -1;
	if (!p.source.key.automatic && key_type_by_name(o->key, &p.source.key.type, err) < 0)
		return -1;
	if (kbs_session_new(&p, &s, err) < 0)
		return -1;
	r = kbs_session_fetch(s, &uri, ret, err);
	kbs_session_free(s);
	return r;
}

int main(int argc, char **argv)
{
	struct options o = { .key = "ec-p256", .deadline_ms = 10000 };
	struct secret *secret = NULL;
	struct transport *t = NULL;
	struct err *e = NULL;
	int r;

	must(transport_start(kbs_reduce, &t, &e), e);
	log_init("kbsclient", LOGL_DEBUG, false);
	parse(argc, argv, &o);
	r = fetch(&o, t, &secret, &e);
	if (r < 0)
		printf("%s %s %s (%s)\n", err_class_name(err_class(e)), err_id(e), err_message(e), err_hint_text(e));
	else
		printf("ok\n");
	fflush(stdout);
	if (r == 0 && o.print && fd_write_all(1, secret_cdata(secret), secret_len(secret), NULL) < 0)
		r = -1;
	secret_free(secret);
	transport_stop(t);
	err_free(e);
	strv_free(o.urls);
	strv_free(o.pins);
	strv_free(o.names);
	free(o.ca);
	return r < 0;
}
