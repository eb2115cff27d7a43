// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand"
	"net"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"

	"../serve"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// The control endpoint is the hand of the test: another client of the host,
// its operator, and its failures. README.md has the words.

// order is one request to it.
type order struct {
	s    *server
	w    *world
	q    url.Values
	http *http.Request
}

type orders map[string]func(*order) (interface{}, error)

var controlTable orders

func init() {
	controlTable = orders{
		"vms":             controlVMs,
		"vm":              controlVM,
		"snapshot/create": controlCreate,
		"snapshot/rename": controlRename,
		"snapshot/remove": controlRemove,
		"snapshot/revert": controlRevert,
		"snapshot/clear":  controlClear,
		"snapshot/fill":   controlFill,
		"power":           controlPower,
		"vm/create":       controlVMCreate,
		"vm/rename":       controlVMRename,
		"vm/move":         controlVMMove,
		"vm/destroy":      controlVMDestroy,
		"vm/unregister":   controlVMUnregister,
		"vm/register":     controlVMRegister,
		"vm/set":          controlVMSet,
		"folder/create":   controlFolderCreate,
		"folder/rename":   controlFolderRename,
		"folder/destroy":  controlFolderDestroy,
		"churn":           controlChurn,
		"sessions":        controlSessions,
		"session/expire":  controlExpire,
		"set":             controlSet,
		"fail":            controlFail,
		"fail/clear":      controlFailClear,
		"counters":        controlCounters,
		"tasks":           controlTasks,
		"file":            controlFile,
	}
}

func (s *server) startControl() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.base = "http://" + listener.Addr().String()
	s.control = &http.Server{Handler: http.HandlerFunc(s.serveControl)}
	go func() {
		if err := s.control.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Printf("control ended: %v", err)
		}
	}()
	return nil
}

func (s *server) serveControl(out http.ResponseWriter, r *http.Request) {
	path := strings.Trim(r.URL.Path, "/")
	o := &order{s: s, w: s.w, q: r.URL.Query(), http: r}
	if path == "restart" { // takes its time, without the lock
		value, err := o.restart()
		serve.Reply(out, value, err)
		return
	}
	f := controlTable[path]
	if f == nil {
		serve.Reply(out, nil, fmt.Errorf("unknown order %q", path))
		return
	}
	s.w.mu.Lock()
	value, err := f(o)
	var text []byte
	if err == nil {
		text, err = serve.JSON(value) // while nothing changes
	}
	s.w.mu.Unlock()
	serve.Reply(out, json.RawMessage(text), err)
}

func (o *order) number(name string, otherwise int) (int, error) {
	text := o.q.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("%s=%s is not a number", name, text)
	}
	return n, nil
}

func (o *order) flag(name string) bool {
	text := o.q.Get(name)
	return text == "1" || text == "true" || text == "yes"
}

func (o *order) vm() (*vm, error) {
	v := o.w.findVM(o.q.Get("vm"))
	if v == nil {
		return nil, fmt.Errorf("no VM %q", o.q.Get("vm"))
	}
	return v, nil
}

// snapshot takes id=N or snapshot=NAME; of equal names the oldest.
func (o *order) snapshot() (*vm, *snapshot, error) {
	v, err := o.vm()
	if err != nil {
		return nil, nil, err
	}
	id, err := o.number("id", 0)
	if err != nil {
		return nil, nil, err
	}
	var best *snapshot
	for _, s := range v.all() {
		if id != 0 && int(s.id) == id {
			return v, s, nil
		}
		if id == 0 && plainName(s.name) == o.q.Get("snapshot") && (best == nil || s.id < best.id) {
			best = s
		}
	}
	if best == nil {
		return nil, nil, fmt.Errorf("no such snapshot of %s", v.name())
	}
	return v, best, nil
}

// task makes a change go the way of a client's call, with its duration.
func (o *order) task(v *vm, kind, method string, work func() (types.AnyType, *fault)) (interface{}, error) {
	if f := v.busyWith(); f != nil {
		return nil, errors.New(f.name())
	}
	t := o.w.newTask(&spec{kind: kind, method: method, vm: v, entity: v.ref(),
		user: "another", busy: true, work: work})
	return map[string]string{"task": t.ref.Value}, nil
}

func describeSnapshot(s *snapshot) map[string]interface{} {
	parent := int32(0)
	if s.parent != nil {
		parent = s.parent.id
	}
	var disks []string
	for _, l := range s.heads {
		disks = append(disks, l.file())
	}
	return map[string]interface{}{
		"id": s.id, "moref": s.ref.Value, "name": plainName(s.name), "wire": s.name,
		"description": s.description, "created": s.created, "state": s.state,
		"quiesced": s.quiesced, "memory": s.memory, "parent": parent,
		"current": s.vm.current == s, "disks": disks,
	}
}

