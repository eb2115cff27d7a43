// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"reflect"
	"strings"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

func typeOf[T any]() reflect.Type {
	return reflect.TypeOf((*T)(nil)).Elem()
}

// objectTypes are the kinds of objects a property can be asked of.
var objectTypes = map[string]reflect.Type{
	"AuthorizationManager":           typeOf[mo.AuthorizationManager](),
	"ClusterComputeResource":         typeOf[mo.ClusterComputeResource](),
	"ComputeResource":                typeOf[mo.ComputeResource](),
	"ContainerView":                  typeOf[mo.ContainerView](),
	"Datacenter":                     typeOf[mo.Datacenter](),
	"Datastore":                      typeOf[mo.Datastore](),
	"DistributedVirtualPortgroup":    typeOf[mo.DistributedVirtualPortgroup](),
	"DistributedVirtualSwitch":       typeOf[mo.DistributedVirtualSwitch](),
	"Folder":                         typeOf[mo.Folder](),
	"HostDatastoreBrowser":           typeOf[mo.HostDatastoreBrowser](),
	"HostDatastoreSystem":            typeOf[mo.HostDatastoreSystem](),
	"HostSystem":                     typeOf[mo.HostSystem](),
	"HttpNfcLease":                   typeOf[mo.HttpNfcLease](),
	"LicenseManager":                 typeOf[mo.LicenseManager](),
	"ListView":                       typeOf[mo.ListView](),
	"ManagedEntity":                  typeOf[mo.ManagedEntity](),
	"Network":                        typeOf[mo.Network](),
	"OpaqueNetwork":                  typeOf[mo.OpaqueNetwork](),
	"OptionManager":                  typeOf[mo.OptionManager](),
	"PropertyCollector":              typeOf[mo.PropertyCollector](),
	"PropertyFilter":                 typeOf[mo.PropertyFilter](),
	"ResourcePool":                   typeOf[mo.ResourcePool](),
	"ServiceInstance":                typeOf[mo.ServiceInstance](),
	"SessionManager":                 typeOf[mo.SessionManager](),
	"StoragePod":                     typeOf[mo.StoragePod](),
	"Task":                           typeOf[mo.Task](),
	"TaskManager":                    typeOf[mo.TaskManager](),
	"VirtualApp":                     typeOf[mo.VirtualApp](),
	"VirtualMachine":                 typeOf[mo.VirtualMachine](),
	"VirtualMachineSnapshot":         typeOf[mo.VirtualMachineSnapshot](),
	"VmwareDistributedVirtualSwitch": typeOf[mo.VmwareDistributedVirtualSwitch](),
}

// propertySince tells which properties older versions do not have; what
// stands below a path is as old as it.
var propertySince = map[string]string{
	"VirtualMachine.config.changeTrackingEnabled": "4.0",
	"VirtualMachine.config.instanceUuid":          "4.0",
	"VirtualMachine.summary.config.instanceUuid":  "4.0",
	"VirtualMachine.layoutEx":                     "4.0",
	"VirtualMachine.storage":                      "4.0",
	"VirtualMachine.parentVApp":                   "4.0",
	"VirtualMachine.rootSnapshot":                 "4.1",
	"VirtualMachine.runtime.consolidationNeeded":  "5.0",
	"VirtualMachineSnapshot.childSnapshot":        "4.1",
	"VirtualMachineSnapshot.vm":                   "6.0",
	"Task.info.activationId":                      "6.0",
}

var typeSince = map[string]string{"VirtualApp": "4.0", "StoragePod": "5.0", "OpaqueNetwork": "5.5"}

// fields maps the names in XML to the fields of a struct, with those of the
// structs that it embeds.
var (
	fieldsLock  sync.Mutex
	fieldsCache = make(map[reflect.Type]map[string]reflect.StructField)
)

func fieldsOf(kind reflect.Type) map[string]reflect.StructField {
	fieldsLock.Lock()
	defer fieldsLock.Unlock()
	if found := fieldsCache[kind]; found != nil {
		return found
	}
	out := make(map[string]reflect.StructField)
	var add func(reflect.Type, []int)
	add = func(t reflect.Type, index []int) {
		for i := 0; i < t.NumField(); i++ {
			field := t.Field(i)
			field.Index = append(append([]int(nil), index...), i)
			if field.Anonymous && field.Type.Kind() == reflect.Struct {
				add(field.Type, field.Index)
				continue
			}
			tag := field.Tag.Get("mo")
			if tag == "" {
				tag, _, _ = strings.Cut(field.Tag.Get("xml"), ",")
			}
			if tag != "" {
				out[tag] = field
			}
		}
	}
	add(kind, nil)
	fieldsCache[kind] = out
	return out
}

