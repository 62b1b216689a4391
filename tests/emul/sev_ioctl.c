/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The rest of /dev/sev-guest's interface, spoken with the kernel's own header: proves the emulator, not the agent.
 *
 *   sev_ioctl certs-len      asks with no room for certificates; prints errno, vmm_error and the length needed
 *   sev_ioctl key VMPL       prints the derived key, or the status
 *   sev_ioctl bad-version    message version 0: refused before anything is sent
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sev-guest.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

/* Byte 28: called vmm_error, or the upper half of fw_err, depending on the header's age. */
static uint32_t vmm_error(const struct snp_guest_request_ioctl *io)
{
	uint32_t v;

	memcpy(&v, (const char *)io + 28, sizeof(v));
	return v;
}

static int certs_len(int fd)
{
	struct snp_report_resp resp = { 0 };
	struct snp_ext_report_req req = { 0 };
	struct snp_guest_request_ioctl io = { .msg_version = 1, .req_data = (uintptr_t)&req, .resp_data = (uintptr_t)&resp };
	int e = ioctl(fd, SNP_GET_EXT_REPORT, &io) < 0 ? errno : 0;

	printf("errno %d vmm_error %u certs_len %u\n", e, vmm_error(&io), req.certs_len);
	return 0;
}

static int derived_key(int fd, uint32_t vmpl)
{
	struct snp_derived_key_resp resp = { 0 };
	struct snp_derived_key_req req = { .vmpl = vmpl, .guest_field_select = 1 };
	struct snp_guest_request_ioctl io = { .msg_version = 1, .req_data = (uintptr_t)&req, .resp_data = (uintptr_t)&resp };
	uint32_t status;

	if (ioctl(fd, SNP_GET_DERIVED_KEY, &io) < 0) {
		printf("errno %d\n", errno);
		return 1;
	}
	memcpy(&status, resp.data, sizeof(status));
	printf("status %u key ", status);
	for (int i = 32; i < 64; i++)
		printf("%02x", resp.data[i]);
	printf("\n");
	return 0;
}

static int bad_version(int fd)
{
	struct snp_report_resp resp = { 0 };
	struct snp_report_req req = { 0 };
	struct snp_guest_request_ioctl io = { .req_data = (uintptr_t)&req, .resp_data = (uintptr_t)&resp };

	printf("errno %d\n", ioctl(fd, SNP_GET_REPORT, &io) < 0 ? errno : 0);
	return 0;
}

int main(int argc, char **argv)
{
	int fd = open("/dev/sev-guest", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		perror("/dev/sev-guest");
		return 1;
	}
	if (argc == 2 && strcmp(argv[1], "certs-len") == 0)
		return certs_len(fd);
	if (argc == 3 && strcmp(argv[1], "key") == 0)
		return derived_key(fd, (uint32_t)atoi(argv[2]));
	if (argc == 2 && strcmp(argv[1], "bad-version") == 0)
		return bad_version(fd);
	return 2;
}
