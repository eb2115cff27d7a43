// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"

	"../serve"
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
		"datastore/set":   controlDatastoreSet,
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
		"tasks/finish":    controlTasksFinish,
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

// task makes a change go the way of a client's call, with its duration.
func (o *order) task(v *vm, kind, method string, work func() (types.AnyType, *fault)) (interface{}, error) {
	if f := v.busyWith(); f != nil {
		return nil, errors.New(f.name())
	}
	t := o.w.newTask(&spec{kind: kind, method: method, vm: v, entity: v.ref(),
		user: "another", busy: true, work: work})
	return map[string]string{"task": t.ref.Value}, nil
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
		case err != nil || n < 0 && key != "max-wait":
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

// controlTasksFinish is for tests that made a task longer than they need it.
func controlTasksFinish(o *order) (interface{}, error) {
	for _, t := range o.w.tasks {
		t.hurry()
	}
	for _, t := range o.w.lost {
		t.hurry()
	}
	o.w.lost = nil
	return struct{}{}, nil
}

// storeFile puts a file of the test's in the place of what stands there, if
// anything does.
func (o *order) storeFile(key string) (interface{}, error) {
	f := &stored{when: now(), local: o.q.Get("local")}
	if old := o.w.files[key]; old != nil && o.http.Method != http.MethodPut && f.local == "" {
		*f = *old
	}
	if o.http.Method == http.MethodPut {
		data, err := io.ReadAll(o.http.Body)
		if err != nil {
			return nil, err
		}
		f.data = data
	}
	if text := o.q.Get("modified"); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, err
		}
		f.when = time.Unix(seconds, 0)
	}
	if text := o.q.Get("status"); text != "" {
		status, err := strconv.Atoi(text)
		if err != nil {
			return nil, err
		}
		f.status = status
	}
	if text := o.q.Get("takes"); text != "" {
		bytes, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, err
		}
		f.takes = &bytes
	}
	if o.q.Get("staged") != "" {
		o.w.staged[key] = f
		return map[string]int{"size": len(f.data)}, nil
	}
	o.w.files[key] = f
	o.w.fileStored(key)
	return map[string]int{"size": len(f.data)}, nil
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
	local := o.q.Get("local")
	if o.http.Method == http.MethodPut || local != "" || o.q.Get("status") != "" || o.q.Get("modified") != "" {
		return o.storeFile(putKey(ds, name))
	}
	content, _, status := o.w.find(ds, name)
	if closer, ok := content.(io.Closer); ok {
		defer closer.Close()
	}
	if status != http.StatusOK {
		return nil, errors.New(http.StatusText(status))
	}
	data, err := io.ReadAll(content)
	return map[string]interface{}{"size": len(data), "text": string(data)}, err
}
