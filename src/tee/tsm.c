/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The parent's side of tsm.h: mount, probe, and what a result means. */
#include "tee/tsm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "tee/errors.h"

#ifndef CONFIGFS_MAGIC
#define CONFIGFS_MAGIC 0x62656570
#endif

/* A quote header, a TD 1.0 body and the fixed parts of the signature data need this much (tee-evidence.md 2.1). */
#define TDX_QUOTE_MIN 1020
/* mkdir waits for a request in flight, which can take a minute; a probe does not. */
#define PROBE_MS 3000

/* ---- meaning of a result ---- */

static const char *step_name(enum tsm_step step)
{
	static const char *const names[] = {
		[TSM_MKDIR] = "mkdir",	   [TSM_PROVIDER] = "provider", [TSM_PRIVLEVEL] = "privlevel",
		[TSM_SERVICE] = "service", [TSM_INBLOB] = "inblob",	[TSM_OUTBLOB] = "outblob",
		[TSM_AUXBLOB] = "auxblob", [TSM_MANIFEST] = "manifestblob", [TSM_GENERATION] = "generation",
	};

	return (size_t)step < ARRAY_SIZE(names) ? names[step] : "?";
}

/* Before the report itself: nothing has been asked of the firmware or the host yet. */
static int judge_setup(const struct tsm_request *q, struct err **err)
{
	const char *where = step_name(q->step);

	if (q->step == TSM_PROVIDER && q->error == ENODEV)
		return err_set(err, ERR_NOEVIDENCE, "tee-provider", "configfs-tsm: the provider is %s, not %s", q->provider,
			       q->want);
	if (q->error == ENOMEM)
		return err_nomem(err);
	if (q->error == EACCES || q->error == EPERM) {
		err_set_errno(err, ERR_NOEVIDENCE, "tee-permission", q->error, "configfs-tsm: %s", where);
		return err_hint(err, "only root may ask the TEE for evidence");
	}
	if (q->step == TSM_MKDIR && q->error == ENXIO) {
		err_set(err, ERR_NOEVIDENCE, "tee-driver", "configfs-tsm: the kernel has the interface, but no TEE driver is loaded");
		return err_hint(err, "load the module sev-guest or tdx-guest");
	}
	return err_set_errno(err, ERR_NOEVIDENCE, q->step == TSM_MKDIR ? "tee-driver" : "tee-param", q->error,
			     "configfs-tsm: %s", where);
}

/* The SVSM answers such a request, not the firmware: no message key is lost, whatever it says. */
static int judge_service(const struct tsm_request *q, struct err **err)
{
	if (q->error == ENOMEM)
		return err_nomem(err);
	if (q->error == EINTR || q->error == EBUSY || q->error == EAGAIN)
		return err_set_errno(err, ERR_BUSY, q->error == EINTR ? "tee-interrupted" : "tee-busy", q->error, "configfs-tsm");
	if (q->step == TSM_SERVICE && q->error == ENOENT) {
		err_set(err, ERR_NOEVIDENCE, "svsm-absent", "configfs-tsm: this kernel knows of no SVSM below it");
		return err_hint(err, "it must run above VMPL 0 and be 6.10 or newer");
	}
	return err_set_errno(err, ERR_NOEVIDENCE, "svsm-refused", q->error, "configfs-tsm: %s: the SVSM does not attest this service",
			     step_name(q->step));
}

int tsm_judge(const struct tsm_request *q, enum tee_kind kind, struct err **err)
{
	if (q->service[0] && (q->step == TSM_SERVICE || q->step == TSM_OUTBLOB || q->step == TSM_AUXBLOB || q->step == TSM_MANIFEST))
		return judge_service(q, err);
	if (q->step == TSM_OUTBLOB || q->step == TSM_AUXBLOB)
		return tee_errno(kind, q->error, "configfs-tsm", err);
	if (q->step != TSM_DONE)
		return judge_setup(q, err);
	if (q->g1 != q->g0 + q->writes)
		return err_set(err, ERR_BUSY, "generation",
			       "configfs-tsm: somebody else wrote to our report instance (generation %llu, expected %llu)",
			       (unsigned long long)q->g1, (unsigned long long)(q->g0 + q->writes));
	if (q->out_len == 0 || (kind == TEE_TDX && q->out_len < TDX_QUOTE_MIN)) {
		err_set(err, ERR_NOEVIDENCE, "empty-quote", "configfs-tsm: the host returned %zu bytes where a %s must be",
			q->out_len, kind == TEE_TDX ? "quote" : "report");
		return err_hint(err, kind == TEE_TDX ? "the host's quote generation service is not running or not provisioned" :
						      "the host or its firmware is at fault");
	}
	return 0;
}

/* ---- the mount ---- */

