// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestCreateMakesATreeWithChains(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "1")
	vm := b.vm("vm00000")
	one := b.create(vm, "one")
	two := b.create(vm, "two")
	tree := b.props(vm, "snapshot", "config.hardware.device")
	contains(t, tree, "<name>one</name>", "<childSnapshotList>", "<name>two</name>", "<state>poweredOff</state>",
		"[LocalDS_0] vm00000/vm00000-000002.vmdk")
	equal(t, "current", "VirtualMachineSnapshot:"+first(tree, "currentSnapshot"), two)
	equal(t, "ids", strings.Join(all(b.props(vm, "snapshot"), "id"), " "), "1 2")

	files := all(b.props(one, "config.hardware.device"), "fileName")
	equal(t, "chain of the first", strings.Join(files, ", "), "[LocalDS_0] vm00000/vm00000.vmdk")
	files = all(b.props(two, "config.hardware.device"), "fileName")
	equal(t, "chain of the second", len(files), 2)
	contains(t, strings.Join(files, ", "), "vm00000/vm00000-000001.vmdk", "vm00000/vm00000.vmdk")

	layout := b.props(vm, "layoutEx")
	contains(t, layout, "vm00000-Snapshot1.vmsn", "vm00000-Snapshot2.vmsn", "vm00000-flat.vmdk",
		"vm00000-000002-sesparse.vmdk", "<type>snapshotData</type>", "<memoryKey>-1</memoryKey>")
}

func TestRemoveMergesTheChain(t *testing.T) {
	b := startIn(t, "-kind", "vcenter", "-vms", "1")
	vm := b.vm("vm00000")
	one, two, three := b.create(vm, "one"), b.create(vm, "two"), b.create(vm, "three")
	b.ok("RemoveSnapshot_Task", two, "<removeChildren>false</removeChildren>")
	tree := b.props(vm, "snapshot")
	lacks(t, tree, "<name>two</name>")
	equal(t, "current", "VirtualMachineSnapshot:"+first(tree, "currentSnapshot"), three)
	files := all(b.props(three, "config.hardware.device"), "fileName")
	equal(t, "chain of three", strings.Join(files, ", "),
		"[LocalDS_0] vm00000/vm00000-000001.vmdk, [LocalDS_0] vm00000/vm00000.vmdk")
	b.ok("RemoveSnapshot_Task", one, "<removeChildren>true</removeChildren>")
	answer := b.props(vm, "snapshot", "config.hardware.device")
	lacks(t, answer, "<name>snapshot</name>", "-00000")
	b.wantFault("ManagedObjectNotFound", "RemoveSnapshot_Task", three, "<removeChildren>false</removeChildren>")
}

func TestRemovingTheCurrentRootBesideAnotherRootLeavesNoEmptyReference(t *testing.T) {
	// govmomi leaves an empty moref there and the next create panics.
	b := startIn(t, "-kind", "esx", "-vms", "1")
	vm := b.vm("vm00000")
	root := b.create(vm, "root")
	b.create(vm, "left")
	b.ok("RevertToSnapshot_Task", root, "")
	right := b.create(vm, "right")
	b.ok("RemoveSnapshot_Task", root, "<removeChildren>false</removeChildren>")
	b.ok("RemoveSnapshot_Task", right, "<removeChildren>false</removeChildren>")
	tree := b.props(vm, "snapshot")
	lacks(t, tree, "currentSnapshot")
	contains(t, tree, "<name>left</name>")
	next := b.create(vm, "next")
	tree = b.props(vm, "snapshot")
	equal(t, "current", "VirtualMachineSnapshot:"+first(tree, "currentSnapshot"), next)
	equal(t, "roots", strings.Count(tree, "<rootSnapshotList>"), 2)
}

