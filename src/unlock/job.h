/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* One volume on its way through a run; internal to unlock/. */
#ifndef CRYPTATTEST_UNLOCK_JOB_H
#define CRYPTATTEST_UNLOCK_JOB_H

#include "keysrc/foreign.h"
#include "keysrc/vtpm.h"
#include "luks/volume.h"
#include "state/state.h"
#include "unlock/cap.h"
#include "unlock/unlock.h"

enum job_stage {
	JOB_NEW,
	JOB_AUDITED,  /* header copied, sealed, found good */
	JOB_ALREADY,  /* mapped by us earlier in this boot, table checked again */
	JOB_VERIFIED, /* key held, identity proved, trial activation done and gone again */
	JOB_OPEN,     /* public */
	JOB_PREPARED, /* the audited header lies where another program will look for it */
	JOB_HANDED_OUT, /* the passphrase went to another program, which opens the volume */
	JOB_FAILED,
};

struct job {
	const struct config_volume *conf;
	enum job_stage stage;
	struct luks_policy policy;
	struct luks_device dev;
	struct luks_header header;
	struct luks_volume *volume;
	struct secret *key;
	struct secret *passphrase; /* `key`: what opened the keyslot */
	int slot;
	char vk_id[65], header_id[65];
	char dm_uuid[160];
	char *source; /* "kbs main (...)" for the report; owned */
	const char *source_kind;
	struct err *fallback; /* kbs-or-vtpm, push = yes: why the broker's secret was not used; for the report */
	bool for_push; /* push = yes: no broker was reached */
	/* From the broker's document, until job_reseal() has looked at it. */
	bool may_reseal;
	struct secret *sealed_passphrase;
	int sealed_slot;
	char *sealed_note; /* for the record: "current", "resealed", "not resealed: WHY"; NULL = not looked at */
	const char *step; /* where it is, for the error line */
	struct err *err;
};

struct broker;

struct run {
	const struct unlock_env *env;
	const struct unlock_options *opt;
	struct deadline deadline;
	uint64_t start_ns; /* `wait` of optional volumes counts from here, for all of them at once */
	struct state *state;
	int lock_fd;
	struct job *jobs;
	size_t n_jobs;
	const char *cap;
	struct cap capped;	/* what the cap of this run did */
	struct machine_tpm tpm;
	struct broker *broker; /* the one whose key is being made while devices are waited for */
	struct err *err; /* of the run itself */
	bool err_shown;	 /* the same one is printed with a volume */
	bool in_initrd;
};

/* prepare.c: device, sealed copy, audit (H), mapping of that name. On failure the job is JOB_FAILED with its err. */
void job_prepare(struct run *run, struct job *job);
/* acquire.c: starts the key of the first key broker, so that its making hides behind the wait for devices; no traffic. */
void jobs_begin_key(struct run *run);
void jobs_end_key(struct run *run);
/* acquire.c: secrets for every JOB_AUDITED job, each then through job_open(). One session per key broker. */
void jobs_acquire(struct run *run);
/* What the sources gave for one volume: a broker's, file's or person's bytes, the TPM's payload, or with kbs+vtpm both. */
struct key_offer {
	const struct secret *secret; /* document or raw */
	bool provisioner;
	const struct sealed_answer *sealed;
	const struct foreign_answer *foreign; /* alone: another program's keyslot */
	bool pushed; /* secret is a document and nothing else, whatever `form` says */
};
/* open.c: document checks, K1-K4, trial activation under a private name (K6), deactivated again. */
void job_open(struct run *run, struct job *job, const struct key_offer *offer);
/* acquire_vtpm.c: the secret sealed to this machine's TPM. ERR_REFUSED "refused-earlier" when a broker refused the volume in this boot;
 * ERR_CAP "capped"; what machine_tpm_trust(), sidecar_read() and keysrc_sealed() give. offline: no broker was in reach. */
