// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"../serve"
)

// bed is a proxy in front of a host that counts what reaches it.
type bed struct {
	t      *testing.T
	p      *proxy
	client *http.Client
	works  int64
}

const hostAnswer = soapHead + `<XResponse xmlns="urn:vim25"><returnval><name>n</name>` +
	`<rootSnapshotList><snapshot type="VirtualMachineSnapshot">s-1</snapshot><vm type="VirtualMachine">vm-9</vm><name>a</name>` +
	`<childSnapshotList><name>b</name></childSnapshotList></rootSnapshotList>` +
	`<rootSnapshotList><name>c</name></rootSnapshotList></returnval></XResponse>` + soapTail

func start(t *testing.T) *bed {
	b := &bed{t: t}
	host := httptest.NewTLSServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		atomic.AddInt64(&b.works, 1)
		out.Header().Set("Content-Type", "text/xml")
		out.Header().Set("X-Cookie", r.Header.Get("Cookie"))
		_, _ = io.WriteString(out, hostAnswer)
	}))
	t.Cleanup(host.Close)
	cert, err := serve.NewCertificate(false)
	if err != nil {
		t.Fatal(err)
	}
	o, err := parseOptions([]string{"-upstream", strings.TrimPrefix(host.URL, "https://")})
	if err != nil {
		t.Fatal(err)
	}
	if b.p, err = startProxy(o, cert); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.p.stop)
	b.client = &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
			DisableKeepAlives: true},
	}
	return b
}

// send sends a SOAP method.
func (b *bed) send(method string) (*http.Response, error) {
	body := soapHead + "<" + method + ` xmlns="urn:vim25"><_this type="T">t</_this></` + method + ">" + soapTail
	r, _ := http.NewRequest(http.MethodPost, "https://"+b.p.addr+"/sdk", strings.NewReader(body))
	r.Header.Set("Cookie", `vmware_soap_session="x"`)
	return b.client.Do(r)
}

// call sends a SOAP method and returns the answer's status and body.
func (b *bed) call(method string) (int, string, error) {
	answer, err := b.send(method)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), err
}

func (b *bed) order(path string, pairs ...string) map[string]interface{} {
	b.t.Helper()
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	answer, err := http.Get(b.p.base + "/" + path + "?" + q.Encode())
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	out := make(map[string]interface{})
	_ = json.NewDecoder(answer.Body).Decode(&out)
	if answer.StatusCode != http.StatusOK {
		b.t.Fatalf("%s: %v", path, out)
	}
	return out
}

func (b *bed) rule(pairs ...string) int {
	b.t.Helper()
	return int(b.order("rule", pairs...)["rule"].(float64))
}

func (b *bed) worked(want int64) {
	b.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if atomic.LoadInt64(&b.works) == want {
			return
		}
	}
	b.t.Fatalf("the host worked %d times, want %d", atomic.LoadInt64(&b.works), want)
}

func TestPassesOn(t *testing.T) {
	b := start(t)
	status, text, err := b.call("CurrentTime")
	if status != 200 || text != hostAnswer || err != nil {
		t.Fatalf("%d %v %s", status, err, text)
	}
	requests := b.order("counters")["requests"].(map[string]interface{})
	if requests["CurrentTime"].(float64) != 1 {
		t.Fatal(requests)
	}
}

func TestMatching(t *testing.T) {
	b := start(t)
	n := b.rule("method", "A", "action", "status", "skip", "1", "times", "2")
	var got []int
	for _, method := range []string{"B", "A", "A", "B", "A", "A"} {
		status, _, _ := b.call(method)
		got = append(got, status)
	}
	if fmt.Sprint(got) != "[200 200 503 200 503 200]" {
		t.Fatal(got)
	}
	b.order("wait", "rule", fmt.Sprint(n), "ms", "1")
	b.order("clear")
	b.rule("method", "*", "body", "urn:vim25", "action", "status", "times", "0", "code", "502")
	for i := 0; i < 3; i++ {
		if status, _, _ := b.call("Z"); status != 502 {
			t.Fatal(status)
		}
	}
}

func TestConnectionsBreak(t *testing.T) {
	for _, c := range []struct {
		action string
		works  int64
	}{{"drop-before", 0}, {"drop-after", 1}, {"drop-middle", 1}, {"drop-late", 1}} {
		for _, reset := range []string{"0", "1"} {
			b := start(t)
			b.rule("method", "A", "action", c.action, "reset", reset, "ms", "50")
			if status, text, err := b.call("A"); err == nil {
				t.Fatalf("%s: answered %d %s", c.action, status, text)
			}
			time.Sleep(100 * time.Millisecond)
			b.worked(c.works)
			if status, _, _ := b.call("A"); status != 200 {
				t.Fatalf("%s: not over", c.action)
			}
		}
	}
}

func TestLateRequestArrivesAfterTheClientGaveUp(t *testing.T) {
	b := start(t)
	b.rule("method", "A", "action", "drop-late", "ms", "2000")
	if _, _, err := b.call("A"); err == nil {
		t.Fatal("answered")
	}
	b.worked(0)
	b.worked(1)
}

func TestStatusAndFault(t *testing.T) {
	b := start(t)
	b.rule("method", "A", "action", "status-after", "code", "504")
	status, _, _ := b.call("A")
	if status != 504 {
		t.Fatal(status)
	}
	b.worked(1)
	b.rule("method", "A", "action", "fault", "fault", "NoPermission", "message", "No & never",
		"field.object", "VirtualMachine:vm-1", "field.privilegeId", "X.Y")
	status, text, _ := b.call("A")
	if status != 500 || !strings.Contains(text, `<NoPermissionFault xmlns="urn:vim25" xsi:type="NoPermission">`) ||
		!strings.Contains(text, `<object type="VirtualMachine">vm-1</object>`) || !strings.Contains(text, "No &amp; never") {
		t.Fatal(status, text)
	}
	b.worked(1)
	b.rule("method", "A", "action", "redirect", "url", "https://elsewhere/")
	if status, _, _ = b.call("A"); status != 301 {
		t.Fatal(status)
	}
}

