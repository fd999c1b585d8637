// A Go crypto/tls server with Encrypted Client Hello for public.example (RFC 9849): PORT KEY CERT
package main

import (
	"crypto/ecdh"
	"crypto/tls"
	"encoding/binary"
	"log"
	"net"
	"os"
	"time"
)

const publicName = "public.example"

// An ECHConfig with X25519, and AES-128-GCM or ChaCha20-Poly1305 under HKDF-SHA256.
func echConfig(public []byte) []byte {
	contents := append([]byte{7, 0, 0x20, 0, 32}, public...)
	contents = append(contents, 0, 8, 0, 1, 0, 1, 0, 1, 0, 3)
	contents = append(contents, 64, byte(len(publicName)))
	contents = append(append(contents, publicName...), 0, 0)
	config := binary.BigEndian.AppendUint16([]byte{0xfe, 0x0d}, uint16(len(contents)))
	return append(config, contents...)
}

func main() {
	log.SetFlags(0)
	pair, err := tls.LoadX509KeyPair(os.Args[3], os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	private := make([]byte, 32)
	private[0] = 1
	key, err := ecdh.X25519().NewPrivateKey(private)
	if err != nil {
		log.Fatal(err)
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{pair},
		NextProtos:   []string{"h2", "http/1.1"},
		EncryptedClientHelloKeys: []tls.EncryptedClientHelloKey{
			{Config: echConfig(key.PublicKey().Bytes()), PrivateKey: private, SendAsRetry: true},
		},
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(tls.Server(connection, config))
	}
}

func serve(connection *tls.Conn) {
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := connection.Read(make([]byte, 4096)); err == nil {
		connection.Write([]byte("HTTP/1.0 200 OK\r\n\r\ntlswire\n"))
	}
}
