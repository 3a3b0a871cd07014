# SPDX-License-Identifier: GPL-2.0-only
"""The network between guests and the control domain: addresses, names, and who may use which.

Interface K of guest I stands on bridge brK of the control domain, with addresses that follow from
both numbers. Bridge br0 passes only what comes from a guest's own addresses; the others pass all,
for tests.
"""
import dataclasses


GUESTS = 8              # whose names and addresses are known
QUEUES = 4              # that back ends offer for each device
BRIDGES = 2

CONTROL = "control"


@dataclasses.dataclass(frozen=True)
class Vif:
    """A network interface of a guest.

    address: of the control domain in its network; name, bridge: the control domain's end, and
    what that is put on; script: hotplug script in the control domain instead of the usual one
    """

    mac: str
    address: str
    name: str = ""
    bridge: str = ""
    script: str = ""


def vif(guest: int, index: int) -> Vif:
    """Interface INDEX of GUEST."""
    return Vif(mac(guest, index), address(0, index), interface(guest, index), f"br{index}")


def name(guest: int) -> str:
    """Name of GUEST (1 is the first) in the network and for the tool stack."""
    return f"guest{guest}"


def interface(guest: int, index: int) -> str:
    """Name of the control domain's end of interface INDEX of GUEST."""
    return name(guest) if index == 0 else f"{name(guest)}-{index}"


def mac(guest: int, index: int) -> str:
    """Hardware address of interface INDEX of GUEST; guest 0 is the control domain."""
    return f"00:16:3e:77:{index:02x}:{guest:02x}"


def address(guest: int, index: int = 0) -> str:
    """IPv4 address of interface INDEX of GUEST; guest 0 is the control domain."""
    return f"10.{77 + index}.0.{10 + guest if guest else 1}"


def address6(guest: int, index: int = 0) -> str:
    """IPv6 address of interface INDEX of GUEST; guest 0 is the control domain."""
    return f"fd{77 + index}::{10 + guest if guest else 1}"


def hosts() -> str:
    """Text of /etc/hosts for all machines."""
    lines = ["127.0.0.1 localhost", "::1 localhost"]
    for guest in range(GUESTS + 1):
        named = name(guest) if guest else CONTROL
        lines += [f"{address(guest)} {named}", f"{address6(guest)} {named}"]
    return "\n".join(lines) + "\n"


def _configuring(device: str, guest: int, index: int) -> list[str]:
    """Shell lines that bring DEVICE up with the addresses of GUEST."""
    # No other guest has these addresses: the second for detecting a duplicate is saved.
    return [f"echo 0 > /proc/sys/net/ipv6/conf/{device}/accept_dad",
            f"ip addr add {address(guest, index)}/24 dev {device}",
            f"ip addr add {address6(guest, index)}/64 dev {device}",
            f"ip link set {device} up"]


def guest_script(guest: int, interfaces: int) -> str:
    """Script of GUEST that configures the interface named by its argument, where it is known."""
    lines = ["#!/bin/sh", 'case "$1" in']
    for index in range(interfaces):
        lines += [f"eth{index})", *_configuring(f"eth{index}", guest, index), ";;"]
    return "\n".join([*lines, "esac", ""])


def networkd_files(guest: int, interfaces: int) -> dict[str, str]:
    """Files for systemd-networkd that configure the interfaces of GUEST, whatever their names are."""
    return {f"pvguest{index}.network": "\n".join([
        "[Match]", f"MACAddress={mac(guest, index)}",
        "[Network]", f"Address={address(guest, index)}/24", f"Address={address6(guest, index)}/64",
        # There is no router, and no other guest has these addresses.
        "IPv6AcceptRA=no", "IPv6DuplicateAddressDetection=0", ""])
        for index in range(interfaces)}


def bridges_script() -> str:
    """Script of the control domain that makes the bridges, before there is any guest."""
    lines = ["#!/bin/sh", "ebtables-legacy-restore < /etc/ebtables"]
    for index in range(BRIDGES):
        device = f"br{index}"
        lines += [f"brctl addbr {device}", f"ip link set {device} address {mac(0, index)}",
                  *_configuring(device, 0, index)]
    return "\n".join(lines) + "\n"


def filter_rules() -> str:
    """Rules for ebtables: of each guest's packets on br0, only those from itself pass."""
    chains, rules = [], []
    for guest in range(1, GUESTS + 1):
        own = name(guest)
        chains.append(f":{own} DROP")
        rules += [f"-A {hook} -i {interface(guest, 0)} -j {own}" for hook in ("INPUT", "FORWARD")]
        sender = f"-A {own} -s {mac(guest, 0)}"
        rules += [f"{sender} -p IPv4 --ip-src {address(guest)} -j ACCEPT",
                  f"{sender} -p ARP --arp-mac-src {mac(guest, 0)} --arp-ip-src {address(guest)} "
                  "-j ACCEPT"]
        # Besides its own address: none yet, while it looks for neighbours, and link-local ones.
        rules += [f"{sender} -p IPv6 --ip6-src {source} -j ACCEPT"
                  for source in (address6(guest), "fe80::/ffc0::", "::/ffff:ffff:ffff:ffff:"
                                 "ffff:ffff:ffff:ffff")]
    return "\n".join(["*filter", ":INPUT ACCEPT", ":FORWARD ACCEPT", ":OUTPUT ACCEPT", *chains,
                      *rules, ""])
