/**
 * The look at all direct sockets at once, over a kernel of the test's own: which descriptor is closed
 * when, and how soon the next look is.
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { type DirectOwner, type DirectSocket, DirectSockets } from "../../src/net/direct_socket.ts";
import { Epoll, Libc } from "../../src/runtime/libc.ts";

/** Bytes of `struct epoll_event` on this processor, and where its data is. */
const [EVENT_BYTES, EVENT_DATA] = process.arch === "x64" ? [12, 4] : [16, 8];

/** ms within which a look must have come. */
const LIMIT_MS = 5000;

/** A kernel with connections that are numbers. */
class Kernel {
  /** What each look is to show: descriptor and bits. */
  readonly looks: [number, number][][] = [];
  readonly closed: number[] = [];
  /** How much of what is sent it takes. */
  room = Infinity;
  /** What is waited for, by descriptor. */
  readonly interest = new Map<number, number>();
  waits = 0;

  readonly libc = new Libc({
    send: (_fd, _bytes, size) => Math.min(Number(size), this.room) || -1,
    recv: (_fd, into) => {
      (into as Uint8Array)[0] = 1;
      return 1;
    },
    close: (fd) => this.closed.push(Number(fd)),
    shutdown: () => 0,
    fcntl: () => -1,
    setsockopt: () => 0,
    signal: () => 0,
    open: () => -1,
    read: () => -1,
    readlink: () => -1,
    getsockopt: () => 0,
    getpeername: () => -1,
    epoll_create1: () => 1000,
    epoll_ctl: (_epoll, operation, fd, event) => {
      const bits = Buffer.from(event as Uint8Array).readUInt32LE(0);
      if (operation === 2) this.interest.delete(Number(fd));
      else this.interest.set(Number(fd), bits);
      return 0;
    },
    epoll_wait: (_epoll, events) => {
      this.waits++;
      const look = this.looks.shift() ?? [];
      const view = Buffer.from((events as Uint8Array).buffer);
      look.forEach(([fd, bits], i) => {
        view.writeUInt32LE(bits, i * EVENT_BYTES);
        view.writeInt32LE(fd, i * EVENT_BYTES + EVENT_DATA);
      });
      return look.length;
    },
  });
  readonly sockets = new DirectSockets(this.libc);

  adopt(fd: number): Owner {
    return new Owner(this, fd);
  }

  /** Waits for so many looks from now on. */
  async look(count = 1): Promise<void> {
    const end = performance.now() + LIMIT_MS;
    for (const goal = this.waits + count; this.waits < goal;) {
      assert.ok(performance.now() < end, `no look within ${LIMIT_MS} ms`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

class Owner implements DirectOwner {
  readonly socket: DirectSocket;
  bytes = 0;
  drained = 0;
  gone = 0;
  /** Runs when bytes come. */
  task: () => void = () => {};

  constructor(kernel: Kernel, readonly fd: number) {
    const socket = kernel.sockets.adopt(fd, this);
    assert.ok(socket);
    this.socket = socket;
  }

  onBytes(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    this.task();
  }
  onDrained(): void {
    this.drained++;
  }
  onEnd(): void {}
  onGone(): void {
    this.gone++;
  }
}

Deno.test("a connection that ends within a look is closed after it: its number is not given out before", async () => {
  const kernel = new Kernel();
  const [one, two] = [kernel.adopt(5), kernel.adopt(6)];
  let closedWithin: number[] | null = null;
  one.task = () => {
    two.socket.destroy();
    one.socket.destroy();
    closedWithin = [...kernel.closed];
  };
  kernel.looks.push([[5, Epoll.IN], [6, Epoll.IN | Epoll.OUT]]);
  await kernel.look();
  assert.deepEqual(closedWithin, [], "not within the look");
  assert.deepEqual(kernel.closed.toSorted(), [5, 6], "but after it, once");
  assert.deepEqual([two.bytes, two.drained], [0, 0], "what was seen of it is not told any more");
  assert.deepEqual([one.gone, two.gone], [1, 1]);
  assert.equal(kernel.interest.size, 0);
});

Deno.test("a connection that ends between looks is closed at once", async () => {
  const kernel = new Kernel();
  const [one, two] = [kernel.adopt(5), kernel.adopt(6)];
  one.socket.destroy();
  assert.deepEqual(kernel.closed, [5]);
  one.socket.destroy();
  assert.deepEqual(kernel.closed, [5], "once");
  // After a look in which one has ended it is so again.
  two.task = () => two.socket.destroy();
  kernel.looks.push([[6, Epoll.IN]]);
  await kernel.look();
  const three = kernel.adopt(7);
  three.socket.destroy();
  assert.deepEqual(kernel.closed, [5, 6, 7]);
});

Deno.test("an owner that throws keeps neither the others' descriptors nor the next look", async () => {
  const kernel = new Kernel();
  const [one, two] = [kernel.adopt(5), kernel.adopt(6)];
  const errors: string[] = [];
  const note = (event: ErrorEvent) => {
    event.preventDefault();
    errors.push(String(event.error));
  };
  globalThis.addEventListener("error", note);
  try {
    one.task = () => {
      one.socket.destroy();
      throw new Error("the owner's own");
    };
    kernel.looks.push([[5, Epoll.IN]], [[6, Epoll.IN]]);
    await kernel.look(2);
  } finally {
    globalThis.removeEventListener("error", note);
  }
  assert.deepEqual(errors, ["Error: the owner's own"]);
  assert.deepEqual(kernel.closed, [5]);
  assert.equal(two.bytes, 1);
  two.socket.destroy();
});

Deno.test("room is watched for while bytes wait, and no longer", async () => {
  const kernel = new Kernel();
  const owner = kernel.adopt(5);
  assert.equal(kernel.interest.get(5), Epoll.IN);
  kernel.room = 10;
  assert.equal(owner.socket.send(new Uint8Array(30)), false);
  assert.equal(owner.socket.pendingBytes, 20);
  assert.equal(kernel.interest.get(5), Epoll.IN | Epoll.OUT);
  kernel.looks.push([[5, Epoll.OUT]]);
  await kernel.look();
  assert.deepEqual([owner.socket.pendingBytes, owner.drained], [10, 0]);
  kernel.room = Infinity;
  kernel.looks.push([[5, Epoll.OUT]]);
  await kernel.look();
  assert.deepEqual([owner.socket.pendingBytes, owner.drained], [0, 1]);
  assert.equal(kernel.interest.get(5), Epoll.IN);
  owner.socket.setReading(false);
  assert.equal(kernel.interest.get(5), 0);
  owner.socket.destroy();
});
