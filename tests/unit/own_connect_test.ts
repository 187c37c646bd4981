/**
 * Outgoing connections of this thread's event loop, with the real kernel.
 * @module
 */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { once } from "node:events";
import net from "node:net";
import { ConnectError, connectTcp } from "../../src/net/connect.ts";
import { openLoop } from "../../src/net/own_loop.ts";
import { OwnSocket } from "../../src/net/own_socket.ts";
import { reportFaults } from "../../src/runtime/faults.ts";
import type { TcpHandler, TcpSocket } from "../../src/net/socket.ts";

/** ms until an attempt is given up. */
const TIMEOUT_MS = 5000;

/** Without looking for leaks: the loop stays open, and sockets end some time after the test. */
const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({
    name,
    fn: async () => {
      await openLoop();
      await fn();
    },
    ignore: Deno.build.os !== "linux",
    sanitizeResources: false,
    sanitizeOps: false,
  });

/** Our end of a connection, and what it was told. */
class End implements TcpHandler {
  received = "";
  readonly closed: Promise<Error | null>;
  #close: (error: Error | null) => void = () => {};

  constructor(readonly socket: TcpSocket) {
    this.closed = new Promise((resolve) => this.#close = resolve);
  }
  onBytes(bytes: Uint8Array): void {
    this.received += new TextDecoder().decode(bytes);
  }
  onWritable(): void {}
  onClose(error: Error | null): void {
    this.#close(error);
  }
}

/** Connects, and gives our end. Rejects with the reason when there is no connection. */
function connect(host: string, port: number): Promise<End> {
  return new Promise((resolve, reject) => {
    connectTcp({ host, port }, { timeoutMs: TIMEOUT_MS }, (socket) => {
      const end = new End(socket);
      // After `attach`, which comes with what this returns.
      queueMicrotask(() => resolve(end));
      return end;
    }, reject);
  });
}

/** A server of the runtime's own, whose connections `serve` gets; gone with the test. */
async function listening(serve: (socket: net.Socket) => void, host = "127.0.0.1") {
  const sockets: net.Socket[] = [];
  const server = net.createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    serve(socket);
  });
  server.listen(0, host);
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address);
  return {
    port: address.port,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** A port where nobody listens. */
async function freePort(): Promise<number> {
  const { port, close } = await listening(() => {});
  close();
  await new Promise((resolve) => setTimeout(resolve, 20));
  return port;
}

/** Descriptors of this process. */
function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

test("connect: what is said arrives on both sides, and both addresses are known", async () => {
  const server = await listening((socket) => {
    socket.on("data", (bytes) => socket.end(`you said ${bytes}`));
  });
  try {
    const end = await connect("127.0.0.1", server.port);
    assert.ok(end.socket instanceof OwnSocket);
    assert.equal(end.socket.remote, `127.0.0.1:${server.port}`);
    assert.equal(end.socket.localAddress, "127.0.0.1");
    assert.equal(end.socket.send(new TextEncoder().encode("good day")), true);
    assert.equal(await end.closed, null);
    assert.equal(end.received, "you said good day");
  } finally {
    server.close();
  }
});

test("connect: a port where nobody listens is refused, with the place and the cure", async () => {
  const port = await freePort();
  await assert.rejects(connect("127.0.0.1", port), (error: unknown) => {
    assert.ok(error instanceof ConnectError);
    assert.equal(error.failure, "refused");
    assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port}: refused.*start the server`));
    return true;
  });
});

test("connect: a name is looked up, and each of its addresses is tried", async () => {
  // "localhost" may be ::1 first, where nobody listens.
  const server = await listening((socket) => void socket.end("here"));
  try {
    const end = await connect("localhost", server.port);
    await end.closed;
    assert.equal(end.received, "here");
  } finally {
    server.close();
  }
  await assert.rejects(connect("localhost", await freePort()), { failure: "refused" });
});

test("connect: an attempt that is given up tells nothing, and leaves no descriptor", async () => {
  const server = await listening(() => {});
  try {
    await connect("127.0.0.1", server.port).then(({ socket }) => socket.abort());
    const before = descriptors();
    const told: string[] = [];
    for (let i = 0; i < 50; i++) {
      const giveUp = connectTcp(
        { host: "127.0.0.1", port: server.port },
        { timeoutMs: TIMEOUT_MS },
        (socket) => {
          told.push("connected");
          return new End(socket);
        },
        () => told.push("failed"),
      );
      // At once, or when the system call has been made.
      if (i % 2 === 1) await Promise.resolve();
      giveUp();
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.deepEqual(told, []);
    // The server has its ends of some.
    assert.ok(descriptors() <= before + 5, `${descriptors() - before} more descriptors`);
  } finally {
    server.close();
  }
});

test("connect: bytes of one connection never reach another that got its number", async () => {
  let count = 0;
  const server = await listening((socket) => {
    const name = `connection ${count++}`;
    socket.write(name);
    // One of three is ended in an orderly way, one is reset, one says more than anybody reads.
    if (count % 3 === 0) socket.end();
    else if (count % 3 === 1) socket.once("data", () => socket.resetAndDestroy());
    else socket.write("x".repeat(100_000));
  });
  try {
    for (let round = 0; round < 30; round++) {
      const ends = await Promise.all(Array.from({ length: 3 }, async () => {
        const end = await connect("127.0.0.1", server.port);
        end.socket.send(Uint8Array.of(1));
        return end;
      }));
      await new Promise((resolve) => setTimeout(resolve, 5));
      for (const end of ends) end.socket.abort();
      for (const end of ends) {
        await end.closed;
        assert.match(end.received, /^(connection \d+x*)?$/);
      }
      const names = ends.map(({ received }) => received.replace(/x*$/, "")).filter(Boolean);
      assert.equal(new Set(names).size, names.length, `${names}`);
    }
  } finally {
    server.close();
  }
});

test("connect: a peer that resets is an error, one that ends is none", async () => {
  const resets = await listening((socket) => {
    socket.write("x");
    socket.once("data", () => socket.resetAndDestroy());
  });
  const ends = await listening((socket) => void socket.end("bye"));
  try {
    const reset = await connect("127.0.0.1", resets.port);
    reset.socket.send(new TextEncoder().encode("now"));
    const error = await reset.closed;
    assert.ok(error && "code" in error);
    assert.equal(error.code, "ECONNRESET");
    assert.equal(await (await connect("127.0.0.1", ends.port)).closed, null);
  } finally {
    resets.close();
    ends.close();
  }
});

test("connect: a handler that cannot be made costs its connection and nothing else", async () => {
  const closed: Promise<void>[] = [];
  const server = await listening((socket) => {
    closed.push(new Promise((resolve) => socket.once("close", () => resolve())));
    socket.resume();
  });
  try {
    const faults: string[] = [];
    reportFaults((what, error) => faults.push(`${what}: ${error}`));
    connectTcp({ host: "127.0.0.1", port: server.port }, { timeoutMs: TIMEOUT_MS }, () => {
      throw new Error("the owner's own");
    }, () => faults.push("failed"));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await Promise.all(closed);
    assert.equal(closed.length, 1);
    assert.deepEqual(faults, ["a connection to another server: Error: the owner's own"]);
    (await connect("127.0.0.1", server.port)).socket.abort();
  } finally {
    server.close();
  }
});
