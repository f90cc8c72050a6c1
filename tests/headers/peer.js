// SPDX-License-Identifier: MPL-2.0
// node peer.js BE|LE send PORT LENGTH...     connects, sends frames of these lengths and ends
// node peer.js BE|LE receive PORT            connects, prints the length of each frame up to the end

const net = require("node:net");

const [order, what, port, ...lengths] = process.argv.slice(2);
const pattern = (length) => Buffer.from(Array.from({ length }, (_, i) => i % 251));

const socket = net.connect(Number(port), "127.0.0.1", () => {
  for (const length of lengths.map(Number)) {
    const header = Buffer.alloc(4);
    header[`writeUInt32${order}`](length);
    socket.write(Buffer.concat([header, pattern(length)]));
  }
  if (what === "send") socket.end();
});

let waiting = Buffer.alloc(0);
socket.on("data", (data) => {
  waiting = Buffer.concat([waiting, data]);
  while (waiting.length >= 4) {
    const end = 4 + waiting[`readUInt32${order}`]();
    if (waiting.length < end) break;
    if (!waiting.subarray(4, end).equals(pattern(end - 4))) throw new Error("other bytes than those sent");
    console.log(end - 4);
    waiting = waiting.subarray(end);
  }
});
