// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestLoginIsNeeded(t *testing.T) {
	b := start(t, "-kind", "vcenter", "-vms", "1")
	vm := b.vm("vm00000")
	b.wantFault("NotAuthenticated", "CurrentTime", "ServiceInstance:ServiceInstance", "")
	b.wantFault("NotAuthenticated", "CreateSnapshot_Task", vm, createArguments("x", false, false))
	// The trap: without a session properties are missing, not refused.
	answer := b.props(vm, "name")
	contains(t, answer, "<missingSet><path>name</path>", "NotAuthenticated")
	lacks(t, answer, "<propSet>")
	b.wantFault("InvalidLogin", "Login", b.sessionManager(), "<userName>root</userName><password>wrong</password>")
	b.login()
	b.do("CurrentTime", "ServiceInstance:ServiceInstance", "")
	b.wantFault("InvalidLogin", "Login", b.sessionManager(), "<userName>root</userName><password>secret</password>")
	contains(t, b.props(b.sessionManager(), "currentSession"), "<userName>root</userName>")
	b.do("Logout", b.sessionManager(), "")
	b.wantFault("NotAuthenticated", "CurrentTime", "ServiceInstance:ServiceInstance", "")
	counters := b.control("counters")
	equal(t, "open", counters["sessions"], 0)
	equal(t, "wrong", counters["badLogins"], 2)
}

func TestCookieIsComparedWithItsQuotes(t *testing.T) {
	b := startIn(t, "-kind", "esx")
	b.cookie = strings.Trim(b.cookie, `"`)
	b.wantFault("NotAuthenticated", "CurrentTime", "ServiceInstance:ServiceInstance", "")
}

func TestIdleSessionsEnd(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-session-idle", "100")
	rest := func(d time.Duration) { // as if nothing was heard for so long
		b.s.w.mu.Lock()
		defer b.s.w.mu.Unlock()
		for _, s := range b.s.w.sessions {
			s.used = time.Now().Add(-d)
		}
	}
	rest(60 * time.Second)
	b.do("CurrentTime", "ServiceInstance:ServiceInstance", "") // starts the time anew
	rest(60 * time.Second)
	collector, _ := b.watch("name")
	_, _, version := b.load(collector)
	done := make(chan string)
	go func() {
		waiting := newClient(t, b.s)
		waiting.cookie = b.cookie
		_, answer, _ := waiting.try(soapCall("WaitForUpdatesEx", collector, waitArguments(version, 30, 0)))
		done <- answer
	}()
	until(t, "the wait", func() bool { return b.control("counters")["waits"].(float64) == 1 })
	rest(101 * time.Second)
	b.do("CurrentTime", "ServiceInstance:ServiceInstance", "") // a wait is not idle
	b.do("CancelWaitForUpdates", collector, "")
	contains(t, <-done, "RequestCanceled")
	rest(101 * time.Second)
	b.wantFault("NotAuthenticated", "CurrentTime", "ServiceInstance:ServiceInstance", "")
}

func TestTerminateSession(t *testing.T) {
	b := startIn(t, "-kind", "vcenter", "-vms", "1")
	other := newClient(t, b.s)
	other.login()
	key := first(other.props(other.sessionManager(), "currentSession"), "key")
	active := "<sessionID>" + key + "</sessionID><userName>root</userName>"
	contains(t, b.do("SessionIsActive", b.sessionManager(), active), "<returnval>true</returnval>")
	other.wantFault("InvalidArgument", "TerminateSession", b.sessionManager(), "<sessionId>"+key+"</sessionId>")
	b.do("TerminateSession", b.sessionManager(), "<sessionId>"+key+"</sessionId>")
	contains(t, b.do("SessionIsActive", b.sessionManager(), active), "<returnval>false</returnval>")
	other.wantFault("NotAuthenticated", "CurrentTime", "ServiceInstance:ServiceInstance", "")
	b.wantFault("NotFound", "TerminateSession", b.sessionManager(), "<sessionId>"+key+"</sessionId>")
}

