#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reading a datastore's file over HTTPS: through a mount, and without one,
against curl and against nbdkit's curl plugin with nbdfuse.

usage: host_read.py VIXFS READ_SOURCE [--size MIB] [--delays MS,MS,...]
                    [--servers nginx,sim] [--rounds N] [--seconds N]
                    [--dir DIR] [--no-goals]

The file is the extent of a VM's disk, of zeros: nobody on the way can see
that. nginx stands in front of the simulated host, or the simulator gives the
file itself. What no mount could beat is measured beside it: libcurl alone, and
reads of the mount that take no request. A delay is a link between two network namespaces and wants root.
Without nginx, nbdkit or nbdfuse their parts are left out. What does not depend
on speed is judged even with --no-goals: the sums of what was read.
"""
import argparse
import contextlib
import hashlib
import os
import shutil
import statistics
import subprocess
import time

import host
import link
import rig
import web

MIB = 1 << 20
STREAMS = 8
NBD_MIB = 16
CACHED_MIB = 32
# Connections for pages of which several are asked for at once.
TOGETHER = 2
NAME = 'vm00000/vm00000-flat.vmdk'
STORE = 'LocalDS_0'


def cpu_of(process):
    """Seconds that it and its children took so far."""
    ticks = 0
    for pid in filter(str.isdigit, os.listdir('/proc')):
        with contextlib.suppress(OSError):
            with open(f'/proc/{pid}/stat', encoding='utf-8') as stat:
                fields = stat.read().rpartition(')')[2].split()
            if process.pid in (int(pid), int(fields[1])):
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf('SC_CLK_TCK')


class Place:
    """What all contestants read, and from where."""

    def __init__(self, args, server, vm_host, near):
        self.args, self.server, self.vm_host = args, server, vm_host
        self.near = near
        self.size = args.size * MIB
        self.base = server.url.removesuffix('/sdk')
        self.file_url = (f'{self.base}/folder/{NAME}'
                         f'?dcPath=ha-datacenter&dsName={STORE}')
        self.cookie = None


def login(place, scratch):
    """A session for those who cannot log in themselves, in curl's format."""
    jar = os.path.join(scratch, 'cookies')
    body = ('<?xml version="1.0"?><Envelope xmlns="http://schemas.xmlsoap.org/'
            'soap/envelope/"><Body><Login xmlns="urn:vim25"><_this '
            'type="SessionManager">ha-sessionmgr</_this><userName>'
            f'{place.vm_host.user}</userName><password>'
            f'{place.vm_host.password}</password></Login></Body></Envelope>')
    with place.near():
        subprocess.run(['curl', '-sfk', '-c', jar, '-d', '@-',
                        '-H', 'Content-Type: text/xml',
                        '-H', 'SOAPAction: "urn:vim25/6.5"', '-o', os.devnull,
                        place.server.url],
                       input=body, text=True, check=True)
    with open(jar, encoding='ascii') as lines:
        fields = next(line.split('\t') for line in lines
                      if 'vmware_soap_session' in line)
    place.cookie = 'vmware_soap_session=' + fields[6].strip()


def curl_command(place, *more):
    return ['curl', '-sfk', '-b', place.cookie, '-o', os.devnull, *more,
            place.file_url]


def curl_one(place):
    subprocess.run(curl_command(place), check=True)


def curl_parallel(place):
    part = place.size // STREAMS
    running = [subprocess.Popen(curl_command(
        place, '-r', f'{i * part}-{(i + 1) * part - 1}'))
        for i in range(STREAMS)]
    for process in running:
        rig.must(process.wait(), 0, 'curl')


