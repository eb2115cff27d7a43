// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/esx"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// vm is what we keep about a virtual machine beside its properties.
// Everything that a property points to is replaced, never changed in place.
type vm struct {
	w     *world
	mo    *mo.VirtualMachine // in govmomi's registry
	place *place

	vmx    string                          // "[ds] dir/name.vmx"
	plain  *types.VirtualMachineConfigInfo // config without devices; replaced, never changed
	disks  []*disk
	power  types.VirtualMachinePowerState
	tools  string // ok, none, bad
	frozen bool   // quiescing fails
	log    int64  // bytes of vmware.log

	roots   []*snapshot
	current *snapshot
	lastID  int32
	changed bool // written since the current snapshot was taken

	active *task // busy with it
	recent []moref
	values map[string]encoded // by property path; see encode.go
	hold   time.Time          // busy until then, for no task
}

// disk is one virtual disk; head is the file the VM writes to.
type disk struct {
	key         int32
	kb          int64
	head        *link
	deltas      int // made so far; numbers are not reused
	independent bool
	nameless    bool // its contents: no contentId is told
	headOnly    bool // its parents are not told
}

// link is one file of a disk's chain. Merging moves who points to it.
type link struct {
	dir    string // "[ds] dir"
	name   string // without .vmdk
	parent *link
	uuid   string
	cid    string // of the descriptor that a test stored
}

func (l *link) file() string {
	return l.dir + "/" + l.name + ".vmdk"
}

const controllerKey = 1000

// vmDir is "[ds] dir" of a path "[ds] dir/name.vmx".
func vmDir(vmx string) string {
	return path.Dir(vmx)
}

func (v *vm) dir() string {
	return vmDir(v.vmx)
}

// stem is what the VM's files are called.
func (v *vm) stem() string {
	return strings.TrimSuffix(path.Base(v.vmx), ".vmx")
}

func (v *vm) ref() moref {
	return v.mo.Self
}

// name as a person reads it.
func (v *vm) name() string {
	plain, ok := unescapeName(v.mo.Name)
	if !ok {
		return v.mo.Name
	}
	return plain
}

func (v *vm) note(paths ...string) {
	v.w.changed(v.ref(), paths...)
}

func stableUUID(text string) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte(text)).String()
}

// fileName makes a directory name of a VM's: no slashes, as products do.
func fileName(plain string) string {
	return strings.NewReplacer("/", "_", "\\", "_", "[", "_", "]", "_").Replace(plain)
}

// freeDir finds a directory that no VM has.
func (w *world) freeDir(datastore, stem string) string {
	taken := func(dir string) bool {
		for _, v := range w.order {
			if v.dir() == dir {
				return true
			}
		}
		for vmx := range w.gone {
			if vmDir(vmx) == dir {
				return true
			}
		}
		return false
	}
	dir := fmt.Sprintf("[%s] %s", datastore, stem)
	for i := 1; taken(dir); i++ {
		dir = fmt.Sprintf("[%s] %s_%d", datastore, stem, i)
	}
	return dir
}

// newVM makes a VM; the name is as on the wire. An empty dir: one is chosen.
func (w *world) newVM(name string, p *place, dir string) *vm {
	plain, ok := unescapeName(name)
	if !ok {
		plain = name
	}
	stem := fileName(plain)
	if dir == "" {
		dir = w.freeDir(p.datastore.Name, stem)
	}
	v := &vm{
		w:     w,
		vmx:   dir + "/" + stem + ".vmx",
		power: types.VirtualMachinePowerStatePoweredOff,
		tools: "ok",
	}
	for i := 0; i < w.o.disks; i++ {
		base := stem
		if i > 0 {
			base = fmt.Sprintf("%s_%d", stem, i)
		}
		v.disks = append(v.disks, &disk{
			key:  2000 + int32(i),
			kb:   w.o.diskKB,
			head: &link{dir: dir, name: base, uuid: stableUUID(dir + base)},
		})
	}
	v.fillPlain(name)
	w.enter(v, p)
	return v
}

func (v *vm) fillPlain(name string) {
	dir := v.dir()
	v.plain = &types.VirtualMachineConfigInfo{
		Modified:      now(),
		Name:          name,
		GuestFullName: "Other Linux (64-bit)",
		GuestId:       string(types.VirtualMachineGuestOsIdentifierOtherLinux64Guest),
		Version:       "vmx-13",
		Uuid:          stableUUID("bios " + v.vmx),
		InstanceUuid:  stableUUID("instance " + v.vmx),
		Firmware:      string(types.GuestOsDescriptorFirmwareTypeBios),
		Tools:         &types.ToolsConfigInfo{},
		Files: types.VirtualMachineFileInfo{
			VmPathName:        v.vmx,
			SnapshotDirectory: dir + "/",
			SuspendDirectory:  dir + "/",
			LogDirectory:      dir + "/",
		},
		Hardware: types.VirtualHardware{
			NumCPU: 1, NumCoresPerSocket: 1, MemoryMB: 32,
		},
		BootOptions: &types.VirtualMachineBootOptions{},
	}
	if v.w.o.kind == "server2" {
		v.plain.Version = "vmx-07"
	}
}

