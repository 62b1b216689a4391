/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Modules log at debug only; the engine and the verbs report. One line: `volume: step: what: why`.
 * Sinks: stderr, and /dev/kmsg when asked (boot); there an error always arrives, of the rest no more than ten lines in five seconds. Text is sanitised; a secret has no way in.
 */
#ifndef CRYPTATTEST_BASE_LOG_H
#define CRYPTATTEST_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOGL_ERROR, LOGL_WARNING, LOGL_INFO, LOGL_DEBUG };

void log_init(const char *program, enum log_level level, bool kmsg);
enum log_level log_level(void);
void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define log_error(...) log_msg(LOGL_ERROR, __VA_ARGS__)
#define log_warning(...) log_msg(LOGL_WARNING, __VA_ARGS__)
#define log_info(...) log_msg(LOGL_INFO, __VA_ARGS__)
#define log_debug(...) log_msg(LOGL_DEBUG, __VA_ARGS__)

#endif
