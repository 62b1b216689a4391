/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What http.c and options.c share: the object, and how its options are set. Nobody else sees libcurl. */
#ifndef CRYPTATTEST_HTTP_HTTP_IMPL_H
#define CRYPTATTEST_HTTP_HTTP_IMPL_H

#include <curl/curl.h>

#include "http/http.h"
#include "http/tls.h"

#define COOKIE_NAME "kbs-session-id="

struct http {
	CURL *easy;
	CURLM *multi;
	CURLcode rc; /* first refusal of an option */
	const struct transport_config *conf;
	struct tls_check check;
	struct http_response *resp; /* of the running request */
	size_t header_bytes;
	char *host;
	char *pins; /* joined */
	char errbuf[CURL_ERROR_SIZE];
};

/* Later options are passed over once one was refused. */
#define SET(h, option, value)                                              \
	do {                                                               \
		if ((h)->rc == CURLE_OK)                                   \
			(h)->rc = curl_easy_setopt((h)->easy, (option), (value)); \
	} while (0)

/* What holds for every request: TLS, route, limits, callbacks. A refusal is left in h->rc. */
void http_set_options(struct http *h);

#endif
