/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "unlock/next_boot.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/text.h"
#include "keysrc/keysrc.h"
#include "tee/tee.h"
#include "unlock/header_policy.h"
#include "unlock/preflight.h"

#define COMMAND_LINE_MAX 65536

struct next {
	const struct unlock_env *env;
	const struct predict_input *input;
	struct doctor *d;
	struct next_way *brokers; /* one for each [kbs] section */
	struct next_sealed *sealed;
};

void next_way_good(struct next_way *w, const char *fmt, ...)
{
	va_list ap;

	*w = (struct next_way){ .asked = true, .ok = true };
	va_start(ap, fmt);
	vsnprintf(w->text, sizeof(w->text), fmt, ap);
	va_end(ap);
}

void next_way_bad(struct next_way *w, struct err *err)
{
	*w = (struct next_way){ .asked = true, .cls = err_class(err), .unknown = text_eq(err_id(err), "predict-unknown") };
	snprintf(w->text, sizeof(w->text), "%s", err_message(err));
	snprintf(w->hint, sizeof(w->hint), "%s", err_hint_text(err));
	err_free(err);
}

static void add_way(struct next *n, const char *id, const struct config_volume *v, const struct next_way *w, bool spare)
{
	const enum doctor_status status = w->ok				 ? DOCTOR_OK :
					  spare || !v->required		 ? DOCTOR_WARN :
					  w->unknown			 ? DOCTOR_UNKNOWN :
									   DOCTOR_FAIL;
	const size_t before = n->d->n;

	doctor_add(n->d, id, v->name, status, w->hint, "%s%s", w->text,
		   w->ok	  ? "" :
		   spare	  ? " (the other way of kbs-or-vtpm works)" :
		   !v->required ? " (required = no: the boot goes on)" :
				  "");
	if (n->d->n > before)
		n->d->checks[before].cls = w->cls;
}

/* One error as a row; a volume that is not required only warns. */
static void add_error(struct next *n, const char *id, const struct config_volume *v, struct err *err)
{
	struct next_way w;

	next_way_bad(&w, err);
	add_way(n, id, v, &w, false);
}

static void check_volume_header(struct next *n, const struct config_volume *v)
{
	struct luks_policy policy = header_policy_of(v);
	struct luks_device dev = LUKS_DEVICE_INIT;
	struct luks_header h = LUKS_HEADER_INIT;
	struct luks_findings found = { 0 };
	struct err *err = NULL;

	if (device_find(n->env->root_fd, v->device, n->env->platform->allow_file_devices, &dev, &err) < 0) {
		add_error(n, "device", v, err);
		return;
	}
	doctor_add(n->d, "device", v->name, DOCTOR_OK, NULL, "%.120s is %.240s", v->device, dev.path);
	if (luks_inspect(&dev, &policy, &h, &found, &err) < 0)
		add_error(n, "header", v, err);
	else
		doctor_add(n->d, "header", v->name, DOCTOR_OK, NULL, "passes profile %s (UUID %s)",
			   policy.profile == LUKS_STRICT ? "strict" : "compat", h.uuid);
	luks_findings_clear(&found);
	luks_header_clear(&h);
	device_close(&dev);
}

/* The rows that doctor has for one broker become one answer: an address that answers is enough. */
static void sum_up_broker(const struct config_kbs *k, const struct doctor *rows, struct next_way *ret)
{
	const struct doctor_check *good = NULL, *bad = NULL;
	size_t addresses = 0, answering = 0;
	struct err *err = NULL;

	for (size_t i = 0; i < rows->n; i++) {
		const struct doctor_check *c = &rows->checks[i];

		addresses += text_eq(c->id, "kbs");
		if (text_eq(c->id, "kbs") && c->status == DOCTOR_OK) {
			good = good ? good : c;
			answering++;
		}
		if (c->status == DOCTOR_FAIL && !bad)
			bad = c;
	}
	if (good) {
		next_way_good(ret, "[kbs %s]: %s is the configured server and speaks the protocol%s", k->name, good->subject,
			      answering < addresses ? "; another of its addresses does not answer so, see `cryptattest doctor`" : "");
		return;
	}
	err_set(&err, bad ? bad->cls : ERR_INTERNAL, "broker", "[kbs %s]: %s: %s", k->name, bad ? bad->subject : "?",
		bad ? bad->text : "out of memory");
	err_hint(&err, "%s", bad ? bad->hint : "");
	next_way_bad(ret, err);
}

