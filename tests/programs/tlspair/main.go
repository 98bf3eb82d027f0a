// Tlspair is a TLS server and its client in one program, with a certificate made on the spot: known texts in both directions.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"
)

func certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "pair.test"},
		DNSNames:     []string{"pair.test"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func main() {
	config := &tls.Config{Certificates: []tls.Certificate{certificate()}}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		panic(err)
	}
	go func() {
		server, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		buffer := make([]byte, 64)
		n, _ := server.Read(buffer)
		server.Write([]byte("you said: " + string(buffer[:n])))
	}()
	client, err := tls.Dial("tcp", listener.Addr().String(), &tls.Config{InsecureSkipVerify: true, ServerName: "pair.test"})
	if err != nil {
		panic(err)
	}
	client.Write([]byte("a secret"))
	buffer := make([]byte, 64)
	n, _ := client.Read(buffer)
	fmt.Println(string(buffer[:n]))
}
