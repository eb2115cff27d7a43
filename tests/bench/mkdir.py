#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Times mkdir of a snapshot against qemu-img create -b and an fsync.

usage: mkdir.py VIXFS [--rounds N] [--sizes 1G,2T] [--dir DIR] [--no-goals]

Both make one child of a one-disk VM's sparse disk on the same file system,
durably. What they made is removed again outside the measured time.
"""
import argparse
import os
import statistics

import rig


def fsync(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def qemu_child(base, child):
    rig.run('qemu-img', 'create', '-q', '-f', 'vmdk', '-b', base,
            '-F', 'vmdk', child)
    fsync(child)


def allocated(folder):
    return sum(os.lstat(os.path.join(folder, name)).st_blocks * 512
               for name in os.listdir(folder))


def measure(vixfs, where, size, rounds, goals):
    with rig.scratch(where) as scratch:
        vms, place = os.path.join(scratch, 'vms'), os.path.join(scratch, 'mnt')
        rig.make_vm(os.path.join(vms, 'vm'), size)
        base = os.path.join(scratch, 'base.vmdk')
        child = os.path.join(scratch, 'child.vmdk')
        rig.run('qemu-img', 'create', '-q', '-f', 'vmdk', base, size)
        os.mkdir(place)
        snapshot = os.path.join(place, 'vm', 'snapshots', 'bench')
        ours, theirs = [], []
        with rig.Mount(vixfs, vms, place):
            os.listdir(os.path.dirname(snapshot))
            for turn in range(rounds + 1):
                before = allocated(os.path.join(vms, 'vm'))
                time_ours = rig.seconds(lambda: os.mkdir(snapshot))
                grown = allocated(os.path.join(vms, 'vm')) - before
                os.rmdir(snapshot)
                time_theirs = rig.seconds(lambda: qemu_child(base, child))
                os.unlink(child)
                if turn > 0: # the first one warms up
                    ours.append(time_ours)
                    theirs.append(time_theirs)
    ours, theirs = statistics.median(ours), statistics.median(theirs)
    goals.row(f'mkdir, {size}B disk', ours * 1000, 'ms')
    goals.row(f'qemu-img create -b + fsync, {size}B disk', theirs * 1000, 'ms')
    goals.row(f'ratio, {size}B disk', ours / theirs, '', most=2.0)
    goals.row(f'space the snapshot takes, {size}B disk', grown / 1024, 'KiB')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('vixfs')
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--sizes', default='1G,2T')
    parser.add_argument('--dir')
    parser.add_argument('--no-goals', action='store_true')
    args = parser.parse_args()
    goals = rig.Goals(not args.no_goals)
    for size in args.sizes.split(','):
        measure(args.vixfs, args.dir, size, args.rounds, goals)
    goals.finish()


if __name__ == '__main__':
    main()