/* Evidence first: without it the broker has nothing to judge. */
static void ask_broker(struct next *n, const struct config_kbs *k, struct next_way *ret)
{
	struct tee_env te = { .root_fd = n->env->root_fd, .may_mount = false };
	const struct tee_provider *tee;
	struct doctor rows = { 0 };
	struct err *err = NULL;

	if (tee_detect(n->env->platform->tees, &te, &tee, NULL, &err) < 0) {
		next_way_bad(ret, err);
		return;
	}
	doctor_broker(n->env, k, &rows);
	sum_up_broker(k, &rows, ret);
	doctor_clear(&rows);
}

static const struct next_way *broker_of(struct next *n, const struct config_volume *v)
{
	const struct config *c = n->env->config;

	for (size_t i = 0; c->kbs && c->kbs[i]; i++) {
		if (!text_eq(c->kbs[i]->name, v->source_name))
			continue;
		if (!n->brokers[i].asked)
			ask_broker(n, c->kbs[i], &n->brokers[i]);
		return &n->brokers[i];
	}
	return NULL;
}

static void judge_sealed(struct next *n, const struct config_volume *v, struct next_way *ret)
{
	struct next_way known;
	struct err *err = NULL;

	if (!n->sealed) {
		if (next_sealed_new(n->env, n->input, &n->sealed, &err) < 0) {
			next_way_bad(ret, err);
			return;
		}
		next_sealed_predict(n->sealed, &known);
		doctor_add(n->d, "prediction", NULL, known.ok ? DOCTOR_OK : DOCTOR_WARN, known.hint, "%s", known.text);
	}
	next_sealed_judge(n->sealed, v, ret);
}

/* Nothing here can promise that a person comes. */
static void add_operator(struct next *n, const struct config_volume *v)
{
	struct next_way way = { .asked = true, .unknown = true, .cls = ERR_UNREACHABLE };

	snprintf(way.text, sizeof(way.text), "opens only if an operator pushes its secret within %llu s",
		 (unsigned long long)n->env->config->push.window_ms / 1000);
	snprintf(way.hint, sizeof(way.hint), "have cryptattest-kbs push ready, with --wait");
	add_way(n, "source", v, &way, false);
}

static void check_sources(struct next *n, const struct config_volume *v)
{
	const bool either = v->mode == MODE_KBS_OR_VTPM;
	const struct next_way *broker = config_mode_uses_kbs(v->mode) ? broker_of(n, v) : NULL;
	struct next_way sealed = { 0 };
	struct err *err = NULL;
	bool outage;

	if (config_mode_uses_vtpm(v->mode))
		judge_sealed(n, v, &sealed);
	/* What counts as an outage, and nothing else, lets kbs-or-vtpm fall back (contracts.md 4). */
	outage = broker && !broker->ok && (broker->cls == ERR_UNREACHABLE || broker->cls == ERR_NOEVIDENCE);
	if (broker) {
		add_way(n, "broker", v, broker, either && outage && sealed.ok);
		if (broker->ok)
			doctor_add(n->d, "broker-policy", v->name, DOCTOR_SKIP, NULL,
				   "not proved: that the broker's policy accepts the next boot's measurement, and that the initramfs reaches the broker as this system does");
	} else if (text_eq(v->source_name, "push")) {
		add_operator(n, v);
	} else if (text_eq(v->source_name, "prompt")) {
		keysrc_refuse_at_boot(&err);
		add_error(n, "source", v, err);
	} else if (config_mode_uses_kbs(v->mode)) {
		doctor_add(n->d, "source", v->name, DOCTOR_SKIP, NULL, "not proved: %s is not looked at", v->secret ? v->secret : "its secret");
	}
	if (config_mode_uses_vtpm(v->mode))
		add_way(n, "sealed", v, &sealed, either && broker && broker->ok);
}

static int next_command_line(struct next *n, char **ret, const char **ret_what, struct err **err)
{
	const struct predict_input *in = n->input;
	size_t len;

	*ret_what = in->cmdline ? "the command line of --cmdline" : "the command line in the unified kernel image";
	if (in->cmdline) {
		*ret = text_dup(in->cmdline);
		return *ret ? 0 : err_nomem(err);
	}
	if (in->uki && (predict_uki_text(in->uki, ".cmdline", ret, err) < 0 || *ret))
		return *ret ? 0 : -1;
	*ret_what = "this boot's command line, taken to stay as it is,";
	return file_read(n->env->root_fd, "proc/cmdline", COMMAND_LINE_MAX, ERR_CONFIG, ret, &len, err);
}

