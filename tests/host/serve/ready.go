// SPDX-License-Identifier: LGPL-2.1-or-later

package serve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// Ready is what a test has to know of a server that listens.
type Ready struct {
	Scheme   string // http or https
	Address  string // HOST:PORT
	Control  string // URL of the control endpoint
	CertFile string
	Cert     *Certificate
	User     string
	Password string
}

// Write makes a file of shell words. It appears with its whole content or not
// at all.
func (r *Ready) Write(path string) error {
	if path == "" {
		return nil
	}
	port := r.Address[strings.LastIndexByte(r.Address, ':')+1:]
	var text strings.Builder
	for _, word := range [][2]string{
		{"URL", r.Scheme + "://" + r.Address + "/sdk"}, {"PORT", port},
		{"CONTROL", r.Control}, {"CERT", r.CertFile},
		{"SHA1", r.Cert.SHA1}, {"SHA256", r.Cert.SHA256},
		{"USER", r.User}, {"PASSWORD", r.Password},
		{"PID", fmt.Sprint(os.Getpid())},
	} {
		fmt.Fprintf(&text, "HOST_%s='%s'\n", word[0], strings.ReplaceAll(word[1], "'", "'\\''"))
	}
	temp := path + ".part"
	if err := os.WriteFile(temp, []byte(text.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// Reply answers an order at the control endpoint with JSON.
func Reply(out http.ResponseWriter, value interface{}, err error) {
	status := http.StatusOK
	if err != nil {
		status, value = http.StatusBadRequest, map[string]string{"error": err.Error()}
	}
	text, err := JSON(value)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte("{}\n")
	}
	out.Header().Set("Content-Type", "application/json")
	out.WriteHeader(status)
	_, _ = out.Write(text)
}

// JSON writes a value as people read it, with < and & as they are. What is
// JSON already stays as it is.
func JSON(value interface{}) ([]byte, error) {
	if raw, ok := value.(json.RawMessage); ok {
		return raw, nil
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return text.Bytes(), err
}