func TestSilence(t *testing.T) {
	for _, action := range []string{"blackhole", "stall"} {
		b := start(t)
		b.client.Timeout = 2 * time.Second
		n := b.rule("method", "A", "action", action)
		before := time.Now()
		if _, _, err := b.call("A"); err == nil || time.Since(before) < 1900*time.Millisecond {
			t.Fatalf("%s: %v after %v", action, err, time.Since(before))
		}
		b.order("wait", "rule", fmt.Sprint(n))
	}
}

func TestSlowAndDelayed(t *testing.T) {
	b := start(t)
	for _, c := range [][]string{
		{"action", "slow", "rate", fmt.Sprint(len(hostAnswer) * 4)},
		{"action", "delay", "ms", "200"},
		{"action", "delay-answer", "ms", "200"},
	} {
		b.rule(append([]string{"method", "A"}, c...)...)
		before := time.Now()
		status, text, err := b.call("A")
		if err != nil || status != 200 || text != hostAnswer || time.Since(before) < 180*time.Millisecond {
			t.Fatalf("%v: %d %v after %v", c, status, err, time.Since(before))
		}
	}
	b.order("latency", "ms", "100")
	before := time.Now()
	if _, _, err := b.call("A"); err != nil || time.Since(before) < 100*time.Millisecond {
		t.Fatalf("no latency: %v", time.Since(before))
	}
}

// Not until a deadline: a connection that is being closed may still carry a
// regular end, as the host notices its closing first.
func TestEndless(t *testing.T) {
	const enough = 16 << 20
	b := start(t)
	b.rule("method", "A", "action", "endless")
	answer, err := b.send("A")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if n, err := io.CopyN(io.Discard, answer.Body, enough); err != nil {
		t.Fatalf("%v after %d bytes", err, n)
	}
}

func TestGarbage(t *testing.T) {
	b := start(t)
	for kind := range garbageKinds {
		b.rule("method", "A", "action", "garbage", "what", kind)
		status, text, _ := b.call("A")
		if status != 200 || text == hostAnswer {
			t.Fatalf("%s: %d %s", kind, status, text)
		}
	}
	if status, text, _ := b.call("A"); status != 200 || text != hostAnswer {
		t.Fatal("not over")
	}
}

func TestBombs(t *testing.T) {
	b := start(t)
	for kind, part := range map[string]string{
		"entities": "&a10;&a10;", "external": "SYSTEM \"file:///etc/passwd\"", "deep": "<a><a><a>",
		"wide": "<returnval/><returnval/>", "text": "xxxx", "attributes": ` a999=""`,
	} {
		b.rule("method", "A", "action", "bomb", "what", kind, "size", "1000")
		status, text, err := b.call("A")
		if status != 200 || err != nil || !strings.Contains(text, part) || !strings.HasSuffix(text, soapTail) {
			t.Fatalf("%s: %d %v %s", kind, status, err, text)
		}
	}
}

func TestBigTrees(t *testing.T) {
	b := start(t)
	b.rule("method", "A", "action", "snapshots", "count", "1000", "depth", "10")
	_, text, err := b.call("A")
	if err != nil || strings.Count(text, "<rootSnapshotList>") != 100 || strings.Count(text, "<id>") != 1000 ||
		strings.Contains(text, "<name>c</name>") || !strings.Contains(text, "vm-9") {
		t.Fatalf("%v %.3000s", err, text)
	}
	if strings.Count(text, "<childSnapshotList>") != strings.Count(text, "</childSnapshotList>") {
		t.Fatal("ill-formed")
	}
}

func TestWholeConnections(t *testing.T) {
	b := start(t)
	for action, limit := range map[string]time.Duration{"reset": 30 * time.Second, "blackhole": time.Second, "garbage": 30 * time.Second} {
		b.client.Timeout = limit
		b.order("connect", "action", action)
		if _, _, err := b.call("A"); err == nil {
			t.Fatal(action)
		}
	}
	b.client.Timeout = 30 * time.Second
	b.order("down")
	if _, _, err := b.call("A"); err == nil {
		t.Fatal("answered while down")
	}
	b.order("up")
	if status, _, err := b.call("A"); status != 200 {
		t.Fatal(err)
	}
	b.rule("method", "A", "action", "blackhole")
	done := make(chan error, 1)
	go func() {
		_, _, err := b.call("A")
		done <- err
	}()
	b.order("wait", "rule", "1")
	before := time.Now()
	b.order("drop", "reset", "1")
	if err := <-done; err == nil || time.Since(before) > 20*time.Second {
		t.Fatalf("%v after %v", err, time.Since(before))
	}
	b.worked(1)
}

func TestWrongOrders(t *testing.T) {
	b := start(t)
	for _, query := range []string{"rule?method=A", "rule?action=delay", "rule?method=A&action=garbage", "rule?method=A&action=delay&ms=x",
		"rule?method=A&action=fault", "connect?action=x", "nothing", "wait?rule=7"} {
		answer, err := http.Get(b.p.base + "/" + query)
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		_, _ = text.ReadFrom(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != http.StatusBadRequest || !strings.Contains(text.String(), "error") {
			t.Fatalf("%s: %d %s", query, answer.StatusCode, text.String())
		}
	}
}
