# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# The boots whose network is late, broken or of another kind (tests/vm/net.sh). Sourced by cases.sh.

VM_CASES_FULL="$VM_CASES_FULL two-links dhcp-late no-dhcp net-missing ipv6 ipv6-by-name ipv6-static by-name dns-dead broker-late broker-silent link-late bond vlan
	clock dracut-systemd-late dracut-systemd-ipv6 dracut-systemd-bond dracut-systemd-vlan dracut-plain-bond"

# seconds EVENT: when the cable saw it first (tests/emul/wire.c), in thousandths.
seconds() { sed -n "s/^\([0-9]*\)\.\([0-9]*\) $1\$/\1\2/p" "$CASE_DIR/wire.log"; }

# expect_soon EVENT EVENT SECONDS: the second came so soon after the first.
expect_soon()
{
	[ -n "$(seconds "$1")" ] || fail "the cable saw nothing of: $1"
	[ -n "$(seconds "$2")" ] || fail "the cable saw nothing of: $2"
	took=$(($(seconds "$2") - $(seconds "$1")))
	echo "from \"$1\" to \"$2\": $took ms"
	[ $took -le $(($3 * 1000)) ] || fail "$took ms from \"$1\" to \"$2\", not $3 s"
}

# expect_last TEXT: the last line before the machine goes off says what was missing.
expect_last()
{
	grep 'switching off in' "$CASE_DIR/console.txt" | tail -n 1 | grep -Fq -- "$1" || fail "the last line does not say: $1"
}

# The guest's monitor: set_link and the like.
with_monitor() { VM_QEMU="-chardev socket,id=monitor,path=$CASE_DIR/monitor,server=on,wait=off -mon monitor"; }
monitor() { echo "$1" | socat - "UNIX-CONNECT:$CASE_DIR/monitor" >/dev/null 2>&1; }

# unplug LINK: as soon as there is a guest.
unplug()
{
	tries=300
	until monitor "set_link $1 off"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.1
	done
}

# wait_connection: until the guest has tried to reach the broker.
wait_connection()
{
	until [ -s "$CASE_DIR/connections" ]; do
		sleep 0.5
	done
}

# opened_by_broker: the boot ended as it should.
opened_by_broker()
{
	expect_root
	expect_opened root kbs
	expect_clean
	expect_server 1 'released default/test/root'
	expect_no_console 'Please unlock disk'
}

# Two network links; nobody is on the other side of the first.
case_two_links()
{
	title "$1" "two links, one of them dead: opened through the other" || return 0
	tee snp
	machine 6.12 initrd-6.12
	server "$(rule snp default/test/root)"
	VM_QEMU="-netdev hubport,id=dead,hubid=9 -device virtio-net-pci,netdev=dead,romfile="
	VM_SECONDS=240
	launch root.img
	opened_by_broker
	[ "$(grep -c '^link: e' "$CASE_DIR/console.txt")" = 2 ] || fail "the guest has not two links"
}

case_dhcp_late()
{
	title "$1" "DHCP late by 20 s: opened as soon as there is an address" || return 0
	tee snp
	machine 6.12 initrd-6.12
	server "$(rule snp default/test/root)"
	VM_NET=routed VM_WIRE="dhcp=20"
	VM_SECONDS=240
	launch root.img
	opened_by_broker
	expect_soon 'dhcp asked' 'dhcp passed' 30
	expect_soon 'dhcp answered' 'tcp tried' 3
}

# Nobody gives out addresses: the boot says so at its deadline. The administrator writes one on the command line.
case_no_dhcp()
{
	title "$1" "no DHCP: ends at the deadline and names the address; then a static ip=: opened" || return 0
	tee snp
	with_config short-deadline.conf
	VM_WIRE="dhcp=never"
	boot_into without
	machine 6.12 initrd -- ip=dhcp
	server "$(rule snp default/test/root)"
	VM_SECONDS=240
	launch root.img
	expect_no_root
	expect_exit 5
	expect_last 'no IPv4 address'
	expect_connections 0
	server_stop

	boot_into static
	machine 6.12 initrd -- ip=10.0.2.15::10.0.2.9:255.255.255.0:::none
	server "$(rule snp default/test/root)"
	VM_SECONDS=240
	launch root.img
	opened_by_broker
	expect_soon 'guest speaks' 'tcp tried' 3
}

