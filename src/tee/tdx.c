/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* TDX quotes through configfs-tsm, with the firmware's event log. */
#include <string.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/log.h"
#include "evidence/event_log.h"
#include "tee/providers.h"
#include "tee/tsm.h"

#define CCEL_DATA "sys/firmware/acpi/tables/data/CCEL"

int tdx_event_log(int root_fd, uint8_t **ret, size_t *ret_len, struct err **err)
{
	_cleanup_err_ struct err *e = NULL;
	_cleanup_free_ char *raw = NULL;
	size_t len = 0, used = 0;

	*ret = NULL;
	*ret_len = 0;
	if (file_read(root_fd, CCEL_DATA, EVENT_LOG_MAX, ERR_NOEVIDENCE, &raw, &len, &e) < 0 ||
	    event_log_length((const uint8_t *)raw, len, &used, &e) < 0) {
		if (err_class(e) == ERR_NOMEM)
			return err_propagate(err, TAKE_PTR(e));
		log_debug("tdx: no event log: %s", err_message(e));
		return 0;
	}
	if (used == 0)
		return 0;
	*ret = (uint8_t *)TAKE_PTR(raw);
	*ret_len = used;
	return 0;
}

static enum tee_presence probe(const struct tee_env *env, struct buf *why)
{
	return tsm_probe(env, "tdx_guest", why);
}

static int collect(const struct tee_env *env, const uint8_t data[static TEE_REPORT_DATA], struct deadline d,
		   struct evidence *ret, struct err **err)
{
	/* No pause: the TDX module is the machine's own, only the quote buffer is shared, and the lock guards that. */
	static const struct tee_job job = { .what = "tdx-configfs", .run = tsm_transact, .exclusive = true };
	struct tsm_request *q _cleanup_shared_ = NULL;
	struct evidence ev = { .tee = TEE_TDX };

	if (tsm_report(env, &job, TEE_TDX, "tdx_guest", NULL, data, d, &q, err) < 0)
		return -1;
	ev.report = malloc(q->out_len);
	if (!ev.report)
		return err_nomem(err);
	memcpy(ev.report, q->out, q->out_len);
	ev.report_len = q->out_len;
	if (tdx_event_log(env->root_fd, &ev.aux, &ev.aux_len, err) < 0) {
		evidence_clear(&ev);
		return -1;
	}
	*ret = ev;
	return 0;
}

const struct tee_provider tee_tdx_configfs = {
	.name = "tdx-configfs",
	.kind = TEE_TDX,
	.summary = "Intel TDX quote through configfs-tsm (kernel 6.7 and later)",
	.probe = probe,
	.collect = collect,
};
