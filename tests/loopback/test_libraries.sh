#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# Builders of initramfs images find libraries by the ELF header, and by the note .note.dlopen for what a program loads by name. So: what our
# programs load stands in the one or the other, and of the libraries that could load more (libcryptsetup its token plug-ins, tss2 its
# transports, OpenSSL its providers) none needs to while a volume is opened. What glibc loads, the image hooks put in: nss modules as
# nsswitch.conf of the image has them (files and dns, which are in libc), libgcc_s for a thread that is cancelled.
. "$TOP_SRCDIR/tests/loopback/vtpm.sh"
! ldd "$build/cryptattest" | grep -q 'lib[a-z]*san\.' || skip_all "sanitizers load libraries of their own"
plan 9

# "SONAME" of each note, a line each.
notes() { objcopy -O binary --only-section=.note.dlopen "$1" note && tr '\0' '\n' <note | sed -n 's/.*"soname":\["\([^"]*\)"\].*/\1/p'; }
# The file that a program of ours would get by that name: beside those that it is linked with.
library_file()
{
	ldd "$build/cryptattest" | sed -n 's/.*=> \(\/.*\)\/[^/]* (.*/\1/p' | sort -u | while read -r dir; do
		[ ! -e "$dir/$1" ] || echo "$dir/$1"
	done | head -n 1
}

notes "$build/cryptattest" >named
check "cryptattest has notes of what it loads by name" grep -qx 'libtss2-esys.so.0' named
for library in $(cat named); do
	ldd "$(library_file "$library")" >closure || echo missing
	{ echo "$library"; sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' closure | sed 's|.*/||'; } >>named.all
done >named.missing
check "... and all of that is there" [ ! -s named.missing ]
# What the loader brings in because the ELF header says so.
ldd "$agent" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' | sed 's|.*/||' >linked
check "... and names no other in its code" sh -c "strings -n 6 '$build/cryptattest' | grep -E '^lib[a-z0-9-]+[.]so' >spelt
	grep -qx libtss2-esys.so.0 spelt && ! grep -vxFf named spelt | grep -vxFf linked"
if [ -e "$build/cryptattest-kbs" ]; then
	check "cryptattest-kbs does not import dlopen or its kin" sh -c "nm -D --undefined-only '$build/cryptattest-kbs' >symbols &&
		grep -q ' write@' symbols && ! grep -E ' (dlopen|dlmopen|dlsym|dlvsym|__libc_dlopen_mode)(@|\$)' symbols"
	check "cryptattest-kbs says so: no .note.dlopen" sh -c "readelf -S '$build/cryptattest-kbs' >sections && grep -q '\.dynamic' sections &&
		! grep -q 'note\.dlopen' sections"
else
	skip "cryptattest-kbs is not built"
	skip "cryptattest-kbs is not built"
fi

command -v strace >/dev/null || skip_rest 9 "strace is not installed"
# The child is not dumpable: without privileges strace cannot read the names of the files that it opens.
[ "$(id -u)" = 0 ] || skip_rest 9 "needs root to look into the transport child"
strace -o /dev/null true 2>/dev/null || skip_rest 9 "strace may not trace here"

cat named.all >>linked

# libcryptsetup tries OpenSSL's legacy provider whatever the header says, and goes on without: it has hashes (ripemd160, whirlpool) that
# the audit refuses. The images do without.
optional='^\(legacy\.so\|libgcc_s\.so\.1\)$'

# only_known MODE SOURCE: volume root is opened in this mode by this source, and no other library is opened on the way
only_known() {
	config now "$1"
	boot
	rm -f trace.*
	# A file for each thread: in one of their own no call is broken off by another's.
	timeout 60 strace -ff -e trace=open,openat -o trace "$agent" unlock root --config /etc/now.conf >out 2>err </dev/null
	check "mode $1: opened under strace by $2" is_open "$2"
	sed -n 's/.*open[at]*(.*"\([^"]*\/\)\{0,1\}\([^"/]*\.so[.0-9]*\)".*) = [0-9].*/\2/p' trace.* | sort -u >loaded
	check "mode $1: no library is loaded that no header and no note has" \
		sh -c "grep -q '^libcryptsetup\.so' loaded && ! grep -vxFf linked loaded | grep -v '$optional'"
}
meets reachable
only_known kbs+vtpm kbs+vtpm
meets unreachable
only_known kbs-or-vtpm vtpm
