/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A TLS client that says exactly what the test wants, right or wrong. Every failure to talk is a return value. */
#ifndef CRYPTATTEST_TESTS_KBSD_HTTP_H
#define CRYPTATTEST_TESTS_KBSD_HTTP_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

struct http {
	int fd;
	SSL *ssl;
};

struct response {
	int status; /* -1: the server closed the connection, or said nothing for twenty seconds */
	bool close; /* Connection: close */
	char cookie[160]; /* of Set-Cookie: name=value only */
	char set_cookie[256];
	char content_type[64];
	size_t len;
	char body[256 * 1024]; /* with a NUL behind it */
};

/* How long an answer is waited for on the connections that are opened from now on. */
extern unsigned int http_patience_s;
/* Plain TCP to 127.0.0.1:port from a chosen loopback address (NULL: any). -1 when it fails. */
int http_connect_tcp(int port, const char *from);
/* And TLS. version: 0, or the only TLS version to offer. false: no connection, h is empty. */
bool http_open(struct http *h, int port, const char *from, int version);
void http_close(struct http *h);
bool http_send(struct http *h, const void *data, size_t len);
bool http_send_text(struct http *h, const char *text);
void http_read(struct http *h, struct response *ret);
/* A whole request; extra: further header lines with CRLF, or "". body NULL: none. */
void http_request(struct http *h, const char *method, const char *path, const char *extra, const char *body,
		  struct response *ret);
/* Is the connection closed within ms milliseconds? What arrives before is dropped. */
bool http_closed_within(struct http *h, int ms);

#endif