// enter gives a VM its properties, a moref and a place in the inventory.
func (w *world) enter(v *vm, p *place) {
	shell := &simulator.VirtualMachine{}
	value := fmt.Sprintf("vm-%d", w.id())
	if w.isESX() {
		value = fmt.Sprint(w.nextID)
	}
	shell.Self = moref{Type: "VirtualMachine", Value: value}
	v.mo = &shell.VirtualMachine
	v.values = nil
	v.mo.Name = v.plain.Name
	v.mo.Guest = &types.GuestInfo{}
	v.mo.Layout = &types.VirtualMachineFileLayout{}
	v.mo.LayoutEx = &types.VirtualMachineFileLayoutEx{}
	v.mo.Storage = &types.VirtualMachineStorageInfo{Timestamp: now()}
	v.mo.Summary.Vm = &shell.Self
	v.mo.Summary.Guest = &types.VirtualMachineGuestSummary{}
	v.mo.Summary.Storage = &types.VirtualMachineStorageSummary{Timestamp: now()}
	v.mo.Summary.OverallStatus = types.ManagedEntityStatusGreen
	v.mo.Runtime.ConnectionState = types.VirtualMachineConnectionStateConnected
	w.settle(v, p)
	w.vms[v.ref()] = v
	w.order = append(w.order, v)
	v.refreshConfig()
	v.refreshPower()
	simulator.Map.Put(shell)
	w.shape++
}

// leave takes a VM out of the inventory; its files stay.
func (w *world) leave(v *vm) {
	w.unsettle(v)
	delete(w.vms, v.ref())
	for i, each := range w.order {
		if each == v {
			w.order = append(w.order[:i:i], w.order[i+1:]...)
			break
		}
	}
	for _, s := range v.all() {
		delete(w.snapshots, s.ref)
	}
	simulator.Map.Remove(v.ref())
	w.shape++
}

// backing describes a link and its ancestors as the API does.
func (d *disk) backing(l *link, datastore moref) *types.VirtualDiskFlatVer2BackingInfo {
	mode := types.VirtualDiskModePersistent
	if d.independent {
		mode = types.VirtualDiskModeIndependent_persistent
	}
	b := &types.VirtualDiskFlatVer2BackingInfo{
		DiskMode:        string(mode),
		ThinProvisioned: types.NewBool(l.parent == nil),
		WriteThrough:    types.NewBool(false),
		Uuid:            l.uuid,
	}
	if !d.nameless {
		b.ContentId = l.longContentID()
	}
	b.FileName = l.file()
	b.Datastore = &datastore
	if l.parent != nil {
		b.DeltaDiskFormat = string(types.VirtualDiskDeltaDiskFormatSeSparseFormat)
		if !d.headOnly {
			b.Parent = d.backing(l.parent, datastore)
		}
	}
	return b
}

// devices lists the virtual hardware with the disks at the given heads; nil
// heads: where the VM is now.
func (v *vm) devices(heads []*link) []types.BaseVirtualDevice {
	list := make([]types.BaseVirtualDevice, 0, len(esx.VirtualDevice)+1+len(v.disks))
	list = append(list, esx.VirtualDevice...)
	controller := &types.ParaVirtualSCSIController{}
	controller.Key, controller.BusNumber = controllerKey, 0
	controller.SharedBus = types.VirtualSCSISharingNoSharing
	controller.ScsiCtlrUnitNumber = 7
	controller.DeviceInfo = &types.Description{Label: "SCSI controller 0", Summary: "VMware paravirtual SCSI"}
	list = append(list, controller)
	for i, d := range v.disks {
		head := d.head
		if heads != nil && !d.independent {
			if i >= len(heads) {
				continue // added after that snapshot
			}
			head = heads[i]
		}
		unit := int32(i)
		if unit >= 7 {
			unit++ // 7 is the controller itself
		}
		device := &types.VirtualDisk{CapacityInKB: d.kb, CapacityInBytes: d.kb << 10}
		device.Key, device.ControllerKey, device.UnitNumber = d.key, controllerKey, &unit
		device.Backing = d.backing(head, v.place.datastore.Self)
		device.DeviceInfo = &types.Description{
			Label:   fmt.Sprintf("Hard disk %d", i+1),
			Summary: fmt.Sprintf("%d KB", d.kb),
		}
		list = append(list, device)
	}
	return list
}

// refreshConfig makes config and summary.config anew after a change of the
// name, the facts or the disks, with a new changeVersion, and reports what
// differs.
func (v *vm) refreshConfig() {
	before := v.mo.Config
	defer func() {
		if before != nil {
			v.noteConfig(before, v.mo.Config)
		}
	}()
	config := *v.plain
	config.Modified = now()
	config.ChangeVersion = config.Modified.Format(time.RFC3339Nano)
	config.Hardware.Device = v.devices(nil)
	v.mo.Config = &config
	v.mo.Name = config.Name
	v.mo.Summary.Config = types.VirtualMachineConfigSummary{
		Name:            config.Name,
		Template:        config.Template,
		VmPathName:      v.vmx,
		MemorySizeMB:    config.Hardware.MemoryMB,
		NumCpu:          config.Hardware.NumCPU,
		NumVirtualDisks: int32(len(v.disks)),
		Uuid:            config.Uuid,
		InstanceUuid:    config.InstanceUuid,
		GuestId:         config.GuestId,
		GuestFullName:   config.GuestFullName,
		Annotation:      config.Annotation,
	}
}

