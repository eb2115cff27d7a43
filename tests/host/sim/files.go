// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

// file is one of a VM's files. Text is made when asked for; extents read as
// zeros unless a test put bytes there.
type file struct {
	name string // "[ds] dir/name"
	kind types.VirtualMachineFileLayoutExFileType
	size int64
	text func() string // nil: zeros
	when time.Time
}

const deltaBytes = 1 << 20 // a delta's extent starts with that much

// files lists what a VM has on its datastore, in a stable order.
func (v *vm) files() []file {
	dir, stem := v.dir(), v.stem()
	start := v.plain.Modified
	add := func(list []file, ext string, kind types.VirtualMachineFileLayoutExFileType, size int64, text func() string) []file {
		if text != nil {
			size = int64(len(text()))
		}
		return append(list, file{dir + "/" + stem + ext, kind, size, text, start})
	}
	list := add(nil, ".vmx", types.VirtualMachineFileLayoutExFileTypeConfig, 0, func() string { return v.vmxText() })
	list = add(list, ".nvram", types.VirtualMachineFileLayoutExFileTypeNvram, 8684, nil)
	list = add(list, ".vmsd", types.VirtualMachineFileLayoutExFileTypeSnapshotList, 0, func() string { return v.vmsdText() })
	for i, d := range v.disks {
		for _, l := range v.sortedLinks(i) {
			list = append(list, d.linkFiles(l, start)...)
		}
	}
	for _, s := range v.all() {
		list = append(list, s.files()...)
	}
	switch v.power {
	case types.VirtualMachinePowerStatePoweredOn:
		list = add(list, ".vswp", types.VirtualMachineFileLayoutExFileTypeSwap, int64(v.plain.Hardware.MemoryMB)<<20, nil)
	case types.VirtualMachinePowerStateSuspended:
		list = add(list, ".vmss", types.VirtualMachineFileLayoutExFileTypeSuspend, 65536, nil)
		list = add(list, ".vmem", types.VirtualMachineFileLayoutExFileTypeSuspendMemory, int64(v.plain.Hardware.MemoryMB)<<20, nil)
	}
	list = append(list, file{dir + "/vmware.log", types.VirtualMachineFileLayoutExFileTypeLog, v.log, nil, start})
	for i := range list {
		if f := v.w.storedAt(v, list[i].name); f != nil {
			list[i].size = f.size()
		}
	}
	return list
}

func (s *snapshot) stem() string {
	return fmt.Sprintf("%s/%s-Snapshot%d", s.vm.dir(), s.vm.stem(), s.id)
}

func (s *snapshot) files() []file {
	list := []file{{s.stem() + ".vmsn", types.VirtualMachineFileLayoutExFileTypeSnapshotData, 28672, nil, s.created}}
	if s.memory {
		list = append(list, file{s.stem() + ".vmem", types.VirtualMachineFileLayoutExFileTypeSnapshotMemory,
			int64(s.plain.Hardware.MemoryMB) << 20, nil, s.created})
	}
	return list
}

// sortedLinks lists the files that stand in the VM's own directory.
func (v *vm) sortedLinks(i int) []*link {
	var list []*link
	for l := range v.links(i) {
		if l.dir == v.dir() {
			list = append(list, l)
		}
	}
	sort.Slice(list, func(a, b int) bool { return list[a].name < list[b].name })
	return list
}

// foreignFiles are those of disks in other directories, which the VM's are made
// of: hosts list them, too.
func (v *vm) foreignFiles() []file {
	var list []file
	for i, d := range v.disks {
		for l := range v.links(i) {
			if l.dir != v.dir() {
				list = append(list, d.linkFiles(l, v.plain.Modified)...)
			}
		}
	}
	sort.Slice(list, func(a, b int) bool { return list[a].name < list[b].name })
	return list
}

func (l *link) extent() string {
	if l.parent == nil {
		return l.name + "-flat.vmdk"
	}
	return l.name + "-sesparse.vmdk"
}

