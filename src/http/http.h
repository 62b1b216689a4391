/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * libcurl behind four calls (architecture.md 2). One object = one configuration and at most one kept connection. Runs in the
 * transport child; base/ and tls.h only.
 */
#ifndef CRYPTATTEST_HTTP_HTTP_H
#define CRYPTATTEST_HTTP_HTTP_H

#include "base/buf.h"
#include "base/err.h"
#include "http/transport.h"

#define HTTP_BODY_MAX ((size_t)2 * 1024 * 1024)
#define HTTP_COOKIE_MAX 256

struct http;

struct http_request {
	const char *url; /* whole */
	const char *method, *body; /* "GET", or "POST" with a body */
	const char *cookie; /* value of kbs-session-id, NULL or "" = none */
	uint64_t ms;
	int wake_fd; /* readable = give up at once */
};

struct http_response {
	enum transport_fail fail; /* TFAIL_NONE: status, body, cookie and retry_after_s are valid */
	bool woken;
	bool bytes_sent;
	unsigned int status;
	struct buf body;
	char cookie[HTTP_COOKIE_MAX + 1]; /* kbs-session-id that this answer set, else "" */
	unsigned int retry_after_s;	  /* at most 60 */
	char what[200];
	char peer_pin[64], peer_validity[64];
};

/* Loads libcurl's globals at the first call. conf must outlive the object. ERR_INTERNAL, ERR_NOMEM. */
int http_new(const struct transport_config *conf, struct http **ret, struct err **err);
/* Always fills *ret, which the caller clears. */
void http_perform(struct http *h, const struct http_request *req, struct http_response *ret);
void http_response_clear(struct http_response *r);
void http_free(struct http *h); /* closes the connection; takes NULL */

#endif