func TestTooManySessions(t *testing.T) {
	b := startIn(t, "-kind", "vcenter", "-vms", "1", "-max-sessions", "1")
	other := newClient(t, b.s)
	status, answer := other.post(soapCall("Login", b.sessionManager(), "<userName>root</userName><password>secret</password>"))
	equal(t, "status", status, 503)
	lacks(t, answer, "Envelope")
	b.do("Logout", b.sessionManager(), "")
	other.login()
}

func TestRestartDropsEverything(t *testing.T) {
	b := startIn(t, "-kind", "vcenter", "-vms", "2")
	b.control("set", "create", "500")
	collector, _ := b.watch("name", "snapshot")
	b.load(collector)
	task := b.begin(b.vm("vm00000"), "survives")
	vm := b.vm("vm00000")
	done := make(chan struct{})
	go func() {
		b.control("restart", "down", "1000", "starting", "1000")
		close(done)
	}()
	refused, unavailable := 0, 0
	content := soapCall("RetrieveServiceContent", "ServiceInstance:ServiceInstance", "")
	for over := false; !over; {
		select {
		case <-done:
			over = true
		default:
		}
		status, _, err := b.try(content)
		if err != nil {
			refused++
		} else if status == 503 {
			unavailable++
		}
		time.Sleep(5 * time.Millisecond)
	}
	if refused == 0 || unavailable == 0 {
		t.Fatalf("%d refused, %d unavailable", refused, unavailable)
	}
	b.http.CloseIdleConnections()
	b.wantFault("NotAuthenticated", "WaitForUpdatesEx", collector, waitArguments("1", 0, 0))
	b.login()
	b.task(strings.TrimPrefix(task, "Task:"))
	contains(t, b.props(vm, "snapshot"), "survives")

	task = b.begin(vm, "goes on unseen")
	b.control("restart", "tasks", "forget")
	b.http.CloseIdleConnections()
	b.login()
	b.wantFault("ManagedObjectNotFound", "RetrieveProperties", b.collector(),
		"<specSet><propSet><type>Task</type><pathSet>info</pathSet></propSet><objectSet>"+ref("obj", task)+"</objectSet></specSet>")
	until(t, "made", func() bool { return strings.Contains(b.props(vm, "snapshot"), "goes on unseen") })
	b.control("set", "create", "60000")
	task = b.begin(vm, "fails")
	b.control("restart", "tasks", "fail")
	b.http.CloseIdleConnections()
	b.login()
	contains(t, b.task(strings.TrimPrefix(task, "Task:")), "RequestCanceled")
	lacks(t, b.props(vm, "snapshot"), "fails")
}

func TestVersionsAreOffered(t *testing.T) {
	b := start(t, "-kind", "esx", "-api", "6.7.3")
	answer, err := b.http.Get(b.base + "/sdk/vimServiceVersions.xml")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	contains(t, string(text), "<name>urn:vim25</name>", "<priorVersions>", "<version>2.5</version>")
	equal(t, "newest", first(string(text), "version"), "6.7.3")
	lacks(t, string(text), "7.0")
}

func TestGzipOnlyWhenAskedFor(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "20", "-snapshots", "20")
	vm := b.vm("vm00000")
	plain := b.props(vm, "snapshot")
	body := `<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body>` + soapCall("RetrieveProperties", b.collector(),
		"<specSet><propSet><type>VirtualMachine</type><pathSet>snapshot</pathSet></propSet><objectSet>"+ref("obj", vm)+"</objectSet></specSet>") + "</Body></Envelope>"
	r, _ := http.NewRequest(http.MethodPost, b.base+"/sdk", strings.NewReader(body))
	r.Header.Set("Accept-Encoding", "gzip")
	r.Header.Set("Cookie", cookieName+"="+b.cookie)
	answer, err := b.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	equal(t, "encoding", answer.Header.Get("Content-Encoding"), "gzip")
	unpacked, err := gzip.NewReader(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(unpacked)
	equal(t, "unpacked", string(text), plain)
}

