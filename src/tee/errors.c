/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tee/errors.h"

#include <errno.h>

#define HINT_REBOOT "attestation is disabled until this machine is rebooted: the kernel wiped the message key (VMPCK) after a failed request"

struct rule {
	int errnum; /* 0: any other */
	enum err_class cls;
	const char *id, *text, *hint;
};

static const struct rule snp_rules[] = {
	{ EINVAL, ERR_NOEVIDENCE, "tee-param", "the firmware refuses the parameters of the request", NULL },
	{ ENXIO, ERR_NOEVIDENCE, "tee-firmware", "the firmware returned an error status", NULL },
	{ EBUSY, ERR_BUSY, "tee-busy", "another request is under way", NULL },
	{ EAGAIN, ERR_BUSY, "tee-busy", "another request is under way", NULL },
	{ EINTR, ERR_BUSY, "tee-interrupted", "the request was interrupted", NULL },
	{ EFBIG, ERR_NOEVIDENCE, "tee-size", "the report or its certificate table is too large", NULL },
	{ ENOTTY, ERR_NOEVIDENCE, "vmpck", "the message key to the firmware (VMPCK) is gone", HINT_REBOOT },
	{ ETIMEDOUT, ERR_NOEVIDENCE, "vmpck", "the host held the request back for a minute", HINT_REBOOT },
	{ EIO, ERR_NOEVIDENCE, "vmpck", "the host or the firmware failed the request", HINT_REBOOT },
	{ 0, ERR_NOEVIDENCE, "vmpck", "the request failed", HINT_REBOOT },
};

static const struct rule tdx_rules[] = {
	{ EBUSY, ERR_BUSY, "tee-busy", "an earlier quote request is still in flight", NULL },
	{ EAGAIN, ERR_BUSY, "tee-busy", "an earlier quote request is still in flight", NULL },
	{ ETIMEDOUT, ERR_BUSY, "tee-slow", "the host's quoting enclave did not answer for 30 s",
	  "the host's quote generation service is overloaded or not running" },
	{ EINTR, ERR_BUSY, "tee-interrupted", "the request was interrupted", NULL },
	{ EINVAL, ERR_NOEVIDENCE, "tee-param", "the TDX module refuses the parameters of the request", NULL },
	{ EIO, ERR_NOEVIDENCE, "tee-host", "the host failed the request for a quote",
	  "the host has no quote generation service, or does not let this machine use it" },
	{ ENXIO, ERR_NOEVIDENCE, "tee-driver", "the TEE driver is not loaded (any more)", "load the module tdx-guest" },
	{ ENOTTY, ERR_NOEVIDENCE, "tee-driver", "the TEE driver is not loaded (any more)", "load the module tdx-guest" },
	{ EFBIG, ERR_NOEVIDENCE, "tee-size", "the quote is larger than this kernel takes", "a newer kernel takes larger quotes" },
	{ 0, ERR_NOEVIDENCE, "tee-host", "the request for a quote failed", NULL },
};

int tee_errno(enum tee_kind kind, int errnum, const char *what, struct err **err)
{
	const struct rule *r = kind == TEE_TDX ? tdx_rules : snp_rules;

	if (errnum == ENOMEM)
		return err_nomem(err);
	while (r->errnum && r->errnum != errnum)
		r++;
	err_set_errno(err, r->cls, r->id, errnum, "%s: %s", what, r->text);
	if (r->hint)
		err_hint(err, "%s", r->hint);
	return -1;
}

int tee_firmware_status(unsigned int status, const char *what, struct err **err)
{
	/* 0x16 INVALID_PARAM, 0x27 INVALID_KEY: SEV-SNP firmware ABI */
	if (status == 0x16 || status == 0x27) {
		err_set(err, ERR_NOEVIDENCE, "tee-param", "%s: the firmware refuses the parameters of the request (status 0x%x)",
			what, status);
		return err_hint(err, "is this kernel's privilege level (VMPL) the one it asked for?");
	}
	return err_set(err, ERR_NOEVIDENCE, "tee-firmware", "%s: the firmware returned status 0x%x", what, status);
}
