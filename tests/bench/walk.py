#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Walks a mount of many VMs against the same tree in tmpfs.

usage: walk.py VIXFS [--vms N] [--snapshots N] [--rounds N] [--dir DIR]
               [--no-goals]

The VMs are real: one is made and given its snapshots through a mount, the
others are copies of it under names of their own.
"""
import argparse
import os
import subprocess
import time

import rig

TMPFS = '/dev/shm'
NAMES = ()
STAT = ('-size', '+1000000G') # no file is: but each must be asked


def read_sparse(path):
    """The size and the blocks of 4 KiB that are not all zero."""
    with open(path, 'rb') as file:
        data = file.read()
    blocks = [(at, data[at:at + 4096]) for at in range(0, len(data), 4096)]
    return len(data), [(at, block) for at, block in blocks if any(block)]


def write_sparse(path, size, blocks):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.truncate(fd, size)
    for at, block in blocks:
        os.pwrite(fd, block, at)
    os.close(fd)


def make_model(vixfs, scratch, snapshots):
    """A VM named "vm" with snapshots; its files as read_sparse gives them."""
    vms, place = os.path.join(scratch, 'model'), os.path.join(scratch, 'mnt')
    rig.make_vm(os.path.join(vms, 'vm'), '64M')
    with rig.Mount(vixfs, vms, place):
        for number in range(snapshots):
            os.mkdir(os.path.join(place, 'vm', 'snapshots',
                                  f'nightly-{number}'))
    folder = os.path.join(vms, 'vm')
    return {name: read_sparse(os.path.join(folder, name))
            for name in os.listdir(folder)
            if os.path.isfile(os.path.join(folder, name))}


def make_vms(folder, model, count):
    """count copies in folders of 100."""
    for number in range(count):
        place = os.path.join(folder, f'rack{number // 100:03}',
                             f'vm{number:05}')
        os.makedirs(place)
        for name, (size, blocks) in model.items():
            write_sparse(os.path.join(place, name), size, blocks)


def walk(folder, *tests):
    # Its own control files are hidden from listings: nothing to leave out.
    subprocess.run(['find', folder, *tests], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def copy_tree(source, target):
    """The same names and kinds in tmpfs."""
    count = 0
    for place, folders, files in os.walk(source):
        there = os.path.join(target, os.path.relpath(place, source))
        os.makedirs(there, exist_ok=True)
        for name in files:
            path = os.path.join(place, name)
            if os.path.islink(path):
                os.symlink(os.readlink(path), os.path.join(there, name))
            else:
                os.close(os.open(os.path.join(there, name),
                                 os.O_WRONLY | os.O_CREAT, 0o600))
        for name in folders[:]:
            path = os.path.join(place, name)
            if os.path.islink(path):
                os.symlink(os.readlink(path), os.path.join(there, name))
        count += len(folders) + len(files)
    return count


def difference(before, after):
    """Requests between two readings of the counters. GNU find asks for the
    file system's type once a walk, which no kernel caches: left out."""
    return sum(after[name] - before[name] for name in after
               if name != 'vixfs_requests_total{op="statfs"}')


def first_listing(mount, goals, count):
    os.listdir(mount.place)
    goals.row('start to first ls of the root',
              time.monotonic() - mount.started, 's')
    deadline = time.monotonic() + 600
    while sum(len(os.listdir(os.path.join(mount.place, rack)))
              for rack in os.listdir(mount.place)) < count:
        if time.monotonic() > deadline:
            raise SystemExit('not all VMs appear')
        time.sleep(0.05)
    goals.row('start to all VMs listed',
              time.monotonic() - mount.started, 's')


def cold_walks(mount, goals):
    goals.row('first walk with stat, cold',
              rig.seconds(lambda: walk(mount.place, *STAT)), 's')
    walk(mount.place)


def warm_walks(mount, copy, entries, rounds, goals):
    for name, tests, least in (('names', NAMES, 0.5),
                               ('with stat', STAT, 0.7)):
        ours, theirs = rig.medians(rounds,
                                   lambda: walk(mount.place, *tests),
                                   lambda: walk(copy, *tests))
        goals.row(f'{name}, vixfs', entries / ours / 1000, 'k/s')
        goals.row(f'{name}, tmpfs', entries / theirs / 1000, 'k/s')
        goals.row(f'{name}, ratio', theirs / ours, '', least=least)


def count_requests(mount, goals):
    """Two readings with nothing between tell what a reading costs."""
    idle = mount.requests()
    before = mount.requests()
    walk(mount.place)
    walk(mount.place, *STAT)
    after = mount.requests()
    goals.row('requests during two warm walks',
              difference(before, after) - difference(idle, before), '',
              most=0)


def measure(args, goals):
    with rig.scratch(args.dir) as scratch, rig.scratch(TMPFS) as copy:
        vms, place = os.path.join(scratch, 'vms'), os.path.join(scratch, 'mnt')
        os.mkdir(place)
        model = make_model(args.vixfs, scratch, args.snapshots)
        goals.row('making the VMs', rig.seconds(
            lambda: make_vms(vms, model, args.vms)), 's')
        with rig.Mount(args.vixfs, vms, place) as mount:
            first_listing(mount, goals, args.vms)
            goals.row('resident memory, VMs known',
                      mount.rss_kib() / 1024, 'MiB')
            cold_walks(mount, goals)
            entries = copy_tree(place, copy)
            goals.row('entries', entries, '')
            walk(copy, *STAT)
            warm_walks(mount, copy, entries, args.rounds, goals)
            count_requests(mount, goals)
            goals.row('resident memory, all walked',
                      mount.rss_kib() / 1024, 'MiB', most=60)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('vixfs')
    parser.add_argument('--vms', type=int, default=10000)
    parser.add_argument('--snapshots', type=int, default=4)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--dir')
    parser.add_argument('--no-goals', action='store_true')
    args = parser.parse_args()
    goals = rig.Goals(not args.no_goals)
    measure(args, goals)
    goals.finish()


if __name__ == '__main__':
    main()
