/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * /dev/sev-guest for test guests, made with CUSE: the three ioctls of the kernel's driver with their structures, sizes, error
 * codes and what is written back on failure; reports signed by the test PKI. Needs /dev/cuse.
 *
 *   cuse_sev_guest --pki DIR [--set FIELD=VALUE]... [--no-certs] [--flip OFFSET] [--vmpl N] [--fail ERRNO] [--throttle N]
 *                  [--status N] [--certs-need BYTES] [--log FILE] [--background]
 *
 *   --fail ERRNO       every request fails with this errno after the host has seen it: the message key is wiped, as by the driver
 *   --throttle N       the host is busy N times; 2 s each, and after 30 of them ETIMEDOUT and the message key is wiped
 *   --status N         the firmware answers with this status
 *   --certs-need BYTES the host's certificate table needs so much: smaller buffers get EIO, vmm_error 1 and the size needed
 *   --vmpl N           lowest VMPL that may be asked for
 *   --log FILE         one line for each request
 */
#define FUSE_USE_VERSION 31

#include <cuse_lowlevel.h>
#include <errno.h>
#include <fuse_opt.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "crypto/digest.h"
#include "tests/emul/emul_opts.h"

/* The kernel's ABI (tee-evidence.md 2.2), on purpose not the definitions of src/tee: a mistake there must show here. */
enum { GET_REPORT = 0xC0205300u, GET_DERIVED_KEY = 0xC0205301u, GET_EXT_REPORT = 0xC0205302u };
enum { REQUEST = 32, REPORT_REQ = 96, EXT_REPORT_REQ = 112, KEY_REQ = 32, REPORT_RESP = 4000, KEY_RESP = 64 };
enum { VMM_INVALID_LEN = 1, VMM_BUSY = 2 };
#define PAGE 4096
#define CERTS_MAX 0x4000

static struct {
	struct emul_opts opts;
	unsigned int floor, throttle, status, certs_need;
	int fail;
	bool background;
	FILE *log;
	bool wiped;
} emul = { .opts.program = "cuse_sev_guest" };

struct call {
	fuse_req_t req;
	unsigned int cmd;
	uintptr_t arg;
	const uint8_t *in; /* snp_guest_request_ioctl, then the request structure */
	size_t in_len, out_len;
	uint64_t req_data, resp_data;
	size_t req_size, resp_size;
	/* written back */
	uint8_t io[REQUEST], ext[EXT_REPORT_REQ], resp[REPORT_RESP], certs[CERTS_MAX];
	uint64_t certs_address;
	uint32_t certs_len;
};

static uint64_t get(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | p[n];
	return v;
}

static void put(uint8_t *p, size_t n, uint64_t v)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static void note(const char *what, int result)
{
	if (!emul.log)
		return;
	fprintf(emul.log, "%s %d\n", what, result);
	fflush(emul.log);
}

/* ---- the driver and the firmware behind it ---- */

static void errors(struct call *c, uint32_t fw, uint32_t vmm)
{
	put(c->io + 24, 4, fw);
	put(c->io + 28, 4, vmm);
}

/* The driver zeroes its key after a failure of a request that went out: the IV must never be used twice. */
static int fatal(struct call *c, int rc, uint32_t vmm)
{
	errors(c, 0, vmm);
	emul.wiped = true;
	return rc;
}

/* What happens to every request before its content counts. 0: the firmware may answer. */
static int send_request(struct call *c)
{
	if (emul.wiped)
		return -ENOTTY;
	for (unsigned int i = 0; i < emul.throttle; i++) {
		if (i == 30)
			return fatal(c, -ETIMEDOUT, VMM_BUSY);
		sleep(2);
	}
	if (emul.fail)
		return fatal(c, -emul.fail, 0);
	errors(c, 0, 0);
	return 0;
}

/* Through the key of this attempt's message: a request that the firmware finds wrong is answered, not failed. */
static int report(struct call *c, const uint8_t *rq, struct evidence *ev)
{
	uint32_t vmpl = (uint32_t)get(rq + 64, 4);
	int rc;

	rc = send_request(c);
	if (rc)
		return rc;
	memset(c->resp, 0, sizeof(c->resp));
	if (emul.status || vmpl < emul.floor || vmpl > 3) {
		put(c->resp, 4, emul.status ? emul.status : 0x16);
		return 0;
	}
	emul.opts.sign.vmpl = (int)vmpl;
	if (tee_testpki_sign(&emul.opts.sign, rq, ev, NULL) < 0)
		return fatal(c, -EIO, 0);
	put(c->resp + 4, 4, ev->report_len);
	memcpy(c->resp + 32, ev->report, ev->report_len);
	return 0;
}

