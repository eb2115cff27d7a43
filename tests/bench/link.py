# SPDX-License-Identifier: LGPL-2.1-or-later
"""A link with a delay between two network namespaces of its own: a pair of TUN
devices, and a process that carries packets from one to the other when they
are due. Kernels without netem can do that too. Needs root."""
import contextlib
import ctypes
import fcntl
import heapq
import multiprocessing
import os
import select
import struct
import subprocess
import threading
import time

FAR, NEAR = '10.254.77.1', '10.254.77.2'
CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 0x0001, 0x1000

libc = ctypes.CDLL(None, use_errno=True)


def is_left_out(round_trip_ms):
    """Says so where such a link cannot be made."""
    if round_trip_ms == 0 or (
            os.geteuid() == 0
            and os.access('/dev/net/tun', os.R_OK | os.W_OK)):
        return False
    print('left out: wants root and /dev/net/tun')
    return True


def check(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class End(threading.Thread):
    """Makes a namespace with one end of the link, and ends."""

    def __init__(self, own, other):
        super().__init__()
        self.addresses = own, other
        self.namespace = self.device = -1
        self.start()
        self.join()
        if self.device < 0:
            raise OSError('no network namespace with a TUN device')

    def run(self):
        check(libc.unshare(CLONE_NEWNET))
        self.namespace = os.open('/proc/thread-self/ns/net',
                                 os.O_RDONLY | os.O_CLOEXEC)
        device = os.open('/dev/net/tun', os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(device, TUNSETIFF,
                    struct.pack('16sH22x', b'delay', IFF_TUN | IFF_NO_PI))
        own, other = self.addresses
        for words in (('link', 'set', 'lo', 'up'),
                      ('address', 'add', own, 'peer', other, 'dev', 'delay'),
                      ('link', 'set', 'delay', 'up')):
            subprocess.run(['ip', *words], check=True)
        self.device = device

    @contextlib.contextmanager
    def inside(self):
        """What the calling thread opens and starts meanwhile is there."""
        home = os.open('/proc/thread-self/ns/net', os.O_RDONLY | os.O_CLOEXEC)
        check(libc.setns(self.namespace, CLONE_NEWNET))
        try:
            yield
        finally:
            check(libc.setns(home, CLONE_NEWNET))
            os.close(home)

    def close(self):
        os.close(self.device)
        os.close(self.namespace)


def carry(one, other, delay_s):
    """Both ways, for ever."""
    queue, count = [], 0
    while True:
        now = time.monotonic()
        while queue and queue[0][0] <= now:
            _, _, device, packet = heapq.heappop(queue)
            os.write(device, packet)
        wait = max(0, queue[0][0] - now) if queue else None
        for device in select.select([one, other], [], [], wait)[0]:
            packet = os.read(device, 65536)
            count += 1
            heapq.heappush(queue, (time.monotonic() + delay_s, count,
                                   other if device == one else one, packet))


class Link:
    """.far and .near are its ends."""

    def __init__(self, round_trip_ms):
        self.far, self.near = End(FAR, NEAR), End(NEAR, FAR)
        self.carrier = multiprocessing.get_context('fork').Process(
            target=carry, daemon=True, args=(
                self.far.device, self.near.device, round_trip_ms / 2000))
        self.carrier.start()

    def close(self):
        self.carrier.terminate()
        self.carrier.join()
        self.far.close()
        self.near.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@contextlib.contextmanager
def ends(round_trip_ms):
    """What host.Host wants to be at the far end, and what takes the calling
    thread to the near one. Without a delay both are where it is already."""
    if round_trip_ms == 0:
        yield {}, contextlib.nullcontext
        return
    with Link(round_trip_ms) as link:
        yield {'inside': link.far.inside, 'address': FAR}, link.near.inside
