/**
 * How the open files of the process are shared (H36, H37).
 * @module
 */

import assert from "node:assert/strict";
import net from "node:net";
import { loadConfig } from "../../src/config/file/load.ts";
import { ConnectError, connectTcp } from "../../src/net/connect.ts";
import { MAX_HTTP_CONNECTIONS } from "../../src/net/limits.ts";
import { fileShares, fileShortage } from "../../src/net/file_limit.ts";
import { HttpGet } from "../../src/net/http_get.ts";
import {
  limitOutgoing,
  outgoingConnections,
  outgoingRoom,
  takeOutgoing,
} from "../../src/net/outgoing.ts";
import { until } from "../tools/process.ts";

function needs(maxConnections: number, vhost = "") {
  const text = `listen 1; max_connections ${maxConnections}; vhost a { ${vhost} }`;
  return loadConfig("a.conf", () => text, {}).config;
}

Deno.test("H37: every side has its least, HTTP no more than its most, other servers the rest", () => {
  const few = fileShares(needs(100), 0);
  assert.deepEqual(few, { http: 16, outgoing: 16 });
  const some = fileShares(needs(100), 100 + 128 + 100);
  assert.deepEqual(some, { http: 66, outgoing: 66 });
  const many = fileShares(needs(100), 100_000);
  assert.equal(many.http, MAX_HTTP_CONNECTIONS);
  assert.equal(many.http + many.outgoing + 100 + 96, 100_000, "nothing is given twice");
});

Deno.test("H37: what is missing is said, with the cure; hook servers count", () => {
  const files = (limit: number) => (wanted: number) => Math.min(wanted, limit);
  assert.equal(fileShortage(needs(1000), 0, files(1128)), null);
  assert.equal(fileShortage(needs(1000), 1000, files(128)), null, "those that are open count");
  assert.match(
    fileShortage(needs(1000), 0, files(1024)) ?? "",
    /needs 1128 open files .* may have 1024\. Run: ulimit -HSn 10000, or lower max_connections to 896$/,
  );
  assert.match(fileShortage(needs(1000), 0, files(100)) ?? "", /Run: ulimit -HSn 10000$/);
  const hooks = "http_hooks { enabled on; on_play http://a/1 http://a/2; on_stop http://b/; }";
  assert.match(fileShortage(needs(10, hooks), 0, files(0)) ?? "", /needs 234 open files/);
});

Deno.test("H37: connections to other servers have their places, and give them back", async () => {
  const server = net.createServer((socket) => socket.on("error", () => {}));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  const before = outgoingRoom();
  const open = outgoingConnections();
  limitOutgoing(open + 2);
  try {
    const sockets: { abort(): void }[] = [];
    const failures: ConnectError[] = [];
    const connect = () =>
      connectTcp({ host: "127.0.0.1", port }, { timeoutMs: 5000 }, (socket) => {
        sockets.push(socket);
        return { onBytes: () => {}, onWritable: () => {}, onClose: () => {} };
      }, (error) => void failures.push(error));
    for (let i = 0; i < 3; i++) connect();
    assert.equal(failures.length, 0, "not before connectTcp has returned");
    await until("two connections and a failure", 5000, () => {
      return sockets.length === 2 && failures.length === 1;
    });
    assert.match(failures[0].message, /2 connections to other servers .*ulimit -HSn/);
    const ends: (Error | null)[] = [];
    new HttpGet(new URL(`http://127.0.0.1:${port}/`), { timeoutMs: 5000, userAgent: "t" }, {
      onResponse: () => {},
      onBytes: () => {},
      onEnd: (error) => void ends.push(error),
    });
    await until("the end of the GET", 5000, () => ends.length === 1);
    assert.match(ends[0]?.message ?? "", /connections to other servers/);
    for (const socket of sockets) socket.abort();
    await until("the places", 5000, () => outgoingConnections() === open);
    // One that is refused, and one that is given up, give theirs back too.
    const cancel = connect();
    assert.equal(outgoingConnections(), open + 1);
    cancel();
    assert.equal(outgoingConnections(), open);
    const giveBack = takeOutgoing();
    giveBack?.();
    giveBack?.();
    assert.equal(outgoingConnections(), open);
  } finally {
    limitOutgoing(before);
    server.close();
  }
});