static int get_report(struct call *c)
{
	struct evidence ev = { 0 };
	int rc = report(c, c->in + REQUEST, &ev);

	evidence_clear(&ev);
	return rc;
}

static int get_ext_report(struct call *c)
{
	struct evidence ev = { 0 };
	uint32_t need = emul.certs_need;
	int rc;

	if (c->certs_address && c->certs_len && (c->certs_len % PAGE || c->certs_len > CERTS_MAX))
		return -EINVAL;
	if (!need && !emul.opts.sign.no_certs)
		need = 2 * PAGE; /* what the table of the test PKI fits in */
	if (need > (c->certs_address ? c->certs_len : 0)) {
		/* The host refuses before the firmware sees anything; the driver repeats the message without a table, so that the
		 * sequence number moves on, and keeps its key. */
		rc = send_request(c);
		if (rc)
			return rc;
		errors(c, 0, VMM_INVALID_LEN);
		put(c->ext + REPORT_REQ + 8, 4, need);
		return -EIO;
	}
	rc = report(c, c->in + REQUEST, &ev);
	memset(c->certs, 0, sizeof(c->certs));
	if (rc == 0 && ev.aux_len <= c->certs_len)
		memcpy(c->certs, ev.aux, ev.aux_len);
	evidence_clear(&ev);
	return rc;
}

/* A key that depends on all that the request names, and on nothing else: the same on every boot of this emulation. */
static int get_derived_key(struct call *c)
{
	const uint8_t *rq = c->in + REQUEST;
	const struct digest_piece pieces[] = { { "cuse_sev_guest", 14 }, { rq, KEY_REQ } };
	uint8_t key[DIGEST_MAX];
	uint32_t vmpl = (uint32_t)get(rq + 16, 4);
	int rc = send_request(c);

	if (rc)
		return rc;
	memset(c->resp, 0, KEY_RESP);
	if (emul.status || vmpl < emul.floor || vmpl > 3 || get(rq, 4) > 1) {
		put(c->resp, 4, emul.status ? emul.status : 0x16);
		return 0;
	}
	if (digest_pieces(DIGEST_SHA256, pieces, 2, key, NULL) < 0)
		return fatal(c, -EIO, 0);
	memcpy(c->resp + 32, key, 32);
	return 0;
}

/* ---- CUSE ---- */

/* An ioctl with pointers in it takes several rounds: each asks the kernel to come again with more of the caller's memory. */
static void ask_in(struct call *c)
{
	struct iovec in[2] = { { (void *)c->arg, REQUEST }, { (void *)(uintptr_t)c->req_data, c->req_size } };

	fuse_reply_ioctl_retry(c->req, in, c->in_len ? 2 : 1, NULL, 0);
}

static size_t out_vector(struct call *c, struct iovec out[static 4])
{
	size_t n = 0;

	out[n++] = (struct iovec){ (void *)c->arg, REQUEST };
	out[n++] = (struct iovec){ (void *)(uintptr_t)c->resp_data, c->resp_size };
	if (c->cmd == GET_EXT_REPORT) {
		out[n++] = (struct iovec){ (void *)(uintptr_t)c->req_data, EXT_REPORT_REQ };
		if (c->certs_len && c->certs_len <= CERTS_MAX)
			out[n++] = (struct iovec){ (void *)(uintptr_t)c->certs_address, c->certs_len };
	}
	return n;
}

static void ask_out(struct call *c)
{
	struct iovec in[2] = { { (void *)c->arg, REQUEST }, { (void *)(uintptr_t)c->req_data, c->req_size } };
	struct iovec out[4];
	size_t n = out_vector(c, out);

	fuse_reply_ioctl_retry(c->req, in, 2, out, n);
}

static void execute(struct call *c)
{
	struct iovec out[4], src[4];
	size_t n = out_vector(c, out);
	int rc;

	memcpy(c->io, c->in, REQUEST);
	put(c->io + 24, 8, 0xff); /* as the driver presets it */
	if (c->cmd == GET_EXT_REPORT)
		memcpy(c->ext, c->in + REQUEST, EXT_REPORT_REQ);
	switch (c->cmd) {
	case GET_REPORT:
		rc = get_report(c);
		note("report", rc);
		break;
	case GET_EXT_REPORT:
		rc = get_ext_report(c);
		note("ext-report", rc);
		break;
	default:
		rc = get_derived_key(c);
		note("derived-key", rc);
		break;
	}
	src[0] = (struct iovec){ c->io, REQUEST };
	src[1] = (struct iovec){ c->resp, c->resp_size };
	src[2] = (struct iovec){ c->ext, EXT_REPORT_REQ };
	src[3] = (struct iovec){ c->certs, c->certs_len };
	fuse_reply_ioctl_iov(c->req, rc, src, n);
}

