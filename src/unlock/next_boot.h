/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * `next-boot`: will the next boot open the volumes of the initrd phase? A table of checks as doctor has it, for what will boot instead of
 * what runs. What cannot be known from here is said, and is never taken for a yes; what is not asked (the broker's policy) is a row
 * of its own. No evidence leaves, no secret is asked for.
 */
#ifndef CRYPTATTEST_UNLOCK_NEXT_BOOT_H
#define CRYPTATTEST_UNLOCK_NEXT_BOOT_H

#include "unlock/doctor.h"
#include "unlock/predict_env.h"
#include "unlock/rules.h"

#define NEXT_BOOT_FILE "next-boot.json" /* below STATE_DIR: what the last `next-boot` of this boot said */

/* Rows: config, next-image, preflight, then for each volume of the initrd phase device, header, broker, broker-policy, sealed; before
 * the first sealed, prediction: whether a value that is not known matters is for the volumes to say, so this one only warns. env->config may
 * be NULL, config_error says why then. A failure that the boot survives (required = no, the other way of kbs-or-vtpm) is a warning. */
void next_boot_run(const struct unlock_env *env, const struct err *config_error, const struct predict_input *next, struct doctor *ret);

/* --- for the files of next_boot*.c --- */

/* Where a secret would come from, and whether that works. */
struct next_way {
	bool asked, ok, unknown;
	enum err_class cls; /* when not ok */
	char text[400], hint[300];
};
void next_way_good(struct next_way *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void next_way_bad(struct next_way *w, struct err *err); /* takes err */

/* What all sealed files share, made once. */
struct next_sealed;
int next_sealed_new(const struct unlock_env *env, const struct predict_input *next, struct next_sealed **ret, struct err **err);
void next_sealed_free(struct next_sealed *s);
/* What the PCRs will be, for the row "prediction". */
void next_sealed_predict(const struct next_sealed *s, struct next_way *ret);
void next_sealed_judge(struct next_sealed *s, const struct config_volume *v, struct next_way *ret);

#endif
