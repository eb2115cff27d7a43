#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The first look at a disk of a network host, whose chain is as long as its
snapshots are many: opening the image, the first byte, and where its data is.

usage: host_chain.py VIXFS MAKE_DELTA [--depths N,N,...] [--delays MS,MS,...]
                     [--mib N] [--dir DIR] [--no-goals]

In each snapshot the guest has written here and there, so that each link has
tables of its own for all of the disk. What is compared is the deepest chain
with a disk that has none. A delay is a link between two network namespaces and
wants root. What does not depend on speed is judged even with --no-goals: the
bytes of the image.
"""
import argparse
import contextlib
import filecmp
import os
import random
import shutil
import urllib.parse
import urllib.request

import host
import link
import rig

MIB = 1 << 20
VM, STORE = 'vm00000', 'LocalDS_0'
# How long the deepest chain may take, in round trips: the connections' own
# beginnings included.
MOST_TRIPS = 45


def put(esx, path, name):
    query = urllib.parse.urlencode({
        'path': f'[{STORE}] {VM}/{name}', 'dc': 'ha-datacenter',
        'local': path})
    request = urllib.request.Request(f'{esx.control}/file?{query}', data=b'',
                                     method='PUT')
    with esx.inside(), urllib.request.urlopen(request, timeout=60):
        pass


def write_link(esx, args, folder, number, old, new):
    """Link @number of the disk: what differs between the two raw disks."""
    names = [VM if n == 0 else f'{VM}-{n:06d}' for n in (number - 1, number)]
    rig.run(args.make_delta, 'sesparse' if number else 'vmfs',
            os.path.join(folder, names[1] + '.vmdk'), f'{number + 1:08x}',
            f'{number:08x}', names[0] + '.vmdk', old, new)
    for end in ('.vmdk', '-sesparse.vmdk' if number else '-flat.vmdk'):
        put(esx, os.path.join(folder, names[1] + end), names[1] + end)


def make_chain(esx, args, folder, depth):
    """Snapshot sN has a chain of N links. The last content's file."""
    chance = random.Random(depth)
    old, new = (os.path.join(folder, name) for name in ('old', 'new'))
    with open(new, 'wb') as raw:
        raw.truncate(args.mib * MIB)
    for number in range(depth):
        shutil.copyfile(new, old)
        with open(new, 'r+b') as raw:
            for slice_at in range(0, args.mib * MIB, 16 * MIB):
                raw.seek(slice_at + chance.randrange(4000) * 4096)
                raw.write(chance.randbytes(4096))
        write_link(esx, args, folder, number, old, new)
        esx.order('snapshot/create', vm=VM, name=f's{number + 1}')
    return new


def first_look(args, esx, place, near, depth):
    """Milliseconds of each step, on a mount that knows nothing of the disk
    but its name and size."""
    image = os.path.join(place, VM, 'snapshots', f's{depth}', 'disks',
                         'scsi0-0.img')
    fds, holes = [], []
    with near():
        mount = rig.mount_host(args.vixfs, esx, place)
    with mount:
        os.stat(image)
        took = [rig.seconds(step) * 1000 for step in (
            lambda: fds.append(os.open(image, os.O_RDONLY)),
            lambda: os.pread(fds[0], 4096, 5 * MIB),
            lambda: holes.append(os.lseek(fds[0], 0, os.SEEK_HOLE)))]
        os.close(fds[0])
    return took


def judge(args, esx, place, near, depth, raw):
    with near():
        mount = rig.mount_host(args.vixfs, esx, place)
    with mount:
        image = os.path.join(place, VM, 'snapshots', f's{depth}', 'disks',
                             'scsi0-0.img')
        rig.must(filecmp.cmp(raw, image, shallow=False), True, 'same bytes')


def measure(args, delay, goals):
    print(f'--- round trip {delay} ms', flush=True)
    if link.is_left_out(delay):
        return
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(rig.scratch(args.dir))
        place, folder = (os.path.join(scratch, name) for name in ('m', 'f'))
        os.mkdir(place)
        os.mkdir(folder)
        where, near = stack.enter_context(link.ends(delay))
        esx = stack.enter_context(host.Host(
            scratch, '-kind', 'esx', '-vms', '1', '-disks', '1',
            '-disk-kb', str(args.mib * 1024), **where))
        raw = make_chain(esx, args, folder, args.depths[-1])
        judge(args, esx, place, near, args.depths[-1], raw)
        for depth in args.depths:
            took = first_look(args, esx, place, near, depth)
            for name, ms in zip(('open', 'first read', 'first hole'), took):
                goals.row(f'depth {depth}: {name}', ms, 'ms')
            trips = sum(took) / delay if delay else 0
            if delay:
                goals.row(f'depth {depth}: all three', trips, 'trips',
                          most=MOST_TRIPS)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('vixfs')
    parser.add_argument('make_delta')
    parser.add_argument('--depths', default='1,30')
    parser.add_argument('--delays', default='0,20')
    parser.add_argument('--mib', type=int, default=256)
    parser.add_argument('--dir')
    parser.add_argument('--no-goals', action='store_true')
    args = parser.parse_args()
    args.depths = [int(depth) for depth in args.depths.split(',')]
    goals = rig.Goals(not args.no_goals)
    for delay in args.delays.split(','):
        measure(args, int(delay), goals)
    goals.finish()


if __name__ == '__main__':
    main()
