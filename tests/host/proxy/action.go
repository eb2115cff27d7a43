// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"html"
	"io"
	"math/rand"
	"net"
	"net/http"
	"strings"
	"time"
)

// act does what the rule says.
func (x *exchange) act() {
	switch r := x.rule; r.action {
	case "count":
		x.pass(0)
	case "delay":
		if x.sleep(r.delay()) {
			x.pass(0)
		}
	case "drop-before":
		x.close(r.reset)
	case "drop-late":
		x.close(r.reset)
		x.later(r.delay())
	case "status":
		x.send(r.code, "text/html", []byte(fmt.Sprintf("<html><body><h1>%d</h1></body></html>\n", r.code)))
	case "fault":
		x.send(http.StatusInternalServerError, "text/xml; charset=utf-8", faultText(r))
	case "redirect":
		x.out.Header().Set("Location", r.q.Get("url"))
		x.send(http.StatusMovedPermanently, "text/html", nil)
	case "blackhole":
		x.hold()
	case "endless":
		x.endless()
	case "bomb":
		x.bomb()
	default:
		x.afterwards()
	}
}

// later forwards a request whose client is gone.
func (x *exchange) later(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-x.p.stopped:
		return
	}
	if answer, err := x.forward(context.Background(), false); err == nil {
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
}

// hold keeps the connection open and silent until somebody gives up.
func (x *exchange) hold() {
	select {
	case <-x.r.Context().Done():
	case <-x.rule.release:
		x.close(false)
	case <-x.p.stopped:
	}
}

func (x *exchange) send(status int, kind string, body []byte) {
	x.counted(status)
	x.out.Header().Set("Content-Type", kind)
	x.out.WriteHeader(status)
	_, _ = x.out.Write(body)
}

// afterwards are the actions for which the host does its work. A client that
// leaves does not stop that.
func (x *exchange) afterwards() {
	answer, err := x.forward(context.Background(), true)
	if err != nil {
		x.close(true)
		return
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil {
		x.close(true)
		return
	}
	switch r := x.rule; r.action {
	case "drop-after":
		x.close(r.reset)
	case "drop-middle":
		conn := x.raw(answer, len(body), body[:len(body)/2])
		if conn != nil {
			abort(conn, r.reset)
		}
	case "stall":
		if conn := x.raw(answer, len(body), body[:len(body)/2]); conn != nil {
			x.silent(conn)
		}
	case "delay-answer":
		if x.sleep(r.delay()) {
			x.answer(answer, body)
		}
	case "status-after":
		x.send(r.code, "text/html", []byte(fmt.Sprintf("<html><body><h1>%d</h1></body></html>\n", r.code)))
	case "header":
		x.header(answer, body)
	case "slow":
		x.slow(answer, body)
	case "garbage":
		x.garbage(answer, body)
	case "snapshots":
		x.answer(answer, replaceTrees(body, r.count, r.depth))
	case "task":
		x.answer(answer, returnedTask.ReplaceAllLiteral(body, []byte(`<returnval type="Task">`+r.q.Get("value")+`</returnval>`)))
	}
}

// answer sends the host's answer with perhaps another body.
func (x *exchange) answer(a *http.Response, body []byte) {
	copyHeader(x.out.Header(), a.Header)
	x.out.Header().Set("Content-Length", fmt.Sprint(len(body)))
	x.counted(a.StatusCode)
	x.out.WriteHeader(a.StatusCode)
	_, _ = x.out.Write(body)
}

// header sends the host's answer with one header line changed or, without a
// value, left out; and with another status, if the rule has one.
func (x *exchange) header(a *http.Response, body []byte) {
	if value := x.rule.q.Get("value"); value != "" {
		a.Header.Set(x.rule.q.Get("name"), value)
	} else {
		a.Header.Del(x.rule.q.Get("name"))
	}
	if x.rule.q.Get("code") != "" {
		a.StatusCode = x.rule.code
	}
	x.answer(a, body)
}

// raw writes an answer by hand, with a length that need not be true.
func (x *exchange) raw(a *http.Response, length int, body []byte) net.Conn {
	hijacker, ok := x.out.(http.Hijacker)
	if !ok {
		return nil
	}
	conn, buffered, err := hijacker.Hijack()
	if err != nil {
		return nil
	}
	x.counted(a.StatusCode)
	header := a.Header.Clone()
	header.Del("Transfer-Encoding")
	header.Set("Content-Length", fmt.Sprint(length))
	fmt.Fprintf(buffered, "HTTP/1.1 %d %s\r\n", a.StatusCode, http.StatusText(a.StatusCode))
	_ = header.Write(buffered)
	_, _ = buffered.WriteString("\r\n")
	_, _ = buffered.Write(body)
	_ = buffered.Flush()
	return conn
}

// silent waits until the other side closes a connection that is ours.
func (x *exchange) silent(conn net.Conn) {
	gone := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, conn)
		close(gone)
	}()
	select {
	case <-gone:
	case <-x.rule.release:
	case <-x.p.stopped:
	}
	abort(conn, false)
}