int job_unseal(struct run *run, struct job *job, bool offline, struct sealed_answer *ret, struct err **err);
/* How long the disk of a sealed file is waited for: at boot it may come up after the volume's. */
struct deadline sidecar_wait(const struct run *run);
/* Before anything is unsealed: no broker refused the volume in this boot, and a PIN would not be typed for the host to read. */
int job_may_unseal(const struct run *run, const struct job *job, struct err **err);
/* ERR_CAP "capped". v: of machine_tpm_trust(). */
int job_check_capped(struct vtpm *v, const struct job *job, const struct vtpm_rules *rules, struct err **err);
int job_ask_pin(void *job, const struct tpm_lockout *l, struct secret **ret, struct err **err);
/* acquire_foreign.c: the secret that a token of another program describes (foreign_wanted()). ERR_TPM "sealed-origin" without vk-id; otherwise as job_unseal(), with what keysrc_foreign() gives. */
int job_unseal_foreign(struct run *run, struct job *job, struct foreign_answer *ret, struct err **err);
/* For "sealed-absent" alone. */
void job_explain_foreign(const struct job *job, struct err **err);
/* Mode vtpm. */
void acquire_sealed(struct run *run, struct job *job);
/* kbs-or-vtpm: the outcome classes of contracts.md 4 that lead to the vTPM. */
bool may_fall_back(const struct job *job, const struct err *why);
/* Then: takes why; since when the broker was tried. */
void fall_back(struct run *run, struct job *job, uint64_t since_ns, struct err *why);
/* acquire_push.c: for every job that waits for an operator. */
void acquire_pushed(struct run *run);
/* push = yes: may what became of the broker be followed by an operator? Then: takes why. */
bool may_be_pushed(const struct run *run, const struct job *job, const struct err *why);
void leave_to_push(struct job *job, struct err *why);
/* How long brokers are tried when a volume waits for an operator already: the window of [push] is left of the deadline, at least half of what remains
 * goes to the brokers. The run's deadline when nobody waits. */
struct deadline deadline_before_push(const struct run *run);
/* reseal.c: after the broker opened a volume of mode kbs-or-vtpm, and before the cap (D4). Never fails the boot. */
void job_reseal(struct run *run, struct job *job);
/* reseal.c: signed PCR policies older than the one that served this boot are refused from now on. Before the cap. */
void run_raise_version(struct run *run);
/* open.c: public name, read back once more. */
void job_publish(struct run *run, struct job *job);
void job_init(struct job *job, const struct config_volume *conf);
void job_fail(struct job *job, struct err *err); /* takes err */
void job_clear(struct job *job);

/* run_cap.c: the cap of this run, once. */
int run_cap(struct run *run, struct err **err);
/* run_cap.c: the second event, into what run_cap() has moved. */
void run_cap_outcome(struct run *run);
/* run_cap.c: P2, under --boot in the initramfs; both events. */
void run_cap_after_failure(struct run *run);

/* report.c */
int run_record(struct run *run, const char *result, int exit_code, struct err **err);
int run_exit_code(const struct run *run);
/* What that exit code comes from: volume and message, "" when all went well. */
#define CAUSE_MAX 256
void run_cause(const struct run *run, char out[static CAUSE_MAX]);
void run_print(const struct run *run);
/* What this run did and when, for `status --metrics` and `status --svg`; the lock is held. Never fails the run. */
void run_keep_timeline(const struct run *run);

/* facts.c: template values, init-data text, where we run */
struct init_data;
int facts_init_data_text(const struct unlock_env *env, char **ret_text, struct err **err); /* NULL when there is none */
int facts_expand_path(const struct unlock_env *env, const struct job *job, const struct init_data *id, char **ret,
		      struct err **err);
bool facts_in_initrd(const struct unlock_env *env);

/* guard.c: signals and the deadline that acts by itself. The configuration may be absent when boot is false. */
void guard_start(const struct unlock_env *env, bool boot, struct deadline d);
void guard_stop(void);

/* on_failure.c: `on-failure` under --boot; the second returns only for `continue`, and true when the volumes were opened in the shell of
 * `shell`. capped: there is no register that was to be closed and stayed open. What happens next is said at once, before reports that may take
 * their time; the line ends with the cause, which may be "". */
void on_failure_say(const struct unlock_env *env, int exit_code, const char *cause, bool capped);
bool on_failure(const struct unlock_env *env, bool capped);

#endif
