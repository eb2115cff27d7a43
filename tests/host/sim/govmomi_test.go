// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/find"
	vimobject "github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	vimview "github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// TestGovmomiUnderstandsUs drives the host with a client that knows nothing
// of it: whatever it cannot read, we write wrongly.
func TestGovmomiUnderstandsUs(t *testing.T) {
	b := start(t, "-kind", "vcenter", "-vms", "120", "-datacenters", "2", "-folders", "2", "-vapps", "1", "-snapshots", "2", "-on",
		"-loose-cookies") // Go takes the quotes off
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	address, err := url.Parse(b.base + "/sdk")
	if err != nil {
		t.Fatal(err)
	}
	address.User = url.UserPassword("root", "secret")
	c, err := govmomi.NewClient(ctx, address, true)
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	v, err := vimview.NewManager(c.Client).CreateContainerView(ctx, c.ServiceContent.RootFolder, []string{"VirtualMachine", "Datastore"}, true)
	must(err)
	var vms []mo.VirtualMachine
	must(v.Retrieve(ctx, []string{"VirtualMachine"}, []string{"name", "snapshot", "layoutEx", "config", "runtime", "summary", "guest", "recentTask"}, &vms))
	equal(t, "VMs", len(vms), 120)
	for _, each := range vms {
		if len(each.Snapshot.RootSnapshotList) != 1 || len(each.LayoutEx.Snapshot) != 2 || len(each.LayoutEx.Disk) != 1 ||
			each.Config.Files.VmPathName == "" || each.Runtime.Host == nil || each.Summary.Config.Uuid != each.Config.Uuid {
			t.Fatalf("%s is incomplete", each.Name)
		}
		disks := vimobject.VirtualDeviceList(each.Config.Hardware.Device).SelectByType((*types.VirtualDisk)(nil))
		backing := disks[0].(*types.VirtualDisk).Backing.(*types.VirtualDiskFlatVer2BackingInfo)
		if backing.Parent == nil || backing.Parent.Parent == nil || backing.Parent.Parent.Parent != nil {
			t.Fatalf("%s: wrong chain", each.Name)
		}
	}
	var stores []mo.Datastore
	must(v.Retrieve(ctx, []string{"Datastore"}, []string{"name", "summary", "host", "vm"}, &stores))
	equal(t, "datastores", len(stores), 2)
	for _, store := range stores {
		if store.Summary.Capacity == 0 || store.Summary.FreeSpace == 0 || len(store.Host) == 0 || !store.Summary.Accessible {
			t.Fatalf("%s is incomplete: %+v", store.Name, store.Summary)
		}
	}

	finder := find.NewFinder(c.Client)
	vm, err := finder.VirtualMachine(ctx, "/DC0/vm/vm00000")
	must(err)
	task, err := vm.CreateSnapshot(ctx, "from govmomi", "", false, false)
	must(err)
	info, err := task.WaitForResult(ctx, nil)
	must(err)
	made := info.Result.(types.ManagedObjectReference)
	seen := false
	must(property.Wait(ctx, property.DefaultCollector(c.Client), vm.Reference(), []string{"snapshot"}, func(changes []types.PropertyChange) bool {
		for _, change := range changes {
			if tree, ok := change.Val.(types.VirtualMachineSnapshotInfo); ok {
				seen = *tree.CurrentSnapshot == made
			}
		}
		return seen
	}))
	found, err := vm.FindSnapshot(ctx, "from govmomi")
	must(err)
	equal(t, "found", *found, made)
	task, err = vm.RemoveSnapshot(ctx, "from govmomi", false, nil)
	must(err)
	must(task.Wait(ctx))
	task, err = vm.PowerOn(ctx)
	must(err)
	if err = task.Wait(ctx); err == nil {
		t.Fatal("a running VM was powered on")
	}

	index := vimobject.NewSearchIndex(c.Client)
	dc, err := finder.Datacenter(ctx, "/DC0")
	must(err)
	reference, err := index.FindByDatastorePath(ctx, dc, "[LocalDS_0] vm00000/vm00000.vmx")
	must(err)
	equal(t, "by path", reference.Reference(), vm.Reference())
	reference, err = index.FindByUuid(ctx, nil, vms[7].Config.Uuid, true, nil)
	must(err)
	equal(t, "by uuid", reference.Reference(), vms[7].Self)
	must(c.Logout(ctx))
	equal(t, "sessions", b.control("counters")["sessions"], 0)
}