func describeVM(v *vm, full bool) map[string]interface{} {
	out := map[string]interface{}{
		"moref": v.ref().Value, "name": v.name(), "wire": v.mo.Name, "vmx": v.vmx,
		"folder": folderPath(v.place.folder), "power": v.power, "template": v.plain.Template,
		"connection": v.mo.Runtime.ConnectionState, "busy": v.active != nil,
		"snapshots": len(v.all()),
	}
	if v.place.vapp != nil {
		out["vapp"] = v.place.vapp.Name
	}
	if v.current != nil {
		out["current"] = v.current.id
	}
	if full {
		list := []map[string]interface{}{}
		for _, s := range v.all() {
			list = append(list, describeSnapshot(s))
		}
		out["snapshots"] = list
		var disks []string
		for _, d := range v.disks {
			disks = append(disks, d.head.file())
		}
		out["disks"] = disks
	}
	return out
}

func controlVMs(o *order) (interface{}, error) {
	list := []map[string]interface{}{}
	for _, v := range o.w.order {
		list = append(list, describeVM(v, false))
	}
	return list, nil
}

func controlVM(o *order) (interface{}, error) {
	v, err := o.vm()
	if err != nil {
		return nil, err
	}
	return describeVM(v, true), nil
}

func controlCreate(o *order) (interface{}, error) {
	v, err := o.vm()
	if err != nil {
		return nil, err
	}
	name, description := escapeName(o.q.Get("name")), o.q.Get("description")
	memory, quiesce := o.flag("memory"), o.flag("quiesce")
	if o.flag("task") {
		return o.task(v, "create", "createSnapshot", func() (types.AnyType, *fault) {
			return v.create(name, description, memory, quiesce).ref, nil
		})
	}
	if f := v.busyWith(); f != nil {
		return nil, errors.New(f.name())
	}
	return describeSnapshot(v.create(name, description, memory, quiesce)), nil
}

func controlRename(o *order) (interface{}, error) {
	v, s, err := o.snapshot()
	if err != nil {
		return nil, err
	}
	var name, description *string
	if o.q.Has("name") {
		wire := escapeName(o.q.Get("name"))
		name = &wire
	}
	if o.q.Has("description") {
		text := o.q.Get("description")
		description = &text
	}
	v.edit(s, name, description)
	return describeSnapshot(s), nil
}

func controlRemove(o *order) (interface{}, error) {
	v, s, err := o.snapshot()
	if err != nil {
		return nil, err
	}
	children := o.flag("children")
	if o.flag("task") {
		return o.task(v, "remove", "removeSnapshot", func() (types.AnyType, *fault) {
			v.remove(s, children)
			return nil, nil
		})
	}
	if f := v.busyWith(); f != nil {
		return nil, errors.New(f.name())
	}
	v.remove(s, children)
	return describeVM(v, true), nil
}

func controlRevert(o *order) (interface{}, error) {
	v, s, err := o.snapshot()
	if err != nil {
		return nil, err
	}
	suppress := o.flag("suppress")
	if o.flag("task") {
		return o.task(v, "revert", "revertToSnapshot", func() (types.AnyType, *fault) {
			v.revert(s, suppress)
			return nil, nil
		})
	}
	if f := v.busyWith(); f != nil {
		return nil, errors.New(f.name())
	}
	v.revert(s, suppress)
	return describeVM(v, true), nil
}

func controlClear(o *order) (interface{}, error) {
	v, err := o.vm()
	if err != nil {
		return nil, err
	}
	v.clear()
	return describeVM(v, true), nil
}

func controlFill(o *order) (interface{}, error) {
	v, err := o.vm()
	if err != nil {
		return nil, err
	}
	count, err := o.number("count", 1)
	if err != nil {
		return nil, err
	}
	depth, err := o.number("depth", 0)
	if err != nil {
		return nil, err
	}
	prefix := o.q.Get("name")
	if prefix == "" {
		prefix = "snap"
	}
	v.fill(count, depth, prefix)
	return map[string]int{"snapshots": len(v.all())}, nil
}

var powerWords = map[string]types.VirtualMachinePowerState{"on": on, "off": off, "suspended": suspended}

