/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* SEV-SNP through configfs-tsm (preferred: no struct ABI, knows its privilege level) and through /dev/sev-guest. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "evidence/cert_table.h"
#include "tee/providers.h"
#include "tee/sev_guest.h"
#include "tee/tsm.h"

/* The table is the host's, and no trust hangs on it; but one that is broken is better named here than guessed at by a server. */
static int take(const void *report, size_t report_len, const void *table, size_t table_len, struct evidence *ret,
		struct err **err)
{
	struct cert_entry entries[CERT_TABLE_ENTRIES_MAX];
	struct evidence ev = { .tee = TEE_SNP };
	size_t n = 0;

	if (report_len != SNP_REPORT_SIZE)
		return err_set(err, ERR_INTEGRITY, "snp-size", "a report of %zu bytes, must be %u", report_len, SNP_REPORT_SIZE);
	if (table_len && cert_table_decode(table, table_len, entries, &n, err) < 0)
		return err_wrap(err, "certificate table from the host");
	ev.report = malloc(report_len);
	ev.aux = n ? malloc(table_len) : NULL;
	if (!ev.report || (n && !ev.aux)) {
		evidence_clear(&ev);
		return err_nomem(err);
	}
	memcpy(ev.report, report, report_len);
	ev.report_len = report_len;
	if (n) {
		memcpy(ev.aux, table, table_len);
		ev.aux_len = table_len;
	}
	*ret = ev;
	return 0;
}

static enum tee_presence configfs_probe(const struct tee_env *env, struct buf *why)
{
	return tsm_probe(env, "sev_guest", why);
}

static const struct tee_job configfs_job = {
	.what = "snp-configfs",
	.run = tsm_transact,
	.exclusive = true,
	.pace_ms = SEV_GUEST_PACE_MS,
};

static int configfs_collect(const struct tee_env *env, const uint8_t data[static TEE_REPORT_DATA], struct deadline d,
			    struct evidence *ret, struct err **err)
{
	struct tsm_request *q _cleanup_shared_ = NULL;

	if (tsm_report(env, &configfs_job, TEE_SNP, "sev_guest", NULL, data, d, &q, err) < 0)
		return -1;
	return take(q->out, q->out_len, q->aux, q->aux_len, ret, err);
}

/* A kernel that is not at VMPL 0 has somebody there: an SVSM, or nobody who would attest anything. */
static bool configfs_has_svsm(const struct tee_env *env)
{
	uint64_t floor;

	return tsm_floor(env, "sev_guest", &floor) && floor > 0;
}

static int configfs_service(const struct tee_env *env, const char *guid, const uint8_t data[static TEE_REPORT_DATA], struct deadline d,
			    struct evidence *ret, struct buf *ret_manifest, struct err **err)
{
	struct tsm_request *q _cleanup_shared_ = NULL;

	if (tsm_report(env, &configfs_job, TEE_SNP, "sev_guest", guid, data, d, &q, err) < 0)
		return -1;
	buf_append(ret_manifest, q->manifest, q->manifest_len);
	if (buf_check(ret_manifest, err) < 0)
		return -1;
	return take(q->out, q->out_len, q->aux, q->aux_len, ret, err);
}

const struct tee_provider tee_snp_configfs = {
	.name = "snp-configfs",
	.kind = TEE_SNP,
	.summary = "AMD SEV-SNP report through configfs-tsm (kernel 6.7 and later)",
	.probe = configfs_probe,
	.collect = configfs_collect,
	.has_svsm = configfs_has_svsm,
	.service = configfs_service,
};

static enum tee_presence ioctl_probe(const struct tee_env *env, struct buf *why)
{
	struct stat st;

	if (fstatat(env->root_fd, SEV_GUEST_DEVICE, &st, 0) == 0 && S_ISCHR(st.st_mode)) {
		buf_puts(why, "/" SEV_GUEST_DEVICE);
		return TEE_PRESENT;
	}
	if (fstatat(env->root_fd, "sys/devices/platform/sev-guest", &st, 0) == 0) {
		buf_puts(why, "the platform has sev-guest, but there is no /" SEV_GUEST_DEVICE ": the module is not loaded");
		return TEE_DRIVER_MISSING;
	}
	buf_puts(why, "no /" SEV_GUEST_DEVICE);
	return TEE_ABSENT;
}

/* Kernels from 6.12 on tell; older ones run at VMPL 0 only. */
static int own_vmpl(const struct tee_env *env, uint32_t *ret, struct err **err)
{
	_cleanup_err_ struct err *e = NULL;
	_cleanup_free_ char *text = NULL;
	size_t len;

	*ret = 0;
	if (file_read(env->root_fd, "sys/devices/system/cpu/sev/vmpl", 16, ERR_NOEVIDENCE, &text, &len, &e) < 0)
		return err_errno(e) == ENOENT ? 0 : err_propagate(err, TAKE_PTR(e));
	if (len < 1 || text[0] < '0' || text[0] > '3' || (text[1] && text[1] != '\n'))
		return err_set(err, ERR_NOEVIDENCE, "tee-param", "/sys/devices/system/cpu/sev/vmpl is not a privilege level");
	*ret = (uint32_t)(text[0] - '0');
	return 0;
}

static int ioctl_collect(const struct tee_env *env, const uint8_t data[static TEE_REPORT_DATA], struct deadline d,
			 struct evidence *ret, struct err **err)
{
	static const struct tee_job job = {
		.what = "snp-ioctl",
		.run = sev_guest_transact,
		.exclusive = true,
		.pace_ms = SEV_GUEST_PACE_MS,
	};
	struct snp_request *q _cleanup_shared_ = NULL;

	q = tee_shared_new(sizeof(*q));
	if (!q)
		return err_nomem(err);
	memcpy(q->data, data, sizeof(q->data));
	if (own_vmpl(env, &q->vmpl, err) < 0 || tee_worker_run(env, &job, &q->shared, d, err) < 0 ||
	    sev_guest_judge(q, err) < 0)
		return -1;
	return take(q->report, sizeof(q->report), q->certs, sev_guest_table_len(q->certs), ret, err);
}

const struct tee_provider tee_snp_ioctl = {
	.name = "snp-ioctl",
	.kind = TEE_SNP,
	.summary = "AMD SEV-SNP report through /dev/sev-guest (kernel 5.19 and later)",
	.probe = ioctl_probe,
	.collect = ioctl_collect,
};
