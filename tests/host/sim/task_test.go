// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// begin starts a create and returns its task.
func (c *client) begin(vm, name string) string {
	c.t.Helper()
	return "Task:" + first(c.do("CreateSnapshot_Task", vm, createArguments(name, false, false)), "returnval")
}

func (c *client) state(task string) string {
	c.t.Helper()
	return first(c.props(task, "info.state"), "val")
}

func TestTaskRunsWithProgress(t *testing.T) {
	b := startIn(t, "-kind", "vcenter", "-vms", "1")
	b.control("set", "create", "2000")
	b.opID = "vixfs-17"
	vm := b.vm("vm00000")
	before := time.Now()
	task := b.begin(vm, "slow")
	if took := time.Since(before); took > 2*time.Second {
		t.Fatalf("the call took %v", took)
	}
	var info string
	until(t, "progress", func() bool {
		info = b.props(task, "info")
		return strings.Contains(info, "<progress>")
	})
	contains(t, info, "<state>running</state>", "<progress>", "<activationId>vixfs-17</activationId>",
		"<descriptionId>VirtualMachine.createSnapshot</descriptionId>", "<userName>root</userName>")
	contains(t, b.props(vm, "recentTask"), strings.TrimPrefix(task, "Task:"))
	contains(t, b.props("TaskManager:TaskManager", "recentTask"), strings.TrimPrefix(task, "Task:"))
	lacks(t, b.props(vm, "snapshot"), "slow")
	info = b.task(strings.TrimPrefix(task, "Task:"))
	contains(t, info, "<state>success</state>", `type="VirtualMachineSnapshot"`, "<completeTime>")
	lacks(t, info, "<progress>")
	if took := time.Since(before); took < 2*time.Second {
		t.Fatalf("done after %v", took)
	}
	contains(t, b.props(vm, "snapshot"), "slow")
}

func TestTasksThatAreHurriedEnd(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "1")
	b.control("set", "create", "600000")
	vm := b.vm("vm00000")
	task := b.begin(vm, "hurried")
	until(t, "running", func() bool { return b.state(task) == "running" })
	b.control("tasks/finish")
	contains(t, b.task(strings.TrimPrefix(task, "Task:")), "<state>success</state>")
	contains(t, b.props(vm, "snapshot"), "hurried")
}

func TestOneLongOperationPerVM(t *testing.T) {
	// A host refuses the call, vCenter's task fails.
	for _, kind := range []string{"esx", "vcenter"} {
		b := startIn(t, "-kind", kind, "-vms", "2")
		b.control("set", "create", "60000")
		vm, other := b.vm("vm00000"), b.vm("vm00001")
		task := b.begin(vm, "first")
		if kind == "esx" {
			b.wantFault("TaskInProgress", "CreateSnapshot_Task", vm, createArguments("second", false, false))
		} else {
			_, failure := b.run("CreateSnapshot_Task", vm, createArguments("second", false, false))
			equal(t, "second", failure, "TaskInProgress")
		}
		elsewhere := b.begin(other, "elsewhere")
		for _, each := range []string{task, elsewhere} {
			b.do("CancelTask", each, "")
			b.task(strings.TrimPrefix(each, "Task:"))
		}
		b.control("set", "create", "0")
		b.create(vm, "third")
		equal(t, "snapshots", strings.Count(b.props(vm, "snapshot"), "<id>"), 1)
		b.control("vm/set", "vm", "vm00000", "busy", "60000")
		_, failure := b.run("PowerOnVM_Task", vm, "")
		equal(t, "held", failure, "TaskInProgress")
		b.control("vm/set", "vm", "vm00000", "busy", "0")
		b.ok("PowerOnVM_Task", vm, "")
	}
}