func TestMemoryAndQuiesce(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "1", "-on")
	vm := b.vm("vm00000")
	b.ok("CreateSnapshot_Task", vm, createArguments("mem", true, true))
	b.ok("CreateSnapshot_Task", vm, createArguments("quiet", false, true))
	tree := b.props(vm, "snapshot")
	equal(t, "states", strings.Join(all(tree, "state"), " "), "poweredOn poweredOff")
	equal(t, "quiesced", strings.Join(all(tree, "quiesced"), " "), "false true")
	contains(t, b.props(vm, "layoutEx"), "vm00000-Snapshot1.vmem", "<type>snapshotMemory</type>")

	b.control("vm/set", "vm", "vm00000", "frozen", "1")
	_, failure := b.run("CreateSnapshot_Task", vm, createArguments("no", false, true))
	equal(t, "frozen", failure, "ApplicationQuiesceFault")
	b.control("vm/set", "vm", "vm00000", "frozen", "0", "tools", "none")
	b.ok("CreateSnapshot_Task", vm, createArguments("ignored", false, true))
	equal(t, "quiesced", strings.Join(all(b.props(vm, "snapshot"), "quiesced"), " "), "false true false")

	b.ok("PowerOffVM_Task", vm, "")
	b.ok("CreateSnapshot_Task", vm, createArguments("off", true, true))
	tree = b.props(vm, "snapshot")
	equal(t, "state", all(tree, "state")[3], "poweredOff")
	equal(t, "quiesced", all(tree, "quiesced")[3], "false")
}

func TestSuspendedTakesNoSecondSnapshotUnchanged(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "1", "-on")
	vm := b.vm("vm00000")
	b.ok("SuspendVM_Task", vm, "")
	b.create(vm, "one")
	equal(t, "state", first(b.props(vm, "snapshot"), "state"), "suspended")
	_, failure := b.run("CreateSnapshot_Task", vm, createArguments("two", false, false))
	equal(t, "second", failure, "SnapshotNoChange")
}

func TestRevertChangesPower(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "1", "-on")
	vm := b.vm("vm00000")
	power := func() string {
		return first(b.props(vm, "runtime.powerState"), "val")
	}
	mem := "VirtualMachineSnapshot:" + b.ok("CreateSnapshot_Task", vm, createArguments("mem", true, false))
	plain := b.create(vm, "plain")
	b.ok("RevertToSnapshot_Task", plain, "")
	equal(t, "without memory", power(), "poweredOff")
	b.ok("RevertToSnapshot_Task", mem, "")
	equal(t, "with memory", power(), "poweredOn")
	equal(t, "current", "VirtualMachineSnapshot:"+first(b.props(vm, "snapshot"), "currentSnapshot"), mem)
	b.ok("PowerOffVM_Task", vm, "")
	b.ok("RevertToSnapshot_Task", mem, "<suppressPowerOn>true</suppressPowerOn>")
	equal(t, "suppressed", power(), "poweredOff")
	b.ok("RevertToCurrentSnapshot_Task", vm, "")
	equal(t, "to current", power(), "poweredOn")
	b.ok("RemoveAllSnapshots_Task", vm, "")
	b.wantFault("NotFound", "RevertToCurrentSnapshot_Task", vm, "")
}

func TestRenameKeepsWhatIsNotSent(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "1")
	vm := b.vm("vm00000")
	one := b.create(vm, "one")
	b.do("RenameSnapshot", one, "<name>uno</name>")
	contains(t, b.props(vm, "snapshot"), "<name>uno</name>", "<description>text</description>")
	b.do("RenameSnapshot", one, "<description></description>")
	contains(t, b.props(vm, "snapshot"), "<name>uno</name>", "<description></description>")
	b.do("RenameSnapshot", one, "<description>again</description>")
	contains(t, b.props(vm, "snapshot"), "<description>again</description>")
	b.wantFault("InvalidArgument", "RenameSnapshot", one, "")
	b.wantFault("InvalidName", "RenameSnapshot", one, "<name></name>")
}

func TestNamesAreStoredAsProductsDo(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "1")
	vm := b.vm("vm00000")
	b.create(vm, "8%2F23%2f2023 100%25 a%5cb c%41")
	contains(t, b.props(vm, "snapshot"), "<name>8%2f23%2f2023 100%25 a%5cb cA</name>")
	equal(t, "plain", b.control("vm", "vm", "vm00000")["snapshots"].([]interface{})[0].(map[string]interface{})["name"],
		`8/23/2023 100% a\b cA`)
	b.create(vm, "a/b")
	contains(t, b.props(vm, "snapshot"), "<name>a%2fb</name>")
	for _, bad := range []string{"100%", "%zz", "", strings.Repeat("x", 81)} {
		b.wantFault("InvalidName", "CreateSnapshot_Task", vm, createArguments(bad, false, false))
	}
	b.create(vm, strings.Repeat("ä", 80))
}

