/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "config.h"

#include "unlock/failure.h"

#include <stdarg.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "net/net.h"
#include "unlock/exitcode.h"

#define LINE_MAX_LEN 600 /* one long message leaves room for the others */
#define LAST_LINE 64

struct report {
	const struct run *run;
	struct buf text;
	unsigned int left_out;
};

/* A line that does not fit is counted, never cut into something else. */
static void line(struct report *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void line(struct report *r, const char *fmt, ...)
{
	char raw[2 * LINE_MAX_LEN], safe[LINE_MAX_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	text_sanitise(raw, strlen(raw), safe, sizeof(safe));
	if (r->text.len + strlen(safe) + 1 > FAILURE_MAX - LAST_LINE) {
		r->left_out++;
		return;
	}
	buf_printf(&r->text, "%s\n", safe);
}

static void say_machine(struct report *r)
{
	const struct unlock_env *env = r->run->env;
	struct tee_env te = { .root_fd = env->root_fd, .may_mount = false };
	_cleanup_err_ struct err *none = NULL;
	const struct tee_provider *tee = NULL;
	struct utsname u = { 0 };

	uname(&u);
	tee_detect(env->platform->tees, &te, &tee, NULL, &none);
	line(r, "machine: Linux %s, %s, profile %s, TPM %s", u.release, r->run->in_initrd ? "in the initramfs" : "not in an initramfs",
	     env->config->profile == PROFILE_CVM ? "cvm" : "bare-metal", machine_tpm_present(env) ? "there" : "absent");
	if (tee)
		line(r, "evidence: %s", tee->summary);
	else
		line(r, "evidence: none [%s] %s", err_id(none), err_message(none));
}

static void say_network(struct report *r)
{
	const struct config *c = r->run->env->config;
	_cleanup_err_ struct err *err = NULL;
	struct net_facts f = { 0 };

	if (!c->kbs || !*c->kbs) {
		line(r, "network: not needed, no key broker is configured");
		return;
	}
	if (net_probe(&f, &err) < 0)
		line(r, "network: not known, %s", err_message(err));
	else
		line(r, "network: link %s, address %s, route %s", f.link_up ? "up" : "down", f.address ? "there" : "none",
		     f.default_route ? "default" : f.route ? "no default" : "none");
	for (struct config_kbs **k = c->kbs; *k; k++)
		for (char **u = (*k)->urls; *u; u++)
			line(r, "broker %s: %s, known by %s%s", (*k)->name, *u, (*k)->pins && *(*k)->pins ? "pinned key" : "CA and server name",
			     (*k)->proxy ? ", by way of the proxy" : "");
}

/* The slowest thing is what a deadline was spent on. */
static void say_time(struct report *r)
{
	const struct event_span *s, *longest = NULL;
	size_t n;

	s = events_spans(r->run->env->events, &n);
	for (size_t i = 0; i < n; i++)
		if (s[i].end_ns && (!longest || s[i].end_ns - s[i].start_ns > longest->end_ns - longest->start_ns))
			longest = &s[i];
	if (longest)
		line(r, "time: %llu ms in all, most of it in one go: %s %s%s%llu ms", (unsigned long long)events_total_ms(r->run->env->events),
		     longest->phase, longest->volume, *longest->volume ? " " : "",
		     (unsigned long long)((longest->end_ns - longest->start_ns) / NSEC_PER_MSEC));
}

static void say_error(struct report *r, const char *what, const char *step, const struct err *e)
{
	const char *hint = err_hint_text(e);

	line(r, "%s%s%s: %s [%s]: %s%s%s", what, step ? " failed at " : "", step ? step : "", err_class_name(err_class(e)), err_id(e), err_message(e),
	     *hint ? "; to do: " : "", hint);
}

static void say_volume(struct report *r, const struct job *job)
{
	char what[200];

	snprintf(what, sizeof(what), "volume %s (mode %s%s%.60s)", job->conf->name, config_mode_name(job->conf->mode), *job->dev.path ? ", " : "",
		 job->dev.path);
	if (job->stage == JOB_FAILED)
		say_error(r, what, job->step, job->err);
	else
		line(r, "%s: %s", what, job->stage == JOB_OPEN || job->stage == JOB_ALREADY ? "open" : "not tried to the end");
}

static void facts(struct report *r, int code)
{
	const struct run *run = r->run;

	line(r, "cryptattest %s, failure report 1", VERSION);
	line(r, "exit %d: %s; cap %s; boot %s", code, exit_code_text(code) ? exit_code_text(code) : "?", run->cap,
	     run->state && run->state->boot_id ? run->state->boot_id : "not known");
	say_machine(r);
	say_network(r);
	say_time(r);
}

static void show(const struct report *r)
{
	const char *p = (const char *)r->text.data, *const end = p + r->text.len;

	for (const char *nl; p < end && (nl = memchr(p, '\n', (size_t)(end - p))); p = nl + 1)
		log_info("report: %.*s", (int)(nl - p), p);
}

void failure_report(const struct run *run, int code)
{
	struct report r = { .run = run, .text = BUF_INIT(FAILURE_MAX) };
	_cleanup_err_ struct err *err = NULL;

	facts(&r, code);
	show(&r);
	if (run->err)
		say_error(&r, "run", NULL, run->err);
	/* Those that failed come first: there may be no room for all. */
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < run->n_jobs; i++)
			if ((run->jobs[i].stage == JOB_FAILED) == !pass)
				say_volume(&r, &run->jobs[i]);
	if (r.left_out)
		buf_printf(&r.text, "left out for room: %u lines\n", r.left_out);
	if (buf_check(&r.text, &err) < 0 || state_file_write(run->env->root_fd, FAILURE_FILE, buf_cstr(&r.text), r.text.len, &err) < 0)
		log_warning("report: %s", err_message(err));
	else
		log_info("report: the whole is /%s/%s", STATE_DIR, FAILURE_FILE);
	buf_free(&r.text);
}
