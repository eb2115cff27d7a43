# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the benchmarks share: VMs on disk, a mount of them, medians, goals."""
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

VMX = '''.encoding = "UTF-8"
config.version = "8"
virtualHW.version = "19"
displayName = "{name}"
guestOS = "debian12-64"
memsize = "512"
numvcpus = "1"
scsi0.present = "TRUE"
scsi0.virtualDev = "lsilogic"
scsi0:0.present = "TRUE"
scsi0:0.fileName = "{disk}"
'''


def run(*command, **options):
    return subprocess.run(command, check=True, stdin=subprocess.DEVNULL,
                          **options)


def make_vm(folder, size):
    """A VM that is off, with one sparse disk of size (as for qemu-img)."""
    os.makedirs(folder)
    name = os.path.basename(folder)
    run('qemu-img', 'create', '-q', '-f', 'vmdk',
        os.path.join(folder, name + '.vmdk'), size)
    with open(os.path.join(folder, name + '.vmx'), 'w',
              encoding='utf-8') as vmx:
        vmx.write(VMX.format(name=name, disk=name + '.vmdk'))


@contextlib.contextmanager
def scratch(where=None):
    """A folder that is removed at the end, unless something is mounted there:
    what a mount shows is not ours to remove."""
    folder = tempfile.mkdtemp(prefix='vixfs-bench.', dir=where)
    try:
        yield folder
    finally:
        with open('/proc/self/mounts', encoding='utf-8') as mounts:
            if any(line.split()[1].startswith(folder) for line in mounts):
                sys.exit(f'{folder} is left: something is mounted in it')
        shutil.rmtree(folder)


def end(process, seconds):
    """Waits for a process that was told to end; kills one that does not."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Mount:
    """vixfs in the foreground, so that it is ours to measure and to end."""

    def __init__(self, vixfs, source, place, *options):
        self.place = place
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [vixfs, source, place, '-f', '-o', 'state=none', *options],
            stdin=subprocess.DEVNULL)
        while not os.path.ismount(place):
            if self.process.poll() is not None:
                sys.exit(f'vixfs ended with {self.process.returncode}')
            if time.monotonic() - self.started > 60:
                self.close()
                sys.exit('vixfs does not mount')
            time.sleep(0.001)

    def rss_kib(self):
        with open(f'/proc/{self.process.pid}/status',
                  encoding='ascii') as status:
            return next(int(line.split()[1]) for line in status
                        if line.startswith('VmRSS:'))

    def requests(self):
        """Requests answered so far, by operation, as .vixfs/stats has them.
        Reading it asks the daemon too, always in the same way."""
        counts = {}
        with open(os.path.join(self.place, '.vixfs', 'stats'),
                  encoding='utf-8') as stats:
            for line in stats:
                if line.startswith('vixfs_requests_total{'):
                    name, value = line.split()
                    counts[name] = int(value)
        return counts

    def close(self):
        if os.path.ismount(self.place):
            subprocess.run(['fusermount3', '-u', self.place], check=False)
        end(self.process, 60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def mount_host(vixfs, host, place, *options):
    """host: as in host.py."""
    return Mount(vixfs, host.url, place, '-o',
                 f'credentials={host.credentials()},'
                 f'thumbprint={host.thumbprint}', *options)


def must(got, wanted, what):
    """What holds at any speed."""
    if got != wanted:
        raise SystemExit(f'{what}: {got}, not {wanted}')


def seconds(action):
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def medians(rounds, *actions):
    """Runs the actions in turn, rounds times; the median time of each."""
    times = [[] for _ in actions]
    for _ in range(rounds):
        for action, kept in zip(actions, times):
            kept.append(seconds(action))
    return [statistics.median(kept) for kept in times]


class Goals:
    """Rows "name value unit (goal)"; missed goals end in exit status 1."""

    def __init__(self, binding):
        self.binding = binding
        self.missed = []

    def row(self, name, value, unit, most=None, least=None):
        goal = ''
        if most is not None:
            goal = f'at most {most}'
            good = value <= most
        elif least is not None:
            goal = f'at least {least}'
            good = value >= least
        if goal and not good:
            self.missed.append(name)
            goal += ' MISSED'
        print(f'{name:48} {value:12.3f} {unit:10} {goal}', flush=True)

    def finish(self):
        sys.exit(1 if self.missed and self.binding else 0)