func TestCreateSnapshotEx(t *testing.T) {
	b := startIn(t, "-kind", "vcenter", "-vms", "1", "-on")
	vm := b.vm("vm00000")
	arguments := `<name>ex</name><memory>false</memory><quiesceSpec xsi:type="VirtualMachineGuestQuiesceSpec"><timeout>%d</timeout></quiesceSpec>`
	b.ok("CreateSnapshotEx_Task", vm, fmt.Sprintf(arguments, 15))
	contains(t, b.props(vm, "snapshot"), "<quiesced>true</quiesced>")
	b.wantFault("InvalidArgument", "CreateSnapshotEx_Task", vm, fmt.Sprintf(arguments, 3))
	b.version = "6.0"
	b.wantFault("MethodNotFound", "CreateSnapshotEx_Task", vm, fmt.Sprintf(arguments, 15))
}

func TestLimits(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "2", "-disks", "2")
	vm := b.vm("vm00000")
	b.control("set", "levels", "3")
	for i := 0; i < 3; i++ {
		b.create(vm, fmt.Sprint("s", i))
	}
	_, failure := b.run("CreateSnapshot_Task", vm, createArguments("over", false, false))
	equal(t, "fourth level", failure, "TooManySnapshotLevels")

	other := b.vm("vm00001")
	b.control("vm/set", "vm", "vm00001", "independent", "1")
	b.control("power", "vm", "vm00001", "state", "on")
	_, failure = b.run("CreateSnapshot_Task", other, createArguments("mem", true, false))
	equal(t, "independent disk", failure, "MemorySnapshotOnIndependentDisk")
	b.create(other, "plain")
	contains(t, b.props(other, "config.hardware.device"), "vm00001_1.vmdk", "vm00001-000001.vmdk")
}

func TestConsolidate(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "1")
	vm := b.vm("vm00000")
	b.control("vm/set", "vm", "vm00000", "consolidation", "1")
	equal(t, "needed", first(b.props(vm, "runtime.consolidationNeeded"), "val"), "true")
	b.ok("ConsolidateVMDisks_Task", vm, "")
	equal(t, "needed", first(b.props(vm, "runtime.consolidationNeeded"), "val"), "false")
}

func TestServer2(t *testing.T) {
	b := startIn(t, "-kind", "server2", "-vms", "1")
	vm := b.vm("vm00000")
	content := b.do("RetrieveServiceContent", "ServiceInstance:ServiceInstance", "")
	contains(t, content, "<productLineId>gsx</productLineId>", "<apiVersion>2.5</apiVersion>", "<apiType>HostAgent</apiType>")
	one := b.create(vm, "one")
	b.wantFault("MultipleSnapshotsNotSupported", "CreateSnapshot_Task", vm, createArguments("two", false, false))
	b.ok("RemoveSnapshot_Task", one, "<removeChildren>false</removeChildren>")
	b.create(vm, "two")
	for _, method := range []string{"WaitForUpdatesEx", "CreatePropertyCollector", "CreateSnapshotEx_Task", "ConsolidateVMDisks_Task"} {
		arguments := ""
		if method == "CreateSnapshotEx_Task" {
			arguments = "<name>x</name><memory>false</memory>"
		}
		b.wantFault("MethodNotFound", method, vm, arguments)
	}
	b.wantFault("MethodNotFound", "RetrievePropertiesEx", b.collector(), "<options/>")
	b.wantFault("InvalidProperty", "RetrieveProperties", b.collector(),
		"<specSet><propSet><type>VirtualMachine</type><pathSet>layoutEx</pathSet></propSet><objectSet>"+ref("obj", vm)+"</objectSet></specSet>")
	contains(t, b.props(vm, "layout"), "vm00000-Snapshot2.vmsn")
}

func TestFillMakesDeepAndWideTrees(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "1")
	vm := b.vm("vm00000")
	b.control("snapshot/fill", "vm", "vm00000", "count", "600", "depth", "200")
	tree := b.props(vm, "snapshot")
	equal(t, "snapshots", len(all(tree, "id")), 600)
	equal(t, "roots", strings.Count(tree, "<rootSnapshotList>"), 3)
	end := "<replaySupported>false</replaySupported></childSnapshotList>"
	contains(t, tree, strings.Repeat(end, 199), "snap-600")
	lacks(t, tree, strings.Repeat(end, 200))
}
