/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "config.h"

#include "unlock/doctor.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "unlock/exitcode.h"
#include "unlock/job.h"

const char *doctor_status_name(enum doctor_status s)
{
	static const char *const names[] = { "ok", "warn", "fail", "skip", "unknown" };

	return names[s];
}

static struct doctor_check *new_check(struct doctor *d, const char *id, const char *subject, enum doctor_status status)
{
	struct doctor_check *c;

	if (!d->checks)
		d->checks = calloc(DOCTOR_CHECKS_MAX, sizeof(*d->checks));
	if (!d->checks || d->n == DOCTOR_CHECKS_MAX) {
		d->failed_nomem = true;
		return NULL;
	}
	c = &d->checks[d->n++];
	*c = (struct doctor_check){ .id = id, .status = status, .cls = ERR_INTERNAL };
	snprintf(c->subject, sizeof(c->subject), "%s", subject ? subject : "");
	return c;
}

void doctor_add(struct doctor *d, const char *id, const char *subject, enum doctor_status status, const char *hint, const char *fmt, ...)
{
	struct doctor_check *c = new_check(d, id, subject, status);
	va_list ap;

	if (!c)
		return;
	va_start(ap, fmt);
	vsnprintf(c->text, sizeof(c->text), fmt, ap);
	va_end(ap);
	snprintf(c->hint, sizeof(c->hint), "%s", hint ? hint : "");
}

void doctor_add_err(struct doctor *d, const char *id, const char *subject, enum doctor_status status, struct err *err)
{
	struct doctor_check *c = new_check(d, id, subject, status);

	if (c) {
		c->cls = err_class(err);
		snprintf(c->text, sizeof(c->text), "%s", err_message(err));
		snprintf(c->hint, sizeof(c->hint), "%s", err_hint_text(err));
	}
	err_free(err);
}

static void check_config(const struct unlock_env *env, const struct err *config_error, struct doctor *d)
{
	struct doctor_check *c;
	size_t n = 0;

	if (!env->config) {
		c = new_check(d, "config", NULL, DOCTOR_FAIL);
		if (!c)
			return;
		c->cls = err_class(config_error);
		snprintf(c->text, sizeof(c->text), "%s", err_message(config_error));
		snprintf(c->hint, sizeof(c->hint), "%s", err_hint_text(config_error));
		return;
	}
	for (struct config_volume **v = env->config->volumes; v && *v; v++)
		n++;
	if (n)
		doctor_add(d, "config", NULL, DOCTOR_OK, NULL, "sound: %zu volume%s", n, n == 1 ? "" : "s");
	else
		doctor_add(d, "config", NULL, DOCTOR_WARN, "add a [volume NAME] section, see cryptattest.conf(5)",
			   "sound, but it names no volume: nothing will be opened");
}

/* Certificates are judged at max(clock, BUILD_EPOCH), so a clock that stands in the past is an inconvenience. */
static void check_clock(struct doctor *d)
{
	const int64_t now = (int64_t)time(NULL);
	char text[21], floor[21];

	text_format_time(now, text);
	text_format_time(BUILD_EPOCH, floor);
	if (now < BUILD_EPOCH)
		doctor_add(d, "clock", NULL, DOCTOR_WARN, "set the clock; certificates that are younger than this program are refused until then",
			   "%s lies before this program was built (%s): certificates are judged as of then", text, floor);
	else
		doctor_add(d, "clock", NULL, DOCTOR_OK, NULL, "%s", text);
}

static bool needs_evidence(const struct config *c)
{
	for (struct config_volume **v = c->volumes; v && *v; v++)
		if (config_mode_uses_kbs((*v)->mode) && (config_find_kbs(c, (*v)->source_name) || text_eq((*v)->source_name, "push")))
			return true;
	return false;
}

bool doctor_uses_broker(const struct config *c, const struct config_kbs *k)
{
	for (struct config_volume **v = c->volumes; v && *v; v++)
		if (config_mode_uses_kbs((*v)->mode) && text_eq((*v)->source_name, k->name))
			return true;
	return false;
}

void doctor_tee(const struct unlock_env *env, struct doctor *d)
{
	struct tee_env te = { .root_fd = env->root_fd, .may_mount = facts_in_initrd(env) };
	const struct tee_provider *tee;
	struct err *err = NULL;

	if (!needs_evidence(env->config))
		doctor_add(d, "tee", NULL, DOCTOR_SKIP, NULL, "no volume shows evidence to anybody");
	else if (tee_detect(env->platform->tees, &te, &tee, NULL, &err) < 0)
		doctor_add_err(d, "tee", NULL, DOCTOR_FAIL, err);
	else
		doctor_add(d, "tee", NULL, DOCTOR_OK, NULL, "%s: %s", tee->name, tee->summary);
}

void doctor_run(const struct unlock_env *env, const struct err *config_error, struct doctor *ret)
{
	*ret = (struct doctor){ 0 };
	check_config(env, config_error, ret);
	check_clock(ret);
	if (!env->config)
		return;
	doctor_tee(env, ret);
	doctor_tpm(env, ret);
	doctor_image(env, ret);
	doctor_net(env, ret);
}

void doctor_clear(struct doctor *d)
{
	free(d->checks);
	*d = (struct doctor){ 0 };
}

static const struct doctor_check *first(const struct doctor *d, enum doctor_status s)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->checks[i].status == s)
			return &d->checks[i];
	return NULL;
}

const struct doctor_check *doctor_first_failure(const struct doctor *d)
{
	const struct doctor_check *c = first(d, DOCTOR_FAIL);

	return c ? c : first(d, DOCTOR_UNKNOWN);
}

int doctor_exit_code(const struct doctor *d)
{
	const struct doctor_check *c = doctor_first_failure(d);

	if (c)
		return exit_code_of(c->cls);
	return d->failed_nomem ? EXIT_INTERNAL : EXIT_OK;
}
