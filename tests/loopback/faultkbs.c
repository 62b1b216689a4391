/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The fault-injecting KBS as a program: faultkbs DIR SCRIPT [SECRET]
 * Makes its certificate, writes DIR/ca.pem and DIR/info (url=, pin=), serves until its standard input ends, then prints counts.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fileio.h"
#include "base/text.h"
#include "tests/loopback/faultkbs.h"

static void write_file(const char *dir, const char *name, const char *text)
{
	char *path = text_printf("%s/%s", dir, name);
	struct err *e = NULL;

	if (!path || file_write_atomic(AT_FDCWD, path, text, strlen(text), 0644, &e) < 0) {
		fprintf(stderr, "faultkbs: %s\n", err_message(e));
		exit(1);
	}
	free(path);
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "127.0.0.1", "localhost", NULL };
	const struct testcert_params params = { .names = names };
	struct testcert cert;
	struct fault_server s;
	struct fault_conf conf = { .cert = &cert };
	char info[256], scrap[64], keep[512];
	struct testca *ca;

	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: faultkbs DIR SCRIPT [SECRET]\n");
		return 2;
	}
	snprintf(keep, sizeof(keep), "%s/report", argv[1]);
	conf.keep = keep;
	conf.script = argv[2];
	conf.secret = argc > 3 ? argv[3] : "a secret of faultkbs";
	ca = testca_new("faultkbs authority");
	testcert_make(ca, &params, &cert);
	fault_start(&conf, &s);
	write_file(argv[1], "ca.pem", testca_pem(ca));
	snprintf(info, sizeof(info), "url=%s\npin=%s\n", s.url, cert.pin);
	write_file(argv[1], "info", info);
	while (read(0, scrap, sizeof(scrap)) > 0)
		;
	fault_stop(&s);
	printf("connections=%u tls=%u auth=%u attest=%u get=%u report=%u keys=%u\n", s.counts->connections, s.counts->tls,
	       s.counts->requests[WHERE_AUTH], s.counts->requests[WHERE_ATTEST], s.counts->requests[WHERE_GET], s.counts->requests[WHERE_REPORT],
	       s.counts->distinct_keys);
	fault_forget(&s);
	testca_free(ca);
	return 0;
}