func TestCancel(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "1")
	b.control("set", "create", "60000", "remove", "2000")
	vm := b.vm("vm00000")
	task := b.begin(vm, "never")
	if !strings.HasPrefix(task, "Task:haTask-") {
		t.Fatal(task)
	}
	b.do("CancelTask", task, "")
	info := b.task(strings.TrimPrefix(task, "Task:"))
	contains(t, info, "<state>error</state>", "<cancelled>true</cancelled>", "RequestCanceled")
	lacks(t, b.props(vm, "snapshot"), "never")
	b.wantFault("InvalidState", "CancelTask", task, "")

	b.control("set", "create", "0")
	one := b.create(vm, "one")
	task = "Task:" + first(b.do("RemoveSnapshot_Task", one, "<removeChildren>false</removeChildren>"), "returnval")
	b.wantFault("NotSupported", "CancelTask", task, "")
	contains(t, b.task(strings.TrimPrefix(task, "Task:")), "<state>success</state>")
	b.wantFault("ManagedObjectNotFound", "CancelTask", "Task:haTask-0", "")
}

func TestManyTasksSideBySide(t *testing.T) {
	b := startIn(t, "-kind", "vcenter", "-vms", "100")
	b.control("set", "create", "300")
	before := time.Now()
	var tasks []string
	for i := 0; i < 100; i++ {
		tasks = append(tasks, b.begin(fmt.Sprint("VirtualMachine:", b.s.w.order[i].ref().Value), "x"))
	}
	for _, task := range tasks {
		b.task(strings.TrimPrefix(task, "Task:"))
	}
	if took := time.Since(before); took > 15*time.Second {
		t.Fatalf("100 tasks of 0.3 s took %v", took)
	}
	b.control("set", "slots", "1", "create", "60000")
	first, second := b.begin(b.vm("vm00000"), "y"), b.begin(b.vm("vm00001"), "y")
	until(t, "one runs", func() bool { return b.state(first) == "running" || b.state(second) == "running" })
	states := b.state(first) + " " + b.state(second)
	if states != "running queued" && states != "queued running" {
		t.Fatal(states)
	}
	for _, task := range []string{first, second} {
		b.do("CancelTask", task, "")
		b.task(strings.TrimPrefix(task, "Task:"))
	}
}

func TestConcurrentCreatesOfOneVM(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "1")
	vm := b.vm("vm00000")
	b.control("set", "levels", "1000")
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for i := 0; i < 40; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			c := newClient(t, b.s)
			c.cookie = b.cookie
			status, _, err := c.try(soapCall("CreateSnapshot_Task", vm, createArguments(fmt.Sprint("n", i), false, false)))
			if err == nil && status == 200 {
				mu.Lock()
				made++
				mu.Unlock()
			}
		}(i)
	}
	wg.Wait()
	until(t, "all done", func() bool { return b.control("counters")["tasksRunning"].(float64) == 0 })
	equal(t, "snapshots", strings.Count(b.props(vm, "snapshot"), "<id>"), made)
	creates := b.control("counters")["creates"].(map[string]interface{})
	equal(t, "counted", len(creates), made)
}

func TestOrderedFailures(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "2")
	vm, other := b.vm("vm00000"), b.vm("vm00001")
	b.control("fail", "method", "CreateSnapshot_Task", "fault", "NoDiskSpace", "when", "task", "field.datastore", "ds1", "message", "full & done")
	task := b.begin(vm, "x")
	contains(t, b.task(strings.TrimPrefix(task, "Task:")), "NoDiskSpace", "<datastore>ds1</datastore>", "full &amp; done")
	b.control("fail", "method", "CreateSnapshot_Task", "fault", "NoPermission", "vm", "vm00001", "field.privilegeId", "P", "times", "2")
	b.create(vm, "fine")
	b.wantFault("NoPermission", "CreateSnapshot_Task", other, createArguments("x", false, false))
	b.wantFault("NoPermission", "CreateSnapshot_Task", other, createArguments("x", false, false))
	b.create(other, "fine")
	b.control("set", "remove", "200")
	b.control("fail", "method", "*", "fault", "GenericVmConfigFault", "when", "late")
	_, failure := b.run("RemoveAllSnapshots_Task", vm, "")
	equal(t, "late", failure, "GenericVmConfigFault")
	contains(t, b.props(vm, "snapshot"), "fine")
	for _, wrong := range [][]string{{"method", "X", "fault", "Nonsense"}, {"method", "X", "fault", "VirtualMachine"},
		{"method", "X", "fault", "NoPermission", "field.nope", "1"}, {"fault", "NoPermission"}} {
		if _, status := b.order("fail", wrong...); status != 400 {
			t.Fatalf("%v: %d", wrong, status)
		}
	}
}

