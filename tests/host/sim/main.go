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
	"runtime/debug"
	"syscall"

	"../serve"
)

// host is a running server of either kind.
type host interface {
	address() string // HOST:PORT of /sdk
	stop()           // returns when nothing is left behind
}

func run(o *options, signals <-chan os.Signal) error {
	cert, err := serve.NewCertificate(o.wrongName)
	if err != nil {
		return err
	}
	if o.cert != "" {
		if err = cert.WritePEM(o.cert); err != nil {
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
	ready := &serve.Ready{
		Scheme: "https", Address: h.address(), Control: control,
		CertFile: o.cert, Cert: cert, User: o.user, Password: o.password,
	}
	if o.noTLS {
		ready.Scheme = "http"
	}
	if err = ready.Write(o.ready); err != nil {
		return err
	}
	<-signals
	return nil
}

func main() {
	log.SetFlags(log.Ltime | log.Lmicroseconds)
	// Ten thousand VMs are gone through at each collection: a benchmark is to
	// measure the client.
	debug.SetGCPercent(400)
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