func TestFolder(t *testing.T) {
	b := startIn(t, "-kind", "vcenter", "-vms", "2", "-datacenters", "2", "-on", "-disk-kb", "64")
	get := func(method, path, dc, span string) (int, string, http.Header) {
		t.Helper()
		r, _ := http.NewRequest(method, b.base+"/folder/"+path+"?dcPath="+dc+"&dsName=LocalDS_0", nil)
		if b.cookie != "" {
			r.Header.Set("Cookie", cookieName+"="+b.cookie)
		}
		if span != "" {
			r.Header.Set("Range", span)
		}
		answer, err := b.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		return answer.StatusCode, string(text), answer.Header
	}
	want := func(what string, wanted int, method, path, dc, span string) (string, http.Header) {
		t.Helper()
		status, text, header := get(method, path, dc, span)
		equal(t, what, status, wanted)
		return text, header
	}
	b.create(b.vm("vm00000"), "one")
	text, _ := want("vmx", 200, "GET", "vm00000/vm00000.vmx", "DC0", "")
	contains(t, text, `displayName = "vm00000"`, `scsi0:0.fileName = "vm00000-000001.vmdk"`)
	want("the other datacenter", 404, "GET", "vm00000/vm00000.vmx", "DC1", "")
	want("no datacenter", 404, "GET", "vm00000/vm00000.vmx", "", "")
	text, _ = want("descriptor", 200, "GET", "vm00000/vm00000-000001.vmdk", "DC0", "")
	contains(t, text, `parentFileNameHint="vm00000.vmdk"`, "SESPARSE")
	text, header := want("extent", 206, "GET", "vm00000/vm00000-flat.vmdk", "DC0", "bytes=65000-99999999")
	equal(t, "length", len(text), 65536-65000)
	equal(t, "range", header.Get("Content-Range"), "bytes 65000-65535/65536")
	want("past the end", 416, "GET", "vm00000/vm00000-flat.vmdk", "DC0", "bytes=65536-")
	_, header = want("head", 200, "HEAD", "vm00000/vm00000-flat.vmdk", "DC0", "")
	equal(t, "size", header.Get("Content-Length"), "65536")
	want("leaf of a running VM", 500, "GET", "vm00000/vm00000-000001-sesparse.vmdk", "DC0", "")
	want("write", 403, "DELETE", "vm00000/vm00000.vmx", "DC0", "")
	text, _ = want("listing", 200, "GET", "vm00000/", "DC0", "")
	contains(t, text, "vm00000-Snapshot1.vmsn", "vm00000.vmx")

	r, _ := http.NewRequest(http.MethodPut, b.s.base+"/file?path=%5BLocalDS_0%5D+vm00000/vm00000-flat.vmdk", strings.NewReader("bytes"))
	if answer, err := http.DefaultClient.Do(r); err != nil || answer.StatusCode != 200 {
		t.Fatal(answer, err)
	}
	text, _ = want("stored", 200, "GET", "vm00000/vm00000-flat.vmdk", "DC0", "")
	equal(t, "stored", text, "bytes")
	b.cookie = ""
	want("without a session", 401, "GET", "vm00000/vm00000.vmx", "DC0", "")
	b.cookie = `"0123"`
	want("with an old one", 401, "GET", "vm00000/vm00000.vmx", "DC0", "")
}

