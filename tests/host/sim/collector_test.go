// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// watch makes a collector of its own with a filter on all VMs and folders.
func (c *client) watch(paths ...string) (collector, filter string) {
	c.t.Helper()
	answer := c.do("CreatePropertyCollector", c.collector(), "")
	collector = "PropertyCollector:" + first(answer, "returnval")
	answer = c.do("CreateContainerView", "ViewManager:ViewManager",
		ref("container", c.rootFolder())+"<type>VirtualMachine</type><type>Folder</type><recursive>true</recursive>")
	view := "ContainerView:" + first(answer, "returnval")
	answer = c.do("CreateFilter", collector, "<spec><propSet><type>VirtualMachine</type><pathSet>"+
		strings.Join(paths, "</pathSet><pathSet>")+"</pathSet></propSet>"+
		"<propSet><type>Folder</type><pathSet>name</pathSet></propSet><objectSet>"+ref("obj", view)+
		`<skip>true</skip><selectSet xsi:type="TraversalSpec"><name>v</name><type>ContainerView</type><path>view</path><skip>false</skip>`+
		"</selectSet></objectSet></spec><partialUpdates>false</partialUpdates>")
	return collector, "PropertyFilter:" + first(answer, "returnval")
}

func waitArguments(version string, seconds, max int) string {
	limit := ""
	if max > 0 {
		limit = fmt.Sprintf("<maxObjectUpdates>%d</maxObjectUpdates>", max)
	}
	return fmt.Sprintf("<version>%s</version><options><maxWaitSeconds>%d</maxWaitSeconds>%s</options>", version, seconds, limit)
}

// wait returns the update set and its version; "" when there was none.
func (c *client) wait(collector, version string, seconds int) (set, next string) {
	c.t.Helper()
	answer := c.do("WaitForUpdatesEx", collector, waitArguments(version, seconds, 0))
	if strings.Contains(answer, "<returnval>") {
		return answer, first(answer, "version")
	}
	return "", version
}

// load takes the whole initial state and returns the number of objects.
func (c *client) load(collector string) (objects, sets int, version string) {
	c.t.Helper()
	set, version := c.wait(collector, "", 0)
	for {
		sets++
		objects += strings.Count(set, "<kind>enter</kind>")
		if !strings.Contains(set, "<truncated>true</truncated>") {
			return objects, sets, version
		}
		set, version = c.wait(collector, version, 0)
	}
}

func TestInitialStateIsTruncated(t *testing.T) {
	b := startIn(t, "-kind", "vcenter", "-vms", "450", "-datacenters", "2", "-folders", "2")
	collector, _ := b.watch("name", "snapshot")
	objects, sets, version := b.load(collector)
	// Folders: 4 of each datacenter and 2 nested ones.
	equal(t, "objects", objects, 450+2*(4+2))
	equal(t, "sets", sets, 5)
	if set, _ := b.wait(collector, version, 0); set != "" {
		t.Fatalf("more after the state: %s", set)
	}
	answer := b.do("WaitForUpdatesEx", collector, waitArguments("", 0, 7))
	equal(t, "maxObjectUpdates", strings.Count(answer, "<kind>enter</kind>"), 7)
}

