// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"os"
	"path"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// zeros reads as that many zero bytes.
type zeros struct {
	size, at int64
}

func (z *zeros) Read(p []byte) (int, error) {
	if z.at >= z.size {
		return 0, io.EOF
	}
	n := int64(len(p))
	if n > z.size-z.at {
		n = z.size - z.at
	}
	for i := range p[:n] {
		p[i] = 0
	}
	z.at += n
	return int(n), nil
}

func (z *zeros) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += z.at
	case io.SeekEnd:
		offset += z.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the start")
	}
	z.at = offset
	return offset, nil
}

// datastoreOf finds what a /folder URL means.
func (w *world) datastoreOf(dcPath, dsName string) *mo.Datastore {
	dcPath = strings.Trim(dcPath, "/")
	for _, dc := range datacenters() {
		if dc.Name != dcPath && !(w.isESX() && dcPath == "") {
			continue
		}
		for _, ref := range dc.Datastore {
			if ds := object[mo.Datastore](ref); ds != nil && ds.Name == dsName {
				return ds
			}
		}
	}
	return nil
}

// stored is a file that a test put there: bytes, or a file of this machine.
type stored struct {
	data   []byte
	local  string
	when   time.Time
	status int    // other than 0 and 200: the answer, whatever is asked
	takes  *int64 // on the datastore, which is what layoutEx tells; nil: its length
}

func (f *stored) open() (io.ReadSeeker, time.Time, int) {
	if f.status != 0 && f.status != http.StatusOK {
		return nil, f.when, f.status
	}
	if f.local == "" {
		return bytes.NewReader(f.data), f.when, http.StatusOK
	}
	content, err := os.Open(f.local)
	if err != nil {
		return nil, f.when, http.StatusNotFound
	}
	return content, f.when, http.StatusOK
}

func (f *stored) size() int64 {
	if f.takes != nil {
		return *f.takes
	}
	if f.local == "" {
		return int64(len(f.data))
	}
	info, err := os.Stat(f.local)
	if err != nil {
		return 0
	}
	return info.Size()
}

// head is the beginning: as much as holds a descriptor.
func (f *stored) head() []byte {
	content, _, status := f.open()
	if status != http.StatusOK {
		return nil
	}
	if closer, ok := content.(io.Closer); ok {
		defer closer.Close()
	}
	data, _ := io.ReadAll(io.LimitReader(content, 64<<10))
	return data
}

// storedAt is what a test put where a VM has the file "[ds] dir/name", or nil.
func (w *world) storedAt(v *vm, name string) *stored {
	if len(w.files) == 0 {
		return nil
	}
	prefix := fmt.Sprintf("[%s] ", v.place.datastore.Name)
	return w.files[v.place.datastore.Self.Value+" "+strings.TrimPrefix(name, prefix)]
}

var cidLine = regexp.MustCompile(`(?m)^CID=([0-9a-fA-F]{1,8})`)

// fileStored tells whom it concerns: sizes in layoutEx, and a disk's CID.
func (w *world) fileStored(key string) {
	for _, v := range w.order {
		prefix := fmt.Sprintf("[%s] ", v.place.datastore.Name)
		name := prefix + strings.TrimPrefix(key, v.place.datastore.Self.Value+" ")
		if path.Dir(name) != v.dir() {
			continue
		}
		for i := range v.disks {
			for l := range v.links(i) {
				if l.file() != name {
					continue
				}
				if m := cidLine.FindSubmatch(w.files[key].head()); m != nil {
					l.cid = fmt.Sprintf("%08s", m[1])
				}
			}
		}
		v.disksMoved()
	}
}

// dropStored forgets what a test put in the place of a disk's file.
func (w *world) dropStored(v *vm, l *link) {
	for _, name := range []string{l.file(), l.dir + "/" + l.extent()} {
		if f := w.storedAt(v, name); f != nil {
			prefix := fmt.Sprintf("[%s] ", v.place.datastore.Name)
			delete(w.files, v.place.datastore.Self.Value+" "+strings.TrimPrefix(name, prefix))
		}
	}
}

// isObjectStore tells stores whose disks are no files.
func isObjectStore(ds *mo.Datastore) bool {
	return strings.EqualFold(ds.Summary.Type, "vsan") || strings.EqualFold(ds.Summary.Type, "vvol")
}

// putKey names a file that a test stored.
func putKey(ds *mo.Datastore, name string) string {
	return ds.Self.Value + " " + name
}

// everyVM lists those in the inventory and the unregistered ones.
func (w *world) everyVM() []*vm {
	all := append([]*vm(nil), w.order...)
	for _, v := range w.gone {
		all = append(all, v)
	}
	return all
}

