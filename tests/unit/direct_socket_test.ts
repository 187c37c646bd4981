/**
 * Connections that are driven by system calls behave as those of the runtime do. A runtime that does not
 * tell a socket's descriptor drives them itself, and bytes go in order all the same.
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import net from "node:net";
import fc from "fast-check";
import { DescriptorSet } from "../../src/runtime/descriptors.ts";
import { OwnSocket } from "../../src/net/own_socket.ts";
import { listenTcp, type TcpHandler, type TcpSocket } from "../../src/net/tcp.ts";

/** Deno tells descriptors since 2.9. */
const TELLS_DESCRIPTORS = Number(Deno.version.deno.split(".")[1]) >= 9;

/** ms within which anything must have happened. */
const LIMIT_MS = 10_000;

/** More than there are free numbers below that of a new descriptor. */
const GAPS = 100;

/** Without looking for leaks: sockets end some time after the test. */
const test = (name: string, fn: () => Promise<void>, ignore = false) =>
  Deno.test({ name, fn, ignore, sanitizeResources: false, sanitizeOps: false });

/** What the runtime's own sockets need not be asked. */
const directTest = (name: string, fn: () => Promise<void>) => test(name, fn, !TELLS_DESCRIPTORS);

async function until(what: string, condition: () => boolean): Promise<void> {
  for (const end = performance.now() + LIMIT_MS; !condition();) {
    assert.ok(performance.now() < end, `${what}: not within ${LIMIT_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** The server's end of a connection, and what it was told. */
class End implements TcpHandler {
  received = "";
  writables = 0;
  closes: (Error | null)[] = [];
  constructor(readonly socket: TcpSocket) {}
  onBytes(bytes: Uint8Array): void {
    this.received += new TextDecoder().decode(bytes);
  }
  onWritable(): void {
    this.writables++;
  }
  onClose(error: Error | null): void {
    this.closes.push(error);
  }
}

/** A listener and connections to it. */
class Scene {
  readonly ends: End[] = [];
  readonly peers: net.Socket[] = [];
  #listener: Awaited<ReturnType<typeof listenTcp>> | null = null;

  /** A new connection: the server's end, and the peer, which reads nothing before it is resumed. */
  async connect(): Promise<[End, net.Socket]> {
    this.#listener ??= await listenTcp({ host: "127.0.0.1", port: 0 }, (socket) => {
      const end = new End(socket);
      this.ends.push(end);
      return end;
    });
    const accepted = this.ends.length;
    const { port } = this.#listener.address;
    const peer = net.connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    this.peers.push(peer);
    peer.on("error", () => {});
    await once(peer, "connect");
    await until("accept", () => this.ends.length > accepted);
    return [this.ends[accepted], peer];
  }

  /** ... of a player. */
  async player(): Promise<[End, net.Socket]> {
    const [end, peer] = await this.connect();
    end.socket.expect("player");
    assert.ok(end.socket instanceof OwnSocket);
    return [end, peer];
  }

  [Symbol.dispose](): void {
    for (const peer of this.peers) peer.destroy();
    for (const { socket } of this.ends) socket.abort();
    this.#listener?.close();
  }
}

/** Collects what a peer receives. */
function collect(peer: net.Socket): { bytes: () => Buffer; ended: () => boolean } {
  const parts: Buffer[] = [];
  let ended = false;
  peer.on("data", (bytes: Buffer) => parts.push(Buffer.from(bytes)));
  peer.on("end", () => ended = true);
  return { bytes: () => Buffer.concat(parts), ended: () => ended };
}

function patterned(size: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (i * 31 + seed * 7 + (i >> 8)) & 0xff);
}

test("whatever is sent, before and after it is a player's, arrives once and in order", async () => {
  const sizes = fc.oneof(fc.nat(200), fc.nat(100_000), fc.nat(2_000_000));
  await fc.assert(
    fc.asyncProperty(
      fc.array(sizes, { minLength: 1, maxLength: 6 }),
      fc.array(sizes, { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 0, max: 20 }),
      async (before, after, sleepMs) => {
        using scene = new Scene();
        const [end, peer] = await scene.connect();
        const sent = [...before, ...after].map(patterned);
        sent.slice(0, before.length).forEach((bytes) => end.socket.send(bytes));
        end.socket.expect("player");
        const rest = sent.slice(before.length);
        rest.splice(0, 2).forEach((bytes) => end.socket.send(bytes));
        await new Promise((resolve) => setTimeout(resolve, sleepMs));
        const got = collect(peer);
        let through = true;
        for (const bytes of rest) {
          through = end.socket.send(bytes);
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        const expected = Buffer.concat(sent);
        await until("all bytes", () => got.bytes().length >= expected.length);
        assert.ok(got.bytes().equals(expected), "other bytes");
        await until("nothing pending", () => end.socket.pendingBytes === 0);
        if (!through) await until("onWritable", () => end.writables > 0);
        assert.deepEqual(end.closes, []);
      },
    ),
    { numRuns: 25 },
  );
});

test("what a player says is heard, but not while reading is paused", async () => {
  using scene = new Scene();
  const [end, peer] = await scene.player();
  peer.write("one");
  await until("the word", () => end.received === "one");
  end.socket.pauseReading();
  peer.write(" two");
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.equal(end.received, "one");
  end.socket.resumeReading();
  await until("the other", () => end.received === "one two");
  end.socket.expect("publisher");
  peer.write(" three");
  await until("a publisher's", () => end.received === "one two three");
});

directTest("last words arrive before the end, and the end is told once", async () => {
  using scene = new Scene();
  const [end, peer] = await scene.player();
  const words = patterned(6_000_000, 1);
  assert.equal(end.socket.send(words), false, "more than the kernel takes");
  end.socket.close();
  assert.equal(end.socket.send(patterned(10, 2)), true, "nothing is sent after that");
  const got = collect(peer);
  await until("the end", got.ended);
  assert.ok(got.bytes().equals(Buffer.from(words)));
  assert.deepEqual(end.closes, [], "the peer has not closed yet");
  peer.end();
  await until("onClose", () => end.closes.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual(end.closes, [null]);
});

directTest("a peer that takes nothing is cut off some time after the close", async () => {
  using scene = new Scene();
  const [end] = await scene.player();
  end.socket.send(patterned(20_000_000, 3));
  assert.ok(end.socket.pendingBytes > 0);
  end.socket.close();
  await until("onClose", () => end.closes.length > 0);
  assert.equal(end.socket.pendingBytes, 0);
});

directTest(
  "a peer that closes its side, and one that resets the connection, are told apart",
  async () => {
    using scene = new Scene();
    const [polite, peer] = await scene.player();
    peer.resume();
    peer.end("bye");
    await until("onClose", () => polite.closes.length > 0);
    assert.equal(polite.received, "bye");
    assert.deepEqual(polite.closes, [null]);

    const [rude, other] = await scene.player();
    rude.socket.send(patterned(10, 4));
    await once(other.on("readable", () => {}), "readable");
    other.resetAndDestroy();
    await until("onClose", () => rude.closes.length > 0);
    assert.match(String(rude.closes[0]), /ECONNRESET/);
    rude.socket.abort();
    rude.socket.close();
    await new Promise((resolve) => setTimeout(resolve, 60));
    assert.equal(rude.closes.length, 1, "told once");
  },
);

directTest("a reset while bytes are pending ends the connection", async () => {
  using scene = new Scene();
  const [end, peer] = await scene.player();
  end.socket.send(patterned(20_000_000, 5));
  peer.resetAndDestroy();
  await until("onClose", () => end.closes.length > 0);
  end.socket.send(patterned(10, 6));
  assert.equal(end.closes.length, 1);
});

test("abort closes at once, and tells afterwards", async () => {
  using scene = new Scene();
  const [end, peer] = await scene.player();
  const got = collect(peer);
  end.socket.abort();
  assert.deepEqual(end.closes, [], "not within the call");
  await until("onClose", () => end.closes.length > 0);
  await until("the peer's end", () => got.ended() || peer.destroyed);
});

directTest(
  "a connection that gets the number of one that has just ended hears nothing of it",
  async () => {
    for (let round = 0; round < 10; round++) {
      using scene = new Scene();
      const [first, firstPeer] = await scene.player();
      const [second, secondPeer] = await scene.player();
      const [third, thirdPeer] = await scene.connect();
      const fillers: Deno.FsFile[] = [];
      const { onBytes } = first;
      first.onBytes = function (bytes) {
        onBytes.call(this, bytes);
        // The lowest number that is free is given out next: with the gaps filled that of the second, of
        // whose reset this same look is about to tell.
        for (let i = 0; i < GAPS; i++) fillers.push(Deno.openSync("/dev/null"));
        second.socket.abort();
        third.socket.expect("player");
      };
      firstPeer.write("now");
      await new Promise((resolve) => setTimeout(resolve, 5));
      secondPeer.resetAndDestroy();
      await until("the word", () => first.received === "now");
      await until("the end of the second", () => second.closes.length === 1);
      const got = collect(thirdPeer);
      third.socket.send(new TextEncoder().encode("hello"));
      await until("what the third is sent", () => got.bytes().toString() === "hello");
      thirdPeer.write("hello");
      await until("what the third says", () => third.received === "hello");
      assert.deepEqual(third.closes, []);
      assert.deepEqual(first.closes, []);
      for (const filler of fillers) filler.close();
    }
  },
);

directTest(
  "connections that come and go get their own bytes, and each is closed once",
  async () => {
    using scene = new Scene();
    for (let round = 0; round < 8; round++) {
      const players = [];
      for (let i = 0; i < 12; i++) {
        const [end, peer] = await scene.player();
        players.push({ end, peer, got: collect(peer), text: `${round}/${i};` });
      }
      // Some go while others are sent to: their descriptors are given out again in the next round.
      for (const [i, { peer }] of players.entries()) if (i % 3 === 0) peer.resetAndDestroy();
      for (const { end, text } of players) {
        for (let n = 0; n < 5; n++) end.socket.send(new TextEncoder().encode(text));
      }
      for (const [i, { end, got, text, peer }] of players.entries()) {
        if (i % 3 === 0) continue;
        await until("the bytes", () => got.bytes().length >= 5 * text.length);
        assert.equal(got.bytes().toString(), text.repeat(5));
        if (i % 3 === 1) end.socket.abort();
        else peer.end();
      }
    }
    await until("all closed", () => scene.ends.every(({ closes }) => closes.length === 1));
  },
);

directTest("what a paused connection has sent can be taken without the runtime", async () => {
  using scene = new Scene();
  const [end, peer] = await scene.connect();
  end.socket.pauseReading();
  assert.ok(end.socket.readWaiting(), "nothing there");
  const text = "0123456789".repeat(20_000);
  peer.write(text);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(end.received, "", "the runtime leaves it alone");
  await until("all of it", () => end.socket.readWaiting() && end.received.length === text.length);
  peer.write("more");
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(end.received.length, text.length);
  end.socket.resumeReading();
  await until("what came before reading went on", () => end.received === text + "more");
  peer.write("!");
  await until("what came after", () => end.received === text + "more!");
});

test("nothing is lost or overtakes while reading is paused, taken and resumed at any time", async () => {
  using scene = new Scene();
  const [end, peer] = await scene.connect();
  let sent = "";
  const timer = setInterval(() => {
    const word = `${sent.length};`;
    sent += word;
    peer.write(word);
  }, 1);
  for (let i = 0; i < 150; i++) {
    const step = (i * 7 + (i >> 2)) % 5;
    if (step < 2) end.socket.pauseReading();
    else if (step < 4) end.socket.readWaiting();
    else end.socket.resumeReading();
    await new Promise((resolve) => setTimeout(resolve, i % 4));
    assert.ok(sent.startsWith(end.received), "in order");
  }
  clearInterval(timer);
  end.socket.resumeReading();
  await until("all of it", () => end.received === sent);
});

/** Pauses reading in the call that brings the first byte, as a session does that has to ask a hook. */
async function pausedByWord(scene: Scene): Promise<[End, net.Socket]> {
  const [end, peer] = await scene.connect();
  const { onBytes } = end;
  end.onBytes = function (bytes) {
    onBytes.call(this, bytes);
    if (this.received.length === 1) this.socket.pauseReading();
  };
  peer.write("0");
  await until("the pause", () => end.received === "0");
  return [end, peer];
}

test("what was read ahead of a pause is not lost when the connection turns out a player's", async () => {
  for (const late of [false, true]) {
    using scene = new Scene();
    const [end, peer] = await pausedByWord(scene);
    let sent = "0";
    for (const word of ["a".repeat(100), "b".repeat(100), "c".repeat(100), "d".repeat(200_000)]) {
      sent += word;
      peer.write(word);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    if (late) end.socket.resumeReading();
    end.socket.expect("player");
    if (!late) end.socket.resumeReading();
    peer.write("e");
    await until("all of it", () => end.received.length > sent.length);
    assert.ok(end.received === sent + "e", "in order");
  }
});

test("what was read ahead of a pause comes before what is taken without the runtime", async () => {
  using scene = new Scene();
  const [end, peer] = await pausedByWord(scene);
  for (const words of [["a", "b", "c"], ["d", "e"]]) {
    for (const word of words) {
      peer.write(word);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    end.socket.readWaiting();
  }
  end.socket.resumeReading();
  await until("all of it", () => end.received.length === 6);
  assert.equal(end.received, "0abcde");
});

directTest("nothing at all can be sent, with room and without", async () => {
  using scene = new Scene();
  const [end, peer] = await scene.player();
  assert.equal(end.socket.send(new Uint8Array()), true);
  const words = patterned(6_000_000, 7);
  end.socket.send(words);
  assert.equal(end.socket.send(new Uint8Array()), false);
  const got = collect(peer);
  await until("onWritable", () => end.writables === 1);
  await until("all of it", () => got.bytes().length === words.length);
});

test("descriptors of a thread are noted, forgotten and taken", () => {
  const set = new DescriptorSet();
  for (const fd of [0, 31, 32, 1000, 1_048_575]) assert.ok(set.add(fd));
  assert.equal(set.add(1_048_576), false, "too large");
  const same = new DescriptorSet(set.memory);
  same.delete(32);
  same.delete(5);
  assert.deepEqual(set.take(), [0, 31, 1000, 1_048_575]);
  assert.deepEqual(same.take(), []);
  return Promise.resolve();
});

directTest(
  "a paused connection that its peer has closed or reset is known when it is read",
  async () => {
    using scene = new Scene();
    const [polite, peer] = await scene.connect();
    polite.socket.pauseReading();
    assert.ok(polite.socket.readWaiting());
    peer.end("bye");
    await until("the last word", () => polite.socket.readWaiting() && polite.received === "bye");
    await until("the end", () => !polite.socket.readWaiting());
    polite.socket.resumeReading();
    await until("onClose", () => polite.closes.length > 0);
    assert.deepEqual(polite.closes, [null]);

    const [rude, other] = await scene.connect();
    rude.socket.pauseReading();
    assert.ok(rude.socket.readWaiting());
    other.resetAndDestroy();
    await until("onClose", () => (rude.socket.readWaiting(), rude.closes.length > 0));
    assert.match(String(rude.closes[0]), /ECONNRESET/);
  },
);

directTest("expecting a player when the connection is over, or twice, does no harm", async () => {
  using scene = new Scene();
  const [end, peer] = await scene.connect();
  peer.resetAndDestroy();
  await until("onClose", () => end.closes.length > 0);
  end.socket.expect("player");
  end.socket.expect("publisher");
  assert.equal(end.socket.readWaiting(), false);
  const [player] = await scene.player();
  player.socket.expect("player");
  player.socket.setNoDelay(false);
  player.socket.setNoDelay(true);
  player.socket.pauseReading();
  player.socket.resumeReading();
  assert.deepEqual(player.closes, []);
});
