# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# The key broker of a test: cryptattest-kbs with a folder of its own, on a port of its own, told to trust the test PKI. Sourced.

# vm_kbs_init DIR USER: keys, certificate, resources folder; the clients' [kbs] section goes to DIR.client.
vm_kbs_init()
{
	"$VM_BUILD/cryptattest-kbs" init --ip "${VM_NET_SERVER%:*}" --user "$2" "$1" >"$1.client"
}

# vm_kbs_resource DIR NAME IMAGE-FILE VOLUME KEY-FILE: makes the secret document of a volume and stores it.
vm_kbs_resource()
{
	"$VM_BUILD/cryptattest" document "$3" --name "$4" --key-file "$5" >"$1.document" &&
		"$VM_BUILD/cryptattest-kbs" resource add --dir "$1" --document --file "$1.document" "$2"
	vm_status=$?
	rm -f "$1.document"
	return $vm_status
}

# vm_kbs_start DIR LOG: starts it; VM_KBS_PID and VM_PORT say where. VM_KBS_OPTIONS are further options of "serve".
vm_kbs_start()
{
	# Before it starts: the port of one that ran before stands there.
	: >"$2"
	# shellcheck disable=SC2086 # options are words
	"$VM_BUILD/cryptattest-kbs" serve --dir "$1" --listen 127.0.0.1:0 --test-root "$VM_WORK/roots.pem" ${VM_KBS_OPTIONS:-} \
		>>"$2" 2>&1 </dev/null &
	VM_KBS_PID=$!
	VM_PIDS="$VM_KBS_PID ${VM_PIDS:-}"
	VM_KBS_SERVED=0
	vm_tries=0
	while VM_PORT=$(sed -n 's|.*listening on https://127\.0\.0\.1:\([0-9]*\).*|\1|p' "$2" | head -n 1) && [ -z "$VM_PORT" ]; do
		vm_tries=$((vm_tries + 1))
		if [ $vm_tries -gt 100 ] || ! kill -0 "$VM_KBS_PID" 2>/dev/null; then
			cat "$2" >&2
			echo "cryptattest-kbs does not start" >&2
			return 1
		fi
		sleep 0.1
	done
}

# vm_policy_snp NAME MEASUREMENT, vm_policy_tdx NAME MEASUREMENT: the owner's rule for a machine that was launched like that.
vm_policy_snp()
{
	cat <<-EOF
	[resource $1]
	tee = snp
	measurement = $2
	covers = kernel+initrd+cmdline
	host-data = $VM_HOST_DATA
	min-tcb = milan bootloader:4 tee:0 snp:24 microcode:219
	test = yes
	EOF
}

vm_policy_tdx()
{
	cat <<-EOF
	[resource $1]
	tee = tdx
	mrtd = $2
	covers = kernel+initrd+cmdline
	mrconfigid = $VM_HOST_DATA$(printf '%032d' 0)
	tcb = unverified
	test = yes
	EOF
}

# vm_kbs_policy DIR FILE: checks the policy and puts it in place.
vm_kbs_policy()
{
	"$VM_BUILD/cryptattest-kbs" policy check "$2" || vm_fail "the policy is not accepted"
	install -m 600 -o "$(stat -c %u "$1")" -g "$(stat -c %g "$1")" "$2" "$1/policy.conf"
}

# vm_dated_certificate DIR FROM TO: another certificate for the same key, signed by itself, with these dates (YYYYMMDDhhmmssZ).
vm_dated_certificate()
{
	mkdir "$1.ca" && : >"$1.ca/index" && echo 01 >"$1.ca/serial" || return 1
	cat >"$1.ca/conf" <<-END
	[ca]
	default_ca = test
	[test]
	database = $1.ca/index
	serial = $1.ca/serial
	new_certs_dir = $1.ca
	default_md = sha256
	policy = any
	x509_extensions = server
	[any]
	commonName = supplied
	[server]
	subjectAltName = IP:${VM_NET_SERVER%:*}
	basicConstraints = critical,CA:TRUE
	[req]
	distinguished_name = name
	[name]
	END
	openssl req -new -config "$1.ca/conf" -key "$1/server.key" -subj /CN=test -out "$1.ca/request" &&
		openssl ca -batch -notext -selfsign -config "$1.ca/conf" -keyfile "$1/server.key" -in "$1.ca/request" -startdate "$2" -enddate "$3" \
			-out "$1.ca/cert" && cat "$1.ca/cert" >"$1/server.crt"
}
