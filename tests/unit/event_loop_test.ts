/**
 * The event loop over a kernel of the test's own: which descriptor is closed when, who is told what, and
 * when the runtime has its turn.
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { type DirectOwner, DirectSocket } from "../../src/net/direct_socket.ts";
import { EventLoop } from "../../src/net/event_loop.ts";
import { OwnListener } from "../../src/net/own_listener.ts";
import { Epoll } from "../../src/runtime/epoll.ts";
import { Libc } from "../../src/runtime/libc.ts";

/** Bytes of `struct epoll_event` on this processor, and where its data is. */
const [EVENT_BYTES, EVENT_DATA] = process.arch === "x64" ? [12, 4] : [16, 8];

/** ms within which a look must have come. */
const LIMIT_MS = 5000;

/** The descriptor of the runtime's own epoll instance, and of the first listener. */
const [RUNTIME, LISTENER] = [900, 901];

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
  /** ms of the waits, and the time that passes in them. */
  readonly waitMs: number[] = [];
  blocks = false;
  /** Descriptors that accept gives. */
  readonly connections: number[] = [];
  accepts = 0;

  readonly libc = new Libc({
    functions: {
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
      write: () => -1,
      readlink: () => -1,
      getsockopt: () => 0,
      getpeername: () => -1,
      getsockname: (_fd, address) => writeAddress(address as Uint8Array),
      socket: () => LISTENER,
      bind: () => 0,
      listen: () => 0,
      accept4: (_fd, address) => {
        this.accepts++;
        writeAddress(address as Uint8Array);
        return this.connections.shift() ?? -1;
      },
      connect: () => -1,
      eventfd: () => -1,
      epoll_create1: () => 1000,
      epoll_ctl: (_epoll, operation, fd, event) => {
        const bits = Buffer.from(event as Uint8Array).readUInt32LE(0);
        if (operation === 2) this.interest.delete(Number(fd));
        else this.interest.set(Number(fd), bits);
        return 0;
      },
      epoll_wait: (_epoll, events, _most, ms) => {
        this.waits++;
        this.waitMs.push(Number(ms));
        const look = this.looks.shift() ?? [];
        const view = Buffer.from((events as Uint8Array).buffer);
        look.forEach(([fd, bits], i) => {
          view.writeUInt32LE(bits, i * EVENT_BYTES);
          view.writeInt32LE(fd, i * EVENT_BYTES + EVENT_DATA);
        });
        if (look.length === 0 && this.blocks) pass(Number(ms));
        return look.length;
      },
    },
    aside: null,
    trim: null,
  });
  readonly loop = new EventLoop(this.libc, [RUNTIME]);

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

/** 127.0.0.1:1935, as the kernel writes it. */
function writeAddress(into: Uint8Array): number {
  into.set([2, 0, 0x07, 0x8f, 127, 0, 0, 1]);
  return 0;
}

