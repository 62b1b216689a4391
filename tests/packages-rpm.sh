#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
#
# The RPM packages of contrib/rpm: made on Debian by its rpmbuild from the tarball of "make dist", without their %check (make check is a layer
# of its own). What BuildRequires names are Fedora's packages: --nodeps; the macros that Fedora's systemd brings stand below.
#
#	sh tests/packages-rpm.sh BUILD-DIRECTORY OUTPUT-DIRECTORY
#
# OUTPUT-DIRECTORY gets the .rpm files. Status 1 when a package does not hold what it should, or its program does not run.
set -eu
build=$(cd "$1" && pwd)
mkdir -p "$2"
output=$(cd "$2" && pwd)
spec=$(cd "$(dirname "$0")/.." && pwd)/contrib/rpm/cryptattest.spec
work=$(mktemp -d "${TMPDIR:-/tmp}/cryptattest-rpm.XXXXXX")
trap 'rm -rf "$work"' EXIT

make -s -C "$build" dist
tarball=$(ls "$build"/cryptattest-*.tar.xz)
version=$(basename "$tarball" .tar.xz | sed 's/^cryptattest-//')
mkdir "$work/SOURCES"
cp "$tarball" "$work/SOURCES/"
rpmbuild -ba --nodeps --nocheck --define "_topdir $work" --define '_unitdir /usr/lib/systemd/system' --define '_sysusersdir /usr/lib/sysusers.d' \
	--define 'systemd_post() : after installing %1' --define 'systemd_preun() : before removing %1' \
	--define 'systemd_postun_with_restart() : after upgrading %1' --define "_smp_mflags -j$(nproc)" "$spec" >"$output/build-rpm.log" 2>&1 || {
	tail -n 40 "$output/build-rpm.log"
	exit 1
}
rm -f "$output"/*.rpm
find "$work/RPMS" "$work/SRPMS" -name '*.rpm' -exec cp {} "$output/" \;

# Every file but documentation, manual pages without the compression's ending.
for package in cryptattest cryptattest-dracut cryptattest-kbs; do
	rpm -qp --qf "[%{FILEMODES:perms} $package %{FILENAMES}\n]" "$output/$package-$version"-*[4h].rpm
done | sed '/ \/usr\/share\/\(doc\|licenses\)\//d; /\/\.build-id/d; s/\(\/man\/.*\)\.\(gz\|zst\|xz\)$/\1/' >"$work/contents"
diff -u - "$work/contents" <<'END'
drwxr-xr-x cryptattest /etc/cryptattest
drwxr-xr-x cryptattest /etc/cryptattest/conf.d
drwxr-xr-x cryptattest /usr/lib/cryptattest
-rwxr-xr-x cryptattest /usr/lib/cryptattest/key
-rwxr-xr-x cryptattest /usr/lib/cryptattest/refuse
-rwxr-xr-x cryptattest /usr/lib/systemd/system-generators/cryptattest-generator
-rw-r--r-- cryptattest /usr/lib/systemd/system/cryptattest-key.socket
-rw-r--r-- cryptattest /usr/lib/systemd/system/cryptattest-key@.service
-rw-r--r-- cryptattest /usr/lib/systemd/system/cryptattest.service
-rw-r--r-- cryptattest /usr/lib/systemd/system/cryptattest@.service
-rwxr-xr-x cryptattest /usr/sbin/cryptattest
-rw-r--r-- cryptattest /usr/share/bash-completion/completions/cryptattest
-rw-r--r-- cryptattest /usr/share/man/man5/cryptattest.conf.5
-rw-r--r-- cryptattest /usr/share/man/man7/cryptattest-boot.7
-rw-r--r-- cryptattest /usr/share/man/man8/cryptattest.8
drwxr-xr-x cryptattest-dracut /usr/lib/dracut/modules.d/55cryptattest
-rw-r--r-- cryptattest-dracut /usr/lib/dracut/modules.d/55cryptattest/cryptattest-initrd.service
-rwxr-xr-x cryptattest-dracut /usr/lib/dracut/modules.d/55cryptattest/emergency.sh
-rwxr-xr-x cryptattest-dracut /usr/lib/dracut/modules.d/55cryptattest/finished.sh
-rw-r--r-- cryptattest-dracut /usr/lib/dracut/modules.d/55cryptattest/functions
-rwxr-xr-x cryptattest-dracut /usr/lib/dracut/modules.d/55cryptattest/module-setup.sh
-rwxr-xr-x cryptattest-dracut /usr/lib/dracut/modules.d/55cryptattest/pre-mount.sh
-rwxr-xr-x cryptattest-dracut /usr/lib/dracut/modules.d/55cryptattest/pre-pivot.sh
-rwxr-xr-x cryptattest-dracut /usr/lib/dracut/modules.d/55cryptattest/start.sh
-rwxr-xr-x cryptattest-dracut /usr/lib/dracut/modules.d/55cryptattest/timeout.sh
-rwxr-xr-x cryptattest-dracut /usr/lib/dracut/modules.d/55cryptattest/unlock.sh
-rw-r--r-- cryptattest-kbs /usr/lib/systemd/system/cryptattest-kbs.service
-rw-r--r-- cryptattest-kbs /usr/lib/sysusers.d/cryptattest-kbs.conf
-rwxr-xr-x cryptattest-kbs /usr/sbin/cryptattest-kbs
-rw-r--r-- cryptattest-kbs /usr/share/man/man5/cryptattest-policy.5
-rw-r--r-- cryptattest-kbs /usr/share/man/man8/cryptattest-kbs.8
END
# What the scripts of systemd's macros are for, and that nothing else runs at an installation.
rpm -qp --scripts "$output"/*[4h].rpm | grep -v ' scriptlet (using /bin/sh):$' >"$work/commands"
diff -u - "$work/commands" <<'END'
: after installing cryptattest-kbs.service
: before removing cryptattest-kbs.service
: after upgrading cryptattest-kbs.service
END
rpm -qp --requires "$output/cryptattest-dracut-$version"-*.rpm | grep -qx "cryptattest = $version-.*" || {
	echo "cryptattest-dracut does not need this cryptattest"
	exit 1
}
# They run from where they are, and units start what is there.
mkdir "$work/root"
for package in "$output"/*[4h].rpm; do
	rpm2cpio "$package" | (cd "$work/root" && cpio -id --quiet)
done
for program in cryptattest cryptattest-kbs; do
	"$work/root/usr/sbin/$program" --version | grep -q "^$program $version" || {
		echo "$program does not run"
		exit 1
	}
done
sed -n 's/^Exec[A-Za-z]*=[-+!@:]*\([^ ]*\).*/\1/p' "$work"/root/usr/lib/systemd/system/* | sort -u | while read -r program; do
	[ -x "$work/root$program" ] || [ -x "$program" ] || {
		echo "a unit starts $program, which is nowhere"
		exit 1
	}
done
ls "$output"/*.rpm