// slow sends rate bytes a second, in twenty portions.
func (x *exchange) slow(a *http.Response, body []byte) {
	copyHeader(x.out.Header(), a.Header)
	x.out.Header().Set("Content-Length", fmt.Sprint(len(body)))
	x.counted(a.StatusCode)
	x.out.WriteHeader(a.StatusCode)
	portion := x.rule.rate / 20
	if portion < 1 {
		portion = 1
	}
	for len(body) > 0 {
		n := portion
		if n > len(body) {
			n = len(body)
		}
		if _, err := x.out.Write(body[:n]); err != nil {
			return
		}
		flush(x.out)
		body = body[n:]
		if !x.sleep(time.Duration(n) * time.Second / time.Duration(x.rule.rate)) {
			return
		}
	}
}

func flush(out http.ResponseWriter) {
	if f, ok := out.(http.Flusher); ok {
		f.Flush()
	}
}

const soapHead = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
	`<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" ` +
	`xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>`
const soapTail = `</soapenv:Body></soapenv:Envelope>`

func (x *exchange) responseTag() string {
	return x.method + "Response"
}

// endless sends well-formed XML for ever.
func (x *exchange) endless() {
	x.counted(http.StatusOK)
	x.out.Header().Set("Content-Type", "text/xml; charset=utf-8")
	x.out.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(x.out, soapHead+"<"+x.responseTag()+` xmlns="urn:vim25"><returnval>`)
	line := strings.Repeat(`<objects><obj type="VirtualMachine">vm-1</obj></objects>`, 64)
	for {
		if _, err := io.WriteString(x.out, line); err != nil {
			return
		}
		select {
		case <-x.r.Context().Done():
			return
		case <-x.p.stopped:
			return
		default:
		}
		if x.rule.q.Get("rate") != "" && !x.sleep(time.Duration(len(line))*time.Second/time.Duration(x.rule.rate)) {
			return
		}
	}
}

// into puts text behind the first element of a body that people can name.
func into(body []byte, text string) []byte {
	for _, mark := range []string{"<name>", "<faultstring>", "<returnval>", "Body>"} {
		if i := bytes.Index(body, []byte(mark)); i >= 0 {
			i += len(mark)
			return append(append(append([]byte(nil), body[:i]...), text...), body[i:]...)
		}
	}
	return append(body, text...)
}

func (x *exchange) garbage(a *http.Response, body []byte) {
	switch x.rule.q.Get("what") {
	case "bytes":
		noise := make([]byte, 4096)
		rand.New(rand.NewSource(1)).Read(noise)
		x.answer(a, noise)
	case "html":
		a.StatusCode = http.StatusOK
		a.Header.Set("Content-Type", "text/html")
		x.answer(a, []byte("<!DOCTYPE html><html><body><p>Welcome to the hotel's network<br>Please accept</body></html>\n"))
	case "truncated":
		x.answer(a, body[:len(body)/2])
	case "utf8":
		x.answer(a, into(body, "\xff\xfe\xc0\x80"))
	case "control":
		x.answer(a, into(body, "\x01\x08\x0b"))
	case "charref":
		x.answer(a, into(body, "&#1;&#0;"))
	case "empty":
		x.answer(a, nil)
	case "length": // says less than comes; the rest looks like another answer
		if conn := x.raw(a, len(body)/2, body); conn != nil {
			x.silent(conn)
		}
	}
}

