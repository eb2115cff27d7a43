// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"compress/gzip"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

// call is one SOAP request under way.
type call struct {
	*request
	w         *world
	session   *session // nil: not logged in
	version   string
	http      *http.Request
	raw       []byte
	setCookie string
}

// method is what we know about one that we answer ourselves.
type method struct {
	since     string
	open      bool   // works without a session
	change    bool   // changes the inventory: not with a free licence
	privilege string // needed on the object called
	handler   func(*call) (interface{}, *fault)
}

// methods are ours; all others are govmomi's.
var methods map[string]method

func init() {
	methods = map[string]method{
		"RetrieveServiceContent": {open: true, handler: serviceContent},
		"CurrentTime":            {handler: currentTime},
		"Login":                  {open: true, handler: login},
		"Logout":                 {handler: logout},
		"TerminateSession":       {privilege: "Sessions.TerminateSession", handler: terminateSession},
		"SessionIsActive":        {privilege: "Sessions.ValidateSession", handler: sessionIsActive},
		"HasPrivilegeOnEntity":   {handler: hasPrivilegeOnEntity},
		"HasPrivilegeOnEntities": {since: "5.5", handler: hasPrivilegeOnEntities},

		"CreateContainerView":          {handler: createContainerView},
		"DestroyView":                  {handler: destroyView},
		"RetrieveProperties":           {open: true, handler: retrieveProperties},
		"RetrievePropertiesEx":         {since: "4.1", open: true, handler: retrievePropertiesEx},
		"ContinueRetrievePropertiesEx": {since: "4.1", handler: continueRetrieve},
		"CancelRetrievePropertiesEx":   {since: "4.1", handler: cancelRetrieve},
		"CreatePropertyCollector":      {since: "4.1", handler: createCollector},
		"DestroyPropertyCollector":     {since: "4.1", handler: destroyCollector},
		"CreateFilter":                 {handler: createFilter},
		"DestroyPropertyFilter":        {handler: destroyFilter},
		"WaitForUpdatesEx":             {since: "4.1", handler: waitForUpdatesEx},
		"WaitForUpdates":               {handler: waitForUpdates},
		"CheckForUpdates":              {handler: checkForUpdates},
		"CancelWaitForUpdates":         {handler: cancelWait},
		"CancelTask":                   {handler: cancelTask},
		"CreateSnapshot_Task":          {change: true, privilege: "VirtualMachine.State.CreateSnapshot", handler: createSnapshot},
		"CreateSnapshotEx_Task":        {since: "6.5", change: true, privilege: "VirtualMachine.State.CreateSnapshot", handler: createSnapshotEx},
		"RemoveSnapshot_Task":          {change: true, privilege: "VirtualMachine.State.RemoveSnapshot", handler: removeSnapshotTask},
		"RemoveAllSnapshots_Task":      {change: true, privilege: "VirtualMachine.State.RemoveSnapshot", handler: removeAllSnapshots},
		"RevertToSnapshot_Task":        {change: true, privilege: "VirtualMachine.State.RevertToSnapshot", handler: revertToSnapshot},
		"RevertToCurrentSnapshot_Task": {change: true, privilege: "VirtualMachine.State.RevertToSnapshot", handler: revertToCurrent},
		"RenameSnapshot":               {change: true, privilege: "VirtualMachine.State.RenameSnapshot", handler: renameSnapshot},
		"ConsolidateVMDisks_Task":      {since: "5.0", change: true, privilege: "VirtualMachine.State.RemoveSnapshot", handler: consolidateDisks},
		"PowerOnVM_Task":               {change: true, privilege: "VirtualMachine.Interact.PowerOn", handler: powerOn},
		"PowerOffVM_Task":              {change: true, privilege: "VirtualMachine.Interact.PowerOff", handler: powerOff},
		"SuspendVM_Task":               {change: true, privilege: "VirtualMachine.Interact.Suspend", handler: suspendVM},
		"ResetVM_Task":                 {change: true, privilege: "VirtualMachine.Interact.Reset", handler: resetVM},
		"ShutdownGuest":                {change: true, privilege: "VirtualMachine.Interact.PowerOff", handler: shutdownGuest},
		"RebootGuest":                  {change: true, privilege: "VirtualMachine.Interact.Reset", handler: rebootGuest},
		"StandbyGuest":                 {change: true, privilege: "VirtualMachine.Interact.Suspend", handler: standbyGuest},
		"AnswerVM":                     {change: true, privilege: "VirtualMachine.Interact.AnswerQuestion", handler: answerVM},
		"UpgradeVM_Task":               {change: true, privilege: "VirtualMachine.Config.UpgradeVirtualHardware", handler: upgradeVM},
		"Rename_Task":                  {change: true, handler: renameEntity},
		"MoveIntoFolder_Task":          {since: "2.5", change: true, handler: moveIntoFolder},
		"CreateFolder":                 {change: true, privilege: "Folder.Create", handler: createFolder},
		"RegisterVM_Task":              {change: true, privilege: "VirtualMachine.Inventory.Register", handler: registerVM},
		"UnregisterVM":                 {change: true, privilege: "VirtualMachine.Inventory.Unregister", handler: unregisterVM},
		"Destroy_Task":                 {change: true, privilege: "VirtualMachine.Inventory.Delete", handler: destroyVM},
		"CloneVM_Task":                 {change: true, privilege: "VirtualMachine.Provisioning.Clone", handler: cloneVM},
		"MarkAsTemplate":               {change: true, privilege: "VirtualMachine.Provisioning.MarkAsTemplate", handler: markAsTemplate},
		"MarkAsVirtualMachine":         {change: true, privilege: "VirtualMachine.Provisioning.MarkAsVM", handler: markAsVM},
		"RefreshStorageInfo":           {since: "4.0", handler: refreshStorage},
		"AcquireGenericServiceTicket":  {since: "5.0", handler: nil},
	}
}

