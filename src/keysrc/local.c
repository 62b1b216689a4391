/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Passphrases from this machine: key files, the terminal, standard input. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/text.h"
#include "keysrc/console.h"
#include "keysrc/keysrc.h"

#define PASSPHRASE_MAX (64 * 1024) /* contracts.md 2: a document is at most this long */

struct local_source {
	struct key_source base;
	int root_fd;
};

static void local_destroy(struct key_source *self)
{
	free(self);
}

static bool never_provisioner(struct key_source *self, const char *path)
{
	(void)self;
	(void)path;
	return false;
}

static int read_key_file(int dirfd, const char *path, struct secret **ret, struct err **err)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	fd = openat(dirfd, dirfd == AT_FDCWD ? path : path + strspn(path, "/"), O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_set_errno(err, ERR_CONFIG, "key-file", errno, "cannot open key file %s", path);
	if (fstat(fd, &st) < 0)
		return err_set_errno(err, ERR_CONFIG, "key-file", errno, "cannot stat key file %s", path);
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
		return err_set(err, ERR_CONFIG, "key-file", "key file %s is not a file or pipe", path);
	if (S_ISREG(st.st_mode) && (st.st_mode & 077)) {
		err_set(err, ERR_CONFIG, "key-file-mode", "key file %s may be read by others (mode %04o)", path,
			(unsigned int)(st.st_mode & 07777));
		return err_hint(err, "chmod 600 %s", path);
	}
	if (secret_read_fd(fd, PASSPHRASE_MAX, ret, err) < 0)
		return err_wrap(err, "key file %s", path);
	return 0;
}

static int file_fetch(struct key_source *self, const char *path, struct secret **ret, struct err **err)
{
	struct local_source *l = (struct local_source *)self;

	return read_key_file(l->root_fd, path, ret, err);
}

static struct local_source *local_new(const char *kind, struct err **err)
{
	struct local_source *l = calloc(1, sizeof(*l));

	if (!l) {
		err_nomem(err);
		return NULL;
	}
	l->base.kind = kind;
	l->base.provisioner = never_provisioner;
	l->base.destroy = local_destroy;
	return l;
}

int keysrc_file_new(int root_fd, struct key_source **ret, struct err **err)
{
	struct local_source *l = local_new("file", err);

	if (!l)
		return -1;
	l->root_fd = root_fd;
	l->base.fetch = file_fetch;
	*ret = &l->base;
	return 0;
}

static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
static volatile sig_atomic_t came; /* the signal that ended the prompt */

static void on_signal(int sig)
{
	came = sig;
}

static void catch_signals(struct sigaction old[static ARRAY_SIZE(ending)])
{
	struct sigaction sa = { .sa_handler = on_signal }; /* without SA_RESTART: read(2) ends */

	came = 0;
	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < ARRAY_SIZE(ending); i++)
		sigaction(ending[i], &sa, &old[i]);
}

/* Then the signal does what it would have done before. */
static void release_signals(const struct sigaction old[static ARRAY_SIZE(ending)])
{
	for (size_t i = 0; i < ARRAY_SIZE(ending); i++)
		sigaction(ending[i], &old[i], NULL);
	if (came)
		raise(came);
}

static int read_line(int tty, struct secret *s, struct err **err)
{
	int rc = 0;
	char c;

	while (rc == 0) {
		if (came || read(tty, &c, 1) != 1)
			rc = err_set(err, ERR_CONFIG, "prompt", "input ended before a passphrase was given");
		else if (c == '\n')
			break;
		else
			rc = secret_append(s, &c, 1, err);
	}
	wipe(&c, 1);
	if (rc < 0 && err && err_class(*err) == ERR_INTERNAL)
		err_reclass(err, ERR_CONFIG); /* too long */
	return rc;
}

/* A shell in an initramfs has no controlling terminal: then what it reads from. */
static int open_terminal(void)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	return tty < 0 && isatty(STDIN_FILENO) ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : tty;
}

static bool console_trusted; /* a property of the machine */

