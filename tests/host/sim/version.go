// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// apiVersions are those a product may speak, oldest first.
var apiVersions = []string{
	"2.5", "4.0", "4.1", "5.0", "5.1", "5.5", "6.0", "6.5", "6.7", "6.7.1", "6.7.2", "6.7.3",
	"7.0", "7.0.1.0", "7.0.2.0", "7.0.3.0", "7.0.3.2", "8.0.0.0", "8.0.1.0", "8.0.2.0", "8.0.3.0", "9.0.0.0",
}

// olderThan compares field by field, as numbers.
func olderThan(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := 0; i < len(x) || i < len(y); i++ {
		m, n := 0, 0
		if i < len(x) {
			m, _ = strconv.Atoi(x[i])
		}
		if i < len(y) {
			n, _ = strconv.Atoi(y[i])
		}
		if m != n {
			return m < n
		}
	}
	return false
}

// spoken is the version of one call: what SOAPAction asks for, the oldest
// without it, and never more than the product has.
func (w *world) spoken(r *http.Request) string {
	action := strings.Trim(r.Header.Get("SOAPAction"), `"`)
	version := strings.TrimPrefix(action, "urn:vim25/")
	if version == action || version == "" {
		return apiVersions[0]
	}
	if olderThan(w.o.apiVersion, version) {
		return w.o.apiVersion
	}
	return version
}

// serviceVersions is /sdk/vimServiceVersions.xml, which needs no login.
func (w *world) serviceVersions(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.stats.count(w.stats.http, "versions")
	w.mu.Unlock()
	var prior strings.Builder
	for i := len(apiVersions) - 1; i >= 0; i-- {
		if olderThan(apiVersions[i], w.o.apiVersion) {
			fmt.Fprintf(&prior, "   <version>%s</version>\n", apiVersions[i])
		}
	}
	out.Header().Set("Content-Type", "text/xml")
	fmt.Fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<namespaces version=\"1.0\">\n <namespace>\n"+
		"  <name>urn:vim25</name>\n  <version>%s</version>\n  <priorVersions>\n%s  </priorVersions>\n </namespace>\n"+
		" <namespace>\n  <name>urn:vim2</name>\n  <version>2.0</version>\n </namespace>\n</namespaces>\n",
		w.o.apiVersion, prior.String())
}
