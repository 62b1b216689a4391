# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# Debian kernels, their headers and the test TEE module for guests: fetched with apt-get, unpacked below a cache folder, never
# installed. Sourced; the caller sets EMUL_SRC (this folder) and EMUL_CACHE.

emul_fail() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# The version behind a meta package: emul_kernel_version 6.12 -> 6.12.117+deb12-cloud-amd64
emul_kernel_version()
{
	case $1 in
	6.1) emul_meta=linux-image-cloud-amd64 ;;
	6.12) emul_meta=linux-image-6.12-cloud-amd64 ;;
	*) emul_fail "no kernel $1" ;;
	esac
	emul_version=$(apt-cache depends "$emul_meta" 2>/dev/null | sed -n 's/^ *Depends: linux-image-\([0-9].*\)$/\1/p' | head -n 1)
	[ -n "$emul_version" ] || emul_fail "$emul_meta is not on offer: apt-get update? bookworm-security in the sources?"
	echo "$emul_version"
}

# Downloads and unpacks packages into $1 once; a half-made folder never bears the final name.
emul_unpack()
{
	emul_dest=$1
	shift
	[ ! -d "$emul_dest" ] || return 0
	mkdir -p "$EMUL_CACHE"
	emul_tmp=$(mktemp -d "$emul_dest.XXXXXX") || exit 1
	if ! (cd "$emul_tmp" && apt-get -q -o APT::Sandbox::User=root download "$@" >apt.log 2>&1); then
		cat "$emul_tmp/apt.log" >&2
		rm -rf "$emul_tmp"
		emul_fail "cannot download $*"
	fi
	for emul_deb in "$emul_tmp"/*.deb; do
		dpkg-deb -x "$emul_deb" "$emul_tmp/root" || exit 1
		rm "$emul_deb"
	done
	mv -T "$emul_tmp/root" "$emul_dest" 2>/dev/null || [ -d "$emul_dest" ] || exit 1
	rm -rf "$emul_tmp"
}

# Unpacked image package of a kernel version; prints the folder (boot/vmlinuz-*, lib/modules/*).
emul_kernel_image()
{
	emul_unpack "$EMUL_CACHE/image-$1" "linux-image-$1"
	echo "$EMUL_CACHE/image-$1"
}

# Headers of a kernel version, ready for `make -C`; prints the folder.
emul_kernel_headers()
{
	if [ -e "/lib/modules/$1/build/Makefile" ]; then
		echo "/lib/modules/$1/build"
		return
	fi
	emul_release=${1%-cloud-amd64}
	emul_dir=$EMUL_CACHE/headers-$1
	emul_unpack "$emul_dir" "linux-headers-$1" "linux-headers-$emul_release-common" "linux-kbuild-$emul_release"
	emul_build=$emul_dir/usr/src/linux-headers-$1
	# The one absolute path in it. Without vmlinux no BTF is made for the module, which would need pahole.
	printf 'include %s/usr/src/linux-headers-%s-common/Makefile\n' "$emul_dir" "$emul_release" >"$emul_build/Makefile"
	rm -f "$emul_build/vmlinux"
	echo "$emul_build"
}

# emul_module VERSION FILE: builds tsm_fake.ko for that kernel.
emul_module()
{
	emul_headers=$(emul_kernel_headers "$1") || exit 1
	emul_tmp=$(mktemp -d) || exit 1
	cp "$EMUL_SRC"/tsm_fake/* "$emul_tmp/"
	if ! make -s -C "$emul_headers" M="$emul_tmp" modules >"$emul_tmp/log" 2>&1; then
		cat "$emul_tmp/log" >&2
		rm -rf "$emul_tmp"
		emul_fail "tsm_fake does not build for $1"
	fi
	mv "$emul_tmp/tsm_fake.ko" "$2"
	rm -rf "$emul_tmp"
}
