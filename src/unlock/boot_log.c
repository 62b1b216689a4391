/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "unlock/boot_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/text.h"
#include "evidence/cel_log.h"

#define EVENTS_MAX 65536

enum tcg_alg boot_log_alg(enum pcr_bank bank)
{
	return (enum tcg_alg)pcr_bank_alg(bank);
}

static int push(struct boot_event **list, size_t *n, const struct boot_event *ev, struct err **err)
{
	struct boot_event *more;

	if (*n >= EVENTS_MAX)
		return err_set(err, ERR_TPM, "event-log", "the event log has more than %d events", EVENTS_MAX);
	if ((*n & (*n - 1)) == 0) {
		more = reallocarray(*list, *n ? *n * 2 : 1, sizeof(**list));
		if (!more)
			return err_nomem(err);
		*list = more;
	}
	(*list)[(*n)++] = *ev;
	return 0;
}

static int keep(struct boot_event **list, size_t *n, struct boot_event *ev, const char *name, const char *text, struct err **err)
{
	ev->name = text_dup(name);
	ev->text = text_dup(text);
	if (ev->name && ev->text && push(list, n, ev, err) == 0)
		return 0;
	free(ev->name);
	free(ev->text);
	return err && *err ? -1 : err_nomem(err);
}

static int add_event(struct boot_log *l, const struct tcg_event *t, struct err **err)
{
	const uint8_t *digest = tcg_event_digest(t, boot_log_alg(l->bank));
	struct boot_event ev = { .pcr = t->mr, .extends = t->type != EV_NO_ACTION, .data = t->data, .len = t->len };
	struct boot_event_info info;

	if (tcg_replay_event(&l->replay, t, err) < 0)
		return -1;
	if (digest)
		memcpy(ev.digest, digest, pcr_bank_size(l->bank));
	tcg_event_describe(t, &info);
	ev.kind = info.kind;
	return keep(&l->events, &l->n, &ev, info.name, info.text, err);
}

static int add_user(void *ctx, const struct cel_event *c, struct err **err)
{
	struct boot_log *l = ctx;
	struct boot_event ev = { .pcr = c->pcr, .extends = true, .kind = c->pcr == 11 ? BOOT_PHASE : BOOT_OTHER };
	char text[BOOT_TEXT_MAX];

	memcpy(ev.digest, c->digest, pcr_bank_size(l->bank));
	snprintf(text, sizeof(text), "user space: %.150s", *c->name ? c->name : "no name");
	return keep(&l->user, &l->n_user, &ev, c->name, text, err);
}

static int absent(struct err **err, const char *what)
{
	err_set(err, ERR_TPM, "event-log-absent", "%s", what);
	return err_hint(err, "mount securityfs at /sys/kernel/security; GRUB 2.06 starts kernels so that no log reaches Linux, a newer one, "
			     "systemd-boot or a unified kernel image does not");
}

static int read_log(struct boot_log *l, size_t len, struct err **err)
{
	struct tcg_event ev;
	struct tcg_log log;
	int rc;

	if (tcg_log_open((const uint8_t *)l->raw, len, &log, err) < 0)
		return -1;
	if (!tcg_log_has_bank(&log, boot_log_alg(l->bank)))
		return err_set(err, ERR_TPM, "event-log", "the event log has no digests of bank %s", pcr_bank_name(l->bank));
	while ((rc = tcg_log_next(&log, &ev, err)) > 0)
		if (add_event(l, &ev, err) < 0)
			return -1;
	return rc;
}

