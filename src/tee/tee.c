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

const struct tee_provider *const tee_providers[] = { &tee_snp_configfs, &tee_tdx_configfs, &tee_snp_ioctl, NULL };

static int no_provider(const struct tee_env *env, struct buf *reasons, struct err **err)
{
	enum cpu_verdict v = detect_this_cpu(env->root_fd);

	buf_puts(reasons, detect_text(v));
	if (buf_check(reasons, err) < 0)
		return -1;
	err_set(err, ERR_NOEVIDENCE, "no-tee", "no evidence can be had on this machine: %s", buf_cstr(reasons));
	return err_hint(err, "%s", detect_hint(env, v));
}

int tee_detect(const struct tee_provider *const *table, const struct tee_env *env, const struct tee_provider **ret,
	       struct buf *why, struct err **err)
{
	struct buf reasons _cleanup_buf_ = BUF_INIT(4096);

	for (; *table; table++) {
		struct buf reason _cleanup_buf_ = BUF_INIT(512);
		enum tee_presence presence = (*table)->probe(env, &reason);
		const char *text = buf_cstr(&reason);

		if (why)
			buf_printf(why, "%s: %s\n", (*table)->name, text ? text : "?");
		if (presence == TEE_PRESENT) {
			log_debug("tee: %s: %s", (*table)->name, text ? text : "?");
			*ret = *table;
			return 0;
		}
		buf_printf(&reasons, "%s: %s; ", (*table)->name, text ? text : "?");
	}
	return no_provider(env, &reasons, err);
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