func TestChangesAreReported(t *testing.T) {
	b := startIn(t, "-kind", "vcenter", "-vms", "3", "-folders", "1")
	collector, _ := b.watch("name", "snapshot", "runtime.powerState", "parent")
	_, _, version := b.load(collector)

	b.control("snapshot/create", "vm", "vm00001", "name", "by others")
	set, version := b.wait(collector, version, 5)
	contains(t, set, "<kind>modify</kind>", "<name>snapshot</name><op>assign</op><val", "<name>by others</name>")
	lacks(t, set, "powerState", "<kind>enter</kind>")

	b.control("snapshot/clear", "vm", "vm00001")
	set, version = b.wait(collector, version, 5)
	contains(t, set, "<name>snapshot</name><op>assign</op></changeSet>")

	b.control("vm/create", "name", "new", "folder", "DC0/F0")
	set, version = b.wait(collector, version, 5)
	contains(t, set, "<kind>enter</kind>", ">new</val>")

	b.control("vm/move", "vm", "vm00002", "folder", "DC0")
	b.control("vm/rename", "vm", "vm00002", "name", "x/y")
	set, version = b.wait(collector, version, 5)
	contains(t, set, "<name>parent</name>", ">x%2fy</val>")

	moref := strings.TrimPrefix(b.vm("new"), "VirtualMachine:")
	b.control("vm/destroy", "vm", "new")
	set, _ = b.wait(collector, version, 5)
	contains(t, set, "<kind>leave</kind>", ">"+moref+"</obj>")
}

func TestWaitIsHeldAndWokenUp(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "1")
	collector, _ := b.watch("snapshot")
	_, _, version := b.load(collector)
	before := time.Now()
	if set, _ := b.wait(collector, version, 1); set != "" {
		t.Fatalf("update without a change: %s", set)
	}
	if held := time.Since(before); held < 900*time.Millisecond {
		t.Fatalf("held for %v only", held)
	}
	go func() {
		time.Sleep(100 * time.Millisecond)
		b.control("snapshot/create", "vm", "vm00000", "name", "x")
	}()
	before = time.Now()
	set, _ := b.wait(collector, version, 10)
	contains(t, set, "<name>x</name>")
	if held := time.Since(before); held > 9*time.Second {
		t.Fatalf("told after %v", held)
	}
}

func TestUntruncatedVersionMayBeUsedAgain(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "1")
	collector, _ := b.watch("snapshot")
	_, _, version := b.load(collector)
	b.control("snapshot/create", "vm", "vm00000", "name", "one")
	for i := 0; i < 3; i++ { // as if the answers were lost
		set, _ := b.wait(collector, version, 5)
		contains(t, set, "<name>one</name>")
	}
	b.control("snapshot/create", "vm", "vm00000", "name", "two")
	set, newer := b.wait(collector, version, 5)
	contains(t, set, "<name>one</name>", "<name>two</name>")
	if set, _ = b.wait(collector, newer, 0); set != "" {
		t.Fatalf("told twice: %s", set)
	}
	b.control("vm/unregister", "vm", "vm00000")
	set, _ = b.wait(collector, version, 5)
	contains(t, set, "<kind>leave</kind>")
}

func TestTruncatedVersionWorksOnce(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "250")
	collector, _ := b.watch("name")
	_, version := b.wait(collector, "", 0)
	set, _ := b.wait(collector, version, 0)
	contains(t, set, "<truncated>true</truncated>")
	b.wantFault("InvalidCollectorVersion", "WaitForUpdatesEx", collector, waitArguments(version, 0, 0))
	objects, _, _ := b.load(collector)
	equal(t, "objects from the start", objects, 250+4)
}

func TestUnknownVersions(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "1", "-versions", "2")
	collector, _ := b.watch("snapshot")
	_, _, old := b.load(collector)
	version := old
	for i := 0; i < 3; i++ {
		b.control("snapshot/create", "vm", "vm00000", "name", fmt.Sprint(i))
		_, version = b.wait(collector, version, 5)
	}
	for _, bad := range []string{"999", "-", "x y", old} {
		b.wantFault("InvalidCollectorVersion", "WaitForUpdatesEx", collector, waitArguments(bad, 0, 0))
	}
	if set, _ := b.wait(collector, version, 0); set != "" {
		t.Fatalf("unexpected: %s", set)
	}
}

