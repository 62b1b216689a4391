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

static int unproven(struct err *why, struct err **ret)
{
	log_warning("cap: %s: capping this TPM without a session that proves it", err_message(why));
	err_set(ret, ERR_CAP, "cap-unproven", "cap = required, but nothing proves that the TPM which was told to cap is this machine's: %s",
		err_message(why));
	if (*err_hint_text(why))
		err_hint(ret, "%s", err_hint_text(why));
	err_free(why);
	return 0;
}

/* A shell on the console is given only behind a cap of the right TPM (run.c). */
static bool proves(const struct config *c)
{
	return c->cap == CAP_REQUIRED || (c->on_failure == ON_FAILURE_SHELL && !c->vtpm.srk_name);
}

/* Values of the TPM that we know are better than any; but another one, new or cleared, must be capped as well. */
static int salt(const struct unlock_env *env, struct machine_tpm *m, struct err **ret_unproven)
{
	struct err *why = NULL;

	if (machine_tpm_salt(env, m, proves(env->config), &why) == 0)
		return 0;
	if (machine_tpm_again(env, m, true, &why) == 0 && machine_tpm_salt(env, m, proves(env->config), &why) == 0)
		return 0;
	return unproven(why, ret_unproven);
}

static int open_pcr(const struct unlock_env *env, struct machine_tpm *m, struct registers *r, struct err **ret_unproven, struct err **err)
{
	struct err *why = NULL;
	struct vtpm *v;

	r->has_pcr = true;
	r->pcr = (unsigned int)env->config->vtpm.cap_pcr;
	r->tpm = m;
	do {
		if (machine_tpm_open(env, m, &v, &why) < 0)
			continue;
		if (!*ret_unproven)
			salt(env, m, ret_unproven);
		/* A connection that ended over that is no reason not to cap. */
		if (machine_tpm_open(env, m, &v, &why) == 0 && pcr_moved(vtpm_tpm(v), r->pcr, &r->pcr_moved, &why) == 0)
			return 0;
	} while (machine_tpm_again(env, m, true, &why) == 0);
	return err_propagate(err, why);
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

int registers_read(const struct unlock_env *env, struct machine_tpm *m, struct registers *ret, struct err **ret_unproven, struct err **err)
{
	struct registers r = { 0 };

	if (machine_tpm_present(env) && open_pcr(env, m, &r, ret_unproven, err) < 0)
		return as_cap(err, "TPM");
	if (open_rtmr(env, &r, err) < 0)
		return as_cap(err, "RTMR");
	*ret = r;
	return 0;
}

static int rtmr_extended(const uint8_t old[static RTMR_LEN], const void *event, size_t len, uint8_t digest[static DIGEST_MAX],
			 uint8_t out[static DIGEST_MAX], struct err **err)
{
	const struct digest_piece pieces[] = { { old, RTMR_LEN }, { digest, RTMR_LEN } };

	if (digest_bytes(DIGEST_SHA384, event, len, digest, err) < 0)
		return -1;
	return digest_pieces(DIGEST_SHA384, pieces, ARRAY_SIZE(pieces), out, err);
}

static int extend_rtmr(const struct unlock_env *env, const struct registers *r, const void *event, size_t len, struct err **err)
{
	uint8_t old[RTMR_LEN], now[RTMR_LEN], digest[DIGEST_MAX], want[DIGEST_MAX];
	_cleanup_close_ int fd = -1;

	if (read_rtmr(env, r, old, err) < 0 || rtmr_extended(old, event, len, digest, want, err) < 0)
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

static int extend_pcr(const struct unlock_env *env, const struct registers *r, const void *event, size_t len, struct err **err)
{
	struct pcr_extension x = { 0 };
	struct err *why = NULL;
	struct vtpm *v;

	do {
		if (machine_tpm_open(env, r->tpm, &v, &why) == 0 && pcr_extend_once(vtpm_tpm(v), r->pcr, event, len, &x, &why) == 0)
			return 0;
	} while (machine_tpm_again(env, r->tpm, true, &why) == 0);
	return err_propagate(err, why);
}

static bool rtmr_holds(const struct unlock_env *env, const struct registers *r, const char *const *events, size_t n)
{
	uint8_t now[RTMR_LEN], want[DIGEST_MAX] = { 0 }, digest[DIGEST_MAX];

	for (size_t i = 0; i < n; i++)
		if (rtmr_extended(want, events[i], strlen(events[i]), digest, want, NULL) < 0)
			return false;
	return read_rtmr(env, r, now, NULL) == 0 && memcmp(now, want, RTMR_LEN) == 0;
}

void registers_hold(const struct unlock_env *env, const struct registers *r, const char *const *events, size_t n, bool *ret_pcr, bool *ret_rtmr)
{
	struct pcr_event e[2];
	struct vtpm *v;

	*ret_pcr = *ret_rtmr = false;
	for (size_t i = 0; i < n && i < ARRAY_SIZE(e); i++)
		e[i] = (struct pcr_event){ events[i], strlen(events[i]) };
	if (n > ARRAY_SIZE(e))
		return;
	if (r->has_pcr && r->pcr_moved && machine_tpm_open(env, r->tpm, &v, NULL) == 0 &&
	    pcr_holds(vtpm_tpm(v), r->pcr, e, n, ret_pcr, NULL) < 0)
		*ret_pcr = false;
	*ret_rtmr = r->has_rtmr && r->rtmr_moved && rtmr_holds(env, r, events, n);
}

int registers_extend(const struct unlock_env *env, const struct registers *r, bool pcr, bool rtmr, const void *event, size_t len,
		     struct err **err)
{
	if (pcr && extend_pcr(env, r, event, len, err) < 0)
		return as_cap(err, "TPM");
	if (rtmr && extend_rtmr(env, r, event, len, err) < 0)
		return as_cap(err, "RTMR");
	return 0;
}
