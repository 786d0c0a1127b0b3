// Echo servers as one writes them with nothing but Go's standard library: what Smoker's are measured against.
//
//	baseline tcp|udp|http 127.0.0.1:8080
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
)

const usage = "usage: baseline tcp|udp|http HOST:PORT"

func main() {
	serve := map[string]func(string) error{"tcp": serveTCP, "udp": serveUDP, "http": serveHTTP}
	if len(os.Args) != 3 || serve[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	if err := serve[os.Args[1]](os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serveTCP(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go echo(connection)
	}
}

// echo copies by hand: io.Copy would splice inside the kernel and no longer be a server that sees its bytes.
func echo(connection net.Conn) {
	defer connection.Close()
	buffer := make([]byte, 4096)
	for {
		n, err := connection.Read(buffer)
		if n > 0 {
			if _, err := connection.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func serveUDP(address string) error {
	local, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	socket, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(local))
	if err != nil {
		return err
	}
	buffer := make([]byte, 65535)
	for {
		n, peer, err := socket.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return err
		}
		// A datagram that cannot be answered is lost, as on any network.
		_, _ = socket.WriteToUDPAddrPort(buffer[:n], peer)
	}
}

func serveHTTP(address string) error {
	return http.ListenAndServe(address, http.HandlerFunc(answer))
}

func answer(writer http.ResponseWriter, request *http.Request) {
	body := []byte("OK")
	if request.Method == http.MethodPost {
		posted, err := io.ReadAll(request.Body)
		if err != nil {
			http.Error(writer, err.Error(), http.StatusBadRequest)
			return
		}
		body = posted
	}
	writer.Header().Set("Content-Type", "text/plain")
	writer.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = writer.Write(body)
}