/** Holds the thread, as a call that blocks does. */
function pass(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

class Owner implements DirectOwner {
  readonly socket: DirectSocket;
  bytes = 0;
  drained = 0;
  gone: (Error | null)[] = [];
  /** Runs when bytes come. */
  task: () => void = () => {};

  constructor(kernel: Kernel, readonly fd: number) {
    const socket = DirectSocket.adopt(fd, this, kernel.libc, kernel.loop);
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
  onGone(error: Error | null): void {
    this.gone.push(error);
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
  assert.deepEqual([one.gone.length, two.gone.length], [1, 1]);
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
      throw new Error("the owner's own");
    };
    kernel.looks.push([[5, Epoll.IN]], [[6, Epoll.IN]]);
    await kernel.look(2);
  } finally {
    globalThis.removeEventListener("error", note);
  }
  assert.deepEqual(errors, ["Error: the owner's own"]);
  assert.deepEqual(kernel.closed, [5], "and its connection is over");
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

Deno.test("while somebody publishes, the loop has the thread, and the runtime its turns", async () => {
  const kernel = new Kernel();
  kernel.blocks = true;
  const publisher = kernel.adopt(5);
  assert.equal(kernel.loop.driving, false);
  publisher.socket.setRole("publisher");
  assert.equal(kernel.loop.driving, true);
  assert.equal(kernel.interest.get(RUNTIME), Epoll.IN + Epoll.EDGE, "told once for each change");
  let turns = 0;
  const count = setInterval(() => turns++, 0);
  kernel.looks.push(...Array.from({ length: 50 }, (): [number, number][] => [[5, Epoll.IN]]));
  await kernel.look(60);
  clearInterval(count);
  assert.equal(publisher.bytes, 50);
  assert.ok(turns > 1, "timers of the runtime go on");
  // Rounded up.
  assert.ok(kernel.waitMs.every((ms) => ms <= 41), `${kernel.waitMs}`);
  publisher.socket.setRole(null);
  await kernel.look();
  assert.equal(kernel.loop.driving, false);
  assert.equal(kernel.interest.has(RUNTIME), false);
  publisher.socket.destroy();
});

/** What the kernel shows, and whether promises continue before the next wait. */
async function continuesAfter(
  prepare: (kernel: Kernel, task: () => void) => [number, number],
): Promise<boolean> {
  const kernel = new Kernel();
  const publisher = kernel.adopt(5);
  let waitsWhenContinued = -1;
  let waitsWhenTold = -1;
  const event = prepare(kernel, () => {
    waitsWhenTold = kernel.waits;
    void Promise.resolve().then(() => waitsWhenContinued = kernel.waits);
  });
  kernel.looks.push([], [], [event]);
  publisher.socket.setRole("publisher");
  await kernel.look(6);
  publisher.socket.destroy();
  assert.ok(waitsWhenTold > 0, "told");
  return waitsWhenContinued === waitsWhenTold;
}

Deno.test("what strangers say is answered before the next wait, and so is what the runtime has to do", async () => {
  const byStranger = await continuesAfter((kernel, task) => {
    kernel.adopt(6).task = task;
    return [6, Epoll.IN];
  });
  assert.ok(byStranger);
  const byConnection = await continuesAfter((kernel, task) => {
    const options = { reusePort: false, backlog: 10 };
    const address = { host: "127.0.0.1", port: 1935 };
    kernel.connections.push(7);
    OwnListener.open(kernel.libc, kernel.loop, address, () => (task(), null), options);
    return [LISTENER, Epoll.IN];
  });
  assert.ok(byConnection);
});

Deno.test("a timer is due while the loop waits for it, and not only when the runtime has a turn", async () => {
  const kernel = new Kernel();
  kernel.blocks = true;
  const publisher = kernel.adopt(5);
  publisher.socket.setRole("publisher");
  const late: number[] = [];
  await new Promise<void>((done) => {
    const next = () => {
      const due = performance.now() + 3;
      kernel.loop.after(3, () => {
        late.push(performance.now() - due);
        if (late.length < 20) next();
        else done();
      });
    };
    next();
  });
  publisher.socket.destroy();
  assert.ok(late.every((ms) => ms > -1), `too early: ${late}`);
  assert.ok(kernel.waitMs.some((ms) => ms > 0 && ms <= 3), `${kernel.waitMs}`);
});

Deno.test("a timer of a loop that rests is the runtime's, and cancelled it never comes", async () => {
  const kernel = new Kernel();
  const came: string[] = [];
  const cancel = kernel.loop.after(5, () => came.push("cancelled"));
  kernel.loop.after(10, () => came.push("later"));
  kernel.loop.after(1, () => came.push("sooner"));
  cancel();
  await new Promise((resolve) => setTimeout(resolve, 40));
  assert.deepEqual(came, ["sooner", "later"]);
});

Deno.test("a listener without descriptors pauses, and tries again", async () => {
  const kernel = new Kernel();
  const accepted: string[] = [];
  const listener = OwnListener.open(
    kernel.libc,
    kernel.loop,
    { host: "127.0.0.1", port: 1935 },
    (socket) => {
      accepted.push(socket.remote);
      return null;
    },
    { reusePort: false, backlog: 10 },
  );
  assert.ok(listener);
  assert.equal(kernel.interest.get(LISTENER), Epoll.IN);
  kernel.looks.push([[LISTENER, Epoll.IN]]);
  await kernel.look();
  assert.equal(kernel.accepts, 1, "it does not spin");
  assert.equal(kernel.interest.get(LISTENER), 0, "nothing is told of it meanwhile");
  const end = performance.now() + LIMIT_MS;
  while (kernel.interest.get(LISTENER) === 0) {
    assert.ok(performance.now() < end, "it is watched again");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  kernel.connections.push(7, 8);
  kernel.looks.push([[LISTENER, Epoll.IN]]);
  await kernel.look();
  assert.deepEqual(accepted, ["127.0.0.1:1935", "127.0.0.1:1935"]);
  assert.deepEqual(kernel.closed.toSorted(), [7, 8], "refused");
  listener.close();
  listener.close();
  assert.deepEqual(kernel.closed.slice(2), [LISTENER], "closed once");
});
