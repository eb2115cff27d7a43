// SPDX-License-Identifier: LGPL-2.1-or-later

// Package serve is what the simulator and the proxy have in common: a
// certificate of their own and the file that says where they listen.
package serve

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"strings"
	"time"
)

// Certificate is what a host shows: a self-signed one, made at start, as
// ESXi makes its own at installation.
type Certificate struct {
	Pair   tls.Certificate
	SHA1   string // AA:BB:…, as VMware and openssl print thumbprints
	SHA256 string
}

func thumbprint(sum []byte) string {
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(parts, ":")
}

// NewCertificate makes a key and a certificate for 127.0.0.1 and localhost.
// With wrongName it is for localhost.localdomain only, as hosts ship it.
func NewCertificate(wrongName bool) (*Certificate, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{Organization: []string{"VMware Installer"}, CommonName: "localhost.localdomain"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(365 * 24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
		DNSNames:              []string{"localhost.localdomain"},
	}
	if !wrongName {
		template.DNSNames = append(template.DNSNames, "localhost")
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	s1 := sha1.Sum(der)
	s256 := sha256.Sum256(der)
	return &Certificate{
		Pair:   tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		SHA1:   thumbprint(s1[:]),
		SHA256: thumbprint(s256[:]),
	}, nil
}

// WritePEM writes the certificate, without its key, for cacert=FILE.
func (c *Certificate) WritePEM(path string) error {
	block := &pem.Block{Type: "CERTIFICATE", Bytes: c.Pair.Certificate[0]}
	return os.WriteFile(path, pem.EncodeToMemory(block), 0o644)
}
