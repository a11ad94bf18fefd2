// A small WebSocket service: echo, whoami, close on demand, and a page that shows it.
//
//   node websocket_echo.js ADDRESS PORT
//
// Runs on Node.js 12 and later with ws 7 and 8, so: no `?.`, no `??`.
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const net = require('net');
const os = require('os');
const path = require('path');
const WebSocket = require('ws');

const MIB = 1024 * 1024;
const MAX_BODY = 16 * MIB; // of one message, and of one POST
const MAX_UNREAD = 64 * MIB; // echoes that wait for a client that sends and never reads
const STOP_GRACE = 1000; // ms for the closing handshakes after SIGTERM

const [address, portText] = process.argv.slice(2);
const port = Number(portText);
const instance = `${os.hostname()}:${port}`;

function fail(message) {
  console.error(message);
  process.exit(1);
}

if (!net.isIP(address || '') || !Number.isInteger(port) || port < 1 || port > 65535) {
  fail(`Usage: node websocket_echo.js ADDRESS PORT (an IP address and 1 to 65535), got: ${process.argv.slice(2).join(' ')}`);
}

// --- What a request asks for: the last part of its path decides, so that a proxy may put any prefix before it.

function lastSegment(request) {
  return request.url.split('?', 1)[0].split('/').pop();
}

function whoami(request) {
  const headers = [];
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    headers.push([request.rawHeaders[i], request.rawHeaders[i + 1]]);
  }
  return JSON.stringify({
    instance,
    port,
    request: { method: request.method, url: request.url, http_version: request.httpVersion, headers },
    client: { address: request.socket.remoteAddress, port: request.socket.remotePort },
  });
}

// The codes that RFC 6455 7.4 (and the IANA registry) lets an endpoint send: 1004, 1005 and 1006 never travel.
function mayBeSent(code) {
  return (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999);
}

function wantedClose(request) {
  const query = new URLSearchParams(request.url.split('?').slice(1).join('?'));
  const text = query.has('code') ? query.get('code') : '1000';
  const reason = query.has('reason') ? query.get('reason') : '';
  const code = /^[0-9]{4}$/.test(text) ? Number(text) : 0;
  if (!mayBeSent(code)) {
    return { error: 'code: expected 1000 to 1014 without 1004, 1005 and 1006, or 3000 to 4999' };
  }
  if (Buffer.byteLength(reason) > 123) {
    return { error: 'reason: expected at most 123 bytes' };
  }
  return { code, reason };
}

// --- Plain HTTP

const page = fs.readFileSync(path.join(__dirname, 'page.html'), 'utf8');

// The page's own script and style are allowed by their hash, and nothing else is.
function hashOf(tag) {
  const text = new RegExp(`<${tag}>([^]*?)</${tag}>`).exec(page)[1];
  return `'sha256-${crypto.createHash('sha256').update(text).digest('base64')}'`;
}

const pageHeaders = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': [
    "default-src 'none'",
    `script-src ${hashOf('script')}`,
    `style-src ${hashOf('style')}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'Referrer-Policy': 'no-referrer',
};

function answer(response, status, headers, body) {
  const bytes = Buffer.from(body);
  response.writeHead(status, {
    'Content-Length': bytes.length,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...headers,
  });
  response.end(bytes);
}

function answerJson(response, status, text, headers) {
  answer(response, status, { 'Content-Type': 'application/json', ...headers }, `${text}\n`);
}

function countBody(request, response) {
  let length = 0;
  const tooLarge = () => {
    request.removeAllListeners('data').resume();
    answerJson(response, 413, JSON.stringify({ error: `expected at most ${MAX_BODY} bytes` }), { Connection: 'close' });
    response.on('finish', () => request.destroy());
  };
  if (Number(request.headers['content-length']) > MAX_BODY) {
    tooLarge();
    return;
  }
  request.on('data', (chunk) => {
    length += chunk.length;
    if (length > MAX_BODY) {
      tooLarge();
    }
  });
  request.on('end', () => {
    if (!response.headersSent) {
      answerJson(response, 200, JSON.stringify({ length }));
    }
  });
}

const server = http.createServer((request, response) => {
  if (request.method === 'POST') {
    countBody(request, response);
  } else if (request.method !== 'GET' && request.method !== 'HEAD') {
    const error = `${request.method} is not allowed here`;
    answerJson(response, 405, JSON.stringify({ error }), { Allow: 'GET, HEAD, POST', Connection: 'close' });
  } else if (lastSegment(request) === 'whoami') {
    answerJson(response, 200, whoami(request));
  } else {
    answer(response, 200, pageHeaders, page);
  }
});

// Longer than nginx keeps an idle connection to an upstream (60 s), so that it is never we who close one just as
// the next request is under way.
server.keepAliveTimeout = 75 * 1000;

// --- WebSockets

// Without compression, a message costs what it weighs: measurements stay comparable and memory small.
const sockets = new WebSocket.Server({ noServer: true, maxPayload: MAX_BODY, perMessageDeflate: false });
let stopping = false;

function refuse(socket, reason) {
  const body = `${reason}\n`;
  socket.on('error', () => {});
  socket.end(
    'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n' +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  );
}

function echo(socket) {
  // ws 7 gives text as a string; ws 8 gives a buffer and says which kind it was.
  socket.on('message', (data, isBinary) => {
    socket.send(data, { binary: typeof data !== 'string' && isBinary !== false });
    if (socket.bufferedAmount > MAX_UNREAD) {
      console.error(`A client sends and does not read: its socket is cut at ${MAX_UNREAD} unread bytes`);
      socket.terminate();
    }
  });
}

server.on('upgrade', (request, netSocket, head) => {
  const wanted = lastSegment(request);
  const close = wanted === 'close' ? wantedClose(request) : null;
  if (close && close.error) {
    refuse(netSocket, close.error);
    return;
  }
  sockets.handleUpgrade(request, netSocket, head, (socket) => {
    socket.on('error', () => {}); // ws answers a protocol error with its close code by itself
    socket.on('close', () => {
      if (stopping && sockets.clients.size === 0) {
        process.exit(0);
      }
    });
    echo(socket);
    if (close) {
      socket.close(close.code, close.reason);
    } else if (wanted === 'whoami') {
      socket.send(whoami(request));
    }
  });
});

// --- Start and stop

function stop() {
  stopping = true;
  server.close();
  for (const socket of sockets.clients) {
    socket.close(1001, 'the service is stopping');
  }
  setTimeout(() => process.exit(0), sockets.clients.size === 0 ? 0 : STOP_GRACE);
}

process.on('SIGTERM', stop);
process.on('SIGINT', stop);

server.on('error', (error) => {
  const why = { EADDRINUSE: 'another process has this port', EADDRNOTAVAIL: 'this host does not have this address' };
  fail(`Cannot listen on ${address} port ${port}: ${why[error.code] || error.message}`);
});

// The system's own bound (net.core.somaxconn) holds below this: a crowd that connects at once is not turned away.
server.listen({ host: address, port, backlog: 4096 }, () => {
  console.log(`Echoes WebSockets on ${address} port ${port}`);
});
