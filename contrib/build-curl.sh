#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
#
# A libcurl that can do what cryptattest asks of it and nothing else: HTTP/1.1, TLS by OpenSSL, IPv4 and IPv6, HTTP proxies. For who
# builds images: Debian's libcurl brings twenty libraries into the initramfs and starts them all at every unlock.
#
#	sh contrib/build-curl.sh PREFIX
#	./configure --with-curl=PREFIX && make
#
# The source is the distribution's own, patches included, by apt-get and this machine's package sources; their source half need
# not be enabled. After a security update of curl run it again and rebuild. Needs gcc, make, dpkg-dev, libssl-dev and about
# a minute. BUILD_CURL_SOURCE=DIRECTORY takes an unpacked curl instead.
set -eu

case ${1-} in
/*) prefix=$1 ;;
?*) prefix=$PWD/$1 ;;
*)
	sed -n '4,/^set/s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
prefix=$(printf '%s' "$prefix" | sed 's,/*$,,')
for tool in "${CC:-cc}" make dpkg-source apt-get; do
	command -v "${tool%% *}" >/dev/null || {
		echo "build-curl: $tool is missing (apt-get install gcc make dpkg-dev libssl-dev)" >&2
		exit 1
	}
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
log=$work/log

die()
{
	echo "build-curl: $1" >&2
	tail -n 20 "$log" >&2
	exit 1
}

# The machine's package sources as deb-src lines, of the distribution itself only; lists of our own, so that nothing changes here.
fetch()
{
	distribution=$(. /etc/os-release && echo "$ID")
	apt-get indextargets --format 'deb-src $(REPO_URI) $(CODENAME) $(COMPONENT) #$(ORIGIN)' 'Created-By: Packages' |
		grep -i "#$distribution\$" | sed 's/ #.*//' | sort -u >"$work/sources.list"
	[ -s "$work/sources.list" ] || die "no package source of $distribution is configured and up to date (apt-get update first?)"
	mkdir -p "$work/lists/partial" "$work/source"
	# apt's unprivileged user has to reach it.
	chmod 755 "$work" "$work/lists"
	chmod 777 "$work/source"
	set -- -q -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$work/lists"
	apt-get "$@" update >>"$log" 2>&1 || die "apt-get update failed for the source lists"
	(cd "$work/source" && apt-get "$@" source curl) >>"$log" 2>&1 || die "apt-get source curl failed"
	for source in "$work"/source/curl-*/; do
		[ -x "${source}configure" ] || die "no configure in the source package"
	done
}

# What is switched off was looked up in src/http: cookies stay (CURLOPT_COOKIE), so do dates (Retry-After) and proxies. The resolver is
# threaded: with a silent name server, the other one would outlive every timeout.
build()
{
	mkdir "$work/build"
	cd "$work/build"
	"${source%/}/configure" --prefix="$prefix" --disable-silent-rules --disable-dependency-tracking --disable-shared --enable-static \
		--with-pic --with-openssl --enable-ipv6 --enable-threaded-resolver --enable-http --enable-proxy --enable-cookies \
		--enable-dateparse --disable-openssl-auto-load-config --without-ca-bundle --without-ca-path --without-ca-fallback \
		--disable-ares --disable-ftp --disable-file --disable-ldap --disable-ldaps --disable-rtsp --disable-dict \
		--disable-telnet --disable-tftp --disable-pop3 --disable-imap --disable-smb --disable-smtp --disable-gopher \
		--disable-mqtt --disable-websockets --disable-manual --disable-libcurl-option --disable-sspi --disable-ntlm \
		--disable-ntlm-wb --disable-crypto-auth --disable-http-auth --disable-tls-srp --disable-unix-sockets --disable-doh \
		--disable-mime --disable-netrc --disable-progress-meter --disable-dnsshuffle --disable-get-easy-options \
		--disable-alt-svc --disable-hsts --disable-headers-api --without-zlib --without-brotli --without-zstd \
		--without-libpsl --without-libgsasl --without-libssh --without-libssh2 --without-librtmp --without-libidn2 \
		--without-nghttp2 --without-ngtcp2 --without-nghttp3 --without-quiche \
		CFLAGS="${CFLAGS:--O2 -ffunction-sections -fdata-sections -fstack-protector-strong -D_FORTIFY_SOURCE=2}" \
		>>"$log" 2>&1 || die "curl's configure failed"
	make -j "$(nproc)" -C lib >>"$log" 2>&1 || die "curl's make failed"
	make -C lib install >>"$log" 2>&1 && make -C include install >>"$log" 2>&1 || die "curl's make install failed"
	install -m 755 -D curl-config "$prefix/bin/curl-config"
	install -m 644 -D libcurl.pc "$prefix/lib/pkgconfig/libcurl.pc"
}

: >"$log"
if [ -n "${BUILD_CURL_SOURCE:-}" ]; then
	source=$(cd "$BUILD_CURL_SOURCE" && pwd)
else
	fetch
fi
build
echo "$prefix/lib/libcurl.a: $("$prefix/bin/curl-config" --version), $("$prefix/bin/curl-config" --protocols | xargs)"
