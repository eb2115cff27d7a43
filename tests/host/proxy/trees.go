// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// A snapshot list ends where the first closing tag of its name is: what it
// holds is called childSnapshotList.
var (
	rootLists    = regexp.MustCompile(`(?s)<rootSnapshotList>.*?</rootSnapshotList>`)
	snapshotRef  = regexp.MustCompile(`<snapshot type="VirtualMachineSnapshot">([^<]*)</snapshot>`)
	returnedTask = regexp.MustCompile(`<returnval type="Task">[^<]*</returnval>`)
	vmRef        = regexp.MustCompile(`<vm type="VirtualMachine">[^<]*</vm>`)
)

// bigTree writes count snapshots in chains of depth; 0: one chain.
func bigTree(like []byte, count, depth int) []byte {
	moref, vm := "snapshot-1", `<vm type="VirtualMachine">vm-1</vm>`
	if m := snapshotRef.FindSubmatch(like); m != nil {
		moref = string(m[1])
	}
	if m := vmRef.Find(like); m != nil {
		vm = string(m)
	}
	if depth == 0 {
		depth = count
	}
	var out bytes.Buffer
	const tail = "<replaySupported>false</replaySupported>"
	for made := 0; made < count; {
		var closing []string
		for level := 0; level < depth && made < count; level++ {
			tag := "childSnapshotList"
			if level == 0 {
				tag = "rootSnapshotList"
			}
			made++
			fmt.Fprintf(&out, "<%s><snapshot type=\"VirtualMachineSnapshot\">%s-x%d</snapshot>%s<name>big-%d</name>"+
				"<description></description><id>%d</id><createTime>2026-11-22T08:47:06Z</createTime>"+
				"<state>poweredOff</state><quiesced>false</quiesced>", tag, moref, made, vm, made, made)
			closing = append(closing, tail+"</"+tag+">")
		}
		for i := len(closing) - 1; i >= 0; i-- {
			out.WriteString(closing[i])
		}
	}
	return out.Bytes()
}

// replaceTrees puts a big tree in place of each VM's list of roots.
func replaceTrees(body []byte, count, depth int) []byte {
	var out bytes.Buffer
	at, previous := 0, -1
	for _, place := range rootLists.FindAllIndex(body, -1) {
		between := body[at:place[0]]
		out.Write(between)
		if previous < 0 || len(strings.TrimSpace(string(between))) > 0 {
			out.Write(bigTree(body[place[0]:place[1]], count, depth))
		}
		at, previous = place[1], place[1]
	}
	out.Write(body[at:])
	return out.Bytes()
}
