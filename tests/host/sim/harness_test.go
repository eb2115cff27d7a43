// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"../serve"
)

// bed is a running host and a client that speaks bare SOAP to it.
type bed struct {
	*client
	s *server
}

type client struct {
	t       *testing.T
	base    string // https://127.0.0.1:PORT
	http    *http.Client
	cookie  string
	version string
	opID    string
}

func newClient(t *testing.T, s *server) *client {
	roots := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(s.cert.Pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(leaf)
	return &client{
		t:       t,
		base:    "https://" + s.address(),
		version: s.w.o.apiVersion,
		http: &http.Client{
			Timeout:   60 * time.Second,
			Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableCompression: true},
		},
	}
}

func start(t *testing.T, args ...string) *bed {
	t.Helper()
	o, err := parseOptions(args)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := serve.NewCertificate(false)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	s, err := startServer(o, cert)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.stop()
		left, _ := os.ReadDir(dir)
		for _, entry := range left {
			t.Errorf("left behind: %s", entry.Name())
		}
	})
	return &bed{newClient(t, s), s}
}

// login opens a session; bed is ready for use then.
func startIn(t *testing.T, args ...string) *bed {
	t.Helper()
	b := start(t, args...)
	b.login()
	return b
}

func (c *client) post(body string) (int, string) {
	c.t.Helper()
	status, answer, err := c.try(body)
	if err != nil {
		c.t.Fatal(err)
	}
	return status, answer
}

