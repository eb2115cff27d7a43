#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Random operations on a mounted VM, beside a model that is a list of bytes.

usage: model.py VIXFS SUBFORMAT DISKS

Writes to the running disks with qemu-io; takes, removes, renames and reverts
to snapshots through the mount; mounts anew now and then. After every step each
snapshot's chain, flattened by qemu-img, has to equal the model's bytes,
`qemu-img check` has to be content, and the mount has to list what the model
has. VIXFS_MODEL_OPS (500) and VIXFS_MODEL_SEED choose another run.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

CAPACITY = 3 * 1024 * 1024 + 13 * 512  # the last grain is a partial one
MAX_SNAPSHOTS = 6


def run(*argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(argv)}: {done.stdout}")
    return done.stdout


class Snapshot:
    def __init__(self, parent, contents):
        self.parent = parent  # a Snapshot, or None
        self.contents = contents  # of each disk


class Vm:
    """The VM, the mount, and the model of both."""

    def __init__(self, vixfs, subformat, disks, scratch):
        self.vixfs = vixfs
        self.source = os.path.join(scratch, "vms")
        self.mnt = os.path.join(scratch, "mnt")
        self.raw = os.path.join(scratch, "raw")
        self.dir = os.path.join(self.source, "vm")
        self.log = os.path.join(scratch, "vixfs.err")
        os.makedirs(self.dir)
        os.mkdir(self.mnt)
        self.daemon = None
        self.subformat = subformat
        self.nodes = ["scsi0:0", "nvme0:3", "sata0:1"][:disks]
        self.running = [bytearray(CAPACITY) for _ in self.nodes]
        self.current = None
        self.snapshots = {}
        self.made = 0
        self.make()

    def make(self):
        lines = ['.encoding = "UTF-8"', 'config.version = "8"',
                 'virtualHW.version = "19"', 'displayName = "vm"']
        for number, node in enumerate(self.nodes):
            name = f"disk{number}.vmdk"
            path = os.path.join(self.dir, name)
            lines += [f'{node.split(":")[0]}.present = "TRUE"',
                      f'{node}.present = "TRUE"',
                      f'{node}.fileName = "{name}"']
            content = self.running[number]
            for _ in range(20):
                self.scribble(content)
            with open(self.raw, "wb") as raw:
                raw.write(content)
            run("qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o",
                f"subformat={self.subformat}", self.raw, path)
        with open(os.path.join(self.dir, "vm.vmx"), "w") as vmx:
            vmx.write("\n".join(lines) + "\n")

    @staticmethod
    def scribble(content):
        """Writes a run of one byte somewhere; returns what and where."""
        length = 512 * random.choice([1, 3, 64, 128, 129, 300, 700])
        start = 512 * random.randrange((CAPACITY - length) // 512 + 1)
        byte = random.randrange(256)
        content[start:start + length] = bytes([byte]) * length
        return byte, start, length

    # ---- the mount ----

    def mount(self):
        with open(self.log, "ab") as log:
            self.daemon = subprocess.Popen(
                [self.vixfs, "-f", self.source, self.mnt], stderr=log)
        end = time.monotonic() + 30
        while not os.path.exists(self.path()):
            assert self.daemon.poll() is None, "vixfs ended early"
            assert time.monotonic() < end, "vixfs does not serve"
            time.sleep(0.01)

    def unmount(self):
        run("umount", self.mnt)
        status = self.daemon.wait(timeout=60)
        self.daemon = None
        assert status == 0, f"vixfs ended with {status}"

    def clean_up(self):
        if self.daemon is not None:
            subprocess.run(["umount", "-l", self.mnt],
                           stderr=subprocess.DEVNULL)
            self.daemon.terminate()
            self.daemon.wait(timeout=60)

    def path(self, *names):
        return os.path.join(self.mnt, "vm", "snapshots", *names)

    # ---- what the files say ----

    def disks_now(self):
        with open(os.path.join(self.dir, "vm.vmx")) as vmx:
            text = vmx.read()
        return [re.search(rf'^{node}\.fileName = "(.*)"$', text, re.M)[1]
                for node in self.nodes]

    def frozen_disks(self):
        """For each snapshot's name the names of its disks, in our order."""
        with open(os.path.join(self.dir, "vm.vmsd")) as vmsd:
            keys = dict(re.findall(r'^(\S+) = "(.*)"$', vmsd.read(), re.M))
        found = {}
        for n in range(int(keys.get("snapshot.numSnapshots", 0))):
            disks = {}
            for k in range(int(keys[f"snapshot{n}.numDisks"])):
                key = f"snapshot{n}.disk{k}"
                disks[keys[key + ".node"]] = keys[key + ".fileName"]
            found[keys[f"snapshot{n}.displayName"]] = [
                disks[node] for node in self.nodes]
        return found

    # ---- the operations ----

    def op_write(self):
        number = random.randrange(len(self.nodes))
        name = self.disks_now()[number]
        if self.subformat == "streamOptimized" and "-" not in name:
            return "nothing: a stream-optimized disk is not written to"
        commands = []
        for _ in range(random.randrange(1, 5)):
            byte, start, length = self.scribble(self.running[number])
            commands += ["-c", f"write -P {byte} {start} {length}"]
        run("qemu-io", "-f", "vmdk", *commands, os.path.join(self.dir, name))
        return f"write to {name}"

    def op_mkdir(self):
        if len(self.snapshots) >= MAX_SNAPSHOTS:
            return self.op_rmdir()
        self.made += 1
        name = f"s{self.made}"
        os.mkdir(self.path(name))
        self.snapshots[name] = Snapshot(
            self.current, [bytes(content) for content in self.running])
        self.current = self.snapshots[name]
        return f"mkdir {name}"

    def op_rmdir(self):
        if not self.snapshots:
            return self.op_mkdir()
        name = random.choice(list(self.snapshots))
        os.rmdir(self.path(name))
        gone = self.snapshots.pop(name)
        for other in self.snapshots.values():
            if other.parent is gone:
                other.parent = gone.parent
        if self.current is gone:
            self.current = gone.parent
        return f"rmdir {name}"

    def op_rename(self):
        if not self.snapshots:
            return self.op_mkdir()
        name = random.choice(list(self.snapshots))
        self.made += 1
        os.rename(self.path(name), self.path(f"r{self.made}"))
        self.snapshots[f"r{self.made}"] = self.snapshots.pop(name)
        return f"mv {name} r{self.made}"

    def op_revert(self):
        if not self.snapshots:
            return self.op_mkdir()
        name = random.choice(list(self.snapshots))
        with open(os.path.join(self.mnt, "vm", "current"), "w") as current:
            current.write(name + "\n")
        self.current = self.snapshots[name]
        self.running = [bytearray(c) for c in self.current.contents]
        return f"revert to {name}"

    def op_remount(self):
        self.unmount()
        self.mount()
        return "remount"

    def step(self):
        ops = [self.op_write] * 8 + [self.op_mkdir] * 5 + [self.op_rmdir] * 4
        ops += [self.op_revert] * 3 + [self.op_rename, self.op_remount]
        return random.choice(ops)()

    # ---- the judges ----

    def judge_disk(self, name, content, what):
        path = os.path.join(self.dir, name)
        run("qemu-img", "convert", "-f", "vmdk", "-O", "raw", path, self.raw)
        with open(self.raw, "rb") as raw:
            got = raw.read()
        assert len(got) == CAPACITY, f"{what}: {name} has {len(got)} bytes"
        if got != content:
            at = next(i for i in range(CAPACITY) if got[i] != content[i])
            raise AssertionError(f"{what}: {name} differs at byte {at}")

    def judge_content(self):
        frozen = self.frozen_disks() if self.snapshots else {}
        assert sorted(frozen) == sorted(self.snapshots), ".vmsd: other names"
        used = set()
        for name, snapshot in self.snapshots.items():
            for disk, content in zip(frozen[name], snapshot.contents):
                self.judge_disk(disk, content, name)
                used.add(disk)
        for disk, content in zip(self.disks_now(), self.running):
            self.judge_disk(disk, content, "running")
            assert disk not in used, f"{disk} is frozen and running"
            used.add(disk)
        for disk in used:
            # qemu-img has nothing to check in a flat disk.
            if not (self.subformat.endswith("Flat") and "-" not in disk):
                run("qemu-img", "check", "-q", "-f", "vmdk",
                    os.path.join(self.dir, disk))

    def judge_mount(self):
        listed = sorted(os.listdir(self.path()))
        assert listed == sorted(self.snapshots), f"listed: {listed}"
        for name, snapshot in self.snapshots.items():
            link = self.path(name, "parent")
            if snapshot.parent is None:
                assert not os.path.lexists(link), f"{name} has a parent"
                continue
            target = os.path.basename(os.readlink(link))
            assert self.snapshots[target] is snapshot.parent, \
                f"{name}: the parent is not {target}"
        with open(os.path.join(self.mnt, "vm", "current")) as current:
            name = current.read().rstrip("\n")
        assert self.snapshots.get(name) is self.current, f"current: {name}"

    def judge_leftovers(self):
        """A VM of which all snapshots went has the files it began with."""
        left = [name for name in os.listdir(self.dir)
                if re.search(r"journal|\.lck$|tmp|^\.", name)]
        assert not left, f"left over: {left}"


def main():
    vixfs, subformat, disks = sys.argv[1:]
    seed = int(os.environ.get("VIXFS_MODEL_SEED", time.time_ns() % 10**9))
    ops = int(os.environ.get("VIXFS_MODEL_OPS", 500))
    random.seed(seed)
    print(f"# seed {seed}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    scratch = tempfile.mkdtemp(prefix="vixfs-model.", dir=base)
    history = []
    vm = Vm(vixfs, subformat, int(disks), scratch)
    ok = False
    try:
        vm.mount()
        for _ in range(ops):
            history.append(vm.step())
            vm.judge_mount()
            vm.judge_content()
            vm.judge_leftovers()
        vm.unmount()
        ok = True
    except (AssertionError, OSError, subprocess.SubprocessError) as error:
        print(f"# step {len(history)}: {type(error).__name__}: {error}")
        for line in history[-15:]:
            print(f"#   {line}")
        for name in ("log", "jobs"):
            try:
                with open(os.path.join(vm.mnt, ".vixfs", name)) as text:
                    for line in text.read().splitlines()[-12:]:
                        print(f"# {name}: {line}")
            except OSError as missing:
                print(f"# {name}: {missing}")
        with open(vm.log, errors="replace") as log:
            for line in log.read().splitlines()[-30:]:
                print(f"# vixfs: {line}")
        if os.environ.get("VIXFS_MODEL_KEEP"):
            shutil.copytree(vm.dir, os.environ["VIXFS_MODEL_KEEP"])
    finally:
        vm.clean_up()
        shutil.rmtree(scratch)
    print(f"{'ok' if ok else 'not ok'} 1 - {ops} operations on {disks} "
          f"{subformat} disks\n1..1")
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    if not os.path.exists("/dev/fuse") or shutil.which("qemu-img") is None:
        sys.exit(77)
    main()
