/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tee/tee.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "tee/detect.h"
#include "tee/providers.h"

/* Every SNP request counts with a host that throttles, and a failed one may be the last of this boot; a TDX quote costs
 * nobody anything, so there the deadline is the limit. */
#define SNP_TRIES 4
#define TDX_TRIES_WITHOUT_DEADLINE 8
/* For a driver that something else is just loading; only where something says that there is a TEE. */
#define DRIVER_WAIT_MS 3000

const struct tee_provider *const tee_providers[] = { &tee_snp_configfs, &tee_tdx_configfs, &tee_snp_ioctl, NULL };

/* One look at the whole table. lines gets "NAME: reason" of each probe. */
static const struct tee_provider *look(const struct tee_provider *const *table, const struct tee_env *env, struct buf *lines,
				       bool *ret_driver_missing)
{
	*ret_driver_missing = false;
	for (; *table; table++) {
		struct buf reason _cleanup_buf_ = BUF_INIT(512);
		enum tee_presence presence = (*table)->probe(env, &reason);

		buf_printf(lines, "%s: %s\n", (*table)->name, buf_cstr(&reason) ? buf_cstr(&reason) : "?");
		if (presence == TEE_PRESENT)
			return *table;
		if (presence == TEE_DRIVER_MISSING)
			*ret_driver_missing = true;
	}
	return NULL;
}

static bool has_tee(enum cpu_verdict v)
{
	return v == CPU_SNP || v == CPU_SEV_HIDDEN || v == CPU_TDX;
}

static int no_provider(const struct tee_env *env, struct buf *lines, enum cpu_verdict v, struct err **err)
{
	buf_puts(lines, detect_text(v));
	if (buf_check(lines, err) < 0)
		return -1;
	err_set(err, ERR_NOEVIDENCE, "no-tee", "no evidence can be had on this machine: %s", buf_cstr(lines));
	return err_hint(err, "%s", detect_hint(env, v));
}

/* Copies the probes' lines to the caller; in an error's message, which is one line, "; " separates them. */
static void copy_lines(const struct buf *lines, struct buf *to, const char *separator)
{
	for (size_t i = 0; i < lines->len; i++) {
		if (lines->data[i] == '\n')
			buf_puts(to, separator);
		else
			buf_putc(to, (char)lines->data[i]);
	}
}

int tee_detect(const struct tee_provider *const *table, const struct tee_env *env, const struct tee_provider **ret,
	       struct buf *why, struct err **err)
{
	struct buf lines _cleanup_buf_ = BUF_INIT(4096), message _cleanup_buf_ = BUF_INIT(8192);
	struct backoff pause = { .first_ms = 100, .max_ms = 800 };
	struct deadline d = deadline_in_ms(DRIVER_WAIT_MS);
	const struct tee_provider *p;
	enum cpu_verdict v = CPU_UNKNOWN;
	bool missing;

	do {
		buf_reset(&lines);
		p = look(table, env, &lines, &missing);
		if (!p)
			v = detect_this_cpu(env->root_fd);
	} while (!p && (missing || has_tee(v)) && clock_sleep_ms(backoff_next_ms(&pause), d));
	if (why)
		copy_lines(&lines, why, "\n");
	if (!p) {
		copy_lines(&lines, &message, "; ");
		return no_provider(env, &message, v, err);
	}
	log_debug("tee: %s", p->name);
	*ret = p;
	return 0;
}

static int try_once(const struct tee_provider *p, const struct tee_env *env, const uint8_t data[static TEE_REPORT_DATA],
		    struct deadline d, struct evidence *ret, struct err **err)
{
	struct evidence ev = { 0 };

	if (p->collect(env, data, d, &ev, err) < 0)
		return -1;
	if (evidence_self_check(&ev, data, err) < 0) {
		evidence_clear(&ev);
		return err_wrap(err, "%s", p->name);
	}
	*ret = ev;
	return 0;
}

static unsigned int tries(const struct tee_provider *p, struct deadline d)
{
	if (p->kind == TEE_SNP)
		return SNP_TRIES;
	return deadline_left_ms(d) == UINT64_MAX ? TDX_TRIES_WITHOUT_DEADLINE : 0;
}

int tee_collect(const struct tee_provider *p, const struct tee_env *env, const uint8_t data[static TEE_REPORT_DATA],
		struct deadline d, struct evidence *ret, struct err **err)
{
	struct backoff pause = { .first_ms = 1000, .max_ms = 30000 };
	unsigned int limit = tries(p, d);

	for (unsigned int n = 1;; n++) {
		_cleanup_err_ struct err *e = NULL;

		if (try_once(p, env, data, d, ret, &e) == 0)
			return 0;
		if (err_class(e) != ERR_BUSY)
			return err_propagate(err, TAKE_PTR(e));
		log_debug("tee: %s: try %u: %s", p->name, n, err_message(e));
		if (limit && n >= limit) {
			err_reclass(&e, ERR_NOEVIDENCE);
			err_wrap(&e, "%s: given up after %u tries", p->name, n);
			return err_propagate(err, TAKE_PTR(e));
		}
		if (!clock_sleep_ms(backoff_next_ms(&pause), d)) {
			err_reclass(&e, ERR_TIMEOUT);
			err_wrap(&e, "%s: deadline after %u tries", p->name, n);
			return err_propagate(err, TAKE_PTR(e));
		}
	}
}