func TestInventory(t *testing.T) {
	b := startIn(t, "-kind", "vcenter", "-vms", "60", "-datacenters", "2", "-clusters", "2", "-folders", "2", "-vapps", "1", "-templates", "3")
	in := map[string]int{}
	vapp, templates := 0, 0
	for _, v := range b.s.w.order {
		answer := b.props("VirtualMachine:"+v.ref().Value, "parent", "parentVApp", "config.template")
		if strings.Contains(answer, "<name>parentVApp</name>") {
			vapp++
			lacks(t, answer, "<name>parent</name>")
		}
		if strings.Contains(answer, ">true</val>") {
			templates++
		}
		in[folderPath(v.place.folder)]++
	}
	for _, path := range []string{"DC0", "DC0/F0", "DC0/F0/F1", "DC1", "DC1/F0", "DC1/F0/F1"} {
		if in[path] == 0 {
			t.Errorf("no VM in %s: %v", path, in)
		}
	}
	if vapp == 0 || vapp > 40 {
		t.Errorf("%d VMs in vApps", vapp)
	}
	equal(t, "templates", templates, 3)

	b.control("folder/create", "folder", "DC0/F0/a%2fb")
	b.control("vm/create", "name", "x", "folder", "DC0/F0/a%2fb")
	equal(t, "folder", b.control("vm", "vm", "x")["folder"], "DC0/F0/a%2fb")
	b.control("folder/rename", "folder", "DC0/F0/a%2fb", "name", "c/d")
	b.control("vm/move", "vm", "x", "folder", "DC1")
	b.control("folder/destroy", "folder", "DC0/F0/c%2fd")
	if _, status := b.order("vm/move", "vm", "x", "folder", "DC0/F0/c%2fd"); status != 400 {
		t.Error("the folder is still there")
	}
	answer := b.do("FindByInventoryPath", "SearchIndex:SearchIndex", "<inventoryPath>DC1/vm/x</inventoryPath>")
	equal(t, "found", "VirtualMachine:"+first(answer, "returnval"), b.vm("x"))
	b.wantFault("DuplicateName", "Rename_Task", b.vm("x"), "<newName>"+nameIn(b, "DC1", "x")+"</newName>")
}

// nameIn is another VM of a folder.
func nameIn(b *bed, folder, not string) string {
	for _, v := range b.s.w.order {
		if folderPath(v.place.folder) == folder && v.place.vapp == nil && v.name() != not {
			return v.name()
		}
	}
	return ""
}

func TestRegisterAgain(t *testing.T) {
	b := startIn(t, "-kind", "vcenter", "-vms", "1", "-snapshots", "2")
	old := b.vm("vm00000")
	b.do("UnregisterVM", old, "")
	b.wantFault("ManagedObjectNotFound", "UnregisterVM", old, "")
	folder := b.s.w.findFolder("DC0").Self
	arguments := "<path>[LocalDS_0] vm00000/vm00000.vmx</path><asTemplate>false</asTemplate>"
	b.ok("RegisterVM_Task", "Folder:"+folder.Value, arguments)
	if again := b.vm("vm00000"); again == old {
		t.Fatal("the moref came back")
	}
	equal(t, "snapshots", strings.Count(b.props(b.vm("vm00000"), "snapshot"), "<id>"), 2)
	_, failure := b.run("RegisterVM_Task", "Folder:"+folder.Value, arguments)
	equal(t, "twice", failure, "AlreadyExists")
	b.control("vm/set", "vm", "vm00000", "connection", "inaccessible")
	answer := b.props(b.vm("vm00000"), "runtime.connectionState", "config.uuid", "name", "summary.config.vmPathName")
	contains(t, answer, ">inaccessible</val>", "vm00000.vmx")
	lacks(t, answer, "<name>config.uuid</name>")
}

func TestClone(t *testing.T) {
	b := startIn(t, "-kind", "vcenter", "-vms", "1")
	one := b.create(b.vm("vm00000"), "one")
	folder := "Folder:" + b.s.w.findFolder("DC0").Self.Value
	location := "<spec><location><diskMoveType>createNewChildDiskBacking</diskMoveType></location><template>false</template><powerOn>false</powerOn>%s</spec>"
	b.wantFault("InvalidArgument", "CloneVM_Task", b.vm("vm00000"), ref("folder", folder)+"<name>c</name>"+fmt.Sprintf(location, ""))
	made := b.ok("CloneVM_Task", b.vm("vm00000"), ref("folder", folder)+"<name>c</name>"+fmt.Sprintf(location, ref("snapshot", one)))
	equal(t, "clone", "VirtualMachine:"+made, b.vm("c"))
	contains(t, b.props(b.vm("c"), "config.hardware.device"), "[LocalDS_0] c/c-000001.vmdk", "[LocalDS_0] vm00000/vm00000.vmdk")
	b.wantFault("DuplicateName", "CloneVM_Task", b.vm("vm00000"), ref("folder", folder)+"<name>c</name>"+fmt.Sprintf(location, ref("snapshot", one)))
	b.ok("Destroy_Task", b.vm("c"), "")
	if _, status := b.order("vm", "vm", "c"); status != 400 {
		t.Fatal("the clone is still there")
	}
}