func controlPower(o *order) (interface{}, error) {
	v, err := o.vm()
	if err != nil {
		return nil, err
	}
	state, ok := powerWords[o.q.Get("state")]
	if !ok {
		return nil, errors.New("state is on, off or suspended")
	}
	if o.flag("task") {
		return o.task(v, "power", "powerOn", func() (types.AnyType, *fault) {
			v.setPower(state)
			return nil, nil
		})
	}
	v.setPower(state)
	return describeVM(v, false), nil
}

func controlVMCreate(o *order) (interface{}, error) {
	folder := o.w.findFolder(o.q.Get("folder"))
	if folder == nil {
		return nil, fmt.Errorf("no folder %q", o.q.Get("folder"))
	}
	v := o.w.newVM(escapeName(o.q.Get("name")), o.w.placeIn(folder), "")
	return describeVM(v, true), nil
}

func controlVMRename(o *order) (interface{}, error) {
	v, err := o.vm()
	if err != nil {
		return nil, err
	}
	v.rename(escapeName(o.q.Get("name")))
	return describeVM(v, false), nil
}

func controlVMMove(o *order) (interface{}, error) {
	v, err := o.vm()
	if err != nil {
		return nil, err
	}
	folder := o.w.findFolder(o.q.Get("folder"))
	if folder == nil {
		return nil, fmt.Errorf("no folder %q", o.q.Get("folder"))
	}
	v.move(folder)
	return describeVM(v, false), nil
}

func controlVMDestroy(o *order) (interface{}, error) {
	v, err := o.vm()
	if err != nil {
		return nil, err
	}
	o.w.leave(v)
	return struct{}{}, nil
}

func controlVMUnregister(o *order) (interface{}, error) {
	v, err := o.vm()
	if err != nil {
		return nil, err
	}
	o.w.unregister(v)
	return map[string]string{"vmx": v.vmx}, nil
}

func controlVMRegister(o *order) (interface{}, error) {
	folder := o.w.findFolder(o.q.Get("folder"))
	if folder == nil {
		return nil, fmt.Errorf("no folder %q", o.q.Get("folder"))
	}
	v, f := o.w.register(o.q.Get("path"), escapeName(o.q.Get("name")), folder)
	if f != nil {
		return nil, errors.New(f.name())
	}
	return describeVM(v, true), nil
}

func (o *order) setConnection(v *vm, word string) error {
	state := types.VirtualMachineConnectionState(word)
	switch state {
	case types.VirtualMachineConnectionStateConnected, types.VirtualMachineConnectionStateDisconnected,
		types.VirtualMachineConnectionStateOrphaned, types.VirtualMachineConnectionStateInaccessible,
		types.VirtualMachineConnectionStateInvalid:
	default:
		return fmt.Errorf("no connection state %q", word)
	}
	v.mo.Runtime.ConnectionState = state
	v.mo.Summary.Runtime = v.mo.Runtime
	v.note("runtime.connectionState", "summary.runtime.connectionState", "config", "guest", "layoutEx", "layout")
	return nil
}

func controlVMSet(o *order) (interface{}, error) {
	v, err := o.vm()
	if err != nil {
		return nil, err
	}
	for key := range o.q {
		value := o.q.Get(key)
		switch key {
		case "vm":
		case "connection":
			if err := o.setConnection(v, value); err != nil {
				return nil, err
			}
		case "template":
			v.alter(func(i *types.VirtualMachineConfigInfo) { i.Template = o.flag(key) })
			v.note("config.template", "summary.config.template")
		case "annotation":
			v.alter(func(i *types.VirtualMachineConfigInfo) { i.Annotation = value })
			v.note("config.annotation", "summary.config.annotation")
		case "question":
			v.setQuestion(value)
		case "consolidation":
			v.setConsolidation(o.flag(key))
		case "tools":
			v.tools = value
			v.setPower(v.power)
		case "frozen":
			v.frozen = o.flag(key)
		case "current":
			v.current = nil
			v.refreshTree()
		case "independent":
			for i, d := range v.disks {
				d.independent = value == strconv.Itoa(i)
			}
			v.disksMoved()
		case "busy":
			ms, err := o.number(key, 0)
			if err != nil {
				return nil, err
			}
			v.hold = time.Now().Add(time.Duration(ms) * time.Millisecond)
		default:
			return nil, fmt.Errorf("a VM has no %q to set", key)
		}
	}
	return describeVM(v, false), nil
}

