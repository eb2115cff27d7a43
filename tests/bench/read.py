#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads images of local snapshots against other FUSE file systems.

usage: read.py VIXFS [--size MIB] [--depths N,N] [--reads N] [--rounds N]
               [--huge GIB] [--dir DIR] [--no-goals]

The peers: libfuse's own passthrough_ll, built from the examples of Debian's
libfuse3-dev, on a raw file; qemu-storage-daemon's FUSE export of the same
chain. One that is not installed is left out. All sources are in the page
cache; the mount's own pages are dropped before each reading.
"""
import argparse
import contextlib
import mmap
import os
import random
import shutil
import statistics
import struct
import subprocess
import time

import rig

MIB = 1 << 20
GRAIN = 65536
# MiB of data in one place.
PIECE = 4
EXAMPLE = '/usr/share/doc/libfuse3-dev/examples/passthrough_ll.c'
TMPFS = '/dev/shm'


# ---- VMs ----

def now_disk(folder):
    """The file of the disk that the VM has now."""
    name = os.path.basename(folder)
    with open(os.path.join(folder, name + '.vmx'), encoding='utf-8') as vmx:
        line = next(line for line in vmx
                    if line.startswith('scsi0:0.fileName'))
    return os.path.join(folder, line.split('"')[1])


def write_vmx(folder):
    name = os.path.basename(folder)
    with open(os.path.join(folder, name + '.vmx'), 'w',
              encoding='utf-8') as vmx:
        vmx.write(rig.VMX.format(name=name, disk=name + '.vmdk'))


def make_raw(path, mib, share):
    """Random bytes in the given share of its grains."""
    chance = random.Random(mib)
    with open(path, 'wb') as raw:
        raw.truncate(mib * MIB)
        for at in range(0, mib * MIB, GRAIN):
            if chance.random() < share:
                raw.seek(at)
                raw.write(os.urandom(GRAIN))


def make_vm(folder, raw):
    os.makedirs(folder)
    rig.run('qemu-img', 'convert', '-q', '-O', 'vmdk', raw,
            os.path.join(folder, os.path.basename(folder) + '.vmdk'))
    write_vmx(folder)


def image(place, name, depth):
    return os.path.join(place, name, 'snapshots', f's{depth}', 'disks',
                        'scsi0-0.img')


def take_snapshots(place, folder, count, grains, writes):
    """Snapshot sN has a chain of N links; the files of the chains."""
    chance = random.Random(count)
    files = []
    for number in range(1, count + 1):
        if number > 1:
            commands = []
            for _ in range(writes):
                commands += ['-c', f'write -q -P {chance.randrange(1, 256)} '
                             f'{chance.randrange(grains) * GRAIN} 64k']
            rig.run('qemu-io', '-t', 'unsafe', '-f', 'vmdk', *commands,
                    now_disk(folder), stdout=subprocess.DEVNULL)
        files.append(now_disk(folder))
        os.mkdir(os.path.join(place, os.path.basename(folder), 'snapshots',
                              f's{number}'))
    return files


def make_scattered(folder, gib):
    """A sparse disk with one grain in each hundred, which is a hole in the
    file: 2 TiB take 128 MiB, all of it tables."""
    name = os.path.basename(folder)
    sectors = gib << 21
    grains = sectors // 128
    tables = (grains + 511) // 512
    first_table = 21 + (tables * 4 + 511) // 512
    data = (first_table + tables * 4 + 127) // 128 * 128
    text = ('# Disk DescriptorFile\nversion=1\nCID=12345678\n'
            'parentCID=ffffffff\ncreateType="monolithicSparse"\n'
            f'RW {sectors} SPARSE "{name}.vmdk"\n'
            'ddb.adapterType = "lsilogic"\n')
    chance = random.Random(gib)
    os.makedirs(folder)
    with open(os.path.join(folder, name + '.vmdk'), 'wb') as disk:
        disk.write(struct.pack('<4sIIQQQQIQQQB4sH', b'KDMV', 1, 1, sectors,
                               128, 1, 20, 512, 0, 21, data, 0, b'\n \r\n', 0))
        disk.seek(512)
        disk.write(text.encode())
        disk.seek(21 * 512)
        disk.write(struct.pack(f'<{tables}I', *range(
            first_table, first_table + tables * 4, 4)))
        disk.seek(first_table * 512)
        entries = bytearray(grains * 4)
        for block in range(grains // 100):
            struct.pack_into('<I', entries,
                             (block * 100 + chance.randrange(100)) * 4,
                             data + block * 128)
        disk.write(entries)
        disk.truncate((data + (grains // 100) * 128) * 512)
    write_vmx(folder)


# ---- peers ----

@contextlib.contextmanager
def ended(process, place=None):
    try:
        yield process
    finally:
        if place is not None:
            subprocess.run(['fusermount3', '-u', place], check=False)
        else:
            process.terminate()
        process.wait()


def wait_for(condition, process):
    deadline = time.monotonic() + 60
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f'{process.args[0]} does not serve')
        time.sleep(0.01)


def build_passthrough(scratch):
    """None where the example, a compiler or libfuse's headers are missing."""
    program = os.path.join(scratch, 'passthrough_ll')
    if not os.path.exists(EXAMPLE):
        return None
    flags = subprocess.run(['pkg-config', '--cflags', '--libs', 'fuse3'],
                           check=True, capture_output=True, text=True)
    rig.run('gcc', '-O2', '-w', EXAMPLE, '-o', program,
            *flags.stdout.split(), '-lpthread')
    return program