# What is missing is named: link, and the route to a broker that is on another network. (The address: no-dhcp.)
case_net_missing()
{
	title "$1" "no link, then no route: named in the last line" || return 0
	tee snp
	with_config short-deadline.conf
	machine 6.12 initrd
	for VM_NET in none ipv4; do
		boot_into $VM_NET
		[ $VM_NET = none ] || machine 6.12 initrd -- ip=10.0.2.15:::255.255.255.240:::none
		launch root.img
		expect_no_root
		expect_exit 5
		case $VM_NET in
		none) expect_last 'no link' ;;
		ipv4) expect_last 'no route' ;;
		esac
	done
}

case_ipv6()
{
	title "$1" "IPv6 only, addresses by router advertisement: opened" || return 0
	tee snp
	with_config ipv6.conf
	VM_NET=ipv6
	machine 6.12 initrd
	server "$(rule snp default/test/root)"
	VM_SECONDS=240
	launch root.img
	opened_by_broker
}

# No DHCP: the router says who knows names.
case_ipv6_by_name()
{
	title "$1" "IPv6 only, the broker by name: found by the name server that the router announces" || return 0
	tee snp
	with_config by-name.conf
	VM_NET=ipv6 VM_WIRE="dns=broker.test=fec0::2"
	machine 6.12 initrd
	server "$(rule snp default/test/root)"
	launch root.img
	opened_by_broker
	expect_soon 'guest speaks' 'tcp tried' 8
}

# Nobody gives out addresses, by advertisement or otherwise.
case_ipv6_static()
{
	title "$1" "IPv6 only, no router advertisements: ends at the deadline, ip=dhcp6 is said to be in vain; then a static ip=[]: opened" || return 0
	tee snp
	sed 's/^deadline.*/deadline = 15s/' "$VM_WORK/ipv6.conf" >"$VM_WORK/ipv6-short.conf"
	VM_NET=ipv6 VM_WIRE="dhcp=0" VM_SECONDS=240 # the cable is our own, which has a clock
	boot_into without
	with_config ipv6-short.conf
	machine 6.12 initrd -- sysctl.net.ipv6.conf.default.accept_ra=0 ip=dhcp6
	server "$(rule snp default/test/root)"
	launch root.img
	expect_no_root
	expect_exit 5
	expect_console 'cryptattest: ip=dhcp6: there is no DHCPv6 here'
	expect_last 'no IPv6 address'
	expect_connections 0
	server_stop

	boot_into static
	cat >"$CASE_DIR/early.sh" <<-'EOF'
	(
	until grep -q '^0\{32\} 00 0\{32\} 00 fec0' /proc/net/ipv6_route; do sleep 0.2; done
	sed -n 's/^\(fec0[0-9a-f]*\) [0-9a-f]* \([0-9a-f]*\) .*/early: address \1 prefix \2/p' /proc/net/if_inet6
	sed -n 's/^0\{32\} 00 0\{32\} 00 \(fec0[0-9a-f]*\) .*/early: gateway \1/p' /proc/net/ipv6_route
	) </dev/null >/dev/console 2>&1 &
	EOF
	VM_EARLY=$CASE_DIR/early.sh
	with_config ipv6.conf
	machine 6.12 initrd -- sysctl.net.ipv6.conf.default.accept_ra=0 'ip=[fec0::15]::[fec0::2]:64:::none'
	server "$(rule snp default/test/root)"
	launch root.img
	opened_by_broker
	expect_console '^early: address fec00000000000000000000000000015 prefix 40'
	expect_console '^early: gateway fec00000000000000000000000000002'
	[ "$(grep -c '^early: address' "$CASE_DIR/console.txt")" = 1 ] || fail "there is another address"
	# An attempt that began before there was an address, 5 s, and the pause behind it; the address is looked for at its neighbours meanwhile.
	expect_soon 'guest speaks' 'tcp tried' 15
}

