/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Serves /dev/tsm_fake (tsm_fake/): makes the reports that the guest's kernel then hands out through configfs-tsm.
 *
 *   tee_signer --tee snp|tdx --pki DIR [--set FIELD=VALUE]... [--no-certs] [--flip OFFSET] [--empty] [--manifest FILE]
 *              [--device FILE] [--background]
 *
 * --set names a field of the report (tests/lib/testpki_fields.c): measurement, host-data, policy, vmpl, mrtd, version (4 or 5)
 * and so on; vmpl is otherwise what the kernel asked for. --empty answers with no bytes, as a TDX host whose quoting service
 * failed does. --manifest: there is an SVSM, whose vTPM service has this manifest; its report is of VMPL 0. --background returns to the shell when requests can be served.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/text.h"
#include "evidence/svsm_manifest.h"
#include "tests/emul/emul_opts.h"
#include "tests/emul/tsm_fake/tsm_fake.h"
#include "tests/lib/svsm_sample.h"

struct signer {
	struct emul_opts opts;
	enum tee_kind kind;
	const char *device;
	bool empty, background;
	char *manifest;
	size_t manifest_len;
};

static void read_manifest(struct signer *s, const char *file)
{
	_cleanup_err_ struct err *e = NULL;

	if (file_read(AT_FDCWD, file, TSM_FAKE_BLOB_MAX, ERR_CONFIG, &s->manifest, &s->manifest_len, &e) < 0)
		emul_die(&s->opts, err_message(e));
}

static void parse(int argc, char **argv, struct signer *s)
{
	static const struct option options[] = {
		EMUL_LONG_OPTIONS,	     { "tee", 1, NULL, 't' },	     { "empty", 0, NULL, 'e' },
		{ "device", 1, NULL, 'd' }, { "background", 0, NULL, 'b' }, { "manifest", 1, NULL, 'm' }, { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (emul_option(&s->opts, c, optarg))
			continue;
		if (c == 't')
			s->kind = tee_kind_by_name(optarg);
		else if (c == 'e')
			s->empty = true;
		else if (c == 'd')
			s->device = optarg;
		else if (c == 'b')
			s->background = true;
		else if (c == 'm')
			read_manifest(s, optarg);
		else
			exit(2);
	}
	if (s->kind == TEE_NONE || optind != argc)
		emul_die(&s->opts, "usage: tee_signer --tee snp|tdx " EMUL_USAGE " [--empty] [--manifest FILE] [--device FILE] [--background]");
}

static void make_answer(struct signer *s, const struct tsm_fake_request *rq, struct buf *out)
{
	_cleanup_err_ struct err *e = NULL;
	struct evidence ev = { 0 };
	struct tsm_fake_answer a = { .serial = rq->serial };
	uint8_t data[TEE_REPORT_DATA];

	if (s->kind == TEE_SNP)
		s->opts.sign.vmpl = rq->service ? 0 : (int)rq->privlevel;
	memcpy(data, rq->inblob, sizeof(data));
	if (rq->service && (!s->manifest || memcmp(rq->guid, svsm_guid_vtpm, sizeof(rq->guid)) != 0)) {
		a.error = EINVAL; /* no such service */
	} else if ((rq->service &&
		    svsm_manifest_report_data(rq->inblob, (const uint8_t *)s->manifest, s->manifest_len, data, &e) < 0) ||
		   tee_testpki_sign(&s->opts.sign, data, &ev, &e) < 0) {
		fprintf(stderr, "tee_signer: %s\n", err_message(e));
		a.error = EIO;
	} else if (!s->empty) {
		a.out_len = (uint32_t)ev.report_len;
		a.aux_len = (uint32_t)ev.aux_len;
		a.manifest_len = rq->service ? (uint32_t)s->manifest_len : 0;
	}
	buf_append(out, &a, sizeof(a));
	buf_append(out, ev.report, a.out_len);
	buf_append(out, ev.aux, a.aux_len);
	buf_append(out, s->manifest, a.manifest_len);
	evidence_clear(&ev);
}

static int serve(struct signer *s, int fd)
{
	for (;;) {
		struct buf out _cleanup_buf_ = BUF_INIT(3 * TSM_FAKE_BLOB_MAX + sizeof(struct tsm_fake_answer));
		struct tsm_fake_request rq;
		ssize_t n = read(fd, &rq, sizeof(rq));

		if (n < 0 && errno == EINTR)
			continue;
		if (n != (ssize_t)sizeof(rq)) {
			perror("tee_signer: read");
			return 1;
		}
		make_answer(s, &rq, &out);
		/* ESTALE: the kernel gave up waiting for us. */
		if (write(fd, out.data, out.len) != (ssize_t)out.len && errno != ESTALE) {
			perror("tee_signer: write");
			return 1;
		}
	}
}

int main(int argc, char **argv)
{
	struct signer s = { .opts.program = "tee_signer", .device = TSM_FAKE_DEVICE };
	int fd;

	parse(argc, argv, &s);
	emul_ready(&s.opts, s.kind);
	fd = open(s.device, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		fprintf(stderr, "tee_signer: %s: %s\n", s.device, strerror(errno));
		return 1;
	}
	if (s.background && daemon(1, 1) < 0)
		return 1;
	return serve(&s, fd);
}