@contextlib.contextmanager
def passthrough(program, source, place):
    os.mkdir(place)
    process = subprocess.Popen(
        [program, '-f', '-o', f'source={source}', place],
        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: os.path.ismount(place), process)
    with ended(process, place):
        yield


@contextlib.contextmanager
def qemu_export(disk, file):
    with open(file, 'wb'):
        pass
    process = subprocess.Popen(
        ['qemu-storage-daemon', '--blockdev',
         f'driver=file,filename={disk},node-name=file,read-only=on,locking=off',
         '--blockdev', 'driver=vmdk,file=file,node-name=disk,read-only=on',
         '--export', 'type=fuse,id=export,node-name=disk,writable=off,'
         f'mountpoint={file}'], stdin=subprocess.DEVNULL)
    wait_for(lambda: os.stat(file).st_size > 0, process)
    with ended(process):
        yield


# ---- reading ----

def read_all(path, block=MIB):
    """GB/s of a reader from start to end, nothing of it in the mount's
    pages."""
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    view = memoryview(mmap.mmap(-1, block))
    at, start = 0, time.perf_counter()
    while (got := os.preadv(fd, [view], at)) > 0:
        at += got
    took = time.perf_counter() - start
    os.close(fd)
    return at / took / 1e9


def read_random(path, count, flags):
    """Thousands of reads of 4 KiB a second, one after the other."""
    fd = os.open(path, os.O_RDONLY | flags)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
    chance = random.Random(1)
    blocks = os.fstat(fd).st_size // 4096
    places = [chance.randrange(blocks) * 4096 for _ in range(count)]
    view = memoryview(mmap.mmap(-1, 4096))
    start = time.perf_counter()
    for at in places:
        os.preadv(fd, [view], at)
    took = time.perf_counter() - start
    os.close(fd)
    return count / took / 1000


def in_turn(rounds, readers):
    """The median of each; rounds go through all of them."""
    got = {name: [] for name in readers}
    for name in readers:
        readers[name]()
    for _ in range(rounds):
        for name, reader in readers.items():
            got[name].append(reader())
    return {name: statistics.median(values) for name, values in got.items()}


def same_bytes(one, other):
    rig.run('cmp', one, other)


