# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# The networks that a guest can be put into. Sourced.
#
#	VM_NET=ipv4	(or empty) DHCP, the broker at 10.0.2.100:8443, nothing else
#	VM_NET=ipv6	router advertisements and no IPv4 at all; the broker at [fec0::2]:8443
#	VM_NET=none	no network card
#	VM_NET=pair	as ipv4, by two cards on the same cable
#	VM_NET=routed	as ipv4, and DHCP names a gateway, which leads nowhere, and a name server, 10.0.2.3, which is silent
#	VM_WIRE		for ipv4 and ipv6: what is wrong with the cable, arguments of tests/emul/wire.c
#
# These two are not sealed off by QEMU (restrict=on has neither gateway nor name server, and does not let IPv6 through): QEMU runs in a network
# namespace with nothing in it but loopback and the way to the broker.

# vm_network DIR: vm_net_options for QEMU, vm_net_in for the namespace it runs in; starts the cable. vm_network_end: the cable away.
vm_network()
{
	vm_net_in='' vm_net_helpers=''
	vm_net_card="virtio-net-pci,romfile="
	vm_net_user="user,id=world,net=10.0.2.0/24,host=10.0.2.9,restrict=on,guestfwd=tcp:$VM_NET_SERVER-cmd:$1/forward"
	[ -z "${VM_SINK:-}" ] || vm_sink "$1"
	vm_net_user="$vm_net_user${VM_SINK:+,guestfwd=tcp:10.0.2.101:443-cmd:$1/sink}${VM_FORWARD:+,hostfwd=tcp:127.0.0.1:$VM_FORWARD-:8444}"
	case ${VM_NET:-ipv4} in
	none)
		vm_net_options=
		return
		;;
	ipv6)
		vm_net_user="user,id=world,ipv4=off,ipv6=on"
		vm_namespace "$1"
		;;
	routed)
		vm_net_user="user,id=world,net=10.0.2.0/24,ipv6=off,guestfwd=tcp:$VM_NET_SERVER-cmd:$1/reach"
		vm_namespace "$1"
		;;
	esac
	vm_net_dump="-object filter-dump,id=dump,netdev=world,file=$1/net.pcap"
	if [ "${VM_NET:-ipv4}" = pair ]; then
		vm_net_options="-netdev $vm_net_user -netdev hubport,id=h0,hubid=1,netdev=world $vm_net_dump
			-netdev hubport,id=h1,hubid=1 -device $vm_net_card,netdev=h1,id=nic1,mac=52:54:00:12:34:01
			-netdev hubport,id=h2,hubid=1 -device $vm_net_card,netdev=h2,id=nic2,mac=52:54:00:12:34:02"
		return
	fi
	if [ -z "${VM_WIRE:-}" ]; then
		vm_net_options="-netdev $vm_net_user -device $vm_net_card,netdev=world $vm_net_dump"
		return
	fi
	# Between the card and the network our own cable; a hub is how two of QEMU's networks are joined.
	vm_net_options="-netdev $vm_net_user -netdev hubport,id=h0,hubid=1,netdev=world $vm_net_dump
		-netdev dgram,id=far,local.type=unix,local.path=$1/world.qemu,remote.type=unix,remote.path=$1/world.wire
		-netdev hubport,id=h1,hubid=1,netdev=far
		-netdev dgram,id=near,local.type=unix,local.path=$1/guest.qemu,remote.type=unix,remote.path=$1/guest.wire
		-device $vm_net_card,netdev=near"
	# shellcheck disable=SC2086 # words
	vm_background "$VM_BUILD/tests/emul/wire" "$1" $VM_WIRE >"$1/wire.log" 2>&1
	vm_net_helpers="$vm_net_helpers ${VM_PIDS%% *}"
	until grep -q ready "$1/wire.log"; do
		kill -0 "${VM_PIDS%% *}" 2>/dev/null || return 1
		sleep 0.1
	done
}

# vm_namespace DIR: where QEMU runs. Connections go from there to here by a socket in the file system; QEMU's IPv6 network ends at ::1.
vm_namespace()
{
	rm -f "$1/broker.sock"
	printf '#!/bin/sh\nexec socat - UNIX-CONNECT:%s/broker.sock\n' "$1" >"$1/reach"
	chmod +x "$1/reach"
	vm_background socat "UNIX-LISTEN:$1/broker.sock,fork" "EXEC:$1/forward"
	vm_net_helpers=${VM_PIDS%% *}
	vm_net_in="unshare -nm sh $1/namespace"
	# QEMU announces a name server (fec0::3) when it finds one here.
	echo "nameserver ::1" >"$1/resolv.conf"
	cat >"$1/namespace" <<-END
	ip link set lo up && mount --bind $1/resolv.conf /etc/resolv.conf || exit 1
	socat TCP6-LISTEN:8443,bind=[::1],fork UNIX-CONNECT:$1/broker.sock &
	"\$@"
	status=\$?
	kill \$!
	exit \$status
	END
}

# vm_sink DIR: what runs at each connection to the server for reports.
vm_sink()
{
	printf '#!/bin/sh\nexec socat - TCP:127.0.0.1:%s\n' "$VM_SINK" >"$1/sink"
	chmod +x "$1/sink"
}

vm_network_end()
{
	for vm_pid in $vm_net_helpers; do
		kill "$vm_pid" 2>/dev/null && wait "$vm_pid" 2>/dev/null
	done
}

# vm_forward DIR: what runs at each connection to the broker. A line with the time, for the tests that count them; the port is read every time, for
# those that start the broker late.
vm_forward()
{
	echo "${VM_PORT:-9}" >"$1/port"
	cat >"$1/forward" <<-END
	#!/bin/sh
	echo "connection \$(date +%s)" >>$1/connections
	read -r port <$1/port
	exec socat - TCP:127.0.0.1:\$port 2>/dev/null
	END
	chmod +x "$1/forward"
}