// validPath tells whether a type has such a property in a version.
func validPath(kind, path, version string) bool {
	t, ok := objectTypes[kind]
	if !ok {
		return false
	}
	for prefix := path; ; {
		if since, old := propertySince[kind+"."+prefix]; old && olderThan(version, since) {
			return false
		}
		i := strings.LastIndexByte(prefix, '.')
		if i < 0 {
			break
		}
		prefix = prefix[:i]
	}
	for _, name := range strings.Split(path, ".") {
		for t.Kind() == reflect.Ptr {
			t = t.Elem()
		}
		if t.Kind() == reflect.Interface {
			return true // depends on the object
		}
		if t.Kind() != reflect.Struct {
			return false
		}
		field, ok := fieldsOf(t)[name]
		if !ok {
			return false
		}
		t = field.Type
	}
	return true
}

// omitted tells whether an optional field has no value.
func omitted(value reflect.Value, optional bool) bool {
	switch value.Kind() {
	case reflect.Ptr, reflect.Interface:
		return value.IsNil()
	case reflect.Slice, reflect.String:
		return optional && value.Len() == 0
	case reflect.Int32, reflect.Int64:
		return optional && value.IsZero()
	case reflect.Struct:
		if ref, ok := value.Interface().(moref); ok {
			return ref.Value == ""
		}
	}
	return false
}

// arrayOf wraps a list as property values have it: ArrayOfX.
func arrayOf(value reflect.Value) interface{} {
	name := "ArrayOf" + strings.TrimPrefix(value.Type().Elem().Name(), "Base")
	switch value.Interface().(type) {
	case []string:
		name = "ArrayOfString"
	case []byte:
		name = "ArrayOfByte"
	case []int16:
		name = "ArrayOfShort"
	case []int32:
		name = "ArrayOfInt"
	case []int64:
		name = "ArrayOfLong"
	}
	kind, ok := types.TypeFunc()(name)
	if !ok {
		return nil
	}
	array := reflect.New(kind)
	array.Elem().Field(0).Set(value)
	return array.Interface()
}

// valueAt follows a path; nil: it is unset.
func valueAt(value reflect.Value, path string) interface{} {
	for _, name := range strings.Split(path, ".") {
		for value.Kind() == reflect.Ptr || value.Kind() == reflect.Interface {
			if value.IsNil() {
				return nil
			}
			value = value.Elem()
		}
		if value.Kind() != reflect.Struct {
			return nil
		}
		field, ok := fieldsOf(value.Type())[name]
		if !ok {
			return nil
		}
		value = value.FieldByIndex(field.Index)
		if omitted(value, strings.Contains(field.Tag.Get("xml"), ",omitempty")) {
			return nil
		}
	}
	for value.Kind() == reflect.Ptr || value.Kind() == reflect.Interface {
		value = value.Elem()
	}
	if value.Kind() == reflect.Slice {
		return arrayOf(value)
	}
	return value.Interface()
}

// wants tells whether one of the paths is that property or below it.
func wants(paths []string, name string) bool {
	for _, path := range paths {
		if path == name || strings.HasPrefix(path, name+".") {
			return true
		}
	}
	return false
}

// lacks tells whether one of the paths is that property, or below it, and is
// not kept encoded.
func (v *vm) lacks(paths []string, name string) bool {
	for _, path := range paths {
		if path == name || strings.HasPrefix(path, name+".") {
			if _, ok := v.values[path]; !ok {
				return true
			}
		}
	}
	return false
}

// vmProperties adds what is made only when asked for.
func (w *world) vmProperties(v *vm, paths []string) reflect.Value {
	hidden := v.mo.Runtime.ConnectionState == types.VirtualMachineConnectionStateInaccessible ||
		v.mo.Runtime.ConnectionState == types.VirtualMachineConnectionStateInvalid
	layoutEx := v.lacks(paths, "layoutEx")
	if !hidden && !layoutEx && !wants(paths, "layout") && !wants(paths, "recentTask") {
		return reflect.ValueOf(v.mo).Elem()
	}
	copied := *v.mo
	if layoutEx {
		copied.LayoutEx = v.layoutEx()
	}
	if wants(paths, "layout") {
		copied.Layout = v.layout()
	}
	copied.RecentTask = v.recent
	if hidden {
		copied.Config, copied.LayoutEx, copied.Layout, copied.Guest = nil, nil, nil, nil
	}
	return reflect.ValueOf(&copied).Elem()
}