# The name server that DHCP names is asked for the broker.
case_by_name()
{
	title "$1" "the broker by name: found by the name server of DHCP" || return 0
	tee snp
	with_config by-name.conf
	VM_NET=routed VM_WIRE="dns=broker.test=${VM_NET_SERVER%:*}"
	machine 6.12 initrd
	server "$(rule snp default/test/root)"
	VM_SECONDS=240
	launch root.img
	opened_by_broker
	expect_soon 'dhcp answered' 'tcp tried' 4
}

case_dns_dead()
{
	title "$1" "the broker by name, the name server is silent: ends at the deadline and names DNS" || return 0
	tee snp
	with_config by-name-short.conf
	VM_NET=routed VM_WIRE="dhcp=0" # the cable is our own, which swallows questions
	machine 6.12 initrd
	server "$(rule snp default/test/root)"
	VM_SECONDS=240
	launch root.img
	expect_no_root
	expect_exit 5
	expect_last 'DNS: '
	expect_last 'no name server answers'
	expect_connections 0
}

# The machine is faster than its broker.
case_broker_late()
{
	title "$1" "broker up 30 s after the first attempt: opened" || return 0
	tee snp
	machine 6.12 initrd-6.12
	rules=$(rule snp default/test/root)
	(
		trap vm_stop_all EXIT
		trap 'exit 143' TERM
		VM_PIDS=
		wait_connection
		sleep 30
		server "$rules"
		echo "$VM_PORT" >"$CASE_DIR/port"
		date +%s >"$CASE_DIR/up"
		wait
	) &
	VM_PIDS="$! $VM_PIDS"
	VM_SECONDS=240
	launch root.img
	opened_by_broker
	took=$(($(tail -n 1 "$CASE_DIR/connections" | cut -d' ' -f2) - $(cat "$CASE_DIR/up")))
	echo "reached $took s after it was up, at attempt $(connections)"
	[ $took -le 8 ] || fail "$took s until it was reached"
}

# The same, but nothing answers at all until then, as behind a firewall that is still shut.
case_broker_silent()
{
	title "$1" "broker's network silent for 30 s: opened" || return 0
	tee snp
	VM_WIRE="tcp=30"
	machine 6.12 initrd-6.12
	server "$(rule snp default/test/root)"
	VM_SECONDS=240
	launch root.img
	opened_by_broker
	expect_soon 'tcp tried' 'tcp passed' 38
}

# The cable is plugged in when the boot has long been waiting for it.
case_link_late()
{
	title "$1" "link up after 25 s of waiting: opened" || return 0
	tee snp
	machine 6.12 initrd-6.12
	server "$(rule snp default/test/root)"
	VM_NET=pair
	with_monitor
	(
		unplug nic1 && unplug nic2 || exit 1
		sleep 35
		monitor 'set_link nic2 on'
	) &
	VM_SECONDS=240
	launch root.img
	opened_by_broker
}

# Two cards on one cable make a bond; the first has no carrier.
case_bond()
{
	title "$1" "bond of two links, one of them dead: opened, and no bond left" || return 0
	tee snp
	machine 6.12 initrd-6.12 -- net.ifnames=0 bond=bond0:eth0,eth1:mode=active-backup ip=dhcp
	server "$(rule snp default/test/root)"
	VM_NET=pair
	with_monitor
	unplug nic1 &
	VM_SECONDS=240
	launch root.img
	opened_by_broker
	expect_no_console '^link: bond'
	[ "$(grep -c '^link: eth' "$CASE_DIR/console.txt")" = 2 ] || fail "the guest has not two links"
}

# Frames without the tag, or with another, do not get through.
case_vlan()
{
	title "$1" "VLAN 7: opened through it, and no VLAN left" || return 0
	tee snp
	machine 6.12 initrd-6.12 -- net.ifnames=0 vlan=eth0.7:eth0 ip=dhcp
	server "$(rule snp default/test/root)"
	VM_NET=routed VM_WIRE="vlan=7"
	VM_SECONDS=240
	launch root.img
	opened_by_broker
	expect_no_console '^link: eth0[.]'
	expect_soon 'dhcp answered' 'tcp tried' 3
}

