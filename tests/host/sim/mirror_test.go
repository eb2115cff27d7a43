// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"fmt"
	"math/rand"
	"regexp"
	"sort"
	"strings"
	"testing"
)

// mirror is what a client knows by the collector's reports: object → property
// → XML of the value.
type mirror map[string]map[string]string

var (
	objectUpdates = regexp.MustCompile(`(?s)<objectSet><kind>(\w+)</kind><obj type="(\w+)">([^<]+)</obj>(.*?)</objectSet>`)
	changeSets    = regexp.MustCompile(`(?s)<changeSet><name>([^<]+)</name><op>assign</op>(.*?)</changeSet>`)
	contents      = regexp.MustCompile(`(?s)<returnval><obj type="(\w+)">([^<]+)</obj>(.*?)</returnval>`)
	propSets      = regexp.MustCompile(`(?s)<propSet><name>([^<]+)</name>(.*?)</propSet>`)
)

// apply takes a set over; an object that is unknown must enter first.
func (m mirror) apply(t *testing.T, set string) {
	t.Helper()
	for _, u := range objectUpdates.FindAllStringSubmatch(set, -1) {
		key := u[2] + ":" + u[3]
		switch u[1] {
		case "leave":
			delete(m, key)
			continue
		case "enter":
			m[key] = make(map[string]string)
		}
		if m[key] == nil {
			t.Fatalf("%s of the unknown %s", u[1], key)
		}
		for _, c := range changeSets.FindAllStringSubmatch(u[4], -1) {
			if c[2] == "" {
				delete(m[key], c[1])
			} else {
				m[key][c[1]] = c[2]
			}
		}
	}
}

func (m mirror) copy() mirror {
	out := make(mirror, len(m))
	for key, props := range m {
		out[key] = make(map[string]string, len(props))
		for name, value := range props {
			out[key][name] = value
		}
	}
	return out
}

func (m mirror) String() string {
	var lines []string
	for key, props := range m {
		for name, value := range props {
			lines = append(lines, key+" "+name+" "+value)
		}
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

// fresh reads the same properties without the collector's memory.
func (b *bed) fresh(paths []string) mirror {
	view := "ContainerView:" + first(b.do("CreateContainerView", "ViewManager:ViewManager",
		ref("container", b.rootFolder())+"<type>VirtualMachine</type><type>Folder</type><recursive>true</recursive>"), "returnval")
	defer b.do("DestroyView", view, "")
	answer := b.do("RetrieveProperties", b.collector(), "<specSet><propSet><type>VirtualMachine</type><pathSet>"+
		strings.Join(paths, "</pathSet><pathSet>")+"</pathSet></propSet><propSet><type>Folder</type><pathSet>name</pathSet></propSet><objectSet>"+
		ref("obj", view)+`<skip>true</skip><selectSet xsi:type="TraversalSpec"><type>ContainerView</type><path>view</path></selectSet></objectSet></specSet>`)
	m := make(mirror)
	for _, o := range contents.FindAllStringSubmatch(answer, -1) {
		props := make(map[string]string)
		for _, p := range propSets.FindAllStringSubmatch(o[3], -1) {
			props[p[1]] = p[2]
		}
		m[o[1]+":"+o[2]] = props
	}
	return m
}

// disturb makes one random change to the inventory.
func (b *bed) disturb(r *rand.Rand, n int) {
	w := b.s.w
	w.mu.Lock()
	v := w.order[r.Intn(len(w.order))]
	name := v.ref().Value
	w.mu.Unlock()
	folders := []string{"DC0", "DC0/F0", "DC1/F0/F1"}
	switch r.Intn(9) {
	case 0:
		b.control("vm/create", "name", fmt.Sprint("new", n), "folder", folders[r.Intn(3)])
	case 1:
		if len(w.order) > 20 {
			b.control("vm/destroy", "vm", name)
		}
	case 2:
		b.control("vm/move", "vm", name, "folder", folders[r.Intn(2)])
	case 3:
		b.control("vm/rename", "vm", name, "name", fmt.Sprint("re/named", n))
	case 4:
		vmx := b.control("vm/unregister", "vm", name)["vmx"].(string)
		b.control("vm/register", "path", vmx, "folder", folders[r.Intn(3)])
	case 5:
		b.control("power", "vm", name, "state", []string{"on", "off", "suspended"}[r.Intn(3)])
	case 6:
		folder := fmt.Sprint("DC0/F0/x", n)
		b.control("folder/create", "folder", folder)
		b.control("vm/move", "vm", name, "folder", folder)
		b.control("folder/rename", "folder", folder, "name", fmt.Sprint("y", n))
	case 7:
		b.control("vm/set", "vm", name, "consolidation", "1", "annotation", fmt.Sprint(n))
	default:
		b.control("churn", "count", "10", "seed", fmt.Sprint(n), "vms", "15")
	}
}

// TestMirrorEqualsTheHost loses every third answer, as broken connections do,
// and asks again with the version it has: in the end nothing may be missing.
func TestMirrorEqualsTheHost(t *testing.T) {
	paths := []string{"name", "parent", "parentVApp", "snapshot", "runtime.powerState", "runtime.consolidationNeeded",
		"config.changeVersion", "config.annotation", "summary.config.vmPathName"}
	b := startIn(t, "-kind", "vcenter", "-vms", "60", "-datacenters", "2", "-folders", "2", "-vapps", "1", "-snapshots", "2", "-truncate", "7")
	collector, _ := b.watch(paths...)
	r := rand.New(rand.NewSource(42))
	known, saved := make(mirror), make(mirror)
	whole, version := "", "" // whole: the newest version that may be asked for again
	lost, again := 0, 0
	poll := func() bool {
		status, answer := b.post(soapCall("WaitForUpdatesEx", collector, waitArguments(version, 0, 0)))
		if strings.Contains(answer, "InvalidCollectorVersion") {
			// A truncated set's version was used up: back to the last whole
			// one and to what was known then. An object that came with that
			// set and has gone since is not mentioned again.
			again++
			version, known = whole, saved.copy()
			return true
		}
		if status != 200 {
			t.Fatal(answer)
		}
		if !strings.Contains(answer, "<returnval>") {
			return false
		}
		if r.Intn(3) == 0 {
			lost++ // the answer never came
			return true
		}
		known.apply(t, answer)
		version = first(answer, "version")
		if !strings.Contains(answer, "<truncated>true</truncated>") {
			whole, saved = version, known.copy()
		}
		return true
	}
	for n := 0; n < 300; n++ {
		b.disturb(r, n)
		for k := r.Intn(4); k > 0; k-- {
			poll()
		}
	}
	for n := 0; poll(); n++ {
		if n > 10000 {
			t.Fatal("the reports do not end")
		}
	}
	t.Logf("%d answers lost, %d times back to a whole version", lost, again)
	if lost == 0 || again == 0 {
		t.Fatal("nothing was lost")
	}
	b.s.w.mu.Lock()
	for _, v := range b.s.w.order { // what is kept must not judge itself
		v.values = nil
	}
	b.s.w.mu.Unlock()
	got, want := known.String(), b.fresh(paths).String()
	if got != want {
		for line := range difference(got, want) {
			t.Errorf("only known: %.300s", line)
		}
		for line := range difference(want, got) {
			t.Errorf("not known: %.300s", line)
		}
	}
}

func difference(a, b string) map[string]bool {
	out := make(map[string]bool)
	for _, line := range strings.Split(a, "\n") {
		out[line] = true
	}
	for _, line := range strings.Split(b, "\n") {
		delete(out, line)
	}
	return out
}
