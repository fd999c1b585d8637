// One handshake of Go's crypto/tls: client PORT NAME. Trusts everybody: the other side is ours.
package main

import (
	"crypto/tls"
	"os"
)

func main() {
	config := &tls.Config{InsecureSkipVerify: true, ServerName: os.Args[2], NextProtos: []string{"h2", "http/1.1"}}
	connection, err := tls.Dial("tcp", "127.0.0.1:"+os.Args[1], config)
	if err != nil {
		panic(err)
	}
	connection.Write([]byte("hello\n"))
	connection.Read(make([]byte, 64))
	connection.Close()
}