// linkFiles is a descriptor and its extent.
func (d *disk) linkFiles(l *link, when time.Time) []file {
	text := func() string { return d.descriptor(l) }
	size := d.kb << 10
	if l.parent != nil {
		size = deltaBytes
	}
	return []file{
		{l.file(), types.VirtualMachineFileLayoutExFileTypeDiskDescriptor, int64(len(text())), text, when},
		{l.dir + "/" + l.extent(), types.VirtualMachineFileLayoutExFileTypeDiskExtent, size, nil, when},
	}
}

// contentID is the CID that descriptors are linked by.
func (l *link) contentID() string {
	if l.cid != "" {
		return l.cid
	}
	return l.uuid[:8]
}

// longContentID ends in the CID, as ddb.longContentID does.
func (l *link) longContentID() string {
	if l.cid != "" {
		return strings.Repeat("0", 24) + l.cid
	}
	return strings.ReplaceAll(l.uuid, "-", "")[8:] + l.contentID()
}

func (d *disk) descriptor(l *link) string {
	parent, kind, create := "ffffffff", "VMFS", "vmfs"
	var hint string
	if l.parent != nil {
		parent, kind, create = l.parent.contentID(), "SESPARSE", "seSparse"
		hint = l.parent.name + ".vmdk"
		if l.parent.dir != l.dir {
			hint = "/vmfs/volumes/" + strings.NewReplacer("[", "", "] ", "/").Replace(l.parent.dir) + "/" + hint
		}
		hint = fmt.Sprintf("parentFileNameHint=\"%s\"\n", hint)
	}
	return fmt.Sprintf("# Disk DescriptorFile\nversion=1\nencoding=\"UTF-8\"\nCID=%s\nparentCID=%s\ncreateType=\"%s\"\n%s"+
		"\n# Extent description\nRW %d %s \"%s\"\n\n# The Disk Data Base\n#DDB\n\nddb.adapterType = \"lsilogic\"\nddb.virtualHWVersion = \"13\"\n",
		l.contentID(), parent, create, hint, d.kb*2, kind, l.extent())
}

// quoted writes a value into a .vmx as products do: |XX for what would break
// the line.
func quoted(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if c := text[i]; c < 0x20 || c == '"' || c == '|' {
			fmt.Fprintf(&out, "|%02X", c)
		} else {
			out.WriteByte(c)
		}
	}
	return out.String()
}

func (v *vm) vmxText() string {
	var out strings.Builder
	line := func(key, value string) {
		fmt.Fprintf(&out, "%s = \"%s\"\n", key, quoted(value))
	}
	line(".encoding", "UTF-8")
	line("config.version", "8")
	line("virtualHW.version", strings.TrimLeft(strings.TrimPrefix(v.plain.Version, "vmx-"), "0"))
	line("displayName", v.name())
	line("guestOS", "otherlinux-64")
	line("memSize", fmt.Sprint(v.plain.Hardware.MemoryMB))
	line("uuid.bios", v.plain.Uuid)
	line("nvram", v.stem()+".nvram")
	line("scsi0.present", "TRUE")
	line("scsi0.virtualDev", "pvscsi")
	for i, d := range v.disks {
		unit := i
		if unit >= 7 {
			unit++
		}
		line(fmt.Sprintf("scsi0:%d.present", unit), "TRUE")
		line(fmt.Sprintf("scsi0:%d.fileName", unit), d.head.name+".vmdk")
	}
	return out.String()
}

func (v *vm) vmsdText() string {
	list := v.all()
	var out strings.Builder
	fmt.Fprintf(&out, ".encoding = \"UTF-8\"\nsnapshot.lastUID = \"%d\"\nsnapshot.numSnapshots = \"%d\"\n", v.lastID, len(list))
	if v.current != nil {
		fmt.Fprintf(&out, "snapshot.current = \"%d\"\n", v.current.id)
	}
	for i, s := range list {
		fmt.Fprintf(&out, "snapshot%d.uid = \"%d\"\nsnapshot%d.displayName = \"%s\"\n", i, s.id, i, quoted(plainName(s.name)))
		if s.parent != nil {
			fmt.Fprintf(&out, "snapshot%d.parent = \"%d\"\n", i, s.parent.id)
		}
	}
	return out.String()
}