func (c *client) try(body string) (int, string, error) {
	header := ""
	if c.opID != "" {
		header = "<soapenv:Header><operationID xmlns=\"urn:vim25\">" + c.opID + "</operationID></soapenv:Header>"
	}
	text := `<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" ` +
		`xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">` + header + `<soapenv:Body>` + body + `</soapenv:Body></soapenv:Envelope>`
	r, err := http.NewRequest(http.MethodPost, c.base+"/sdk", strings.NewReader(text))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", "text/xml; charset=utf-8")
	if c.version != "" {
		r.Header.Set("SOAPAction", `"urn:vim25/`+c.version+`"`)
	}
	if c.cookie != "" {
		r.Header.Set("Cookie", cookieName+"="+c.cookie)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if line := answer.Header.Get("Set-Cookie"); line != "" {
		c.cookie = strings.TrimPrefix(strings.Split(line, ";")[0], cookieName+"=")
	}
	return answer.StatusCode, string(data), err
}

// soapCall is a method on an object "Type:value" with arguments as XML.
func soapCall(method, object, arguments string) string {
	kind, value, _ := strings.Cut(object, ":")
	return fmt.Sprintf(`<%s xmlns="urn:vim25"><_this type="%s">%s</_this>%s</%s>`, method, kind, value, arguments, method)
}

// do expects success and returns the answer's XML.
func (c *client) do(method, object, arguments string) string {
	c.t.Helper()
	status, answer := c.post(soapCall(method, object, arguments))
	if status != http.StatusOK {
		c.t.Fatalf("%s: HTTP %d: %s", method, status, answer)
	}
	return answer
}

var faultName = regexp.MustCompile(`<detail><(\w+)Fault [^>]*xsi:type="(\w+)"`)

// fails expects a SOAP fault and returns its type.
func (c *client) fails(method, object, arguments string) string {
	c.t.Helper()
	status, answer := c.post(soapCall(method, object, arguments))
	m := faultName.FindStringSubmatch(answer)
	if status != http.StatusInternalServerError || m == nil || m[1] != m[2] {
		c.t.Fatalf("%s: expected a fault, got HTTP %d: %s", method, status, answer)
	}
	return m[1]
}

func (c *client) wantFault(want, method, object, arguments string) {
	c.t.Helper()
	if got := c.fails(method, object, arguments); got != want {
		c.t.Fatalf("%s: fault %s, want %s", method, got, want)
	}
}

var elements = map[string]*regexp.Regexp{}

// all returns the texts of all elements of a name.
func all(answer, element string) []string {
	re := elements[element]
	if re == nil {
		re = regexp.MustCompile(`<` + element + `(?: [^>]*)?>([^<]*)</` + element + `>`)
		elements[element] = re
	}
	var out []string
	for _, m := range re.FindAllStringSubmatch(answer, -1) {
		out = append(out, m[1])
	}
	return out
}

func first(answer, element string) string {
	if found := all(answer, element); len(found) > 0 {
		return found[0]
	}
	return ""
}

func (c *client) sessionManager() string {
	answer := c.do("RetrieveServiceContent", "ServiceInstance:ServiceInstance", "")
	return "SessionManager:" + first(answer, "sessionManager")
}

func (c *client) login() {
	c.t.Helper()
	c.cookie = ""
	c.do("Login", c.sessionManager(), "<userName>root</userName><password>secret</password>")
	if !strings.HasPrefix(c.cookie, `"`) {
		c.t.Fatalf("cookie %q has no quotes", c.cookie)
	}
}

func (c *client) collector() string {
	answer := c.do("RetrieveServiceContent", "ServiceInstance:ServiceInstance", "")
	return "PropertyCollector:" + first(answer, "propertyCollector")
}

func (c *client) rootFolder() string {
	answer := c.do("RetrieveServiceContent", "ServiceInstance:ServiceInstance", "")
	return "Folder:" + first(answer, "rootFolder")
}

func ref(element, object string) string {
	kind, value, _ := strings.Cut(object, ":")
	return fmt.Sprintf(`<%s type="%s">%s</%s>`, element, kind, value, element)
}

// props is an answer with properties of one object.
func (c *client) props(object string, paths ...string) string {
	c.t.Helper()
	kind, _, _ := strings.Cut(object, ":")
	return c.do("RetrieveProperties", c.collector(), "<specSet><propSet><type>"+kind+"</type><pathSet>"+
		strings.Join(paths, "</pathSet><pathSet>")+"</pathSet></propSet><objectSet>"+ref("obj", object)+"</objectSet></specSet>")
}

// task waits for a task to end and returns its info as XML.
func (c *client) task(ref string) string {
	c.t.Helper()
	for deadline := time.Now().Add(40 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		answer := c.props("Task:"+ref, "info")
		if state := first(answer, "state"); state == "success" || state == "error" {
			return answer
		}
	}
	c.t.Fatalf("task %s does not end", ref)
	return ""
}

var errorType = regexp.MustCompile(`<error><fault [^>]*type="(\w+)"`)

// run starts a task, waits for it and returns its result or the error's type.
func (c *client) run(method, object, arguments string) (value, failure string) {
	c.t.Helper()
	status, answer := c.post(soapCall(method, object, arguments))
	if status != http.StatusOK {
		if m := faultName.FindStringSubmatch(answer); m != nil {
			return "", m[1]
		}
		c.t.Fatalf("%s: HTTP %d: %s", method, status, answer)
	}
	info := c.task(first(answer, "returnval"))
	if m := errorType.FindStringSubmatch(info); m != nil {
		return "", m[1]
	}
	return first(info, "result"), ""
}

func (c *client) ok(method, object, arguments string) string {
	c.t.Helper()
	value, failure := c.run(method, object, arguments)
	if failure != "" {
		c.t.Fatalf("%s: task failed: %s", method, failure)
	}
	return value
}

func createArguments(name string, memory, quiesce bool) string {
	return fmt.Sprintf("<name>%s</name><description>text</description><memory>%t</memory><quiesce>%t</quiesce>", name, memory, quiesce)
}

func (c *client) create(vm, name string) string {
	c.t.Helper()
	return "VirtualMachineSnapshot:" + c.ok("CreateSnapshot_Task", vm, createArguments(name, false, false))
}

// control sends an order to the control endpoint and returns its JSON.
func (b *bed) control(path string, pairs ...string) map[string]interface{} {
	b.t.Helper()
	text, status := b.order(path, pairs...)
	if status != http.StatusOK {
		b.t.Fatalf("%s: HTTP %d: %s", path, status, text)
	}
	out := make(map[string]interface{})
	if err := json.Unmarshal(text, &out); err != nil {
		b.t.Fatalf("%s: %v: %s", path, err, text)
	}
	return out
}

func (b *bed) order(path string, pairs ...string) ([]byte, int) {
	b.t.Helper()
	query := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	answer, err := http.Get(b.s.base + "/" + path + "?" + query.Encode())
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return bytes.TrimSpace(text), answer.StatusCode
}

// until waits for something; how long it takes is the machine's affair.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(40 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// vm returns the moref of a VM by name.
func (b *bed) vm(name string) string {
	b.t.Helper()
	return "VirtualMachine:" + b.control("vm", "vm", name)["moref"].(string)
}

func equal(t *testing.T, what string, got, want interface{}) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Fatalf("no %q in %s", brief(part), brief(text))
		}
	}
}

func lacks(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(text, part) {
			t.Fatalf("%q in %s", brief(part), brief(text))
		}
	}
}

// brief keeps failures readable.
func brief(text string) string {
	if len(text) > 3000 {
		return text[:1500] + " … " + text[len(text)-1500:]
	}
	return text
}