def sequential(bench, place, goals):
    """A monolithic-sparse disk that is full, at depth 1."""
    raw = os.path.join(bench.scratch, 'raw')
    disk = os.path.join(bench.scratch, 'vms', 'full', 'full.vmdk')
    ours = image(place, 'full', 1)
    readers = {'vixfs': lambda: read_all(ours)}
    with contextlib.ExitStack() as stack:
        if bench.program:
            other = os.path.join(bench.scratch, 'passthrough')
            stack.enter_context(passthrough(bench.program, raw, other))
            readers['passthrough_ll'] = lambda: read_all(
                os.path.join(other, 'full.raw'))
        if bench.qemu:
            export = os.path.join(bench.scratch, 'export')
            stack.enter_context(qemu_export(disk, export))
            readers['qemu-storage-daemon'] = lambda: read_all(export)
        same_bytes(ours, os.path.join(raw, 'full.raw'))
        got = in_turn(bench.rounds, readers)
    for name, least in (('vixfs', None), ('passthrough_ll', 1.0),
                        ('qemu-storage-daemon', 1.5)):
        if name in got:
            goals.row(f'sequential 1 MiB, {name}', got[name], 'GB/s')
        if name in got and least:
            goals.row(f'sequential 1 MiB, against {name}',
                      got['vixfs'] / got[name], '', least=least)


def scattered(bench, place, files, goals):
    """Random 4 KiB at each depth."""
    for words, flags in (('O_DIRECT', os.O_DIRECT), ('buffered', 0)):
        readers = {depth: lambda path=image(place, 'deep', depth): read_random(
            path, bench.reads, flags) for depth in bench.depths}
        got = in_turn(bench.rounds, readers)
        for depth in bench.depths:
            goals.row(f'random 4 KiB, {words}, depth {depth}', got[depth],
                      'k/s')
        first, last = bench.depths[0], bench.depths[-1]
        goals.row(f'random 4 KiB, {words}, depth {last} to {first}',
                  got[last] / got[first], '', least=0.9)
        if bench.qemu and flags:
            export = os.path.join(bench.scratch, 'export')
            path = image(place, 'deep', last)
            with qemu_export(files[last - 1], export):
                same_bytes(path, export)
                both = in_turn(bench.rounds, {
                    'ours': lambda: read_random(path, bench.reads, flags),
                    'qemu': lambda: read_random(export, bench.reads, flags)})
            goals.row(f'the same, qemu-storage-daemon, depth {last}',
                      both['qemu'], 'k/s')
            goals.row(f'the same, depth {last} against it',
                      both['ours'] / both['qemu'], '', least=10)


