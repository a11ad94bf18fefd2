'use strict';

function show(id, text) {
  document.getElementById(id).textContent = text;
}

show('page', `page ${location.pathname}`);
fetch('/api/whoami?from=page').then((answer) => answer.json()).then((told) => {
  show('api', `api ${told.request.url}`);
});
const socket = new WebSocket(`ws://${location.host}/socket`);
socket.onopen = () => socket.send('hello');
socket.onmessage = (message) => show('socket', `echo ${message.data}`);
