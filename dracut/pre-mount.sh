#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# pre-mount, sourced: a foreign root file system is not even mounted.
. /lib/cryptattest/functions
# shellcheck disable=SC2154 # dracut's
ca_node=${root#block:}
if [ -x "$ca_agent" ] && [ -b "$ca_node" ]; then
	ca_demand_ours "$ca_node"
fi