func controlFolderCreate(o *order) (interface{}, error) {
	path := o.q.Get("folder")
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return nil, errors.New("folder is DATACENTER/…/NAME")
	}
	parent := o.w.findFolder(path[:i])
	if parent == nil {
		return nil, fmt.Errorf("no folder %q", path[:i])
	}
	f := o.w.newFolder(parent, path[i+1:])
	return map[string]string{"moref": f.Self.Value, "folder": folderPath(f)}, nil
}

func controlFolderRename(o *order) (interface{}, error) {
	f := o.w.findFolder(o.q.Get("folder"))
	if f == nil || o.q.Get("folder") == "" {
		return nil, fmt.Errorf("no folder %q", o.q.Get("folder"))
	}
	f.Name = escapeName(o.q.Get("name"))
	o.w.changed(f.Self, "name")
	return map[string]string{"folder": folderPath(f)}, nil
}

// controlFolderDestroy removes an empty folder.
func controlFolderDestroy(o *order) (interface{}, error) {
	f := o.w.findFolder(o.q.Get("folder"))
	if f == nil || o.q.Get("folder") == "" || len(f.ChildEntity) > 0 {
		return nil, fmt.Errorf("no empty folder %q", o.q.Get("folder"))
	}
	parent := objectFolder(*f.Parent)
	if parent == nil {
		return nil, errors.New("a datacenter's own folder stays")
	}
	parent.ChildEntity = removeRef(parent.ChildEntity, f.Self)
	simulator.Map.Remove(f.Self)
	o.w.shape++
	o.w.changed(parent.Self, "childEntity")
	return struct{}{}, nil
}

// churn makes random changes to the snapshots of the first VMs.
func (w *world) churn(count, vms int, r *rand.Rand) map[string]int {
	done := make(map[string]int)
	for n := 0; n < count; n++ {
		v := w.order[r.Intn(vms)]
		if v.active != nil {
			done["busy"]++
			continue
		}
		all := v.all()
		switch k := r.Intn(10); {
		case len(all) == 0 || k < 4 && len(all) < 12 && v.levels() < w.set.levels && !(w.o.kind == "server2"):
			v.create(escapeName(fmt.Sprintf("other %d/%d", n, r.Intn(1000))), "by another client", k == 0, false)
			done["create"]++
		case k < 7:
			v.remove(all[r.Intn(len(all))], k == 6)
			done["remove"]++
		case k < 9:
			name := escapeName(fmt.Sprintf("renamed %d", n))
			v.edit(all[r.Intn(len(all))], &name, nil)
			done["rename"]++
		default:
			v.revert(all[r.Intn(len(all))], false)
			done["revert"]++
		}
	}
	return done
}

func controlChurn(o *order) (interface{}, error) {
	count, err := o.number("count", 100)
	if err != nil {
		return nil, err
	}
	seed, err := o.number("seed", 1)
	if err != nil {
		return nil, err
	}
	vms, err := o.number("vms", len(o.w.order))
	if err != nil || vms < 1 || vms > len(o.w.order) {
		return nil, errors.New("vms is between 1 and the number of VMs")
	}
	return o.w.churn(count, vms, rand.New(rand.NewSource(int64(seed)))), nil
}

func controlSessions(o *order) (interface{}, error) {
	list := []map[string]interface{}{}
	for _, s := range o.w.sessions {
		list = append(list, map[string]interface{}{
			"key": s.info.Key, "user": s.info.UserName, "agent": s.info.UserAgent,
			"calls": s.info.CallCount, "idle": time.Since(s.used).Seconds(), "busy": s.busy,
			"collectors": len(s.collectors) - 1,
		})
	}
	return list, nil
}

func controlExpire(o *order) (interface{}, error) {
	return map[string]int{"ended": o.w.expire(o.q.Get("key"))}, nil
}

func (o *order) restart() (interface{}, error) {
	down, err := o.number("down", 0)
	if err != nil {
		return nil, err
	}
	starting, err := o.number("starting", 0)
	if err != nil {
		return nil, err
	}
	tasks := o.q.Get("tasks")
	if tasks != "" && tasks != "keep" && tasks != "forget" && tasks != "fail" {
		return nil, errors.New("tasks is keep, forget or fail")
	}
	ms := time.Millisecond
	return struct{}{}, o.s.restart(time.Duration(down)*ms, time.Duration(starting)*ms, tasks)
}

func words(text string) map[string]bool {
	set := make(map[string]bool)
	for _, word := range strings.Split(text, ",") {
		if word != "" {
			set[word] = true
		}
	}
	return set
}