// reads are the methods of govmomi that change nothing.
var reads = regexp.MustCompile(`^(Find|Query|Retrieve|Get|Fetch|Has|List|Search|Refresh|Validate|Acquire)`)

// withdrawn are methods of govmomi that would leave us with two truths.
var withdrawn = map[string]bool{"CreateVM_Task": true, "ReconfigVM_Task": true, "RelocateVM_Task": true}

// dispatch runs a call under the lock. A nil value and fault: passed.
func (c *call) dispatch() (interface{}, *fault) {
	m, ours := methods[c.method]
	if ours && m.since != "" && olderThan(c.version, m.since) || withdrawn[c.method] {
		return nil, newFault(&types.MethodNotFound{Receiver: c.this, Method: c.method})
	}
	if c.session == nil && !m.open {
		return nil, notAuthenticated(c.this)
	}
	if f := c.w.forced(c); f != nil {
		return nil, f
	}
	changes := m.change || !ours && !reads.MatchString(c.method)
	if changes && c.w.set.licence {
		return nil, newFault(&types.RestrictedVersion{})
	}
	if m.privilege != "" && c.w.set.deny[m.privilege] {
		return nil, newFault(&types.NoPermission{Object: c.this, PrivilegeId: m.privilege})
	}
	if !ours || m.handler == nil {
		return nil, nil
	}
	return m.handler(c)
}

// answer is what goes back to the client.
type answer struct {
	status int
	cookie string
	body   []byte
}

var unavailable = &answer{status: http.StatusServiceUnavailable,
	body: []byte("<HTML><BODY><H1>503 Service Unavailable</H1></BODY></HTML>\n")}

// perform does one SOAP request.
func (w *world) perform(r *http.Request, raw []byte) *answer {
	req, err := decodeRequest(raw)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.stats.count(w.stats.soap, "invalid")
		f := newFault(&types.InvalidRequest{})
		f.message = err.Error()
		return w.encode(nil, f, "")
	}
	c := &call{request: req, w: w, http: r, raw: raw, version: w.spoken(r)}
	w.stats.count(w.stats.soap, c.method)
	if c.session = w.sessionOf(r); c.session != nil {
		c.session.busy++
		defer func(s *session) { s.busy--; s.used = time.Now() }(c.session)
	}
	if w.o.trace {
		log.Printf("%s %s:%s opID=%s", c.method, c.this.Type, c.this.Value, c.opID)
	}
	value, f := c.dispatch()
	if f != nil {
		if _, ok := f.detail.(*serviceUnavailable); ok {
			return unavailable
		}
		w.stats.count(w.stats.faults, f.name())
		if w.o.trace {
			log.Printf("%s: %s", c.method, f.name())
		}
	}
	if value == nil && f == nil {
		passed := w.inner.call(raw)
		return passedOn(passed)
	}
	return w.encode(value, f, c.setCookie)
}

func passedOn(passed *httptest.ResponseRecorder) *answer {
	return &answer{status: passed.Code, body: passed.Body.Bytes()}
}

func (w *world) encode(value interface{}, f *fault, cookie string) *answer {
	body, err := encodeAnswer(value, f)
	if err != nil {
		log.Printf("cannot encode %T: %v", value, err)
		return &answer{status: http.StatusInternalServerError}
	}
	status := http.StatusOK
	if f != nil {
		status = http.StatusInternalServerError
	}
	return &answer{status, cookie, body}
}

const requestLimit = 8 << 20

// packers are used again: each is a megabyte.
var packers = sync.Pool{New: func() interface{} {
	packer, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	return packer
}}

// serveSDK is POST /sdk.
func (w *world) serveSDK(out http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		out.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	raw, err := io.ReadAll(http.MaxBytesReader(out, r.Body, requestLimit))
	if err != nil {
		out.WriteHeader(http.StatusBadRequest)
		return
	}
	a := w.perform(r, raw)
	header := out.Header()
	if a.cookie != "" {
		header.Set("Set-Cookie", cookieName+"="+a.cookie+"; Path=/; HttpOnly; Secure;")
	}
	kind := "text/xml; charset=utf-8"
	if a.status == http.StatusServiceUnavailable {
		kind = "text/html"
	}
	header.Set("Content-Type", kind)
	header.Set("Cache-Control", "no-cache")
	body := a.body
	atomic.AddInt64(&w.stats.sent, int64(len(body)))
	if len(body) > 1024 && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		header.Set("Content-Encoding", "gzip")
		out.WriteHeader(a.status)
		packer := packers.Get().(*gzip.Writer)
		packer.Reset(out)
		_, _ = packer.Write(body)
		_ = packer.Close()
		packers.Put(packer)
		return
	}
	out.WriteHeader(a.status)
	_, _ = out.Write(body)
}
