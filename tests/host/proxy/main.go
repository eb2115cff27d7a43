// SPDX-License-Identifier: LGPL-2.1-or-later

// hostproxy stands between a client and the simulator and breaks things by
// order. README.md of the folder above has the words.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"../serve"
)

type options struct {
	upstream     string
	upstreamHTTP bool
	listen       string
	ready, cert  string
	wrongName    bool
}

func parseOptions(argv []string) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("hostproxy", flag.ContinueOnError)
	f.StringVar(&o.upstream, "upstream", "", "HOST:PORT of the simulator")
	f.BoolVar(&o.upstreamHTTP, "upstream-http", false, "the simulator runs with -no-tls")
	f.StringVar(&o.listen, "listen", "127.0.0.1:0", "address to listen on")
	f.StringVar(&o.ready, "ready", "", "file written when the proxy listens")
	f.StringVar(&o.cert, "cert", "", "file the certificate is written to (PEM)")
	f.BoolVar(&o.wrongName, "wrong-name", false, "certificate for localhost.localdomain only")
	if err := f.Parse(argv); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if o.upstream == "" {
		return nil, errors.New("-upstream is needed")
	}
	return o, nil
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
	p, err := startProxy(o, cert)
	if err != nil {
		return err
	}
	defer p.stop()
	ready := &serve.Ready{Scheme: "https", Address: p.addr, Control: p.base, CertFile: o.cert, Cert: cert}
	if err = ready.Write(o.ready); err != nil {
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
		fmt.Fprintln(os.Stderr, "hostproxy:", err)
		os.Exit(2)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	if err = run(o, signals); err != nil {
		fmt.Fprintln(os.Stderr, "hostproxy:", err)
		os.Exit(1)
	}
}