static void check_preflight(struct next *n)
{
	const struct config *c = n->env->config;
	_cleanup_free_ const char **names = preflight_volumes(c);
	_cleanup_free_ char *line = NULL;
	struct preflight_findings f = { 0 };
	struct err *err = NULL;
	const char *what;

	if (c->profile != PROFILE_CVM)
		return;
	if (!names || next_command_line(n, &line, &what, &err) < 0) {
		doctor_add_err(n->d, "preflight", NULL, DOCTOR_FAIL, err);
		return;
	}
	preflight_command_line(line, names, &f);
	if (!f.n)
		doctor_add(n->d, "preflight", NULL, DOCTOR_OK, NULL, "%s passes", what);
	for (size_t i = 0; i < f.n; i++) {
		err_set(&err, ERR_CONFIG, f.items[i].id, "%s does not pass: %s [%s]", what, f.items[i].message, f.items[i].id);
		err_hint(&err, "%s", f.items[i].hint);
		doctor_add_err(n->d, "preflight", NULL, c->preflight == PREFLIGHT_WARN ? DOCTOR_WARN : DOCTOR_FAIL, TAKE_PTR(err));
	}
}

/* A file that was named and is not there would make the answer one about another boot. */
static bool check_files(struct next *n)
{
	const char *const files[] = { n->input->kernel, n->input->initrd, n->input->uki };
	struct err *err = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (files[i] && access(files[i], R_OK) < 0) {
			err_set(&err, ERR_CONFIG, "predict-file", "%s cannot be read", files[i]);
			err_hint(&err, "name the file that will boot");
			doctor_add_err(n->d, "next-image", NULL, DOCTOR_FAIL, err);
			return false;
		}
	return true;
}

static void check_volumes(struct next *n)
{
	for (struct config_volume **v = n->env->config->volumes; *v; v++) {
		if ((*v)->phase != PHASE_INITRD)
			continue;
		if ((*v)->mode == MODE_MANUAL) {
			doctor_add(n->d, "source", (*v)->name, DOCTOR_SKIP, NULL, "mode = manual: only `cryptattest recover` opens it");
			continue;
		}
		check_volume_header(n, *v);
		check_sources(n, *v);
	}
}

/* How many volumes will the boot open by itself? */
static size_t automatic(const struct config *c)
{
	size_t count = 0;

	for (struct config_volume **v = c->volumes; *v; v++)
		count += (*v)->phase == PHASE_INITRD && (*v)->mode != MODE_MANUAL;
	return count;
}

static bool check_config(struct next *n, const struct err *config_error)
{
	struct err *err = NULL;
	size_t count;

	if (!n->env->config) {
		err_set(&err, err_class(config_error), err_id(config_error), "%s", err_message(config_error));
		err_hint(&err, "%s", err_hint_text(config_error));
	} else {
		count = automatic(n->env->config);
		if (count) {
			doctor_add(n->d, "config", NULL, DOCTOR_OK, NULL, "sound: %zu volume%s to open in the initramfs", count, count == 1 ? "" : "s");
			return true;
		}
		err_set(&err, ERR_NOTHING, "no-volume", "names no volume that the initramfs opens by itself");
		err_hint(&err, "add a [volume NAME] section, see cryptattest.conf(5)");
	}
	doctor_add_err(n->d, "config", NULL, DOCTOR_FAIL, err);
	return false;
}

void next_boot_run(const struct unlock_env *env, const struct err *config_error, const struct predict_input *next, struct doctor *ret)
{
	struct next n = { .env = env, .input = next, .d = ret };
	size_t n_kbs = 0;

	*ret = (struct doctor){ 0 };
	if (!check_config(&n, config_error) || !check_files(&n))
		return;
	while (env->config->kbs && env->config->kbs[n_kbs])
		n_kbs++;
	n.brokers = calloc(n_kbs + 1, sizeof(*n.brokers));
	if (!n.brokers) {
		ret->failed_nomem = true;
		return;
	}
	check_preflight(&n);
	check_volumes(&n);
	next_sealed_free(n.sealed);
	free(n.brokers);
}