func TestPowerStates(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "1")
	vm := b.vm("vm00000")
	_, failure := b.run("PowerOffVM_Task", vm, "")
	equal(t, "off when off", failure, "InvalidPowerState")
	b.wantFault("InvalidPowerState", "ShutdownGuest", vm, "")
	for _, step := range [][2]string{{"PowerOnVM_Task", "poweredOn"}, {"ResetVM_Task", "poweredOn"}, {"SuspendVM_Task", "suspended"},
		{"PowerOnVM_Task", "poweredOn"}} {
		b.ok(step[0], vm, "")
		equal(t, step[0], first(b.props(vm, "runtime.powerState"), "val"), step[1])
	}
	b.wantFault("InvalidPowerState", "UnregisterVM", vm, "")
	b.do("ShutdownGuest", vm, "")
	until(t, "off", func() bool { return first(b.props(vm, "runtime.powerState"), "val") == "poweredOff" })
	b.control("vm/set", "vm", "vm00000", "tools", "none")
	b.ok("PowerOnVM_Task", vm, "")
	b.wantFault("ToolsUnavailable", "RebootGuest", vm, "")
}

func TestChurnKeepsTreesSound(t *testing.T) {
	b := startIn(t, "-kind", "vcenter", "-vms", "20", "-disks", "2")
	collector, _ := b.watch("snapshot")
	_, _, version := b.load(collector)
	b.control("churn", "count", "3000", "seed", "7", "vms", "10")
	_, _ = b.wait(collector, version, 5)
	for _, v := range b.s.w.order {
		known := map[*snapshot]bool{}
		for _, s := range v.all() {
			if s.parent != nil && !known[s.parent] {
				t.Fatalf("%s: parent after child", v.name())
			}
			known[s] = true
			if b.s.w.snapshots[s.ref] != s {
				t.Fatalf("%s: snapshot %d is not known", v.name(), s.id)
			}
		}
		if v.current != nil && !known[v.current] {
			t.Fatalf("%s: current snapshot is gone", v.name())
		}
		for i := range v.disks {
			children := map[*link]int{}
			links := v.links(i)
			heads := map[*link]bool{v.disks[i].head: true}
			for s := range known {
				heads[s.heads[i]] = true
			}
			for l := range links {
				children[l.parent]++
			}
			for l := range links {
				if !heads[l] && children[l] < 2 {
					t.Fatalf("%s: %s is used by nobody", v.name(), l.name)
				}
			}
		}
	}
}

func TestCountersCountAndReset(t *testing.T) {
	b := startIn(t, "-kind", "esx", "-vms", "1")
	b.control("counters", "reset", "1")
	b.create(b.vm("vm00000"), "x")
	counters := b.control("counters", "reset", "1")
	soap := counters["soap"].(map[string]interface{})
	equal(t, "creates", soap["CreateSnapshot_Task"], 1)
	equal(t, "made", counters["creates"].(map[string]interface{})["vm00000/x"], 1)
	equal(t, "sessions", counters["sessions"], 1)
	if counters["bytes"].(float64) < 1000 || counters["connected"].(float64) < 1 {
		t.Fatal(counters)
	}
	counters = b.control("counters")
	equal(t, "after", fmt.Sprint(counters["soapTotal"], counters["bytes"], counters["creates"]), "0 0 map[]")
}