func TestUpdatesSurviveABrokenConnection(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "1")
	collector, _ := b.watch("snapshot")
	_, _, version := b.load(collector)
	other := newClient(t, b.s)
	other.cookie = b.cookie
	other.http.Timeout = 300 * time.Millisecond
	if _, _, err := other.try(soapCall("WaitForUpdatesEx", collector, waitArguments(version, 30, 0))); err == nil {
		t.Fatal("the connection was to break")
	}
	b.control("snapshot/create", "vm", "vm00000", "name", "meanwhile")
	set, _ := b.wait(collector, version, 5)
	contains(t, set, "<name>meanwhile</name>")
	until(t, "the wait without a client ends", func() bool { return b.control("counters")["waits"].(float64) == 0 })
}

func TestCancelAndSecondWait(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "1")
	collector, _ := b.watch("snapshot")
	_, _, version := b.load(collector)
	held := func() chan string {
		done := make(chan string, 1)
		waiting := newClient(t, b.s)
		waiting.cookie = b.cookie
		go func() {
			_, answer, _ := waiting.try(soapCall("WaitForUpdatesEx", collector, waitArguments(version, 30, 0)))
			done <- answer
		}()
		until(t, "the wait", func() bool { return b.control("counters")["waits"].(float64) > 0 })
		return done
	}
	done := held()
	b.do("CancelWaitForUpdates", collector, "")
	contains(t, <-done, "RequestCanceledFault")
	done = held()
	b.wait(collector, version, 0)
	contains(t, <-done, "RequestCanceledFault")
	done = held()
	b.control("session/expire")
	contains(t, <-done, "NotAuthenticatedFault")
	b.wantFault("NotAuthenticated", "WaitForUpdatesEx", collector, waitArguments(version, 0, 0))
	b.login()
	b.wantFault("ManagedObjectNotFound", "WaitForUpdatesEx", collector, waitArguments(version, 0, 0))
}

func TestTaskFilterComesAndGoesWhileWaiting(t *testing.T) {
	b := startIn(t, "-kind", "vcenter", "-vms", "1")
	b.control("set", "create", "1000")
	collector, _ := b.watch("name")
	_, _, version := b.load(collector)
	task := "Task:" + first(b.do("CreateSnapshot_Task", b.vm("vm00000"), createArguments("x", false, false)), "returnval")
	spec := "<spec><propSet><type>Task</type><pathSet>info.state</pathSet><pathSet>info.result</pathSet><pathSet>info.progress</pathSet></propSet>" +
		"<objectSet>" + ref("obj", task) + "</objectSet><reportMissingObjectsInResults>true</reportMissingObjectsInResults></spec><partialUpdates>false</partialUpdates>"
	filter := "PropertyFilter:" + first(b.do("CreateFilter", collector, spec), "returnval")
	set, version := b.wait(collector, version, 5)
	contains(t, set, "<kind>enter</kind>", "info.state")
	seen := set
	for !strings.Contains(seen, ">success</val>") {
		set, version = b.wait(collector, version, 5)
		seen += set
	}
	contains(t, seen, "info.progress", "<name>info.result</name>", "VirtualMachineSnapshot")
	b.do("DestroyPropertyFilter", filter, "")
	b.wantFault("ManagedObjectNotFound", "DestroyPropertyFilter", filter, "")

	b.control("set", "keep", "0")
	time.Sleep(1100 * time.Millisecond)
	b.create(b.vm("vm00000"), "purges the old one")
	b.do("CreateFilter", collector, spec)
	set, _ = b.wait(collector, version, 5)
	contains(t, set, "<missingSet>", "ManagedObjectNotFound")
	b.wantFault("ManagedObjectNotFound", "CreateFilter", collector,
		strings.Replace(spec, "<reportMissingObjectsInResults>true</reportMissingObjectsInResults>", "", 1))
}

