// Runs outside: an echo through wss:// in one version of TLS. Usage: node -e PROGRAM -- NAME VERSION; prints what came back.
'use strict';
const WebSocket = require('ws');
const [name, version] = process.argv.slice(1);
const ca = require('fs').readFileSync('/usr/local/share/ca-certificates/tests.crt');
const opened = new WebSocket(`wss://${name}/`, {ca, minVersion: version, maxVersion: version});
opened.on('open', () => opened.send('grüße'));
opened.on('message', (message) => {
  console.log(opened._socket.getProtocol(), message.toString());
  opened.close();
});
opened.on('error', (error) => { console.log(error.message); process.exit(1); });