/* initramfs-tools mounts no securityfs: a detached mount of our own, which nobody else sees. Below a test's root there is none. */
static int open_log_dir(int root_fd)
{
	_cleanup_close_ int fs = -1;
	struct stat ours, real;

	if (fstat(root_fd, &ours) < 0 || stat("/", &real) < 0 || ours.st_dev != real.st_dev || ours.st_ino != real.st_ino)
		return -1;
	fs = fsopen("securityfs", FSOPEN_CLOEXEC);
	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

static int read_log_file(int root_fd, char **ret, size_t *ret_len, struct err **err)
{
	_cleanup_close_ int dir = -1;
	struct err *e = NULL;

	if (file_read(root_fd, BOOT_LOG_PATH, TCG_LOG_MAX, ERR_TPM, ret, ret_len, &e) == 0)
		return 0;
	dir = err_errno(e) == ENOENT ? open_log_dir(root_fd) : -1;
	if (dir < 0)
		return err_propagate(err, e);
	err_free(e);
	return file_read(dir, "tpm0/binary_bios_measurements", TCG_LOG_MAX, ERR_TPM, ret, ret_len, err);
}

static void read_user_log(struct boot_log *l, int root_fd)
{
	_cleanup_err_ struct err *e = NULL;
	_cleanup_free_ char *text = NULL;
	size_t len = 0;

	if (file_read(root_fd, BOOT_USER_LOG_PATH, CEL_LOG_MAX, ERR_TPM, &text, &len, &e) < 0 ||
	    cel_log_walk(text, len, boot_log_alg(l->bank), add_user, l, &e) < 0)
		log_debug("%s", err_message(e));
}

int boot_log_load(int root_fd, enum pcr_bank bank, struct boot_log *ret, struct err **err)
{
	struct boot_log l = { .bank = bank };
	struct err *e = NULL;
	size_t len = 0;
	int rc;

	if (tcg_replay_init(boot_log_alg(bank), &l.replay, err) < 0)
		return -1;
	if (read_log_file(root_fd, &l.raw, &len, &e) < 0) {
		rc = err_errno(e);
		if (rc != ENOENT && rc != ENOTDIR)
			return err_propagate(err, e);
		err_free(e);
		return absent(err, "this boot has no event log (/" BOOT_LOG_PATH ")");
	}
	if (!len) {
		free(l.raw);
		return absent(err, "this boot's event log is empty (/" BOOT_LOG_PATH ")");
	}
	rc = read_log(&l, len, &e);
	if (rc < 0) {
		boot_log_clear(&l);
		err_reclass(&e, err_class(e) == ERR_NOMEM ? ERR_NOMEM : ERR_TPM);
		return err_propagate(err, e);
	}
	read_user_log(&l, root_fd);
	*ret = l;
	return 0;
}

static void free_events(struct boot_event *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(list[i].name);
		free(list[i].text);
	}
	free(list);
}

void boot_log_clear(struct boot_log *l)
{
	free_events(l->events, l->n);
	free_events(l->user, l->n_user);
	free(l->raw);
	*l = (struct boot_log){ 0 };
}

static int explains(const struct boot_log *l, const struct pcr_values *live, unsigned int pcr, bool *ret, struct err **err)
{
	struct tcg_replay r = l->replay;

	*ret = memcmp(r.pcr[pcr], live->value[pcr], r.size) == 0;
	for (size_t i = 0; i < l->n_user && !*ret; i++) {
		if (l->user[i].pcr != pcr)
			continue;
		if (tcg_replay_digest(&r, pcr, l->user[i].digest, err) < 0)
			return -1;
		*ret = memcmp(r.pcr[pcr], live->value[pcr], r.size) == 0;
	}
	return 0;
}

int boot_log_explains(const struct boot_log *l, const struct pcr_values *live, unsigned int cap_pcr, uint32_t *ret_mask, struct err **err)
{
	uint32_t mask = 0;

	for (unsigned int p = 0; p < PCR_COUNT; p++) {
		bool ok;

		if (p == cap_pcr || !(live->mask >> p & 1))
			continue;
		if (explains(l, live, p, &ok, err) < 0)
			return -1;
		mask |= ok ? UINT32_C(1) << p : 0;
	}
	*ret_mask = mask;
	return 0;
}
