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
#include "unlock/timeline.h"

#define LINE_MAX_LEN 600 /* one long message leaves room for the others */
#define LAST_LINE 64
#define BROKER_LINES 8	  /* and for the volumes */
#define RECORD_MAX 480	  /* several facts in one line of the log: the kernel counts lines (base/log.c) */

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

static void know_machine(const struct run *run, struct failure_facts *f)
{
	const struct unlock_env *env = run->env;
	struct tee_env te = { .root_fd = env->root_fd, .may_mount = false };
	_cleanup_err_ struct err *none = NULL;
	const struct tee_provider *tee = NULL;
	struct utsname u = { 0 };

	uname(&u);
	tee_detect(env->platform->tees, &te, &tee, NULL, &none);
	snprintf(f->machine, sizeof(f->machine), "machine: Linux %s, %s, profile %s, TPM %s", u.release,
		 run->in_initrd ? "in the initramfs" : "not in an initramfs", env->config->profile == PROFILE_CVM ? "cvm" : "bare-metal",
		 machine_tpm_present(env) ? "there" : "absent");
	if (tee)
		snprintf(f->evidence, sizeof(f->evidence), "evidence: %s", tee->summary);
	else
		snprintf(f->evidence, sizeof(f->evidence), "evidence: none [%s] %s", err_id(none), err_message(none));
}

static void know_network(const struct run *run, struct failure_facts *f)
{
	const struct config *c = run->env->config;
	_cleanup_err_ struct err *err = NULL;
	struct net_facts n = { 0 };

	if (!c->kbs || !*c->kbs)
		snprintf(f->network, sizeof(f->network), "network: not needed, no key broker is configured");
	else if (net_probe(&n, &err) < 0)
		snprintf(f->network, sizeof(f->network), "network: not known, %s", err_message(err));
	else
		snprintf(f->network, sizeof(f->network), "network: link %s, address %s, route %s", n.link_up ? "up" : "down",
			 n.path[NET_ANY].address ? "there" : "none", n.path[NET_ANY].default_route ? "default" : n.path[NET_ANY].route ? "no default" : "none");
}

/* The slowest thing is what a deadline was spent on; what never ended is what a killed run was at. */
static void know_time(const struct run *run, struct failure_facts *f)
{
	const struct event_span *s, *longest = NULL, *open = NULL;
	const uint64_t now = clock_monotonic_ns();
	size_t n;

	s = events_spans(run->env->events, &n);
	for (size_t i = 0; i < n; i++) {
		if (!s[i].end_ns)
			open = &s[i];
		else if (!longest || s[i].end_ns - s[i].start_ns > longest->end_ns - longest->start_ns)
			longest = &s[i];
	}
	n = 0;
	if (longest || open)
		n = (size_t)snprintf(f->time, sizeof(f->time), "time: %llu ms in all", (unsigned long long)events_total_ms(run->env->events));
	if (longest)
		n += (size_t)snprintf(f->time + n, sizeof(f->time) - n, ", most of it in one go: %s %s%s%llu ms", longest->phase, longest->volume,
				      *longest->volume ? " " : "", (unsigned long long)((longest->end_ns - longest->start_ns) / NSEC_PER_MSEC));
	if (open)
		snprintf(f->time + n, sizeof(f->time) - n, "; unfinished: %s %s%ssince %llu ms", open->phase, open->volume,
			 *open->volume ? " " : "", (unsigned long long)((now - open->start_ns) / NSEC_PER_MSEC));
}

void failure_facts(const struct run *run, struct failure_facts *ret)
{
	*ret = (struct failure_facts){ 0 };
	know_machine(run, ret);
	know_network(run, ret);
	know_time(run, ret);
}

static void say_brokers(struct report *r)
{
	unsigned int n = 0;

	for (struct config_kbs **k = r->run->env->config->kbs; k && *k; k++)
		for (char **u = (*k)->urls; *u; u++)
			if (++n <= BROKER_LINES)
				line(r, "broker %s: %s, known by %s%s", (*k)->name, *u,
				     (*k)->pins && *(*k)->pins ? "pinned key" : "CA and server name", (*k)->proxy ? ", by way of the proxy" : "");
	if (n > BROKER_LINES)
		line(r, "broker: and %u more addresses", n - BROKER_LINES);
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

/* Those that failed come first: there may be no room for all. */
static void say_volumes(struct report *r)
{
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < r->run->n_jobs; i++)
			if ((r->run->jobs[i].stage == JOB_FAILED) == !pass)
				say_volume(r, &r->run->jobs[i]);
}

