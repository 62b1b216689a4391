/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What /dev/tsm_fake and its signer say to each other: one read() gives one request, one write() answers it. Numbers in
 * the machine's own order, both ends are the same machine.
 */
#ifndef CRYPTATTEST_TESTS_TSM_FAKE_H
#define CRYPTATTEST_TESTS_TSM_FAKE_H

#ifdef __KERNEL__
#include <linux/types.h>

/* rtmr.c: the misc device tdx_guest with its measurement registers. */
int tsm_fake_rtmr_register(void);
void tsm_fake_rtmr_unregister(void);
#else
#include <stdint.h>
typedef uint32_t __u32;
typedef int32_t __s32;
typedef uint8_t __u8;
#endif

#define TSM_FAKE_DEVICE "/dev/tsm_fake"
#define TSM_FAKE_BLOB_MAX 32768

struct tsm_fake_request {
	__u32 serial;
	__u32 privlevel;
	__u32 service; /* 1: an SVSM's service is to attest itself, not the guest */
	__u8 guid[16]; /* of the service, in UEFI byte order; zero: all of them */
	__u8 inblob[64];
};

struct tsm_fake_answer {
	__u32 serial;  /* of the request; an answer to another one is refused with ESTALE */
	__s32 error;   /* 0, or an errno that the reader of outblob shall see */
	__u32 out_len; /* 0 is allowed: an empty quote */
	__u32 aux_len;
	__u32 manifest_len; /* 0 unless a service was asked */
	/* out_len + aux_len + manifest_len bytes follow */
};

#endif