// noteConfig reports the facts that a new configuration changed.
func (v *vm) noteConfig(a, b *types.VirtualMachineConfigInfo) {
	v.note("config.changeVersion", "config.modified")
	for path, differs := range map[string]bool{
		"name":       a.Name != b.Name,
		"template":   a.Template != b.Template,
		"annotation": a.Annotation != b.Annotation,
		"version":    a.Version != b.Version,
	} {
		if !differs {
			continue
		}
		v.note("config."+path, "summary.config."+path)
		if path == "name" {
			v.note(path)
		}
	}
}

// alter changes facts of the configuration. Snapshots share what was before.
func (v *vm) alter(f func(*types.VirtualMachineConfigInfo)) {
	plain := *v.plain
	f(&plain)
	v.plain = &plain
	v.refreshConfig()
}

// disksMoved reports that the chain has other files now.
func (v *vm) disksMoved() {
	v.refreshConfig()
	v.note("config.hardware.device", "layoutEx", "layout")
}

func (v *vm) refreshPower() {
	v.mo.Runtime.PowerState = v.power
	status, running := types.VirtualMachineToolsStatusToolsNotRunning, types.VirtualMachineToolsRunningStatusGuestToolsNotRunning
	switch {
	case v.tools == "none":
		status = types.VirtualMachineToolsStatusToolsNotInstalled
	case v.power == types.VirtualMachinePowerStatePoweredOn:
		status, running = types.VirtualMachineToolsStatusToolsOk, types.VirtualMachineToolsRunningStatusGuestToolsRunning
	}
	guest := *v.mo.Guest
	guest.ToolsStatus, guest.ToolsRunningStatus = status, string(running)
	guest.ToolsVersionStatus2 = string(types.VirtualMachineToolsVersionStatusGuestToolsCurrent)
	guest.GuestState = string(types.VirtualMachineGuestStateNotRunning)
	if v.power == types.VirtualMachinePowerStatePoweredOn {
		guest.GuestState = string(types.VirtualMachineGuestStateRunning)
	}
	v.mo.Guest = &guest
	v.mo.Summary.Guest = &types.VirtualMachineGuestSummary{ToolsStatus: status, ToolsRunningStatus: string(running)}
	v.mo.Summary.Runtime = v.mo.Runtime
}

// setPower changes the state and tells the collectors.
func (v *vm) setPower(state types.VirtualMachinePowerState) {
	v.power = state
	v.mo.Runtime.BootTime = nil
	if state == types.VirtualMachinePowerStatePoweredOn {
		t := now()
		v.mo.Runtime.BootTime = &t
		v.changed = true
	}
	v.refreshPower()
	v.note("runtime.powerState", "runtime.bootTime", "summary.runtime.powerState",
		"guest.toolsStatus", "guest.toolsRunningStatus", "guest.guestState",
		"summary.guest.toolsStatus", "layoutEx")
}

// rename gives a VM a name as on the wire.
func (v *vm) rename(name string) {
	v.alter(func(c *types.VirtualMachineConfigInfo) { c.Name = name })
}

// move puts a VM into another folder, or out of a vApp into one.
func (v *vm) move(folder *mo.Folder) {
	p := v.w.placeIn(folder)
	kept := *p
	kept.datastore, kept.host = v.place.datastore, v.place.host
	kept.vapp = nil
	v.w.unsettle(v)
	before := v.mo.Parent
	v.w.settle(v, &kept)
	v.w.shape++
	if before != nil {
		v.w.changed(*before, "childEntity")
	}
	v.w.changed(folder.Self, "childEntity")
	v.note("parent", "parentVApp", "resourcePool")
}

// populate makes the VMs and snapshots that the options ask for.
func (w *world) populate() {
	for i := 0; i < w.o.vms; i++ {
		p := w.places[i%len(w.places)]
		plain := fmt.Sprintf(w.o.nameFormat, i)
		stem := fileName(plain)
		v := w.newVM(escapeName(plain), p, fmt.Sprintf("[%s] %s", p.datastore.Name, stem))
		if i >= w.o.vms-w.o.templates {
			v.alter(func(c *types.VirtualMachineConfigInfo) { c.Template = true })
		} else if w.o.on {
			v.setPower(types.VirtualMachinePowerStatePoweredOn)
		}
		if w.o.snapshots > 0 {
			v.fill(w.o.snapshots, w.o.depth, "snap")
		}
	}
}

// findVM takes a name or a moref's value; names first.
func (w *world) findVM(word string) *vm {
	for _, v := range w.order {
		if v.name() == word {
			return v
		}
	}
	for _, v := range w.order {
		if v.ref().Value == word {
			return v
		}
	}
	return nil
}