static void say_facts(struct report *r, int code)
{
	const struct run *run = r->run;
	struct failure_facts f;

	failure_facts(run, &f);
	line(r, "cryptattest %s, failure report 1", VERSION);
	line(r, "exit %d: %s; cap %s; boot %s", code, exit_code_text(code) ? exit_code_text(code) : "?", run->cap,
	     run->state && run->state->boot_id ? run->state->boot_id : "not known");
	line(r, "%s", f.machine);
	line(r, "%s", f.evidence);
	line(r, "%s", f.network);
	say_brokers(r);
	if (*f.time)
		line(r, "%s", f.time);
}

static void log_record(void *ctx, const char *text)
{
	(void)ctx;
	log_info("%s", text);
}

/* What is in the report so far, in as few records as it fits. */
static void show(const struct report *r, guardian_say *say, void *ctx)
{
	const char *p = (const char *)r->text.data, *const end = p + r->text.len;
	char record[RECORD_MAX + LINE_MAX_LEN] = "report: ";
	size_t n = strlen(record), head = n;

	for (const char *nl; p < end && (nl = memchr(p, '\n', (size_t)(end - p))); p = nl + 1) {
		const size_t len = (size_t)(nl - p);

		if (n > head && n + len > RECORD_MAX) {
			say(ctx, record);
			n = head;
		}
		n += (size_t)snprintf(record + n, sizeof(record) - n, "%s%.*s", n > head ? " | " : "", (int)len, p);
	}
	if (n > head)
		say(ctx, record);
}

static void write_out(struct report *r, guardian_say *say, void *ctx)
{
	_cleanup_err_ struct err *err = NULL;
	_cleanup_free_ char *last = NULL;

	if (r->left_out)
		buf_printf(&r->text, "left out for room: %u lines\n", r->left_out);
	if (buf_check(&r->text, &err) < 0 ||
	    state_file_write(r->run->env->root_fd, FAILURE_FILE, buf_cstr(&r->text), r->text.len, &err) < 0)
		last = text_printf("report: %s", err_message(err));
	say(ctx, last ? last : "report: the whole is /" STATE_DIR "/" FAILURE_FILE);
	buf_free(&r->text);
}

void failure_report(const struct run *run, int code)
{
	struct report r = { .run = run, .text = BUF_INIT(FAILURE_MAX) };

	say_facts(&r, code);
	show(&r, log_record, NULL);
	if (run->err)
		say_error(&r, "run", NULL, run->err);
	say_volumes(&r);
	write_out(&r, log_record, NULL);
}

/* What the record knows of volumes whose run has no word any more. */
static void say_recorded(struct report *r)
{
	for (size_t i = 0; r->run->state && i < r->run->state->n_volumes; i++) {
		const struct state_volume *v = &r->run->state->volumes[i];

		line(r, "volume %s: %s%s%s%s%s%s", v->name, v->state, v->reason_id ? " [" : "", v->reason_id ? v->reason_id : "",
		     v->reason_id ? "]" : "", v->reason_message ? ": " : "", v->reason_message ? v->reason_message : "");
	}
}

void failure_of_unfinished(void *ctx, enum guardian_cause cause, guardian_say *say, void *say_ctx)
{
	const struct failure_watch *w = ctx;
	struct run run = { .env = w->env, .opt = w->opt, .lock_fd = -1, .cap = "not known" };
	struct report r = { .run = &run, .text = BUF_INIT(FAILURE_MAX) };

	run.in_initrd = facts_in_initrd(w->env);
	if (state_load(w->env->root_fd, &run.state, NULL) == 0 && run.state->cap)
		run.cap = run.state->cap;
	say_facts(&r, EXIT_UNREACHABLE);
	if (cause == GUARDIAN_OVERDUE)
		line(&r, "run: %s [overdue]: the time was up inside a step that does not end", err_class_name(ERR_TIMEOUT));
	else
		line(&r, "run: %s [killed]: it ended before it was finished", err_class_name(ERR_INTERNAL));
	say_recorded(&r);
	show(&r, say, say_ctx);
	if (run.state)
		timeline_add(w->env->root_fd, run.state->boot_id, w->env->events, NULL);
	write_out(&r, say, say_ctx);
	state_free(run.state);
}
