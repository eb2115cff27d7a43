#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""mkdir of a snapshot on a simulated vCenter against a bare
CreateSnapshot_Task on an open session that is asked for until it is done.

usage: host_mkdir.py VIXFS [--vms N,N,...] [--delays MS,MS,...] [--rounds N]
                     [--many N] [--dir DIR] [--no-goals]

The host works for WORK_MS on a snapshot, a fraction of what real ones do, or
not at all, where only the way there and back is left. A delay is a link
between two network namespaces and wants root. What does not depend on speed is
judged even with --no-goals: each mkdir makes one snapshot with one request.
"""
import argparse
import concurrent.futures
import contextlib
import os
import statistics
import threading
import time

import host
import link
import rig
import soap

# Work on a snapshot, and how many a host works on at once.
WORK_MS, SLOTS = 50, 16
BARE_SESSIONS = 8


def vms_of(vcenter):
    """[(path below the mount, moref)]"""
    return [(os.path.join(vm['folder'], vm['name']), vm['moref'])
            for vm in vcenter.order('vms')]


def judge_creates(vcenter, name, count):
    """@count mkdirs of @name made one snapshot each."""
    counters = vcenter.order('counters')
    ours = [made for path, made in counters['creates'].items()
            if os.path.basename(path).startswith(name)]
    rig.must((len(ours), sum(ours)), (count, count), 'snapshots made once')


def latency(args, vcenter, place, work, goals, delay):
    """Medians of ours and of theirs, in turn, on VMs of their own."""
    vms = vms_of(vcenter)
    ours, theirs = [], []
    vcenter.order('set', create=work)
    vcenter.order('counters', reset=1)
    with soap.Session(vcenter) as session:
        for turn in range(args.rounds + 1):
            path, _ = vms[2 * turn % len(vms)]
            _, moref = vms[(2 * turn + 1) % len(vms)]
            snapshots = os.path.join(place, path, 'snapshots')
            os.listdir(snapshots)
            took = rig.seconds(lambda: os.mkdir(
                os.path.join(snapshots, f'ours-{work}-{turn}')))
            bare = rig.seconds(lambda: soap.create_snapshot(
                session, moref, f'bare-{work}-{turn}'))
            if turn > 0: # the first one warms up
                ours.append(took)
                theirs.append(bare)
    judge_creates(vcenter, f'ours-{work}-', args.rounds + 1)
    ours, theirs = statistics.median(ours), statistics.median(theirs)
    goals.row(f'mkdir, {work} ms of work', ours * 1000, 'ms')
    goals.row('bare create and wait', theirs * 1000, 'ms')
    goals.row('ratio', ours / theirs, '',
              most=1.2 if work or delay else None)
    if delay > 0 and work == 0:
        goals.row('round trips of mkdir', ours * 1000 / delay, '')
        goals.row('round trips of the bare one', theirs * 1000 / delay, '')


def measure_latency(args, count, delay, goals):
    print(f'--- {count} VMs, round trip {delay} ms', flush=True)
    if link.is_left_out(delay):
        return
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(rig.scratch(args.dir))
        place = os.path.join(scratch, 'mnt')
        os.mkdir(place)
        where, near = stack.enter_context(link.ends(delay))
        vcenter = stack.enter_context(host.Host(
            scratch, '-kind', 'vcenter', '-vms', str(count), '-snapshots', '4',
            **where))
        with near(), rig.mount_host(args.vixfs, vcenter, place):
            for work in (0, WORK_MS):
                latency(args, vcenter, place, work, goals, delay)


def mkdirs(place, vms, name):
    """All at once; seconds from when all threads are there and are let go:
    making five hundred of them takes as long as the host takes."""
    started = []
    gate = threading.Barrier(len(vms),
                             lambda: started.append(time.perf_counter()))

    def one(path):
        gate.wait()
        os.mkdir(os.path.join(place, path, 'snapshots', name))

    with concurrent.futures.ThreadPoolExecutor(len(vms)) as pool:
        list(pool.map(one, (path for path, _ in vms)))
        return time.perf_counter() - started[0]


def bare_creates(sessions, vms, name):
    """The same by sessions side by side that start all tasks of their share
    and then wait for them."""
    def share(index):
        session = sessions[index]
        tasks = [soap.start_snapshot(session, moref, name)
                 for _, moref in vms[index::len(sessions)]]
        for task in tasks:
            soap.await_task(session, task)

    with concurrent.futures.ThreadPoolExecutor(len(sessions)) as pool:
        list(pool.map(share, range(len(sessions))))


def processor_seconds(process):
    with open(f'/proc/{process.pid}/stat', encoding='utf-8') as stat:
        fields = stat.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def many(args, vcenter, place, goals):
    vms = vms_of(vcenter)
    with contextlib.ExitStack() as stack:
        mount = stack.enter_context(
            rig.mount_host(args.vixfs, vcenter, place))
        sessions = [stack.enter_context(soap.Session(vcenter))
                    for _ in range(BARE_SESSIONS)]
        for path, _ in vms:
            os.listdir(os.path.join(place, path, 'snapshots'))
        for what, work, slots in (
                ('no work', 0, 0),
                (f'{WORK_MS} ms of work, {SLOTS} at a time', WORK_MS, SLOTS)):
            vcenter.order('set', create=work, slots=slots)
            ours, theirs, busy = [], [], []
            for turn in range(args.rounds // 10 + 1):
                name = f'many-{work}-{turn}'
                vcenter.order('counters', reset=1)
                before = [processor_seconds(each.process)
                          for each in (mount, vcenter)]
                ours.append(mkdirs(place, vms, name))
                busy.append([processor_seconds(each.process) - start
                             for each, start in zip((mount, vcenter), before)])
                judge_creates(vcenter, name, len(vms))
                theirs.append(rig.seconds(
                    lambda: bare_creates(sessions, vms, 'bare' + name)))
            ours, theirs = statistics.median(ours), statistics.median(theirs)
            goals.row(f'{len(vms)} mkdirs at once, {what}', ours, 's')
            goals.row('the same by bare sessions', theirs, 's')
            for who, took in zip(('the mount', 'the host'), zip(*busy)):
                goals.row(f'processor time of {who} meanwhile',
                          statistics.median(took), 's')
            goals.row('ratio', ours / theirs, '', most=1.2 if work else None)


def measure_many(args, goals):
    print(f'--- {args.many} VMs at once', flush=True)
    with rig.scratch(args.dir) as scratch:
        place = os.path.join(scratch, 'mnt')
        os.mkdir(place)
        with host.Host(scratch, '-kind', 'vcenter',
                       '-vms', str(args.many)) as vcenter:
            many(args, vcenter, place, goals)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('vixfs')
    parser.add_argument('--vms', default='100,1000,10000')
    parser.add_argument('--delays', default='0,20')
    parser.add_argument('--rounds', type=int, default=40)
    parser.add_argument('--many', type=int, default=500)
    parser.add_argument('--dir')
    parser.add_argument('--no-goals', action='store_true')
    args = parser.parse_args()
    goals = rig.Goals(not args.no_goals)
    for count in args.vms.split(','):
        for delay in args.delays.split(','):
            measure_latency(args, int(count), int(delay), goals)
    measure_many(args, goals)
    goals.finish()


if __name__ == '__main__':
    main()