// bomb sends XML that costs the reader more than the sender.
func (x *exchange) bomb() {
	x.counted(http.StatusOK)
	x.out.Header().Set("Content-Type", "text/xml; charset=utf-8")
	x.out.WriteHeader(http.StatusOK)
	out := bufio.NewWriterSize(x.out, 65536)
	defer out.Flush()
	open := "<" + x.responseTag() + ` xmlns="urn:vim25">`
	end := "</" + x.responseTag() + ">" + soapTail
	prolog, rest, _ := strings.Cut(soapHead, "\n")
	repeat := func(text string) {
		for i := 0; i < x.rule.size; i++ {
			if _, err := out.WriteString(text); err != nil {
				return
			}
		}
	}
	switch x.rule.q.Get("what") {
	case "entities":
		fmt.Fprint(out, prolog, "<!DOCTYPE b [<!ENTITY a0 \"aaaaaaaaaaaaaaaa\">")
		for i := 1; i < 12; i++ {
			fmt.Fprintf(out, "<!ENTITY a%d \"%s\">", i, strings.Repeat(fmt.Sprintf("&a%d;", i-1), 16))
		}
		fmt.Fprint(out, "]>", rest, open, "<returnval>&a11;</returnval>", end)
	case "external":
		system := x.rule.q.Get("url")
		if system == "" {
			system = "file:///etc/passwd"
		}
		fmt.Fprintf(out, "%s<!DOCTYPE b [<!ENTITY e SYSTEM \"%s\">]>%s%s<returnval>&e;</returnval>%s", prolog, html.EscapeString(system), rest, open, end)
	case "deep":
		fmt.Fprint(out, soapHead, open)
		repeat("<a>")
		repeat("</a>")
		fmt.Fprint(out, end)
	case "wide":
		fmt.Fprint(out, soapHead, open)
		repeat("<returnval/>")
		fmt.Fprint(out, end)
	case "text":
		fmt.Fprint(out, soapHead, open, "<returnval>")
		repeat("x")
		fmt.Fprint(out, "</returnval>", end)
	case "attributes":
		fmt.Fprint(out, soapHead, open, "<returnval")
		for i := 0; i < x.rule.size; i++ {
			if _, err := fmt.Fprintf(out, " a%d=\"\"", i); err != nil {
				return
			}
		}
		fmt.Fprint(out, "/>", end)
	}
}

// faultText is a SOAP fault of any type; fields are put in as they are named.
func faultText(r *rule) []byte {
	name := html.EscapeString(r.q.Get("fault"))
	message := r.q.Get("message")
	if message == "" {
		message = "The proxy was told to answer " + name + "."
	}
	var fields strings.Builder
	for key := range r.q {
		field := strings.TrimPrefix(key, "field.")
		if field == key {
			continue
		}
		value := r.q.Get(key)
		if kind, ref, ok := strings.Cut(value, ":"); ok && (field == "obj" || field == "object" || field == "task" || field == "datastore") {
			fmt.Fprintf(&fields, "<%s type=\"%s\">%s</%s>", field, html.EscapeString(kind), html.EscapeString(ref), field)
			continue
		}
		fmt.Fprintf(&fields, "<%s>%s</%s>", field, html.EscapeString(value), field)
	}
	return []byte(fmt.Sprintf("%s<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>%s</faultstring><detail>"+
		"<%sFault xmlns=\"urn:vim25\" xsi:type=\"%s\">%s</%sFault></detail></soapenv:Fault>%s",
		soapHead, html.EscapeString(message), name, name, fields.String(), name, soapTail))
}