def forget(path):
    """Empties the kernel's cache of a file."""
    with open(path, 'rb', buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_all(path, size, judge=False):
    """The first bytes of a file in their order."""
    total, digest = 0, hashlib.sha256() if judge else None
    buffer = bytearray(MIB)
    with open(path, 'rb', buffering=0) as file:
        while total < size:
            n = file.readinto(buffer)
            if n == 0:
                break
            total += n
            if judge:
                digest.update(memoryview(buffer)[:n])
    rig.must(total, size, 'bytes read')
    return digest.hexdigest() if judge else None


@contextlib.contextmanager
def nbdfuse(place, scratch):
    """The path of the file there and the process; None, None where it is not
    installed."""
    if shutil.which('nbdfuse') is None or shutil.which('nbdkit') is None:
        yield None, None
        return
    folder = os.path.join(scratch, 'nbd')
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, 'nbd')
    open(path, 'w', encoding='ascii').close()
    jar = os.path.join(scratch, 'nbd-cookie')
    with open(jar, 'w', encoding='ascii') as file:
        file.write(place.cookie)
    with place.near():
        process = subprocess.Popen(
            ['nbdfuse', path, '--command', 'nbdkit', '-s', 'curl',
             place.file_url, 'sslverify=false', f'cookie=+{jar}'],
            stdin=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 30
        while os.stat(path).st_size != place.size:
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit('nbdfuse does not start')
            time.sleep(0.05)
        yield path, process
    finally:
        subprocess.run(['fusermount3', '-u', path], check=False)
        process.wait()


def numbers(place, *words):
    """What read-source prints."""
    environment = {**os.environ, 'VIXFS_USER': place.vm_host.user,
                   'VIXFS_PASSWORD': place.vm_host.password,
                   'COOKIE': place.cookie}
    with place.near():
        done = subprocess.run([place.args.read_source, *words], check=True,
                              capture_output=True, text=True, env=environment)
    return [float(word) for word in done.stdout.split()]


def source(place, *words):
    return numbers(place, place.server.url, place.server.thumbprint,
                   f'[{STORE}] {NAME}', *words)


def pages(place, what, path, readers, *more, mib=None):
    """Reads of a page a second: of a file, or bare of a URL."""
    return numbers(place, what, path, str(mib or place.args.size),
                   str(readers), str(place.args.seconds), *more)[0]


def speed_of(place, action):
    """MB/s; in the network of the reader."""
    with place.near():
        return place.size / 1e6 / rig.seconds(action)


def read_counted(process, path, size):
    """MB/s, and what a GB costs the process that serves it."""
    forget(path) # which takes a while, and is no reading
    before = cpu_of(process)
    took = rig.seconds(lambda: read_all(path, size))
    return size / 1e6 / took, (cpu_of(process) - before) / (size / 1e9)


def sequential(place, mount, mounted, nbd, server, goals, delay):
    """mount, server: the processes behind mounted and nbd"""
    actions = {
        'curl, one stream': lambda: (speed_of(
            place, lambda: curl_one(place)), 0),
        f'curl, {STREAMS} ranges at once': lambda: (speed_of(
            place, lambda: curl_parallel(place)), 0),
        'ours, without a mount': lambda: (source(
            place, 'sequential', str(MIB))[0], 0),
        'ours, mounted': lambda: read_counted(mount, mounted, place.size),
    }
    if nbd:
        # With a delay all of it would take ten minutes.
        size = min(place.size, NBD_MIB * MIB) if delay else place.size
        actions['nbdfuse'] = lambda: read_counted(server, nbd, size)
    results = {name: [] for name in actions}
    for _ in range(place.args.rounds):
        for name, action in actions.items():
            results[name].append(action())
    speeds, costs = ({name: statistics.median(pair[i] for pair in pairs)
                      for name, pairs in results.items()} for i in (0, 1))
    for name, speed in speeds.items():
        goals.row(name, speed, 'MB/s')
    best = max(list(speeds.values())[:2])
    least = 0.9 if delay else 0.6
    for name in ('ours, without a mount', 'ours, mounted'):
        goals.row(name + ', against the better curl', speeds[name] / best, '',
                  least=least)
    goals.row('processor time of the mount', costs['ours, mounted'], 's/GB')
    if nbd:
        goals.row('mounted, against nbdfuse',
                  speeds['ours, mounted'] / speeds['nbdfuse'], '', least=4)
        goals.row('processor time against nbdfuse',
                  costs['ours, mounted'] / costs['nbdfuse'], '', most=1)


def bound(place, mounted, readers, goals):
    """Reads a second of a mount that adds nothing: the time of a request, or
    its part of one for several pages, where that is less; and that of a read
    that takes none."""
    name = f'random 4 KiB, {readers} readers, '
    bare = pages(place, 'bare', place.file_url, readers)
    if readers > TOGETHER:
        goals.row(name + 'libcurl alone, a page a request', bare, '1/s')
        bare = max(bare, pages(place, 'bare', place.file_url, TOGETHER,
                               str(readers // TOGETHER)))
    cached = min(CACHED_MIB, place.args.size)
    read_all(mounted, cached * MIB)
    memory = pages(place, 'file', mounted, readers, 'direct', mib=cached)
    best = 1 / (1 / bare + 1 / memory)
    goals.row(name + 'libcurl alone', bare, '1/s')
    goals.row(name + 'mounted, from memory', memory, '1/s')
    goals.row(name + 'the bound of both', best, '1/s')
    return best


def randomly(place, mounted, nbd, goals):
    for readers in (1, 16):
        name = f'random 4 KiB, {readers} readers, '
        ours = pages(place, 'file', mounted, readers)
        wire = source(place, 'random', str(readers),
                      str(place.args.seconds))[0]
        best = bound(place, mounted, readers, goals)
        goals.row(name + 'without a mount', wire, '1/s')
        goals.row(name + 'mounted', ours, '1/s')
        has_room = False
        if nbd:
            theirs = pages(place, 'file', nbd, readers)
            goals.row(name + 'nbdfuse', theirs, '1/s')
            goals.row('the bound, against nbdfuse', best / theirs, '')
            # Judged where that leaves room for a mount of our own.
            has_room = best >= 4 * theirs
            goals.row('mounted, against nbdfuse', ours / theirs, '',
                      least=3 if has_room else None)
        goals.row('mounted, against the bound', ours / best, '',
                  least=None if has_room else 0.6)


def judge_sum(place, mounted):
    """Zeros, all of them."""
    digest, zeros = hashlib.sha256(), bytes(MIB)
    for _ in range(place.args.size):
        digest.update(zeros)
    rig.must(read_all(mounted, place.size, judge=True), digest.hexdigest(),
             'sum of the bytes')


def measure(args, kind, delay, goals):
    print(f'--- {kind}, round trip {delay} ms', flush=True)
    if kind == 'nginx' and not web.possible():
        print('left out: wants nginx')
        return
    if link.is_left_out(delay):
        return
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(rig.scratch(args.dir))
        mountpoint = os.path.join(scratch, 'mnt')
        os.mkdir(mountpoint)
        where, near = stack.enter_context(link.ends(delay))
        esx = stack.enter_context(host.Host(
            scratch, '-kind', 'esx', '-vms', '1', '-snapshots', '1',
            '-disk-kb', str(args.size * 1024), **where))
        server = esx
        if kind == 'nginx':
            server = stack.enter_context(web.Web(scratch, esx))
            path = os.path.join(server.folder, NAME)
            os.mkdir(os.path.dirname(path))
            with open(path, 'wb') as file:
                file.truncate(args.size * MIB)
        place = Place(args, server, esx, near)
        login(place, scratch)
        with near():
            mount = stack.enter_context(
                rig.mount_host(args.vixfs, server, mountpoint))
        mounted = os.path.join(mountpoint, 'vm00000', 'latest', 'disks',
                               'scsi0-0.img')
        judge_sum(place, mounted)
        nbd, process = stack.enter_context(nbdfuse(place, scratch))
        sequential(place, mount.process, mounted, nbd, process, goals, delay)
        randomly(place, mounted, nbd, goals)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('vixfs')
    parser.add_argument('read_source')
    parser.add_argument('--size', type=int, default=2048)
    parser.add_argument('--delays', default='0,20')
    parser.add_argument('--servers', default='nginx,sim')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--seconds', type=int, default=3)
    parser.add_argument('--dir')
    parser.add_argument('--no-goals', action='store_true')
    args = parser.parse_args()
    goals = rig.Goals(not args.no_goals)
    for server in args.servers.split(','):
        for delay in args.delays.split(','):
            measure(args, server, int(delay), goals)
    goals.finish()


if __name__ == '__main__':
    main()
