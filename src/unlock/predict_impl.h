/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Inside predict*.c: one prediction on its way. */
#ifndef CRYPTATTEST_UNLOCK_PREDICT_IMPL_H
#define CRYPTATTEST_UNLOCK_PREDICT_IMPL_H

#include "evidence/pe_image.h"
#include "unlock/predict.h"

#define NO_EVENT SIZE_MAX
#define CMDLINE_MAX 4096

struct predict_file {
	char *bytes; /* NULL: none */
	size_t len;
	char path[256];
};

struct predictor {
	const struct predict_params *p;
	struct prediction *out;
	enum digest_alg hash;
	size_t size;
	struct predict_file kernel, initrd, uki; /* uki: given, or the one that this boot's log names */
	struct pe_image uki_pe;
	/* What the log tells of this boot's way, by index of event. */
	bool grub;
	size_t kernel_image, uki_image, inner_image;
	char kernel_path[256], initrd_path[256]; /* as GRUB or the loader has them; "" = not told */
	bool several_initrds;
	char cmdline[CMDLINE_MAX]; /* this boot's, from /proc */
	char uki_cmdline[CMDLINE_MAX];
	const char *new_args; /* NULL: as in this boot */
	char grub_changed[256]; /* a configuration file of GRUB that is not what it was */
};

/* What became of one event. */
struct predicted {
	enum predict_state state;
	uint8_t digest[DIGEST_MAX];
	char why[256]; /* CHANGES: the file's name; UNKNOWN: the reason */
};

/* predict_files.c */
int predict_load(int dirfd, const char *path, struct predict_file *ret, struct err **err);
void predict_file_clear(struct predict_file *f);
enum predict_digest { WHOLE_FILE, PE_IMAGE };
int predict_digest_file(const struct predictor *c, const struct predict_file *f, enum predict_digest how, uint8_t *out, struct err **err);
/* A file that was measured under this name, by firmware or boot loader: any of the usual mount points. The one with this digest wins,
 * else the first that exists. False: none. */
bool predict_find(const struct predictor *c, const char *name, enum predict_digest how, const uint8_t *digest, struct predict_file *ret);
/* The same name apart from folders? */
bool predict_same_name(const char *measured, const char *file);

/* predict_event.c */
void predict_event(struct predictor *c, size_t i, struct predicted *ret);

/* predict_uki.c */
bool predict_uki_used(const struct predictor *c);
/* Extends what systemd-stub measures of the image, in its order. ERR_TPM "predict-unknown". */
int predict_uki_sections(const struct predictor *c, uint8_t pcr[static PCR_DIGEST_MAX], struct err **err);
int predict_extend(const struct predictor *c, uint8_t pcr[static PCR_DIGEST_MAX], const uint8_t *digest, struct err **err);
int predict_extend_data(const struct predictor *c, uint8_t pcr[static PCR_DIGEST_MAX], const void *data, size_t len, struct err **err);

#endif
