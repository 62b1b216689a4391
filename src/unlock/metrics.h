/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * `status --metrics`: this boot's unlocking as text for a metrics collector. OpenMetrics 1.0, of which only what the older Prometheus text
 * format takes too (gauges), so that a textfile collector can read it. Pure.
 */
#ifndef CRYPTATTEST_UNLOCK_METRICS_H
#define CRYPTATTEST_UNLOCK_METRICS_H

#include "state/state.h"
#include "unlock/timeline.h"

#define METRICS_MAX (1024 * 1024)

/* *next_boot_ok: what `next-boot` last said in this boot; NULL: nothing. */
void metrics_text(const struct state *st, const struct timeline *t, const bool *next_boot_ok, struct buf *out);
/* The answer kept in NEXT_BOOT_FILE. ERR_INTEGRITY. */
int metrics_parse_next_boot(const char *text, size_t len, bool *ret, struct err **err);

#endif
