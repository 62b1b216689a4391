/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "unlock/registers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/log.h"
#include "crypto/digest.h"

#define RTMR_DIR "sys/devices/virtual/misc/tdx_guest/measurements"

/* The class of everything here; the id stays that of the cause. */
static int as_cap(struct err **err, const char *what)
{
	if (err && *err)
		err_reclass(err, ERR_CAP);
	return err_wrap(err, "%s", what);
}

static int open_pcr(const struct unlock_env *env, struct machine_tpm *m, struct registers *r, struct err **err)
{
	_cleanup_err_ struct err *e = NULL;

	r->has_pcr = true;
	r->pcr = (unsigned int)env->config->vtpm.cap_pcr;
	if (machine_tpm_open(env, m, err) < 0)
		return -1;
	/* Values of the TPM that we know are better than any; but another one, new or cleared, must be capped as well. */
	if (machine_tpm_salt(env, m, &e) < 0)
		log_warning("cap: %s: capping this TPM without a session that proves it", err_message(e));
	r->tpm = vtpm_tpm(m->vtpm);
	return pcr_moved(r->tpm, r->pcr, &r->pcr_moved, err);
}

static int read_rtmr(const struct unlock_env *env, const struct registers *r, uint8_t out[static RTMR_LEN], struct err **err)
{
	_cleanup_close_ int fd = openat(env->root_fd, r->rtmr, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set_errno(err, ERR_CAP, "cap-rtmr", errno, "/%s", r->rtmr);
	if (fd_pread_exact(fd, out, RTMR_LEN, 0, err) < 0)
		return err_wrap(err, "/%s", r->rtmr);
	return 0;
}

static int open_rtmr(const struct unlock_env *env, struct registers *r, struct err **err)
{
	static const uint8_t zero[RTMR_LEN];
	uint8_t now[RTMR_LEN];

	snprintf(r->rtmr, sizeof(r->rtmr), RTMR_DIR "/rtmr%d:sha384", env->config->vtpm.cap_rtmr);
	r->has_rtmr = faccessat(env->root_fd, r->rtmr, F_OK, 0) == 0;
	if (!r->has_rtmr)
		return 0;
	if (read_rtmr(env, r, now, err) < 0)
		return -1;
	r->rtmr_moved = memcmp(now, zero, RTMR_LEN) != 0;
	return 0;
}

int registers_read(const struct unlock_env *env, struct machine_tpm *m, struct registers *ret, struct err **err)
{
	struct registers r = { 0 };

	if (machine_tpm_present(env) && open_pcr(env, m, &r, err) < 0)
		return as_cap(err, "TPM");
	if (open_rtmr(env, &r, err) < 0)
		return as_cap(err, "RTMR");
	*ret = r;
	return 0;
}

static int extend_rtmr(const struct unlock_env *env, const struct registers *r, const void *event, size_t len, struct err **err)
{
	uint8_t old[RTMR_LEN], now[RTMR_LEN], digest[DIGEST_MAX], want[DIGEST_MAX];
	const struct digest_piece pieces[] = { { old, RTMR_LEN }, { digest, RTMR_LEN } };
	_cleanup_close_ int fd = -1;

	if (digest_bytes(DIGEST_SHA384, event, len, digest, err) < 0 || read_rtmr(env, r, old, err) < 0 ||
	    digest_pieces(DIGEST_SHA384, pieces, ARRAY_SIZE(pieces), want, err) < 0)
		return -1;
	fd = openat(env->root_fd, r->rtmr, O_WRONLY | O_CLOEXEC);
	/* One write: the kernel takes exactly a digest. */
	if (fd < 0 || write(fd, digest, RTMR_LEN) != RTMR_LEN)
		return err_set_errno(err, ERR_CAP, "cap-rtmr", errno, "/%s: cannot be extended", r->rtmr);
	if (read_rtmr(env, r, now, err) < 0)
		return -1;
	if (memcmp(now, want, RTMR_LEN) != 0)
		return err_set(err, ERR_CAP, "cap-readback", "/%s is not what it must have become", r->rtmr);
	return 0;
}

int registers_extend(const struct unlock_env *env, const struct registers *r, bool pcr, bool rtmr, const void *event, size_t len,
		     struct err **err)
{
	if (pcr && pcr_extend_all(r->tpm, r->pcr, event, len, err) < 0)
		return as_cap(err, "TPM");
	if (rtmr && extend_rtmr(env, r, event, len, err) < 0)
		return as_cap(err, "RTMR");
	return 0;
}