func TestRetrievePages(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "25")
	view := "ContainerView:" + first(b.do("CreateContainerView", "ViewManager:ViewManager",
		ref("container", b.rootFolder())+"<type>VirtualMachine</type><recursive>true</recursive>"), "returnval")
	spec := "<specSet><propSet><type>VirtualMachine</type><pathSet>name</pathSet></propSet><objectSet>" + ref("obj", view) +
		`<skip>true</skip><selectSet xsi:type="TraversalSpec"><type>ContainerView</type><path>view</path></selectSet></objectSet></specSet>`
	pc := b.collector()
	answer := b.do("RetrievePropertiesEx", pc, spec+"<options><maxObjects>10</maxObjects></options>")
	seen := strings.Count(answer, "<objects>")
	tokens := 0
	for token := first(answer, "token"); token != ""; token = first(answer, "token") {
		tokens++
		used := token
		answer = b.do("ContinueRetrievePropertiesEx", pc, "<token>"+token+"</token>")
		seen += strings.Count(answer, "<objects>")
		b.wantFault("InvalidArgument", "ContinueRetrievePropertiesEx", pc, "<token>"+used+"</token>")
	}
	equal(t, "objects", seen, 25)
	equal(t, "tokens", tokens, 2)
	b.control("set", "page", "20")
	answer = b.do("RetrievePropertiesEx", pc, spec+"<options/>")
	equal(t, "policy", strings.Count(answer, "<objects>"), 20)
	b.do("CancelRetrievePropertiesEx", pc, "<token>"+first(answer, "token")+"</token>")
	b.wantFault("InvalidArgument", "ContinueRetrievePropertiesEx", pc, "<token>"+first(answer, "token")+"</token>")
}

func TestTraversalWithoutViews(t *testing.T) {
	b := startIn(t, "-kind", "vcenter", "-vms", "30", "-folders", "3", "-vapps", "1", "-datacenters", "2")
	spec := `<specSet><propSet><type>VirtualMachine</type><pathSet>name</pathSet></propSet><objectSet>` + ref("obj", b.rootFolder()) +
		`<skip>true</skip>` +
		`<selectSet xsi:type="TraversalSpec"><name>f</name><type>Folder</type><path>childEntity</path><skip>false</skip><selectSet><name>f</name></selectSet><selectSet><name>d</name></selectSet><selectSet><name>a</name></selectSet></selectSet>` +
		`<selectSet xsi:type="TraversalSpec"><name>d</name><type>Datacenter</type><path>vmFolder</path><skip>true</skip><selectSet><name>f</name></selectSet></selectSet>` +
		`<selectSet xsi:type="TraversalSpec"><name>a</name><type>VirtualApp</type><path>vm</path><skip>false</skip></selectSet></objectSet></specSet>`
	answer := b.do("RetrieveProperties", b.collector(), spec)
	equal(t, "VMs", strings.Count(answer, "<returnval>"), 30)
}

func TestInvalidProperties(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "1")
	spec := func(path string) string {
		return "<specSet><propSet><type>VirtualMachine</type><pathSet>" + path + "</pathSet></propSet><objectSet>" + ref("obj", b.vm("vm00000")) + "</objectSet></specSet>"
	}
	b.wantFault("InvalidProperty", "RetrieveProperties", b.collector(), spec("nonsense"))
	b.wantFault("InvalidProperty", "RetrieveProperties", b.collector(), spec("config.hardware.nonsense"))
	b.do("RetrieveProperties", b.collector(), spec("runtime.consolidationNeeded"))
	b.version = "4.1"
	b.wantFault("InvalidProperty", "RetrieveProperties", b.collector(), spec("runtime.consolidationNeeded"))
	b.version = "" // the oldest
	b.wantFault("InvalidProperty", "RetrieveProperties", b.collector(), spec("layoutEx"))
	b.wantFault("MethodNotFound", "RetrievePropertiesEx", b.collector(), "<options/>")
	b.do("RetrieveProperties", b.collector(), spec("snapshot"))
}

