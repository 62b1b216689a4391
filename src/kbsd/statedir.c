/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "kbsd/statedir.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

int statedir_open(const char *path, struct statedir *ret, struct err **err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0) {
		bool denied = errno == EACCES;

		err_set_errno(err, ERR_CONFIG, "statedir", errno, "%s: cannot open the server's directory", path);
		if (denied)
			return err_hint(err, "only root and the directory's owner may");
		return err_hint(err, "cryptattest-kbs init --user " STATEDIR_USER " --name HOST %s makes it; --dir names another one", path);
	}
	if (fstat(fd, &st) < 0)
		return err_set_errno(err, ERR_CONFIG, "statedir", errno, "%s", path);
	if (st.st_mode & 077) {
		err_set(err, ERR_CONFIG, "statedir", "%s: mode %04o lets others in, it must be 0700", path,
			(unsigned int)(st.st_mode & 07777));
		return err_hint(err, "chmod 0700 %s", path);
	}
	ret->fd = TAKE_FD(fd);
	ret->path = path;
	ret->uid = st.st_uid;
	ret->gid = st.st_gid;
	return 0;
}

static int find_user(const char *user, uid_t *uid, gid_t *gid, struct err **err)
{
	struct passwd *pw;

	errno = 0;
	pw = getpwnam(user);
	if (!pw && errno)
		return err_set_errno(err, ERR_CONFIG, "user", errno, "cannot look up the user %s", user);
	if (!pw) {
		err_set(err, ERR_CONFIG, "user", "there is no user %s", user);
		return strcmp(user, STATEDIR_USER) == 0 ? err_hint(err, "systemd-sysusers makes it after `make install`; the package does") : -1;
	}
	if (pw->pw_uid == 0)
		return err_set(err, ERR_CONFIG, "user", "%s is root: the server needs a user of its own", user);
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return 0;
}

int statedir_make(const char *path, const char *user, struct statedir *ret, struct err **err)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (user && find_user(user, &uid, &gid, err) < 0)
		return -1;
	if (user && geteuid() != 0 && geteuid() != uid)
		return err_set(err, ERR_CONFIG, "user", "only root can make a directory for another user");
	if (mkdir(path, 0700) == 0) {
		if (user && chown(path, uid, gid) < 0)
			return err_set_errno(err, ERR_CONFIG, "statedir", errno, "%s: cannot give it to %s", path, user);
	} else if (errno != EEXIST) {
		return err_set_errno(err, ERR_CONFIG, "statedir", errno, "%s: cannot make the directory", path);
	}
	if (statedir_open(path, ret, err) < 0)
		return -1;
	if (user && ret->uid != uid) {
		statedir_close(ret);
		return err_set(err, ERR_CONFIG, "statedir", "%s exists and does not belong to %s", path, user);
	}
	return 0;
}

static int drop_to(const struct statedir *d, struct err **err)
{
	if (setgroups(0, NULL) < 0 || setresgid(d->gid, d->gid, d->gid) < 0 || setresuid(d->uid, d->uid, d->uid) < 0)
		return err_set_errno(err, ERR_INTERNAL, "user", errno, "cannot become the owner of %s (uid %u)", d->path,
				     (unsigned int)d->uid);
	/* Root that could come back would be no drop at all. */
	if (setuid(0) == 0)
		return err_set(err, ERR_INTERNAL, "user", "still root after becoming uid %u", (unsigned int)d->uid);
	return 0;
}

int statedir_check_user(const struct statedir *d, const char *user, struct err **err)
{
	uid_t uid;
	gid_t gid;

	if (find_user(user, &uid, &gid, err) < 0)
		return -1;
	if (uid != d->uid)
		return err_set(err, ERR_CONFIG, "user", "%s belongs to uid %u, not to %s", d->path, (unsigned int)d->uid,
			       user);
	return 0;
}

int statedir_become_owner(const struct statedir *d, bool server, struct err **err)
{
	if (server && d->uid == 0) {
		err_set(err, ERR_CONFIG, "user", "%s belongs to root: the server never runs as root", d->path);
		return err_hint(err, "chown -R USER: %s, with a user of the server's own", d->path);
	}
	if (geteuid() == d->uid)
		return 0;
	if (geteuid() != 0)
		return err_set(err, ERR_CONFIG, "user", "%s belongs to uid %u, we are %u", d->path,
			       (unsigned int)d->uid, (unsigned int)geteuid());
	return drop_to(d, err);
}

bool statedir_has(const struct statedir *d, const char *name)
{
	return faccessat(d->fd, name, F_OK, 0) == 0;
}

static int add_path(const struct statedir *d, const char *name, char **ret, struct err **err)
{
	if (!statedir_has(d, name))
		return 0;
	*ret = text_printf("%s/%s", d->path, name);
	return *ret ? 0 : err_nomem(err);
}

int statedir_find_certs(void *ctx, const char **ret_ca, const char **ret_store, struct err **err)
{
	struct statedir_certs *c = ctx;

	_cleanup_statedir_ struct statedir d = STATEDIR_INIT;
	_cleanup_err_ struct err *why = NULL;

	if (statedir_open(c->dir ? c->dir : STATEDIR_DEFAULT, &d, &why) < 0)
		return !c->dir && err_errno(why) ? 0 : err_propagate(err, TAKE_PTR(why));
	if (!statedir_has(&d, FILE_CA) && !statedir_has(&d, DIR_STORE))
		return 0;
	if (statedir_become_owner(&d, false, err) < 0 || add_path(&d, FILE_CA, &c->ca, err) < 0 || add_path(&d, DIR_STORE, &c->store, err) < 0)
		return -1;
	*ret_ca = c->ca;
	*ret_store = c->store;
	return 0;
}

void statedir_certs_clear(struct statedir_certs *c)
{
	free(c->ca);
	free(c->store);
	*c = (struct statedir_certs){ 0 };
}

void statedir_close(struct statedir *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}