func controlSet(o *order) (interface{}, error) {
	numbers := map[string]*int{
		"session-idle": &o.w.o.sessionIdle, "max-sessions": &o.w.o.maxSessions,
		"max-wait": &o.w.o.maxWait, "truncate": &o.w.o.truncate, "page": &o.w.o.page,
		"versions": &o.w.o.versions, "update-delay": &o.w.o.updateDelay,
		"slots": &o.w.o.slots, "levels": &o.w.set.levels,
	}
	durations := words(strings.Join(taskKinds, ","))
	for key := range o.q {
		n, err := o.number(key, 0)
		switch {
		case key == "licence":
			o.w.set.licence = o.flag(key)
		case key == "cancelable":
			o.w.set.cancelable = o.flag(key)
		case key == "deny":
			o.w.set.deny = words(o.q.Get(key))
		case key == "hide":
			o.w.set.hidden = words(o.q.Get(key))
		case key == "password":
			o.w.o.password = o.q.Get(key)
		case err != nil || n < 0:
			return nil, fmt.Errorf("%s is not set to %q", key, o.q.Get(key))
		case durations[key]:
			o.w.set.durations[key] = time.Duration(n) * time.Millisecond
		case key == "keep":
			o.w.set.keep = time.Duration(n) * time.Millisecond
		case numbers[key] != nil:
			*numbers[key] = n
		default:
			return nil, fmt.Errorf("nothing called %q can be set", key)
		}
	}
	return struct{}{}, nil
}

func controlFail(o *order) (interface{}, error) {
	f := &failure{method: o.q.Get("method"), when: o.q.Get("when")}
	if f.method == "" {
		return nil, errors.New("method is missing")
	}
	switch f.when {
	case "":
		f.when = "call"
	case "call", "task", "late":
	default:
		return nil, errors.New("when is call, task or late")
	}
	var err error
	if f.times, err = o.number("times", 1); err != nil {
		return nil, err
	}
	if f.times == 0 {
		f.times = -1
	}
	if o.q.Has("vm") {
		if f.vm, err = o.vm(); err != nil {
			return nil, err
		}
	}
	fields := make(map[string]string)
	for key := range o.q {
		if name := strings.TrimPrefix(key, "field."); name != key {
			fields[name] = o.q.Get(key)
		}
	}
	if f.fault, err = faultByName(o.q.Get("fault"), o.q.Get("message"), fields); err != nil {
		return nil, err
	}
	o.w.failures = append(o.w.failures, f)
	return struct{}{}, nil
}

func controlFailClear(o *order) (interface{}, error) {
	o.w.failures = nil
	return struct{}{}, nil
}

func controlCounters(o *order) (interface{}, error) {
	report := o.w.report()
	if o.flag("reset") {
		text, err := serve.JSON(report)
		o.w.stats.reset()
		return json.RawMessage(text), err
	}
	return report, nil
}

func controlTasks(o *order) (interface{}, error) {
	list := []map[string]interface{}{}
	for _, t := range o.w.tasks {
		one := map[string]interface{}{
			"key": t.ref.Value, "what": t.info.DescriptionId, "entity": t.info.Entity.Value,
			"state": t.info.State, "progress": t.info.Progress, "opID": t.info.ActivationId,
			"queued": t.info.QueueTime, "cancelled": t.info.Cancelled,
		}
		if t.info.Error != nil {
			one["error"] = t.info.Error.LocalizedMessage
		}
		list = append(list, one)
	}
	sort.Slice(list, func(a, b int) bool {
		return list[a]["queued"].(time.Time).Before(list[b]["queued"].(time.Time))
	})
	return list, nil
}

func controlFile(o *order) (interface{}, error) {
	path := o.q.Get("path")
	end := strings.Index(path, "] ")
	if !strings.HasPrefix(path, "[") || end < 0 {
		return nil, errors.New("path is [datastore] dir/name")
	}
	dc := o.q.Get("dc")
	if dc == "" {
		dc = o.w.places[0].datacenter.Name
	}
	ds := o.w.datastoreOf(dc, path[1:end])
	if ds == nil {
		return nil, fmt.Errorf("no datastore for %q", path)
	}
	name := path[end+2:]
	if o.http.Method == http.MethodPut {
		data, err := io.ReadAll(o.http.Body)
		if err != nil {
			return nil, err
		}
		o.w.files[putKey(ds, name)] = data
		return map[string]int{"size": len(data)}, nil
	}
	content, _, status := o.w.find(ds, name)
	if status != http.StatusOK {
		return nil, errors.New(http.StatusText(status))
	}
	data, err := io.ReadAll(content)
	return map[string]interface{}{"size": len(data), "text": string(data)}, err
}