// layoutEx tells which file belongs to what; it is made when asked for.
func (v *vm) layoutEx() *types.VirtualMachineFileLayoutEx {
	layout := &types.VirtualMachineFileLayoutEx{Timestamp: now()}
	keys := make(map[string]int32)
	for i, f := range append(v.files(), v.foreignFiles()...) {
		keys[f.name] = int32(i)
		layout.File = append(layout.File, types.VirtualMachineFileLayoutExFileInfo{
			Key:        int32(i),
			Name:       f.name,
			Type:       string(f.kind),
			Size:       f.size,
			UniqueSize: f.size,
			Accessible: types.NewBool(true),
		})
	}
	chain := func(d *disk, l *link) types.VirtualMachineFileLayoutExDiskLayout {
		var units []types.VirtualMachineFileLayoutExDiskUnit
		for ; l != nil; l = l.parent {
			unit := types.VirtualMachineFileLayoutExDiskUnit{}
			for _, f := range d.linkFiles(l, time.Time{}) {
				if key, ok := keys[f.name]; ok {
					unit.FileKey = append(unit.FileKey, key)
				}
			}
			units = append([]types.VirtualMachineFileLayoutExDiskUnit{unit}, units...)
		}
		return types.VirtualMachineFileLayoutExDiskLayout{Key: d.key, Chain: units}
	}
	for _, d := range v.disks {
		layout.Disk = append(layout.Disk, chain(d, d.head))
	}
	for _, s := range v.all() {
		one := types.VirtualMachineFileLayoutExSnapshotLayout{Key: s.ref, DataKey: keys[s.stem()+".vmsn"], MemoryKey: -1}
		if s.memory {
			one.MemoryKey = keys[s.stem()+".vmem"]
		}
		for i, l := range s.heads {
			one.Disk = append(one.Disk, chain(v.disks[i], l))
		}
		layout.Snapshot = append(layout.Snapshot, one)
	}
	return layout
}

// layout is what hosts before 4.0 have: names without sizes or directory.
func (v *vm) layout() *types.VirtualMachineFileLayout {
	layout := &types.VirtualMachineFileLayout{}
	strip := func(name string) string { return strings.TrimPrefix(name, v.dir()+"/") }
	for _, f := range v.files() {
		switch f.kind {
		case types.VirtualMachineFileLayoutExFileTypeConfig, types.VirtualMachineFileLayoutExFileTypeNvram,
			types.VirtualMachineFileLayoutExFileTypeSnapshotList:
			layout.ConfigFile = append(layout.ConfigFile, strip(f.name))
		case types.VirtualMachineFileLayoutExFileTypeLog:
			layout.LogFile = append(layout.LogFile, strip(f.name))
		case types.VirtualMachineFileLayoutExFileTypeSwap:
			layout.SwapFile = f.name
		}
	}
	for i, d := range v.disks {
		one := types.VirtualMachineFileLayoutDiskLayout{Key: d.key}
		for _, l := range v.sortedLinks(i) {
			for _, f := range d.linkFiles(l, time.Time{}) {
				one.DiskFile = append(one.DiskFile, f.name)
			}
		}
		layout.Disk = append(layout.Disk, one)
	}
	for _, s := range v.all() {
		one := types.VirtualMachineFileLayoutSnapshotLayout{Key: s.ref}
		for _, f := range s.files() {
			one.SnapshotFile = append(one.SnapshotFile, f.name)
		}
		layout.Snapshot = append(layout.Snapshot, one)
	}
	return layout
}
