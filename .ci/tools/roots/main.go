// Command roots writes the certificate authorities that the container image trusts, as PEM.
//
// They are Mozilla's, as the Go project keeps them for programs that find none on their machine:
// a module with a version and a checksum, so that every machine writes the same file. A
// distribution's file would differ with the machine and with the day.
package main

import (
	"encoding/pem"
	"log"
	"os"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

func main() {
	for root := range bundle.Roots() {
		// A condition, like "only certificates older than", cannot be said in PEM.
		if root.Constraint != nil {
			continue
		}
		err := pem.Encode(os.Stdout, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
		if err != nil {
			log.Fatal(err)
		}
	}
}
