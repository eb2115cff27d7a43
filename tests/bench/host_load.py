#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mounts a simulated vCenter and lists it, against fetching the same
properties raw.

usage: host_load.py VIXFS [--vms N,N,...] [--snapshots N] [--rounds N]
                    [--dir DIR] [--no-goals]

What does not depend on speed is judged even with --no-goals: everything is
listed, a mount and a walk cost a constant and the pages, another walk nothing.
"""
import argparse
import os
import statistics
import subprocess
import time

import host
import rig
import soap

# Of a mount and a walk: service content, versions, login, collector, view,
# filter, logout; the wait that is held open after the last page.
CONSTANT = 8
AHEAD = 64
PAGE = 100 # objects of an update set, as on vCenter
OTHERS = 50 # folders, datastores and so on, at most
HELD_S = 60 # a wait without news


def listing(place):
    """The names of all VMs and of all their snapshots."""
    done = subprocess.run(
        ['find', place, '-mindepth', '1', '-name', 'files', '-prune', '-o',
         '-path', '*/snapshots/*', '-prune', '-print'], check=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    return done.stdout.count(b'\n')


def list_vms(place):
    return sum(len(os.listdir(os.path.join(place, datacenter)))
               for datacenter in os.listdir(place))


def one_mount(args, vcenter, place, count):
    """Seconds from the start to all VMs' names, and to all snapshots'."""
    with rig.mount_host(args.vixfs, vcenter, place) as mount:
        vms = list_vms(place)
        first = time.monotonic() - mount.started
        snapshots = listing(place)
        second = time.monotonic() - mount.started
        rig.must(vms, count, 'VMs listed at once')
        rig.must(snapshots, count * args.snapshots, 'snapshots listed')
        return first, second


def fetch(peer):
    with peer() as session:
        return soap.fetch_inventory(session)


def times(args, vcenter, scratch, place, count, goals):
    names, everything, curl, raw = [], [], [], []
    for _ in range(args.rounds):
        first, second = one_mount(args, vcenter, place, count)
        names.append(first)
        everything.append(second)
        curl.append(rig.seconds(
            lambda: fetch(lambda: soap.Curl(vcenter, scratch))))
        raw.append(rig.seconds(lambda: fetch(lambda: soap.Session(vcenter))))
    names, everything, curl, raw = map(statistics.median,
                                       (names, everything, curl, raw))
    goals.row('the properties, by curl', curl, 's')
    goals.row('the properties, on one connection', raw, 's')
    goals.row('start to all VMs listed', names, 's')
    goals.row('the same against curl', names / curl, '', most=1.5)
    goals.row('the same against one connection', names / raw, '')
    goals.row('start to all snapshots listed too', everything, 's')
    goals.row('the same against curl', everything / curl, '')


def walk(place):
    with open(os.devnull, 'wb') as nowhere:
        subprocess.run(['find', place, '-ls'], check=True,
                       stdin=subprocess.DEVNULL, stdout=nowhere)


def asked(vcenter, seconds):
    """Requests since the last time, without waits that ended for nothing."""
    soap_calls = vcenter.order('counters', reset=1)['soap']
    held = min(soap_calls.get('WaitForUpdatesEx', 0), int(seconds / HELD_S))
    return sum(soap_calls.values()) - held


def requests(args, vcenter, place, count, goals):
    vcenter.order('counters', reset=1)
    with rig.mount_host(args.vixfs, vcenter, place) as mount:
        walk(place)
        took = time.monotonic() - mount.started
        first = asked(vcenter, took)
        goals.row('start and find -ls', took, 's')
        again = rig.seconds(lambda: walk(place))
        second = asked(vcenter, again + took % HELD_S)
        goals.row('another find -ls', again, 's')
        memory = mount.rss_kib()
    pages = (count + OTHERS) // PAGE + 1
    # The disks of snapshots: of 1, 2, 4 ... VMs more with each request.
    pages += AHEAD.bit_length() + count // AHEAD + 1
    goals.row('requests: mount and walk', first, '')
    goals.row('requests: another walk', second, '')
    goals.row('resident memory, all walked', memory / 1024, 'MiB', most=60)
    rig.must(first <= pages + CONSTANT, True,
             f'at most {pages} pages and {CONSTANT} other requests')
    rig.must(second, 0, 'requests of another walk')


def memory(args, vcenter, place):
    with rig.mount_host(args.vixfs, vcenter, place) as mount:
        list_vms(place)
        return mount.rss_kib()


def per_object(args, scratch, place, count, goals):
    """From mounts with nothing, without snapshots, and with all."""
    kib = []
    for vms, snapshots in ((2, 0), (count, 0), (count, args.snapshots)):
        with host.Host(scratch, '-kind', 'vcenter', '-vms', str(vms),
                       '-snapshots', str(snapshots)) as vcenter:
            kib.append(memory(args, vcenter, place))
    goals.row('resident memory, 2 VMs', kib[0] / 1024, 'MiB')
    goals.row('resident memory, all known', kib[2] / 1024, 'MiB', most=60)
    goals.row('memory a VM', (kib[1] - kib[0]) / count, 'KiB')
    goals.row('memory a snapshot',
              (kib[2] - kib[1]) / (count * args.snapshots), 'KiB')


def measure(args, count, goals):
    print(f'--- {count} VMs with {args.snapshots} snapshots each', flush=True)
    with rig.scratch(args.dir) as scratch:
        place = os.path.join(scratch, 'mnt')
        os.mkdir(place)
        with host.Host(scratch, '-kind', 'vcenter', '-vms', str(count),
                       '-snapshots', str(args.snapshots)) as vcenter:
            fetch(lambda: soap.Session(vcenter)) # the first is slower
            times(args, vcenter, scratch, place, count, goals)
            requests(args, vcenter, place, count, goals)
        if count >= 1000:
            per_object(args, scratch, place, count, goals)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('vixfs')
    parser.add_argument('--vms', default='100,1000,10000')
    parser.add_argument('--snapshots', type=int, default=4)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--dir')
    parser.add_argument('--no-goals', action='store_true')
    args = parser.parse_args()
    goals = rig.Goals(not args.no_goals)
    for count in args.vms.split(','):
        measure(args, int(count), goals)
    goals.finish()


if __name__ == '__main__':
    main()