static bool report_dir_exists(int root_fd)
{
	struct stat st;

	return fstatat(root_fd, TSM_REPORT_DIR, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

/* By descriptors: root_fd need not be the process's root. Left mounted: switch_root moves /sys with all below it. */
static int mount_configfs(int root_fd)
{
	_cleanup_close_ int fs = -1, mnt = -1;

	fs = fsopen("configfs", FSOPEN_CLOEXEC);
	if (fs < 0)
		return -errno;
	/* The source is only what /proc/mounts shows: as everybody else's. */
	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", "configfs", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (mnt < 0)
		return -errno;
	if (move_mount(mnt, "", root_fd, "sys/kernel/config", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}

static bool is_configfs(int root_fd)
{
	_cleanup_close_ int fd = openat(root_fd, "sys/kernel/config", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs st;

	return fd >= 0 && fstatfs(fd, &st) == 0 && (unsigned long)st.f_type == CONFIGFS_MAGIC;
}

/* Mounts configfs if it is not there, allowed and possible; 0 when the report directory is there. Otherwise -1 and one
 * reason (no newline) appended to why. */
static int available(const struct tee_env *env, struct buf *why)
{
	if (report_dir_exists(env->root_fd))
		return 0;
	if (!is_configfs(env->root_fd)) {
		int r = env->may_mount ? mount_configfs(env->root_fd) : -EPERM;

		if (r == -ENODEV)
			buf_puts(why, "this kernel has no configfs, or its module is not loaded");
		else if (r == -ENOENT)
			buf_puts(why, "no /sys/kernel/config: the module configfs is not loaded, or /sys is not mounted");
		else if (r < 0 && env->may_mount)
			buf_printf(why, "configfs cannot be mounted: %s", strerror(-r));
		else if (r < 0)
			buf_puts(why, "configfs is not mounted");
		if (r < 0)
			return -1;
	}
	if (report_dir_exists(env->root_fd))
		return 0;
	buf_puts(why, "no /" TSM_REPORT_DIR ": no module that provides reports is loaded, or the kernel is older than 6.7");
	return -1;
}

/* ---- requests ---- */

static struct tsm_request *request_new(const char *want)
{
	struct tsm_request *q = tee_shared_new(sizeof(*q));

	if (q)
		strncpy(q->want, want, sizeof(q->want) - 1);
	return q;
}

static enum tee_presence judge_probe(const struct tsm_request *q, const char *want, struct buf *why)
{
	char name[32];

	if (q->step == TSM_DONE && text_eq(q->provider, want)) {
		buf_printf(why, "configfs-tsm with provider %s", want);
		if (q->has_floor && q->floor > 0)
			buf_printf(why, ", privilege level %llu", (unsigned long long)q->floor);
		return TEE_PRESENT;
	}
	if (q->step == TSM_DONE) {
		text_sanitise(q->provider, strlen(q->provider), name, sizeof(name));
		buf_printf(why, "the provider of configfs-tsm is %s", name);
		return TEE_ABSENT;
	}
	if (q->step == TSM_MKDIR && q->error == ENXIO) {
		buf_puts(why, "configfs-tsm is there, but no TEE driver is loaded");
		return TEE_DRIVER_MISSING;
	}
	buf_printf(why, "configfs-tsm: %s: %s", step_name(q->step), strerror(q->error));
	return TEE_ABSENT;
}

enum tee_presence tsm_probe(const struct tee_env *env, const char *want, struct buf *why)
{
	static const struct tee_job job = { .what = "configfs-tsm", .run = tsm_transact };
	struct tsm_request *q _cleanup_shared_ = NULL;
	_cleanup_err_ struct err *e = NULL;

	if (available(env, why) < 0)
		return TEE_ABSENT;
	q = request_new(want);
	if (!q) {
		buf_puts(why, "out of memory");
		return TEE_ABSENT;
	}
	q->probe_only = true;
	if (tee_worker_run(env, &job, &q->shared, deadline_in_ms(PROBE_MS), &e) == 0)
		return judge_probe(q, want, why);
	if (err_class(e) == ERR_TIMEOUT)
		buf_puts(why, "configfs-tsm does not answer: a request to the TEE is under way");
	else
		buf_puts(why, err_message(e));
	return TEE_DRIVER_MISSING;
}

bool tsm_floor(const struct tee_env *env, const char *want, uint64_t *ret)
{
	static const struct tee_job job = { .what = "configfs-tsm", .run = tsm_transact };
	struct tsm_request *q _cleanup_shared_ = NULL;
	struct buf why _cleanup_buf_ = BUF_INIT(512);

	if (available(env, &why) < 0)
		return false;
	q = request_new(want);
	if (!q)
		return false;
	q->probe_only = true;
	if (tee_worker_run(env, &job, &q->shared, deadline_in_ms(PROBE_MS), NULL) < 0 || q->step != TSM_DONE ||
	    !text_eq(q->provider, want) || !q->has_floor)
		return false;
	*ret = q->floor;
	return true;
}

int tsm_report(const struct tee_env *env, const struct tee_job *job, enum tee_kind kind, const char *want, const char *service,
	       const uint8_t data[static TEE_REPORT_DATA], struct deadline d, struct tsm_request **ret, struct err **err)
{
	struct tsm_request *q _cleanup_shared_ = NULL;
	struct buf why _cleanup_buf_ = BUF_INIT(512);

	if (available(env, &why) < 0)
		return err_set(err, ERR_NOEVIDENCE, "tee-driver", "%s: %s", job->what, buf_cstr(&why) ? buf_cstr(&why) : "?");
	q = request_new(want);
	if (!q)
		return err_nomem(err);
	q->want_aux = kind == TEE_SNP;
	if (service)
		strncpy(q->service, service, sizeof(q->service) - 1);
	memcpy(q->data, data, sizeof(q->data));
	if (tee_worker_run(env, job, &q->shared, d, err) < 0)
		return -1;
	if (tsm_judge(q, kind, err) < 0)
		return -1;
	*ret = q;
	q = NULL;
	return 0;
}
