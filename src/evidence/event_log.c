/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "evidence/event_log.h"

#include <string.h>

#include "evidence/tcg_log.h"

/* rtmr may be NULL: structure and length only. */
static int walk(const uint8_t *raw, size_t len, uint8_t (*rtmr)[48], size_t *ret_used, struct err **err)
{
	struct tcg_replay r;
	struct tcg_event ev;
	struct tcg_log log;
	int rc;

	if (len > EVENT_LOG_MAX)
		return err_set(err, ERR_INTEGRITY, "event-log", "event log: %zu bytes, at most %d", len, EVENT_LOG_MAX);
	if (tcg_log_open(raw, len, &log, err) < 0 || tcg_replay_init(TCG_SHA384, &r, err) < 0)
		return -1;
	while ((rc = tcg_log_next(&log, &ev, err)) > 0) {
		/* Index 0 is MRTD, which the firmware does not extend. */
		if (!rtmr || ev.type == EV_NO_ACTION || ev.mr == 0)
			continue;
		if (ev.mr > 4)
			return err_set(err, ERR_INTEGRITY, "event-log", "event log: measurement register over 4 at byte %zu", ev.offset);
		if (tcg_replay_event(&r, &ev, err) < 0)
			return -1;
	}
	if (rc < 0)
		return -1;
	for (size_t i = 0; rtmr && i < 4; i++)
		memcpy(rtmr[i], r.pcr[i + 1], 48);
	*ret_used = log.rd.off;
	return 0;
}

int event_log_length(const uint8_t *raw, size_t len, size_t *ret_used, struct err **err)
{
	return walk(raw, len, NULL, ret_used, err);
}

int event_log_replay(const uint8_t *raw, size_t len, uint8_t rtmr[static 4][48], struct err **err)
{
	uint8_t out[4][48] = { { 0 } };
	size_t used;

	if (walk(raw, len, out, &used, err) < 0)
		return -1;
	memcpy(rtmr, out, sizeof(out));
	return 0;
}
