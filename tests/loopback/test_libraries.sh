#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# Builders of initramfs images find libraries by the ELF header (or by the note .note.dlopen, which we would have to carry if we loaded
# something by name). So: our programs load nothing by name, and of the libraries that could (libcryptsetup its token plug-ins, tss2 its
# transports, OpenSSL its providers) none needs to while a volume is opened. What glibc loads, the image hooks put in: nss modules as
# nsswitch.conf of the image has them (files and dns, which are in libc), libgcc_s for a thread that is cancelled.
. "$TOP_SRCDIR/tests/loopback/vtpm.sh"
! ldd "$build/cryptattest" | grep -q 'lib[a-z]*san\.' || skip_all "sanitizers load libraries of their own"
plan 8

for program in cryptattest cryptattest-kbs; do
	if [ ! -e "$build/$program" ]; then
		skip "$program is not built"
		skip "$program is not built"
		continue
	fi
	check "$program does not import dlopen or its kin" sh -c "nm -D --undefined-only '$build/$program' >symbols &&
		grep -q ' write@' symbols && ! grep -E ' (dlopen|dlmopen|dlsym|dlvsym|__libc_dlopen_mode)(@|\$)' symbols"
	check "$program says so: no .note.dlopen" sh -c "readelf -S '$build/$program' >sections && grep -q '\.dynamic' sections &&
		! grep -q 'note\.dlopen' sections"
done

command -v strace >/dev/null || skip_rest 8 "strace is not installed"
# The child is not dumpable: without privileges strace cannot read the names of the files that it opens.
[ "$(id -u)" = 0 ] || skip_rest 8 "needs root to look into the transport child"
strace -o /dev/null true 2>/dev/null || skip_rest 8 "strace may not trace here"

# What the loader brings in because the ELF header says so.
ldd "$agent" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' | sed 's|.*/||' >linked

# libcryptsetup tries OpenSSL's legacy provider whatever the header says, and goes on without: it has hashes (ripemd160, whirlpool) that
# the audit refuses. The images do without.
optional='^\(legacy\.so\|libgcc_s\.so\.1\)$'

# only_linked MODE SOURCE: volume root is opened in this mode by this source, and no other library is opened on the way
only_linked() {
	config now "$1"
	boot
	rm -f trace.*
	# A file for each thread: in one of their own no call is broken off by another's.
	timeout 60 strace -ff -e trace=open,openat -o trace "$agent" unlock root --config /etc/now.conf >out 2>err </dev/null
	check "mode $1: opened under strace by $2" is_open "$2"
	sed -n 's/.*open[at]*(.*"\([^"]*\/\)\{0,1\}\([^"/]*\.so[.0-9]*\)".*) = [0-9].*/\2/p' trace.* | sort -u >loaded
	check "mode $1: no library is loaded by name" sh -c "grep -q '^libcryptsetup\.so' loaded && ! grep -vxFf linked loaded | grep -v '$optional'"
}
meets reachable
only_linked kbs+vtpm kbs+vtpm
meets unreachable
only_linked kbs-or-vtpm vtpm
