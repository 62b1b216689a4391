/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * configfs-tsm, the kernel's report interface since 6.7 (tee-evidence.md 2.1): the transport of snp-configfs and tdx-configfs.
 *
 * One request = one private instance, removed again on every path:
 *   mkdir report/cryptattest-<pid>-<random>, provider, privlevel_floor [, privlevel], generation g0, inblob in one write,
 *   outblob, auxblob, generation g1, rmdir.
 * For a service of an SVSM (tee-evidence.md 2.6): service_provider, service_guid, service_manifest_version instead of privlevel,
 * and manifestblob after auxblob. All three blobs are of one request as long as the generation stays.
 * The kernel commits inblob when it is closed and hides the result of that, so the only proof that the report is about our
 * bytes is the generation: g1 == g0 + number of our writes (and the report data inside, which tee_collect() checks).
 * Instances that a killed process left behind are removed by the next request.
 *
 * tsm_transact() runs in the worker's child (worker.h): system calls only. Meaning is given to its result by tsm_judge(),
 * a pure function.
 */
#ifndef CRYPTATTEST_TEE_TSM_H
#define CRYPTATTEST_TEE_TSM_H

#include "tee/worker.h"

#define TSM_REPORT_DIR "sys/kernel/config/tsm/report"
#define TSM_INSTANCE_PREFIX "cryptattest-"
#define TSM_MANIFEST_MAX (32 * 1024)

enum tsm_step {
	TSM_MKDIR, /* open the report directory, make the instance */
	TSM_PROVIDER,
	TSM_PRIVLEVEL,
	TSM_SERVICE, /* the three attributes that choose one */
	TSM_INBLOB,
	TSM_OUTBLOB,
	TSM_AUXBLOB,
	TSM_MANIFEST,
	TSM_GENERATION,
	TSM_DONE,
};

struct tsm_request {
	struct tee_shared shared;
	/* in */
	char want[32];	 /* provider name; empty: any */
	bool probe_only; /* provider and floor, no report */
	bool want_aux;
	char service[40]; /* GUID of an SVSM's service; empty: the guest's own report */
	uint8_t data[TEE_REPORT_DATA];
	/* out */
	enum tsm_step step; /* TSM_DONE, or where it ended */
	int error;	    /* errno of that step; 0 at TSM_OUTBLOB etc. never */
	char provider[32];
	bool has_floor;
	uint64_t floor;
	uint64_t g0, g1, writes;
	size_t out_len, aux_len, manifest_len;
	uint8_t out[TDX_QUOTE_MAX], aux[CERT_TABLE_MAX], manifest[TSM_MANIFEST_MAX];
};

/* The instance's life, as struct tee_job wants it. */
void tsm_transact(int root_fd, struct tee_shared *shared);
/* What happens inside an instance, whose directory is open: for tsm_transact(), and for tests that dress a directory up. */
void tsm_use_instance(struct tsm_request *q, int dir);
/* Removes cryptattest-<pid>-* instances whose process is gone. Returns how many. */
unsigned int tsm_sweep(int report_dir);

/* 0 when the request gave a report of the provider that was wanted and of our bytes. kind selects the errno table.
 * ERR_NOEVIDENCE (ids tee-driver, tee-permission, tee-provider, tee-param, tee-firmware, tee-host, tee-size, empty-quote,
 * vmpck; svsm-absent and svsm-refused for a service), ERR_BUSY (ids tee-busy, tee-slow, tee-interrupted, generation), ERR_NOMEM. */
int tsm_judge(const struct tsm_request *q, enum tee_kind kind, struct err **err);

/* Asks the kernel for the provider's name, in a child for at most a few seconds (mkdir waits for a request in flight).
 * TEE_PRESENT: it is `want`. TEE_DRIVER_MISSING: the interface is there without any provider, or it does not answer.
 * TEE_ABSENT: another one, no interface, no right to use it. Appends one reason. */
enum tee_presence tsm_probe(const struct tee_env *env, const char *want, struct buf *why);
/* A whole request through the worker; the result has been judged. service: GUID, or NULL. The caller frees it: _cleanup_shared_. */
int tsm_report(const struct tee_env *env, const struct tee_job *job, enum tee_kind kind, const char *want, const char *service,
	       const uint8_t data[static TEE_REPORT_DATA], struct deadline d, struct tsm_request **ret, struct err **err);
/* The privilege level that the kernel says it runs at; false when it does not say. Like tsm_probe(). */
bool tsm_floor(const struct tee_env *env, const char *want, uint64_t *ret);

#endif
