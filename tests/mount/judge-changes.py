#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares what .changes and .since tell of each pair of snapshots with the
bytes of their first disk.

usage: judge-changes.py VM/snapshots MOST
MOST: bytes that a snapshot may have changed since its parent
"""
import errno
import os
import sys

s, most, disk = sys.argv[1], int(sys.argv[2]), 'scsi0-0'
names = sorted(n for n in os.listdir(s) if not n.startswith('.'))
data = {n: open(f'{s}/{n}/disks/{disk}.img', 'rb').read() for n in names}


def ranges_of(path):
    """What is data, by SEEK_DATA and SEEK_HOLE."""
    fd, at, ranges = os.open(path, os.O_RDONLY), 0, []
    size = os.fstat(fd).st_size
    while at < size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            assert error.errno == errno.ENXIO, error
            break
        at = os.lseek(fd, start, os.SEEK_HOLE)
        ranges.append((start, at - start))
    if '/.since/' in path:
        held = sum(length for _, length in ranges)
        assert os.fstat(fd).st_blocks * 512 == held, (path, held)
    os.close(fd)
    return ranges


def check(older, newer, ranges, what):
    """Outside of the ranges, which ascend and are merged, all is equal."""
    at = 0
    for start, length in ranges + [(len(newer), 0)]:
        assert start > at or at == 0 or length == 0, (what, start)
        assert older[at:start] == newer[at:start], (what, at, start)
        at = start + length
    assert at == len(newer), (what, at)


def parse(path):
    text = open(path).read()
    assert os.stat(path).st_size == len(text), path
    return [tuple(map(int, line.split())) for line in text.splitlines()]


for n in names:
    parent = f'{s}/{n}/parent'
    old = None
    if os.path.islink(parent):
        old = os.path.basename(os.readlink(parent))
    path = f'{s}/{n}/disks/{disk}.changes'
    ranges = parse(path)
    info, made = os.stat(path), os.stat(f'{s}/{n}')
    assert info.st_mtime_ns == info.st_ctime_ns == made.st_mtime_ns, path
    check(data[old] if old else bytes(len(data[n])), data[n], ranges, path)
    if old is None:
        assert ranges == ranges_of(f'{s}/{n}/disks/{disk}.img'), path
    else:
        assert ranges == ranges_of(f'{s}/{n}/.since/{old}/{disk}.img'), path
        assert sum(r[1] for r in ranges) <= most, path

inodes = set()
for newer in names:
    assert sorted(os.listdir(f'{s}/{newer}/.since')) \
        == [n for n in names if n != newer]
    for older in names:
        if older == newer:
            continue
        folder = f'{s}/{newer}/.since/{older}'
        assert disk + '.img' in os.listdir(folder), folder
        path = f'{folder}/{disk}.img'
        ranges, got = ranges_of(path), open(path, 'rb').read()
        assert len(got) == len(data[newer])
        inodes.add(os.stat(path).st_ino)
        inodes.add(os.stat(folder).st_ino)
        check(data[older], data[newer], ranges, path)
        made = bytearray(data[older])
        for start, length in ranges:
            made[start:start + length] = got[start:start + length]
        assert made == data[newer], path
        held = bytearray(len(got))
        for start, length in ranges:
            held[start:start + length] = got[start:start + length]
        assert held == got, path
assert len(inodes) == 2 * len(names) * (len(names) - 1)