# The host sets the clock. What a certificate authority vouches for has dates, and is judged at the clock or at the program's build, whichever is
# later; a pin has none.
case_clock()
{
	title "$1" "clock at 1970: a CA's certificate is judged at the build's time; at 2060: refused, with a pin opened" || return 0
	tee snp
	cp -a "$VM_WORK/kbs-main" "$VM_WORK/kbs-dated"
	vm_dated_certificate "$VM_WORK/kbs-dated" 20200101000000Z 20400101000000Z
	mkdir -p "$CASE_DIR/overlay/etc/cryptattest"
	cp "$VM_WORK/kbs-dated/server.crt" "$CASE_DIR/overlay/etc/cryptattest/ca.pem"
	sed 's|^pin.*||; s|^url.*|&\nca = /etc/cryptattest/ca.pem|' "$VM_WORK/test.conf" >"$VM_WORK/by-ca.conf"
	with_config by-ca.conf
	machine 6.12 initrd
	server_keys dated
	server "$(rule snp default/test/root)"
	VM_SECONDS=240

	boot_into past
	VM_QEMU="-rtc base=1970-01-02T00:00:00"
	launch root.img
	expect_console '^clock: 1970'
	opened_by_broker

	boot_into future
	VM_QEMU="-rtc base=2060-01-01T00:00:00"
	launch root.img
	expect_no_root
	expect_exit 10
	expect_last 'certificate dates (clock?)'

	boot_into pinned
	server_stop
	machine 6.12 initrd-6.12
	server "$(rule snp default/test/root)"
	launch root.img
	expect_console '^clock: 2060'
	opened_by_broker
}

# --- dracut: whatever brings the network up there, the program waits for it in the same way ------------------------------------------------

# through_dracut IMAGE WORD...: booted and opened, with these words on the kernel command line.
through_dracut()
{
	tee snp
	vm_image=$1
	shift
	machine 6.12 "$vm_image" -- rd.neednet=1 net.ifnames=0 "$@"
	server "$(rule snp default/test/root)"
	VM_SECONDS=300
	launch root.img
	expect_root
	expect_opened root kbs
	expect_server 1 'released default/test/root'
}

case_dracut_systemd_late()
{
	title "$1" "dracut with systemd: DHCP late by 20 s, later than dracut's own patience: opened as soon as there is an address" || return 0
	VM_NET=routed VM_WIRE="dhcp=20"
	through_dracut initrd-dracut-systemd ip=dhcp rd.retry=5
	expect_soon 'dhcp asked' 'dhcp passed' 40
	expect_soon 'dhcp answered' 'tcp tried' 3
}

case_dracut_systemd_ipv6()
{
	title "$1" "dracut with systemd: IPv6 only: opened" || return 0
	with_config ipv6.conf initrd-dracut-systemd
	VM_NET=ipv6
	through_dracut initrd ip=auto6
}

# systemd-network-generator of systemd 252 passes over the options of bond=: a bond that goes round its links, the dead ones too. So both are alive here.
case_dracut_systemd_bond()
{
	title "$1" "dracut with systemd: bond of two links: opened" || return 0
	VM_NET=pair
	through_dracut initrd-dracut-systemd bond=bond0:eth0,eth1 ip=bond0:dhcp
}

case_dracut_systemd_vlan()
{
	title "$1" "dracut with systemd: VLAN 7, the broker by name: opened" || return 0
	with_config by-name.conf initrd-dracut-systemd
	VM_NET=routed VM_WIRE="vlan=7 dns=broker.test=${VM_NET_SERVER%:*}"
	through_dracut initrd vlan=eth0.7:eth0 ip=eth0.7:dhcp
	# networkd's name servers are copied once it has noted them: two tries and their pauses (1 and 2 s) come before that.
	expect_soon 'dhcp answered' 'tcp tried' 8
}

case_dracut_plain_bond()
{
	title "$1" "dracut without systemd: bond of two links, one of them dead: opened" || return 0
	VM_NET=pair
	with_monitor
	unplug nic1 &
	through_dracut initrd-dracut-plain bond=bond0:eth0,eth1:mode=active-backup,miimon=100 ip=bond0:dhcp
}
