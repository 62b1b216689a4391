/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "http/confine.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

#define OPEN_FILES 64 /* a connection, libcurl's own pipes, the resolver's sockets */

/* Terminal and service manager signal the whole group: the parent decides, and closes the pair when it goes. Nothing here waits for a
 * signal, so they are blocked, whatever the caller had ignored; those of a fault end the process. */
static void block_signals(void)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS };
	sigset_t all;

	sigfillset(&all);
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		sigdelset(&all, faults[i]);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

static bool keep_only(int fd)
{
	/* First out of the way of 0-3, so that nothing below overwrites it. */
	int high = fcntl(fd, F_DUPFD_CLOEXEC, CONFINE_FD + 1), null;

	if (high < 0)
		return false;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return false;
	for (int i = 0; i < CONFINE_FD; i++) {
		if (dup2(null, i) < 0)
			return false;
	}
	if (dup2(high, CONFINE_FD) < 0)
		return false;
	closefrom(CONFINE_FD + 1);
	return true;
}

static bool set_limits(void)
{
	const struct rlimit zero = { 0, 0 };
	struct rlimit files;

	if (setrlimit(RLIMIT_CORE, &zero) != 0 || setrlimit(RLIMIT_FSIZE, &zero) != 0 || getrlimit(RLIMIT_NOFILE, &files) != 0)
		return false;
	/* Against leaks of our own, so the soft limit will do; valgrind refuses to have the hard one changed. */
	if (files.rlim_cur > OPEN_FILES)
		files.rlim_cur = OPEN_FILES;
	return setrlimit(RLIMIT_NOFILE, &files) == 0;
}

static bool drop_rights(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return false;
	if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setresgid(CONFINE_UID, CONFINE_UID, CONFINE_UID) != 0 ||
			       setresuid(CONFINE_UID, CONFINE_UID, CONFINE_UID) != 0))
		return false;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
		return false;
	return syscall(SYS_capset, &head, none) == 0;
}

bool confine(int fd, pid_t parent)
{
	block_signals();
	setsid(); /* fails only for a group leader, which a fresh fork is not */
	/* Proxies, resolver options, SSLKEYLOGFILE, OPENSSL_CONF: nothing of the caller's environment counts. */
	clearenv();
	setenv("TZ", "UTC0", 1); /* or the C library opens the local zone's file for the dates of a certificate */
	if (chdir("/") != 0 || !keep_only(fd) || !set_limits() || !drop_rights())
		return false;
	/* A change of credentials clears both of these, so they come after it. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		return false;
	prctl(PR_SET_NAME, "cryptattest-net", 0, 0, 0);
	if (getppid() != parent)
		return false; /* it died before PDEATHSIG was armed */
	/* The system call filter's place is here, last: everything above uses calls that it will forbid. */
	return true;
}