// locked tells whether a running VM holds a file so that nobody may read it:
// the extents that it writes, its swap and its log.
func (v *vm) locked(name string) bool {
	if v.power != on {
		return false
	}
	for _, d := range v.disks {
		if name == d.head.dir+"/"+d.head.extent() {
			return true
		}
		f := v.w.storedAt(v, name)
		if name == d.head.file() && f != nil && !bytes.HasPrefix(f.head(), []byte("#")) {
			return true // descriptor and data in one
		}
	}
	return strings.HasSuffix(name, ".vswp") || name == v.dir()+"/vmware.log"
}

// find looks a file up; status is an HTTP status when there is none to give.
func (w *world) find(ds *mo.Datastore, name string) (content io.ReadSeeker, when time.Time, status int) {
	full := fmt.Sprintf("[%s] %s", ds.Name, name)
	f := w.files[putKey(ds, name)]
	for _, v := range w.everyVM() {
		if v.place.datastore.Self != ds.Self || v.dir() != path.Dir(full) {
			continue
		}
		if f != nil && v.locked(full) {
			return nil, time.Time{}, http.StatusInternalServerError
		}
		if f != nil {
			break
		}
		for _, f := range v.files() {
			if f.name != full {
				continue
			}
			if isObjectStore(ds) && f.kind == types.VirtualMachineFileLayoutExFileTypeDiskExtent {
				return nil, time.Time{}, http.StatusNotFound
			}
			if v.locked(full) {
				return nil, time.Time{}, http.StatusInternalServerError
			}
			if f.text != nil {
				return strings.NewReader(f.text()), f.when, http.StatusOK
			}
			return &zeros{size: f.size}, f.when, http.StatusOK
		}
	}
	if f != nil {
		return f.open()
	}
	return nil, time.Time{}, http.StatusNotFound
}

// list names what stands in a directory.
func (w *world) list(ds *mo.Datastore, dir string) []string {
	names := make(map[string]bool)
	enter := func(name string) {
		rest := strings.TrimPrefix(name, dir)
		if rest == name && dir != "" || rest == "" {
			return
		}
		first, _, deeper := strings.Cut(rest, "/")
		if deeper {
			first += "/"
		}
		names[first] = true
	}
	prefix := fmt.Sprintf("[%s] ", ds.Name)
	for _, v := range w.everyVM() {
		if v.place.datastore.Self != ds.Self {
			continue
		}
		for _, f := range v.files() {
			enter(strings.TrimPrefix(f.name, prefix))
		}
	}
	for key := range w.files {
		if name := strings.TrimPrefix(key, ds.Self.Value+" "); name != key {
			enter(name)
		}
	}
	var sorted []string
	for name := range names {
		sorted = append(sorted, name)
	}
	sort.Strings(sorted)
	return sorted
}

// serveFolder is /folder: the files of datastores, with the SOAP session's
// cookie. Nothing is changed by it.
func (w *world) serveFolder(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.stats.count(w.stats.http, "folder "+r.Method)
	s := w.sessionOf(r)
	w.mu.Unlock()
	if s == nil {
		out.Header().Set("WWW-Authenticate", `Basic realm="VMware HTTP server"`)
		http.Error(out, "401 Unauthorized", http.StatusUnauthorized)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(out, "403 Forbidden", http.StatusForbidden)
		return
	}
	w.mu.Lock()
	denied := w.set.deny["Datastore.Browse"] || w.set.deny["Datastore.FileManagement"]
	w.mu.Unlock()
	if denied {
		http.Error(out, "403 Forbidden", http.StatusForbidden)
		return
	}
	query := r.URL.Query()
	name := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/folder"), "/")
	w.mu.Lock()
	ds := w.datastoreOf(query.Get("dcPath"), query.Get("dsName"))
	if ds == nil {
		w.mu.Unlock()
		http.Error(out, "404 Not Found", http.StatusNotFound)
		return
	}
	if name == "" || strings.HasSuffix(name, "/") {
		names := w.list(ds, name)
		w.mu.Unlock()
		w.serveListing(out, names)
		return
	}
	content, when, status := w.find(ds, name)
	w.mu.Unlock()
	if status != http.StatusOK {
		http.Error(out, http.StatusText(status), status)
		return
	}
	if closer, ok := content.(io.Closer); ok {
		defer closer.Close()
	}
	out.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(&promise{out, w}, r, "", when, content)
}

// promise counts the bytes that an answer says it has.
type promise struct {
	http.ResponseWriter
	w *world
}

func (p *promise) WriteHeader(status int) {
	if n, err := strconv.ParseInt(p.Header().Get("Content-Length"), 10, 64); err == nil {
		atomic.AddInt64(&p.w.stats.content, n)
	}
	p.ResponseWriter.WriteHeader(status)
}

func (w *world) serveListing(out http.ResponseWriter, names []string) {
	out.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(out, "<html><body><table>\n")
	for _, name := range names {
		fmt.Fprintf(out, "<tr><td><a href=\"%s\">%s</a></td></tr>\n", html.EscapeString(name), html.EscapeString(name))
	}
	_, _ = io.WriteString(out, "</table></body></html>\n")
}