def copy_of(bench):
    """What the copies are of: name -> (GiB of the disk, MiB of data)."""
    least = max(bench.size // 2, PIECE)
    return {'quarter': (1024, least), 'half': (1024, 2 * least),
            'wide': (1024, 4 * least), 'narrow': (2, 4 * least)}


def copies(bench, place, goals):
    """The time goes with the data, not with the disk. Sources are warm, in
    turn; the mount's own pages are dropped."""
    target = os.path.join(bench.scratch, 'copy')
    disks = copy_of(bench)

    def copy(path):
        with open(path, 'rb') as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        took = rig.seconds(lambda: rig.run('cp', '--sparse=always', path,
                                           target))
        rig.must(os.stat(target).st_size, os.stat(path).st_size, 'size')
        os.unlink(target)
        return took

    took = in_turn(bench.rounds, {
        name: lambda path=image(place, name, 1): copy(path)
        for name in disks})
    for name, (gib, mib) in disks.items():
        goals.row(f'cp --sparse, {mib} MiB in {gib} GiB', took[name], 's')
    for name, times in (('half', 2), ('wide', 4)):
        goals.row(f'cp --sparse of 1 TiB, {times} times the data',
                  took[name] / took['quarter'], '', most=1.25 * times)
    goals.row('cp --sparse of 1 TiB to 2 GiB, the same data',
              took['wide'] / took['narrow'], '', most=2)


def make_copies(bench, vms):
    """Pieces of 4 MiB strewn over the disk."""
    chance = random.Random(5)
    for name, (gib, mib) in copy_of(bench).items():
        path = os.path.join(bench.scratch, name + '.raw')
        with open(path, 'wb') as raw:
            raw.truncate(gib << 30)
            for piece in chance.sample(range(gib * 1024 // PIECE),
                                       mib // PIECE):
                raw.seek(piece * PIECE * MIB)
                raw.write(os.urandom(PIECE * MIB))
        make_vm(os.path.join(vms, name), path)
        os.unlink(path)


def huge(bench, goals):
    """Opening a chain on a disk with 1 % data in scattered grains."""
    vms, place = (os.path.join(bench.scratch, name) for name in ('hv', 'hm'))
    folder = os.path.join(vms, 'huge')
    depth = bench.depths[-1]
    make_scattered(folder, bench.huge)
    os.mkdir(place)
    with rig.Mount(bench.vixfs, vms, place):
        take_snapshots(place, folder, depth, bench.huge * 16384, 20)
    with rig.Mount(bench.vixfs, vms, place) as mount:
        os.listdir(os.path.join(place, 'huge', 'snapshots'))
        before = mount.rss_kib()
        path = image(place, 'huge', depth)
        goals.row('huge: first stat, counts its data',
                  rig.seconds(lambda: os.stat(path)), 's')
        fds = []
        goals.row('huge: open', 1000 * rig.seconds(
            lambda: fds.append(os.open(path, os.O_RDONLY))), 'ms')
        goals.row('huge: first read', 1000 * rig.seconds(
            lambda: os.pread(fds[0], 4096, bench.huge << 29)), 'ms')
        goals.row('huge: random 4 KiB, all over',
                  read_random(path, bench.reads, os.O_DIRECT), 'k/s')
        goals.row('huge: resident memory that it took',
                  (mount.rss_kib() - before) / 1024, 'MiB', most=64)
        os.close(fds[0])


def measure(bench, goals):
    vms, place = (os.path.join(bench.scratch, name) for name in ('vms', 'mnt'))
    os.makedirs(os.path.join(bench.scratch, 'raw'))
    os.mkdir(place)
    full = os.path.join(bench.scratch, 'raw', 'full.raw')
    make_raw(full, bench.size, 1)
    make_vm(os.path.join(vms, 'full'), full)
    part = os.path.join(bench.scratch, 'part.raw')
    make_raw(part, bench.size * 2, 0.3)
    make_vm(os.path.join(vms, 'deep'), part)
    os.unlink(part)
    make_copies(bench, vms)
    with rig.Mount(bench.vixfs, vms, place):
        for name in ('full', *copy_of(bench)):
            take_snapshots(place, os.path.join(vms, name), 1, 0, 0)
        files = take_snapshots(place, os.path.join(vms, 'deep'),
                               bench.depths[-1], bench.size * 32, 100)
        sequential(bench, place, goals)
        scattered(bench, place, files, goals)
        copies(bench, place, goals)
    huge(bench, goals)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('vixfs')
    parser.add_argument('--size', type=int, default=512)
    parser.add_argument('--depths', default='1,4,16,30')
    parser.add_argument('--reads', type=int, default=20000)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--huge', type=int, default=2048)
    parser.add_argument('--dir', default=TMPFS)
    parser.add_argument('--no-goals', action='store_true')
    bench = parser.parse_args()
    bench.depths = [int(depth) for depth in bench.depths.split(',')]
    bench.qemu = shutil.which('qemu-storage-daemon')
    goals = rig.Goals(not bench.no_goals)
    with rig.scratch(bench.dir) as bench.scratch:
        bench.program = build_passthrough(bench.scratch)
        measure(bench, goals)
    goals.finish()


if __name__ == '__main__':
    main()
