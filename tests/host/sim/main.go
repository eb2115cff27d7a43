// SPDX-License-Identifier: LGPL-2.1-or-later

// hostsim: a vSphere host or vCenter for the tests. README.md of the folder
// above says what it does and how it is steered.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// host is a running server of either kind.
type host interface {
	address() string // HOST:PORT of /sdk
	stop()           // returns when nothing is left behind
}

// writeReady tells the caller where we are, in words a shell can source. The
// file appears with its whole content or not at all.
func writeReady(o *options, h host, cert *certificate, control string) error {
	if o.ready == "" {
		return nil
	}
	scheme := "https"
	if o.noTLS {
		scheme = "http"
	}
	port := h.address()[strings.LastIndex(h.address(), ":")+1:]
	text := fmt.Sprintf("HOST_URL='%s://%s/sdk'\nHOST_PORT='%s'\n"+
		"HOST_CONTROL='%s'\nHOST_CERT='%s'\nHOST_SHA1='%s'\n"+
		"HOST_SHA256='%s'\nHOST_USER='%s'\nHOST_PASSWORD='%s'\n"+
		"HOST_PID='%d'\n",
		scheme, h.address(), port, control, o.cert, cert.sha1, cert.sha256,
		o.user, o.password, os.Getpid())
	temp := o.ready + ".part"
	if err := os.WriteFile(temp, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, o.ready)
}

func run(o *options, signals <-chan os.Signal) error {
	cert, err := newCertificate(o.wrongName)
	if err != nil {
		return err
	}
	if o.cert != "" {
		if err = cert.writePEM(o.cert); err != nil {
			return err
		}
	}
	var h host
	control := ""
	if o.plain {
		h, err = startPlain(o, cert)
	} else {
		var s *server
		if s, err = startServer(o, cert); err == nil {
			h, control = s, s.base
		}
	}
	if err != nil {
		return err
	}
	defer h.stop()
	if err = writeReady(o, h, cert, control); err != nil {
		return err
	}
	<-signals
	return nil
}

func main() {
	log.SetFlags(log.Ltime | log.Lmicroseconds)
	o, err := parseOptions(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "hostsim:", err)
		os.Exit(2)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	if err = run(o, signals); err != nil {
		fmt.Fprintln(os.Stderr, "hostsim:", err)
		os.Exit(1)
	}
}
