// A server on node's own OpenSSL, as permissive as it allows: PORT KEY CERT
"use strict";
const fs = require("node:fs");
const tls = require("node:tls");

const [port, key, cert] = process.argv.slice(2);
const options = {
  key: fs.readFileSync(key),
  cert: fs.readFileSync(cert),
  minVersion: "TLSv1",
  ciphers: "ALL:COMPLEMENTOFALL:@SECLEVEL=0",
  ecdhCurve: "auto",
};
const server = tls.createServer(options, (connection) => {
  connection.setTimeout(10000, () => connection.destroy());
  connection.on("error", () => {});
  connection.once("data", () => connection.end("HTTP/1.0 200 OK\r\n\r\ntlswire\n"));
});
server.on("tlsClientError", () => {});
server.listen({ port: Number(port), host: "127.0.0.1", backlog: 1024 });