static bool sizes(struct call *c)
{
	switch (c->cmd) {
	case GET_REPORT:
		c->req_size = REPORT_REQ;
		c->resp_size = REPORT_RESP;
		return true;
	case GET_EXT_REPORT:
		c->req_size = EXT_REPORT_REQ;
		c->resp_size = REPORT_RESP;
		return true;
	case GET_DERIVED_KEY:
		c->req_size = KEY_REQ;
		c->resp_size = KEY_RESP;
		return true;
	default:
		return false;
	}
}

static void do_ioctl(fuse_req_t req, int cmd, void *arg, struct fuse_file_info *fi, unsigned int flags, const void *in,
		     size_t in_len, size_t out_len)
{
	/* The ABI's response leaves what was there untouched on failure: so what we write back then is zero. */
	static struct call c;

	memset(&c, 0, sizeof(c));
	c.req = req;
	c.cmd = (unsigned int)cmd;
	c.arg = (uintptr_t)arg;
	c.in = in;
	c.in_len = in_len;
	c.out_len = out_len;
	if (!sizes(&c)) {
		fuse_reply_err(req, ENOTTY);
		return;
	}
	if (in_len >= REQUEST) {
		c.req_data = get(c.in + 8, 8);
		c.resp_data = get(c.in + 16, 8);
		if (!c.in[0] || !c.req_data || !c.resp_data) {
			fuse_reply_err(req, EINVAL);
			return;
		}
	}
	if (in_len < REQUEST + c.req_size) {
		ask_in(&c);
		return;
	}
	if (c.cmd == GET_EXT_REPORT) {
		c.certs_address = get(c.in + REQUEST + REPORT_REQ, 8);
		c.certs_len = c.certs_address ? (uint32_t)get(c.in + REQUEST + REPORT_REQ + 8, 4) : 0;
	}
	if (out_len == 0)
		ask_out(&c);
	else
		execute(&c);
}

static void do_open(fuse_req_t req, struct fuse_file_info *fi)
{
	fuse_reply_open(req, fi);
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		EMUL_LONG_OPTIONS,	     { "vmpl", 1, NULL, 'v' },	     { "fail", 1, NULL, 'F' },
		{ "throttle", 1, NULL, 'T' }, { "status", 1, NULL, 'S' },	     { "certs-need", 1, NULL, 'C' },
		{ "log", 1, NULL, 'L' },     { "background", 0, NULL, 'b' }, { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (emul_option(&emul.opts, c, optarg))
			continue;
		if (c == 'v')
			emul.floor = (unsigned int)emul_number(&emul.opts, optarg, 3);
		else if (c == 'F' && tee_testpki_errno(optarg))
			emul.fail = tee_testpki_errno(optarg);
		else if (c == 'T')
			emul.throttle = (unsigned int)emul_number(&emul.opts, optarg, 1000);
		else if (c == 'S')
			emul.status = (unsigned int)emul_number(&emul.opts, optarg, UINT32_MAX);
		else if (c == 'C')
			emul.certs_need = (unsigned int)emul_number(&emul.opts, optarg, 1 << 20);
		else if (c == 'L')
			emul.log = fopen(optarg, "ae");
		else if (c == 'b')
			emul.background = true;
		else
			emul_die(&emul.opts, "usage: cuse_sev_guest " EMUL_USAGE " [--vmpl N] [--fail ERRNO] [--throttle N] "
					     "[--status N] [--certs-need BYTES] [--log FILE] [--background]");
	}
}

int main(int argc, char **argv)
{
	static const struct cuse_lowlevel_ops ops = { .open = do_open, .ioctl = do_ioctl };
	const char *dev[] = { "DEVNAME=sev-guest" };
	struct cuse_info info = { .dev_info_argc = 1, .dev_info_argv = dev, .flags = CUSE_UNRESTRICTED_IOCTL };
	/* One thread: requests wait for each other, as on the driver's mutex. */
	char *fuse_argv[] = { argv[0], (char *)"-s", (char *)"-f", NULL };

	parse(argc, argv);
	emul_ready(&emul.opts, TEE_SNP);
	if (emul.background)
		fuse_argv[2] = NULL;
	return cuse_lowlevel_main(emul.background ? 2 : 3, fuse_argv, &info, &ops, NULL);
}
