#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Spoils an operation at each of its system calls, and looks what is left.

usage: crash.py INJECT OPERATE SCENARIO

The scenario's VM is made once, and the operation is done once undisturbed:
that gives the states before and after. Then, for each mode of inject and each
N, a copy of the VM suffers the operation with that fault, the next start
follows, and the VM must be in one of the two states to the byte: names, tree,
what each snapshot holds (flattened by qemu-img), what the running disks hold,
and which files there are. An operation that reported success must have
happened; one that reported failure must not leave the VM unusable.

VIXFS_CRASH=all takes every system call; else only those that change files,
and of long operations every VIXFS_CRASH_STRIDEth call.
"""

import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

SIZE = 2 * 1024 * 1024 + 5 * 512


def run(*argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(argv)}: {done.stdout}")
    return done.stdout


class Bed:
    def __init__(self, inject, operate, scratch):
        self.inject = inject
        self.operate = operate
        self.scratch = scratch
        self.raw = os.path.join(scratch, "raw")
        self.nodes = []
        self.tidies = False  # merges that may be left for another time

    # ---- making VMs ----

    def make(self, path, subformats):
        os.mkdir(path)
        lines = ['.encoding = "UTF-8"', 'config.version = "8"',
                 'virtualHW.version = "19"', 'displayName = "vm"',
                 'scsi0.present = "TRUE"', 'nvram = "vm.nvram"']
        self.nodes = [f"scsi0:{n}" for n in range(len(subformats))]
        for number, subformat in enumerate(subformats):
            lines += [f'scsi0:{number}.present = "TRUE"',
                      f'scsi0:{number}.fileName = "disk{number}.vmdk"']
            content = bytearray(SIZE)
            for _ in range(12):
                self.scribble(content)
            with open(self.raw, "wb") as raw:
                raw.write(content)
            run("qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o",
                f"subformat={subformat}", self.raw,
                os.path.join(path, f"disk{number}.vmdk"))
        with open(os.path.join(path, "vm.nvram"), "wb") as nvram:
            nvram.write(random.randbytes(8684))
        with open(os.path.join(path, "vm.vmx"), "w") as vmx:
            vmx.write("\n".join(lines) + "\n")

    @staticmethod
    def scribble(content):
        length = 512 * random.choice([1, 8, 128, 200, 500])
        start = 512 * random.randrange((SIZE - length) // 512 + 1)
        byte = random.randrange(1, 256)
        content[start:start + length] = bytes([byte]) * length
        return byte, start, length

    def write(self, path):
        """Something new on every running disk."""
        for disk in self.running(path):
            commands = []
            for _ in range(4):
                byte, start, length = self.scribble(bytearray(SIZE))
                commands += ["-c", f"write -P {byte} {start} {length}"]
            run("qemu-io", "-f", "vmdk", *commands, os.path.join(path, disk))

    def do(self, path, *operation):
        run(self.operate, os.path.join(path, "vm.vmx"), *operation)

    def suspend(self, path):
        with open(os.path.join(path, "vm.vmss"), "wb") as vmss:
            vmss.write(random.randbytes(70000))
        with open(os.path.join(path, "vm.vmx"), "a") as vmx:
            vmx.write('checkpoint.vmState = "vm.vmss"\n')

    # ---- the state of a VM ----

    def running(self, path):
        with open(os.path.join(path, "vm.vmx")) as vmx:
            text = vmx.read()
        return [re.search(rf'^{node}\.fileName = "(.*)"$', text, re.M)[1]
                for node in self.nodes]

    def content(self, path, disk):
        if "flat" not in disk:
            check = subprocess.run(
                ["qemu-img", "check", "-q", "-f", "vmdk",
                 os.path.join(path, disk)], capture_output=True, text=True)
            # 63: this kind has nothing to check
            assert check.returncode in (0, 63), f"{disk}: {check.stderr}"
        run("qemu-img", "convert", "-f", "vmdk", "-O", "raw",
            os.path.join(path, disk), self.raw)
        with open(self.raw, "rb") as raw:
            return hash(raw.read())

    def state(self, path):
        with open(os.path.join(path, "vm.vmx")) as vmx:
            config = re.sub(r'disk\d(-\d+)?\.vmdk', "DISK", vmx.read())
        files = [name for name in sorted(os.listdir(path))
                 if not (self.tidies and name.endswith(".vmdk"))]
        found = {"files": files, "config": config,
                 "running": [self.content(path, disk)
                             for disk in self.running(path)]}
        keys = {}
        if os.path.exists(os.path.join(path, "vm.vmsd")):
            with open(os.path.join(path, "vm.vmsd")) as vmsd:
                keys = dict(re.findall(r'^(\S+) = "(.*)"$', vmsd.read(), re.M))
        found["current"] = keys.get("snapshot.current", "0")
        for n in range(int(keys.get("snapshot.numSnapshots", 0))):
            own = f"snapshot{n}."
            disks = [keys[f"{own}disk{k}.fileName"]
                     for k in range(int(keys[own + "numDisks"]))]
            found["uid " + keys[own + "uid"]] = (
                keys[own + "displayName"], keys.get(own + "description"),
                keys.get(own + "parent", "0"),
                [self.content(path, disk) for disk in disks])
        return found

    # ---- one fault ----

    def copy(self, template, name):
        path = os.path.join(self.scratch, name)
        shutil.rmtree(path, ignore_errors=True)
        run("cp", "-a", "--reflink=auto", template, path)
        return path

    def spoil(self, template, mode, n, operation):
        """Returns how the operation ended, how many calls, and the VM."""
        path = self.copy(template, "spoilt")
        reader, writer = os.pipe()
        os.set_inheritable(writer, True)
        done = subprocess.run(
            ["/bin/sh", "-c", f'exec "$@" 3>&{writer}', "sh", self.inject,
             mode, str(n), self.operate, os.path.join(path, "vm.vmx"),
             *operation],
            pass_fds=[writer], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        os.close(writer)
        with os.fdopen(reader) as counts:
            count = int(counts.read() or -1)
        assert done.returncode in (0, 1, 128 + 9), \
            f"ended with {done.returncode}: {done.stdout}"
        return done.returncode, count, path, done.stdout

    def judge(self, path, status, before, after):
        self.do(path, "start")
        state = self.state(path)
        if status == 0:
            assert state == after, "reported success: " + differ(state, after)
        elif state not in (before, after):
            raise AssertionError("neither before nor after:\nbefore "
                                 + differ(state, before) + "\nafter "
                                 + differ(state, after))


def differ(state, wanted):
    parts = []
    for key in sorted(set(state) | set(wanted)):
        if state.get(key) != wanted.get(key):
            parts.append(f"{key}: {state.get(key)} not {wanted.get(key)}")
    return "; ".join(parts)


# ---- scenarios: make the VM, return the operation ----

def create(bed, path):
    bed.make(path, ["monolithicSparse"])
    bed.do(path, "create", "first")
    bed.write(path)
    return ["create", "second"]


def create_first(bed, path):
    bed.make(path, ["monolithicFlat", "twoGbMaxExtentSparse"])
    return ["create", "first"]


def create_suspended(bed, path):
    bed.make(path, ["monolithicSparse"])
    bed.suspend(path)
    return ["create", "asleep"]


def three(bed, path, *subformats):
    """Snapshots 1 to 3 in a row, 4 beside 3, running below 4."""
    bed.make(path, subformats)
    for name in "one", "two", "three":
        bed.do(path, "create", name)
        bed.write(path)
    bed.do(path, "revert", "2")
    bed.write(path)
    bed.do(path, "create", "four")
    bed.write(path)


def revert(bed, path):
    three(bed, path, "monolithicSparse", "monolithicFlat")
    return ["revert", "1"]


def remove_base_sparse(bed, path):
    three(bed, path, "monolithicSparse")
    return ["remove", "1"]


def remove_base_flat(bed, path):
    three(bed, path, "monolithicFlat", "monolithicFlat")
    return ["remove", "1"]


def remove_base_stream(bed, path):
    three(bed, path, "streamOptimized")
    return ["remove", "1"]


def remove_branching(bed, path):
    three(bed, path, "monolithicSparse")
    return ["remove", "2"]


def remove_leaf(bed, path):
    three(bed, path, "monolithicSparse", "monolithicFlat")
    return ["remove", "3"]


def remove_delta(bed, path):
    three(bed, path, "monolithicSparse", "monolithicFlat")
    bed.do(path, "remove", "3")
    return ["remove", "2"]


def remove_current(bed, path):
    bed.make(path, ["twoGbMaxExtentFlat"])
    bed.do(path, "create", "only")
    bed.write(path)
    return ["remove", "1"]


def remove_tree(bed, path):
    three(bed, path, "monolithicSparse")
    return ["remove-tree", "2"]


def remove_beside(bed, path):
    """Below what goes is a link that can be merged at last; where that does
    not work, the removal is done all the same."""
    bed.tidies = True
    bed.make(path, ["monolithicSparse"])
    bed.do(path, "create", "one")
    bed.write(path)
    bed.do(path, "create", "two")
    bed.do(path, "revert", "1")
    bed.do(path, "remove", "1")
    bed.do(path, "revert", "2")
    bed.write(path)
    bed.do(path, "create", "three")
    bed.do(path, "revert", "2")
    bed.write(path)
    return ["remove", "3"]


def rename(bed, path):
    three(bed, path, "monolithicSparse")
    return ["rename", "2", "another name"]


def describe(bed, path):
    three(bed, path, "monolithicSparse")
    return ["describe", "3", "line one\nline two"]


SCENARIOS = {f.__name__.replace("_", "-"): f for f in (
    create, create_first, create_suspended, revert, remove_base_sparse,
    remove_base_flat, remove_base_stream, remove_branching, remove_leaf,
    remove_delta, remove_current, remove_tree, remove_beside, rename,
    describe)}


def try_mode(bed, mode, template, operation, before, after):
    """Each N until the fault comes no more; returns how many there were."""
    stride = int(os.environ.get("VIXFS_CRASH_STRIDE", 1))
    n, tried = 1, 0
    while True:
        status, count, path, out = bed.spoil(template, mode, n, operation)
        reached = status == 128 + 9 or count >= n
        try:
            bed.judge(path, status, before, after)
        except AssertionError as error:
            raise AssertionError(
                f"{mode} at call {n} ({out.strip()}): {error}") from None
        if not reached:
            assert status == 0, out
            return tried
        tried += 1
        n += stride


def main():
    inject, operate, name = sys.argv[1:]
    random.seed(name)
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    scratch = tempfile.mkdtemp(prefix="vixfs-crash.", dir=base)
    bed = Bed(inject, operate, scratch)
    modes = ["kill", "full", "error"]
    if os.environ.get("VIXFS_CRASH") == "all":
        modes[0] = "kill-all"
    failed = 0
    print(f"1..{len(modes)}", flush=True)
    try:
        template = os.path.join(scratch, "template")
        operation = SCENARIOS[name](bed, template)
        bed.do(template, "start")
        before = bed.state(template)
        done = bed.copy(template, "done")
        bed.do(done, *operation)
        after = bed.state(done)
        assert before != after, "the operation does nothing"
        for number, mode in enumerate(modes, 1):
            try:
                tried = try_mode(bed, mode, template, operation, before, after)
                assert tried > 0, "no call was spoilt"
                print(f"ok {number} - {name}: {mode} at {tried} calls",
                      flush=True)
            except AssertionError as error:
                failed += 1
                print(f"not ok {number} - {name}: {mode}")
                print("\n".join(f"# {line}"
                                for line in str(error).splitlines()),
                      flush=True)
                keep = os.environ.get("VIXFS_CRASH_KEEP")
                if keep:
                    shutil.rmtree(keep, ignore_errors=True)
                    shutil.copytree(os.path.join(scratch, "spoilt"), keep)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    if shutil.which("qemu-img") is None:
        sys.exit(77)
    main()