func TestTenThousandVMs(t *testing.T) {
	before := time.Now()
	b := startIn(t, "-kind", "vcenter", "-vms", "10000", "-snapshots", "4", "-truncate", "1000")
	if took := time.Since(before); took > 60*time.Second {
		t.Errorf("start took %v", took)
	}
	collector, _ := b.watch("name", "parent", "snapshot", "runtime.powerState")
	before = time.Now()
	objects, _, version := b.load(collector)
	equal(t, "objects", objects, 10000+4)
	t.Logf("state in %v", time.Since(before))
	before = time.Now()
	const changes = 200
	for i := 0; i < changes; i++ {
		b.control("snapshot/create", "vm", fmt.Sprintf("vm%05d", i*37), "name", "x")
		var set string
		set, version = b.wait(collector, version, 5)
		equal(t, "changes", strings.Count(set, "<kind>modify</kind>"), 1)
	}
	each := time.Since(before) / changes
	t.Logf("%v for a change and its report", each)
	if each > 250*time.Millisecond {
		t.Errorf("too slow")
	}
}

func TestOldHostsWaitWithoutLimit(t *testing.T) {
	b := startIn(t, "-kind", "server2", "-vms", "150")
	pc := b.collector()
	folder := first(b.props("Datacenter:ha-datacenter", "vmFolder"), "val")
	b.do("CreateFilter", pc, "<spec><propSet><type>VirtualMachine</type><pathSet>snapshot</pathSet></propSet><objectSet>"+
		ref("obj", "Folder:"+folder)+`<skip>true</skip><selectSet xsi:type="TraversalSpec"><type>Folder</type><path>childEntity</path></selectSet>`+
		"</objectSet></spec><partialUpdates>false</partialUpdates>")
	answer := b.do("WaitForUpdates", pc, "<version></version>")
	equal(t, "all at once", strings.Count(answer, "<kind>enter</kind>"), 150)
	lacks(t, answer, "truncated")
	version := first(answer, "version")
	lacks(t, b.do("CheckForUpdates", pc, "<version>"+version+"</version>"), "<returnval>")
	b.control("snapshot/create", "vm", "vm00007", "name", "x")
	contains(t, b.do("CheckForUpdates", pc, "<version>"+version+"</version>"), "<name>x</name>")
	answer = b.do("WaitForUpdates", pc, "<version>"+version+"</version>")
	contains(t, answer, "<name>x</name>")
	done := make(chan string, 1)
	go func() {
		waiting := newClient(t, b.s)
		waiting.cookie = b.cookie
		_, text, _ := waiting.try(soapCall("WaitForUpdates", pc, "<version>"+first(answer, "version")+"</version>"))
		done <- text
	}()
	until(t, "the wait", func() bool { return b.control("counters")["waits"].(float64) == 1 })
	b.do("CancelWaitForUpdates", pc, "")
	contains(t, <-done, "RequestCanceledFault")
}

func TestUpdateDelay(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "1", "-update-delay", "400")
	collector, _ := b.watch("snapshot")
	_, _, version := b.load(collector)
	before := time.Now()
	b.control("snapshot/create", "vm", "vm00000", "name", "late")
	set, _ := b.wait(collector, version, 20)
	contains(t, set, "<name>late</name>")
	if took := time.Since(before); took < 400*time.Millisecond {
		t.Fatalf("told after %v", took)
	}
}

func TestHostsAndDatastoresChange(t *testing.T) {
	b := startIn(t, "-kind", "vcenter", "-vms", "1", "-hosts", "2")
	vm := b.vm("vm00000")
	before := first(b.props(vm, "runtime.host"), "val")
	b.control("vm/set", "vm", "vm00000", "host", "DC0_C0_H1")
	if after := first(b.props(vm, "runtime.host"), "val"); after == before || after == "" {
		t.Fatalf("still on %s", after)
	}
	store := "Datastore:" + first(b.props(vm, "datastore"), "ManagedObjectReference")
	b.control("datastore/set", "datastore", "LocalDS_0", "free", "1000", "capacity", "123456789012")
	contains(t, b.props(store, "summary"), "<freeSpace>1000</freeSpace>", "<capacity>123456789012</capacity>")
}