// TestEveryMappedFault makes each fault of the client's table once.
func TestEveryMappedFault(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "1")
	vm := b.vm("vm00000")
	for _, name := range strings.Fields(`NotAuthenticated NoPermission InvalidLogin PasswordExpired RestrictedVersion NotEnoughLicenses
		ManagedObjectNotFound NotFound TaskInProgress VAppTaskInProgress ConcurrentAccess ResourceInUse InvalidPowerState InvalidState
		InvalidHostState InvalidName DuplicateName TooManySnapshotLevels MultipleSnapshotsNotSupported SnapshotNoChange SnapshotLocked
		SnapshotDisabled SnapshotIncompatibleDeviceInVm MemorySnapshotOnIndependentDisk ApplicationQuiesceFault FilesystemQuiesceFault
		InvalidSnapshotFormat SnapshotFault NoDiskSpace FileLocked FileNotFound FileAlreadyExists CannotAccessFile FileNotWritable
		FileTooLarge FileFault InaccessibleDatastore InvalidDatastore VmConfigFault GenericVmConfigFault InsufficientResourcesFault
		NotSupported NotImplemented MethodNotFound MethodDisabled ToolsUnavailable InvalidArgument InvalidProperty InvalidRequest
		InvalidType HostNotConnected HostCommunication HostConnectFault HostNotReachable Timedout RequestCanceled SystemError
		RuntimeFault UnexpectedFault InvalidCollectorVersion`) {
		b.control("fail", "method", "CreateSnapshot_Task", "fault", name)
		b.wantFault(name, "CreateSnapshot_Task", vm, createArguments("x", false, false))
		b.control("fail", "method", "CreateSnapshot_Task", "fault", name, "when", "task")
		_, failure := b.run("CreateSnapshot_Task", vm, createArguments("x", false, false))
		equal(t, "task", failure, name)
	}
	lacks(t, b.props(vm, "snapshot"), "<id>")
}

func TestQuestionBlocksTasks(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "1")
	vm := b.vm("vm00000")
	b.control("vm/set", "vm", "vm00000", "question", "Moved or copied?")
	contains(t, b.props(vm, "runtime.question"), "<text>Moved or copied?</text>", "<id>msg.question</id>")
	task := b.begin(vm, "x")
	until(t, "it runs", func() bool { return b.state(task) == "running" })
	time.Sleep(100 * time.Millisecond)
	equal(t, "state", b.state(task), "running")
	b.wantFault("InvalidArgument", "AnswerVM", vm, "<questionId>other</questionId><answerChoice>0</answerChoice>")
	b.do("AnswerVM", vm, "<questionId>msg.question</questionId><answerChoice>0</answerChoice>")
	contains(t, b.task(strings.TrimPrefix(task, "Task:")), "<state>success</state>")
	lacks(t, b.props(vm, "runtime.question"), "<name>runtime.question</name>")
}

func TestFreeLicenceAndPrivileges(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "1", "-licence")
	vm := b.vm("vm00000")
	for method, arguments := range map[string]string{"CreateSnapshot_Task": createArguments("x", false, false), "PowerOnVM_Task": "",
		"Rename_Task": "<newName>x</newName>"} {
		b.wantFault("RestrictedVersion", method, vm, arguments)
	}
	b.props(vm, "snapshot")
	b.control("set", "licence", "0", "deny", "VirtualMachine.State.CreateSnapshot,X", "hide", "config.uuid")
	status, answer := b.post(soapCall("CreateSnapshot_Task", vm, createArguments("x", false, false)))
	equal(t, "status", status, 500)
	contains(t, answer, "<privilegeId>VirtualMachine.State.CreateSnapshot</privilegeId>", strings.TrimPrefix(vm, "VirtualMachine:")+"</object>")
	b.ok("PowerOnVM_Task", vm, "")
	answer = b.props(vm, "config.uuid", "name")
	contains(t, answer, "<missingSet><path>config.uuid</path>", "NoPermission", "vm00000")
	answer = b.do("HasPrivilegeOnEntities", "AuthorizationManager:ha-authmgr", ref("entity", vm)+
		"<sessionId>x</sessionId><privId>X</privId><privId>Y</privId>")
	equal(t, "granted", strings.Join(all(answer, "isGranted"), " "), "false true")
}
