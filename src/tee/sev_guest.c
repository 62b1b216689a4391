/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tee/sev_guest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "tee/errors.h"

/* The kernel's ABI, spelled out: headers of some distributions lack it, and its field names have changed once. */
struct guest_request {
	uint8_t msg_version;
	uint8_t pad[7];
	uint64_t req_data, resp_data;
	uint32_t fw_error, vmm_error;
};
struct report_req {
	uint8_t user_data[64];
	uint32_t vmpl;
	uint8_t reserved[28];
};
struct ext_report_req {
	struct report_req data;
	uint64_t certs_address;
	uint32_t certs_len;
	uint32_t pad;
};
struct report_resp {
	uint32_t status, report_size;
	uint8_t reserved[24];
	uint8_t report[4000 - 32];
};
#define SNP_GET_REPORT _IOWR('S', 0x0, struct guest_request)
#define SNP_GET_EXT_REPORT _IOWR('S', 0x2, struct guest_request)

_Static_assert(sizeof(struct guest_request) == 32, "snp_guest_request_ioctl");
_Static_assert(sizeof(struct report_req) == 96, "snp_report_req");
_Static_assert(sizeof(struct ext_report_req) == 112, "snp_ext_report_req");
_Static_assert(sizeof(struct report_resp) == 4000, "snp_report_resp");
_Static_assert(SNP_GET_REPORT == 0xC0205300 && SNP_GET_EXT_REPORT == 0xC0205302, "ioctl numbers");

#define VMM_INVALID_LEN 1

static int issue(int fd, unsigned long cmd, void *req, struct report_resp *resp, struct snp_request *q)
{
	struct guest_request io = {
		.msg_version = 1,
		.req_data = (uintptr_t)req,
		.resp_data = (uintptr_t)resp,
	};

	q->error = ioctl(fd, cmd, &io) < 0 ? errno : 0;
	q->fw_error = io.fw_error;
	q->vmm_error = io.vmm_error;
	return q->error;
}

void sev_guest_transact(int root_fd, struct tee_shared *shared)
{
	struct snp_request *q = (void *)shared; /* its first member, allocated as such */
	_cleanup_close_ int fd = openat(root_fd, SEV_GUEST_DEVICE, O_RDWR | O_CLOEXEC);
	struct report_resp resp = { 0 };
	struct ext_report_req req = {
		.data.vmpl = q->vmpl,
		.certs_address = (uintptr_t)q->certs,
		.certs_len = sizeof(q->certs),
	};

	if (fd < 0) {
		q->error = errno;
		return;
	}
	q->opened = true;
	memcpy(req.data.user_data, q->data, sizeof(q->data));
	if (issue(fd, SNP_GET_EXT_REPORT, &req, &resp, q) == EIO && q->vmm_error == VMM_INVALID_LEN) {
		q->plain = true;
		memset(q->certs, 0, sizeof(q->certs));
		tee_worker_pause_ms(SEV_GUEST_PACE_MS);
		issue(fd, SNP_GET_REPORT, &req.data, &resp, q);
	}
	q->status = resp.status;
	q->report_size = resp.report_size;
	memcpy(q->report, resp.report, sizeof(q->report));
}

static int judge_open(int errnum, struct err **err)
{
	bool denied = errnum == EACCES || errnum == EPERM;

	err_set_errno(err, ERR_NOEVIDENCE, denied ? "tee-permission" : "tee-driver", errnum, "/" SEV_GUEST_DEVICE);
	return err_hint(err, denied ? "only root may ask the TEE for evidence" : "load the module sev-guest");
}

int sev_guest_judge(const struct snp_request *q, struct err **err)
{
	if (!q->opened)
		return judge_open(q->error, err);
	if (q->error) {
		tee_errno(TEE_SNP, q->error, "/" SEV_GUEST_DEVICE, err);
		/* The driver presets fw_error to 0xff: then no answer of the firmware is behind it. */
		if (q->vmm_error || (q->fw_error && q->fw_error != 0xff))
			err_wrap(err, "host error %u, firmware error 0x%x", q->vmm_error, q->fw_error);
		return -1;
	}
	if (q->status)
		return tee_firmware_status(q->status, "/" SEV_GUEST_DEVICE, err);
	if (q->report_size != SNP_REPORT_SIZE)
		return err_set(err, ERR_INTEGRITY, "snp-size", "/" SEV_GUEST_DEVICE ": a report of %u bytes, must be %u",
			       q->report_size, SNP_REPORT_SIZE);
	return 0;
}

size_t sev_guest_table_len(const uint8_t certs[static CERT_TABLE_MAX])
{
	struct rd r = RD_INIT(certs, CERT_TABLE_MAX);
	size_t used = 0;

	while (rd_left(&r) >= 24) {
		const uint8_t *entry = rd_ref(&r, 16);
		uint64_t end = rd_u32le(&r);

		end += rd_u32le(&r);
		if (all_zero(entry, 24)) {
			if (used == 0)
				return 0;
			return r.off > used ? r.off : used;
		}
		if (end > CERT_TABLE_MAX)
			return CERT_TABLE_MAX;
		if (end > used)
			used = (size_t)end;
	}
	return CERT_TABLE_MAX;
}