void keysrc_trust_console(bool trusted)
{
	console_trusted = trusted;
}

int keysrc_refuse_console(const char *what, struct err **err)
{
	_cleanup_close_ int tty = open_terminal(), proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	unsigned int dev = 0;

	/* The device below /dev/tty and /dev/console; in the kernel's encoding. */
	if (console_trusted || tty < 0 || (ioctl(tty, TIOCGDEV, &dev) == 0 && console_is_pty(dev) && !console_above(proc, getpid())))
		return 0;
	err_set(err, ERR_CONFIG, "prompt-on-console", "%s: nothing is asked on this terminal: it is a console, and that of a confidential VM is the host's",
		what);
	return err_hint(err, "log in by ssh, or give it in a file (--key-file, --pin-file) or by a pipe, from a channel that you trust; recover takes --push as well; a "
			     "physical machine has profile = bare-metal");
}

int keysrc_refuse_at_boot(struct err **err)
{
	err_set(err, ERR_CONFIG, "prompt-at-boot", "a passphrase typed at boot would be typed on the host's console");
	return err_hint(err, "use a key broker, or `mode = manual` and `cryptattest recover`");
}

/* One line from the terminal with echo off; the terminal is restored on every path, signals included. */
int keysrc_ask(const char *prompt, struct secret **ret, struct err **err)
{
	_cleanup_close_ int tty = open_terminal();
	_cleanup_secret_ struct secret *s = NULL;
	struct sigaction handlers[ARRAY_SIZE(ending)];
	struct termios old, quiet;
	int rc;

	if (keysrc_refuse_console(prompt, err) < 0)
		return -1;
	if (tty < 0 || tcgetattr(tty, &old) < 0)
		return err_set_errno(err, ERR_CONFIG, "prompt", errno, "no terminal to ask on");
	if (secret_new(4096, &s, err) < 0)
		return -1;
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	catch_signals(handlers);
	if (tcsetattr(tty, TCSAFLUSH, &quiet) < 0) {
		rc = err_set_errno(err, ERR_CONFIG, "prompt", errno, "cannot turn echo off");
	} else {
		dprintf(tty, "%s: ", prompt);
		rc = read_line(tty, s, err);
		tcsetattr(tty, TCSAFLUSH, &old);
		dprintf(tty, "\n");
	}
	release_signals(handlers);
	if (rc == 0)
		*ret = TAKE_PTR(s);
	return rc;
}

static int ask_passphrase(const char *what, struct secret **ret, struct err **err)
{
	_cleanup_free_ char *prompt = text_printf("Passphrase for %s", what);

	return prompt ? keysrc_ask(prompt, ret, err) : err_nomem(err);
}

static int prompt_fetch(struct key_source *self, const char *path, struct secret **ret, struct err **err)
{
	(void)self;
	return ask_passphrase(path && *path ? path : "the volume", ret, err);
}

int keysrc_prompt_new(struct key_source **ret, struct err **err)
{
	struct local_source *l = local_new("prompt", err);

	if (!l)
		return -1;
	l->base.fetch = prompt_fetch;
	*ret = &l->base;
	return 0;
}

int keysrc_read_passphrase(const char *key_file, const char *what, struct secret **ret, struct err **err)
{
	_cleanup_secret_ struct secret *s = NULL;
	size_t len;

	if (key_file && !text_eq(key_file, "-"))
		return read_key_file(AT_FDCWD, key_file, ret, err);
	if (isatty(STDIN_FILENO)) {
		if (ask_passphrase(what, ret, err) == 0)
			return 0;
		return !key_file && err && text_eq(err_id(*err), "prompt") ? err_hint(err, "type it, or name a file: --key-file") : -1;
	}
	if (secret_read_fd(STDIN_FILENO, PASSPHRASE_MAX, &s, err) < 0)
		return err_wrap(err, "passphrase on standard input");
	len = secret_len(s);
	if (len && secret_cdata(s)[len - 1] == '\n')
		secret_set_len(s, len - 1);
	*ret = TAKE_PTR(s);
	return 0;
}
