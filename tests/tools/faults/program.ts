/**
 * Throws in every place where nobody of ours is on the stack, in this thread and in one of its own, under
 * the server's guard; then says how many faults were counted, and that both threads go on.
 *
 *     program.ts     prints `main N`, `thread N` and `alive` to stdout, log lines besides
 *
 * @module
 */

import { Buffer } from "node:buffer";
import net from "node:net";
import process from "node:process";
import { faults } from "../../../src/runtime/fault_guard.ts";
import { closeLog, openLog } from "../../../src/log/sink.ts";
import { connectTcp } from "../../../src/net/connect.ts";
import { listenHttp } from "../../../src/net/http_listener.ts";
import { runClock } from "../../../src/net/run_clock.ts";
import { listenTcp } from "../../../src/net/tcp.ts";
import { newWay, onPortMessage, Thread } from "../../../src/net/thread.ts";
import { throwEverywhere } from "./throwing.ts";

const LOCAL = { host: "127.0.0.1", port: 0 };

await openLog({ tank: "console", level: "info", file: "", utc: false });
faults.watchProcess();
throwEverywhere("main");

// The runtime's listeners, by way of ours.
const nothing = { onWritable: () => {}, onClose: () => {} };
const tcp = await listenTcp(LOCAL, () => {
  throw new Error("main: accept");
});
const reading = await listenTcp(LOCAL, () => ({
  ...nothing,
  onBytes: () => {
    throw new Error("main: bytes");
  },
}));
const closing = await listenTcp(LOCAL, () => ({
  onBytes: () => {},
  onWritable: () => {},
  onClose: () => {
    throw new Error("main: close");
  },
}));
let inAnswer = 0;
const http = await listenHttp(
  LOCAL,
  () => {
    throw new Error("main: a request");
  },
  null,
  () => inAnswer++,
);
for (const { address } of [tcp, reading, closing, http]) {
  const socket = net.connect({ host: "127.0.0.1", port: address.port });
  socket.on("error", () => {});
  socket.end(Buffer.from("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
}
connectTcp(closing.address, { timeoutMs: 5000 }, () => {
  throw new Error("main: connected");
}, () => {});
runClock.begin();
runClock.after(1, () => {
  throw new Error("main: the server's clock");
});
process.on("SIGUSR2", () => {
  throw new Error("main: a signal");
});
process.kill(process.pid, "SIGUSR2");

// Another thread, and messages of it.
let thread = -1;
let pongs = 0;
const [port, itsPort] = newWay();
const child = new Thread(new URL("./thread.ts", import.meta.url), null, {
  message: (message) => {
    if (message === "throw") throw new Error("main: a message of a thread");
    if (typeof message === "number") thread = message;
    if (message === "pong") pongs++;
  },
  failed: (error) => console.log(`thread failed: ${error.message}`),
  ended: () => console.log("thread ended"),
});
child.post("port", []);
onPortMessage(port, () => {
  throw new Error("main: a message on a port");
});
itsPort.postMessage("throw");

const end = performance.now() + 10_000;
while (performance.now() < end && (thread < 0 || pongs === 0 || inAnswer === 0)) {
  child.post("ping");
  await new Promise((resolve) => setTimeout(resolve, 100));
}
await new Promise((resolve) => setTimeout(resolve, 300));
console.log(`main ${faults.count}`);
console.log(`thread ${thread}`);
console.log(`requests ${inAnswer}`);
console.log("alive");
await closeLog();
process.exit(0);
