// A Go crypto/tls server with every suite it implements, TLS 1.0 up: PORT KEY CERT [KEY CERT]...
package main

import (
	"crypto/tls"
	"log"
	"net"
	"os"
	"time"
)

func main() {
	log.SetFlags(0)
	config := &tls.Config{MinVersion: tls.VersionTLS10}
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		config.CipherSuites = append(config.CipherSuites, suite.ID)
	}
	for files := os.Args[2:]; len(files) >= 2; files = files[2:] {
		pair, err := tls.LoadX509KeyPair(files[1], files[0])
		if err != nil {
			log.Fatal(err)
		}
		config.Certificates = append(config.Certificates, pair)
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