// properties returns the struct that holds an object's properties.
func (w *world) properties(s *session, ref moref, paths []string) (reflect.Value, bool) {
	if v := w.vms[ref]; v != nil {
		return w.vmProperties(v, paths), true
	}
	if snap := w.snapshots[ref]; snap != nil {
		out := &mo.VirtualMachineSnapshot{Vm: snap.vm.ref()}
		out.Self = ref
		if wants(paths, "config") {
			out.Config = *snap.config()
		}
		for _, child := range snap.children {
			out.ChildSnapshot = append(out.ChildSnapshot, child.ref)
		}
		return reflect.ValueOf(out).Elem(), true
	}
	if t := w.tasks[ref]; t != nil {
		return reflect.ValueOf(&mo.Task{Info: t.info}).Elem(), true
	}
	if view := w.views[ref]; view != nil && view.owner == s {
		return reflect.ValueOf(&mo.ContainerView{Container: view.container, Type: view.kinds,
			Recursive: view.recursive, ManagedObjectView: mo.ManagedObjectView{View: view.list(w)}}).Elem(), true
	}
	switch ref.Type {
	case "PropertyCollector":
		if s == nil || s.collectors[ref] == nil {
			return reflect.Value{}, false
		}
		out := &mo.PropertyCollector{}
		for _, f := range s.collectors[ref].filters {
			out.Filter = append(out.Filter, f.ref)
		}
		return reflect.ValueOf(out).Elem(), true
	case "SessionManager":
		return reflect.ValueOf(w.sessionManager(s)).Elem(), ref == *w.content.SessionManager
	case "TaskManager":
		out := &mo.TaskManager{MaxCollector: 32}
		for _, t := range w.recent {
			out.RecentTask = append(out.RecentTask, t.ref)
		}
		return reflect.ValueOf(out).Elem(), ref == *w.content.TaskManager
	}
	found := simulator.Map.Get(ref)
	if found == nil {
		return reflect.Value{}, false
	}
	if manager, ok := found.(*simulator.LicenseManager); ok && w.set.licence {
		out := manager.LicenseManager
		out.Licenses = []types.LicenseManagerLicenseInfo{{LicenseKey: "00000-00000-00000-00000-00000",
			EditionKey: "esxBasic", Name: "VMware vSphere Hypervisor", CostUnit: "cpuPackage"}}
		return reflect.ValueOf(&out).Elem(), true
	}
	value := managed(found)
	return value, value.IsValid()
}

// isKind tells whether objects of a type are also of another: a cluster is a
// ComputeResource.
func isKind(name, wanted string) bool {
	if name == wanted {
		return true
	}
	key := [2]string{name, wanted}
	if known, ok := kinds.Load(key); ok {
		return known.(bool)
	}
	is := embedsKind(name, wanted)
	kinds.Store(key, is)
	return is
}

// kinds keeps what isKind found out.
var kinds sync.Map

func embedsKind(name, wanted string) bool {
	t, ok := objectTypes[name]
	if !ok {
		return false
	}
	var embeds func(reflect.Type) bool
	embeds = func(t reflect.Type) bool {
		for i := 0; i < t.NumField(); i++ {
			if f := t.Field(i); f.Anonymous && f.Type.Kind() == reflect.Struct &&
				(f.Name == wanted || embeds(f.Type)) {
				return true
			}
		}
		return false
	}
	return embeds(t)
}

// pathsFor is what a filter asks of an object; ok: it asks for the object.
func pathsFor(specs []types.PropertySpec, ref moref) (paths []string, ok bool) {
	for _, spec := range specs {
		if !isKind(ref.Type, spec.Type) {
			continue
		}
		ok = true
		if spec.All != nil && *spec.All {
			for name := range fieldsOf(objectTypes[ref.Type]) {
				paths = append(paths, name)
			}
			continue
		}
		paths = append(paths, spec.PathSet...)
	}
	return paths, ok
}

// checkSpec finds what a filter must not ask for.
func checkSpec(specs []types.PropertySpec, version string) *fault {
	for _, spec := range specs {
		since := typeSince[spec.Type]
		if objectTypes[spec.Type] == nil || since != "" && olderThan(version, since) {
			return newFault(&types.InvalidArgument{InvalidProperty: "specSet.propSet.type " + spec.Type})
		}
		for _, path := range spec.PathSet {
			if !validPath(spec.Type, path, version) {
				return newFault(&types.InvalidProperty{Name: path})
			}
		}
	}
	return nil
}
