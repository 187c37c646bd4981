/**
 * Streams across workers: players get the same bytes wherever they are, one publisher at a time has a
 * stream, and memory goes back to where it belongs.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { MAX_LENT_BYTES } from "../../src/live/limits.ts";
import { MessageType } from "../../src/rtmp/message.ts";
import { FakePlayer } from "./support/fake_player.ts";
import { FakeWorkers, type Publishing } from "./support/fake_workers.ts";
import { equalBytes, payloads, words } from "./support/live_fixture.ts";

const QUEUE_MS = 10_000;

Deno.test("a player in another worker gets headers, the GOP and what follows", async () => {
  const workers = new FakeWorkers(2, { gopCache: true });
  const { publisher } = workers.claim(1);
  await workers.deliver();
  publisher.headers(1);
  publisher.video(0, payloads.keyframe(1));
  publisher.video(40, payloads.frame(2));
  const first = new FakePlayer(workers.stream(2));
  await workers.deliver();
  const second = new FakePlayer(workers.stream(2));
  publisher.video(80, payloads.frame(3));
  await workers.deliver();
  assert.equal(words(first.take()), "M AH1 VH1 K1 P2 P3");
  assert.equal(words(second.take()), "M AH1 VH1 K1 P2 P3");
  workers.tick();
  await workers.deliver();
  assert.equal(workers.stream(1).playerCount, 2);
  first.leave();
  second.leave();
  await workers.deliver();
  assert.equal(workers.stream(1).playerCount, 0);
  assert.notEqual(workers.stream(1).playerlessSince, null);
});

Deno.test("messages are not copied: players of all workers send the same memory", async () => {
  const workers = new FakeWorkers(3);
  const { publisher } = workers.claim(1);
  const players = [1, 2, 3].map((number) => new FakePlayer(workers.stream(number)));
  await workers.deliver();
  publisher.video(0, payloads.keyframe(1));
  await workers.deliver();
  const [own, ...others] = players.map(({ sink }) => sink.views.at(-1));
  assert.ok(own?.buffer instanceof SharedArrayBuffer);
  for (const view of others) assert.equal(view?.byteOffset, own.byteOffset);
  own[own.length - 1] = 0x77;
  for (const view of others) assert.equal(view?.at(-1), 0x77);
});

Deno.test("a player waits, and the publisher comes on another worker, leaves and comes on a third", async () => {
  const workers = new FakeWorkers(3);
  const player = new FakePlayer(workers.stream(1));
  let time = -1;
  for (const number of [2, 3, 1, 2]) {
    const { publisher, state } = workers.claim(number);
    assert.equal(state, "waits");
    await workers.deliver();
    publisher.headers(number);
    publisher.video(0, payloads.keyframe(number));
    publisher.video(40, payloads.frame(number));
    await workers.deliver();
    const got = player.take();
    assert.equal(
      words(got),
      `M AH${number} VH${number} K${number} P${number}`,
    );
    const times = got.slice(1).map((message) => message.time);
    assert.ok(times[0] > time, "time goes on");
    assert.deepEqual(times.toSorted((a, b) => a - b), times);
    time = times[times.length - 1];
    publisher.stop();
    await workers.deliver();
  }
});

for (const policy of ["deny", "replace", "if_stalled"] as const) {
  Deno.test(`takeover ${policy} decides across workers as within one`, async () => {
    const workers = new FakeWorkers(2, {}, {
      publish: { ...vhostPublish(), takeover: policy },
    });
    const one = workers.claim(1, "10.0.0.1");
    await workers.deliver();
    one.publisher.lastBytesAt = workers.clock.now();
    const two = workers.claim(2, "10.0.0.2");
    await workers.deliver();
    assert.equal(two.state, policy === "replace" ? "publishes" : "refused");
    assert.equal(one.publisher.replacements, policy === "replace" ? 1 : 0);
    if (policy === "replace") {
      // Who was put out does not put the other out.
      two.publisher.lastBytesAt = workers.clock.now();
      const again = workers.claim(1, "10.0.0.1");
      await workers.deliver();
      assert.equal(again.state, "refused");
      assert.match(again.refusal?.reason ?? "", /live\/s is being published already/);
    }
    workers.clock.advance(5000);
    const three = workers.claim(1, "10.0.0.3");
    await workers.deliver();
    assert.equal(three.state, policy === "deny" ? "refused" : "publishes");
  });
}

function vhostPublish() {
  return new FakeWorkers(1).stream(1).vhost.publish;
}

Deno.test("claims at the same time: one publishes, whatever the order", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 2, maxLength: 6 }),
      fc.infiniteStream(fc.nat(50)),
      async (numbers, picks) => {
        const workers = new FakeWorkers(3);
        const claims = numbers.map((number, i) => workers.claim(number, `10.0.0.${i}`));
        await workers.deliver(() => picks.next().value);
        assert.equal(claims.filter(({ state }) => state === "publishes").length, 1);
        assert.equal(claims.filter(({ state }) => state === "waits").length, 0);
        claims.find(({ state }) => state === "publishes")?.publisher.stop();
        await workers.deliver(() => picks.next().value);
        const next = workers.claim(2);
        await workers.deliver();
        assert.equal(next.state, "publishes");
      },
    ),
    { numRuns: 100 },
  );
});

Deno.test("a client that is gone when its claim is granted does not keep the stream", async () => {
  const workers = new FakeWorkers(2);
  workers.claim(1, "10.0.0.1", false);
  await workers.deliver();
  const next = workers.claim(2);
  await workers.deliver();
  assert.equal(next.state, "publishes");
});

Deno.test("a worker dies: its stream ends, players elsewhere stay, its name is free, time goes on", async () => {
  const workers = new FakeWorkers(3);
  const player = new FakePlayer(workers.stream(2));
  const { publisher } = workers.claim(1);
  await workers.deliver();
  publisher.headers(1);
  for (let at = 0; at <= 4000; at += 200) publisher.video(at, payloads.keyframe(1));
  await workers.deliver();
  const waiting = workers.claim(3, "10.0.0.9");
  workers.kill(1);
  await workers.deliver();
  assert.equal(waiting.state, "publishes");
  const before = player.take();
  assert.equal(before.at(-1)?.time, 4000);
  assert.equal(workers.stream(2).mirrored, true);
  waiting.publisher.headers(2);
  waiting.publisher.video(0, payloads.keyframe(2));
  await workers.deliver();
  const after = player.take();
  assert.equal(words(after), "M AH2 VH2 K2");
  assert.ok((after.at(-1)?.time ?? 0) > 4000);
});

Deno.test("nothing is left of a stream that nobody has", async () => {
  const workers = new FakeWorkers(2);
  const { publisher } = workers.claim(1);
  const player = new FakePlayer(workers.stream(2));
  await workers.deliver();
  publisher.video(0, payloads.keyframe(1));
  await workers.deliver();
  publisher.stop();
  player.leave();
  for (let i = 0; i < 5; i++) {
    workers.clock.advance(1000);
    workers.tick();
    await workers.deliver();
  }
  assert.equal(workers.directory.size, 0);
});

Deno.test("a worker that takes nothing is cut off, and goes on at a keyframe", async () => {
  const workers = new FakeWorkers(2);
  const { publisher, stream } = workers.claim(1);
  await workers.deliver();
  const player = new FakePlayer(workers.stream(2));
  await workers.deliver();
  publisher.headers(1);
  const memory = new Set<ArrayBufferLike>();
  const own = new FakePlayer(stream);
  own.sink.onSend = (bytes) => void memory.add(bytes.buffer);
  const megabyte = 1024 * 1024;
  let id = 2;
  for (let sent = 0; sent < 3 * MAX_LENT_BYTES; sent += megabyte / 2) {
    publisher.video(sent / megabyte, payloads.keyframe(1, megabyte / 2));
    own.sink.clear();
  }
  const held = [...memory].reduce((sum, { byteLength }) => sum + byteLength, 0);
  assert.ok(
    held > MAX_LENT_BYTES,
    "all of it is another piece of memory while the worker is stuck",
  );
  await workers.deliver();
  player.take();
  publisher.video(9000, payloads.frame(id));
  await workers.deliver();
  assert.equal(words(player.take()), "", "not before a keyframe");
  publisher.video(9040, payloads.keyframe(++id));
  publisher.video(9080, payloads.frame(++id));
  await workers.deliver();
  assert.equal(words(player.take()), "K3 P4");
});

// ---- twins

/** Two players that want the same, in two workers. */
interface Twins {
  readonly players: readonly FakePlayer[];
  slow: boolean;
  /** Once paused, one that was slow before gets no further, and the other one may be. */
  paused: boolean;
  /** They have been too slow: what they lost depends on how much they were given at a time. */
  lost: boolean;
}

/** A slow one may have been given more at a time than another; it is the same all the same. */
function assertSame(twins: Twins, what: string): void {
  const [one, ...others] = twins.players;
  for (const other of others) {
    if ((twins.slow || twins.paused) && what === "stall") twins.lost = true;
    if (twins.lost) continue;
    assert.equal(other.player.jumps, one.player.jumps, what);
    const [a, b] = [one.sink.bytes, other.sink.bytes];
    const length = twins.slow || twins.paused
      ? Math.min(a.length, b.length)
      : Math.max(a.length, b.length);
    assert.ok(equalBytes(a.subarray(0, length), b.subarray(0, length)), what);
  }
}

Deno.test("whatever happens, a player gets the same bytes in every worker", async () => {
  const step = fc.record({
    what: fc.constantFrom(
      ..."frames frames frames keyframe keyframe header metadata join join slow fast writable"
        .split(
          " ",
        ),
      ..."pause leave stall tick republish sound".split(" "),
    ),
    at: fc.nat(7),
    size: fc.oneof(fc.nat(2000), fc.integer({ min: 30_000, max: 200_000 })),
    ms: fc.nat(200),
    worker: fc.integer({ min: 1, max: 3 }),
    flag: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.array(step, { maxLength: 60, size: "max" }),
      fc.infiniteStream(fc.nat(50)),
      async (gopCache, steps, picks) => {
        const workers = new FakeWorkers(3, { gopCache, queueLengthMs: QUEUE_MS });
        const deliver = () => workers.deliver(() => picks.next().value);
        const all: Twins[] = [];
        let present: Publishing = workers.claim(1);
        await deliver();
        let id = 0;
        // Each worker has a player from the beginning: then all of them have all of the log.
        const join = (multitrack: boolean) => {
          const players = [1, 2, 3].map((n) => new FakePlayer(workers.stream(n), { multitrack }));
          all.push({ players, slow: false, paused: false, lost: false });
        };
        join(false);
        await deliver();
        present.publisher.headers(1);
        await deliver();
        for (const { what, at, size, ms, worker, flag } of steps) {
          workers.clock.advance(ms);
          const now = workers.clock.now();
          const twins = all[at % all.length];
          const { publisher, stream } = present;
          id = (id + 1) % 250;
          if (what === "frames") {
            for (let i = 0; i < at; i++) {
              stream.media(MessageType.VIDEO, now + i, payloads.frame(id, size));
            }
            stream.readDone();
          } else if (what === "sound") {
            for (let i = 0; i < at * 30; i++) {
              stream.media(MessageType.AUDIO, now, payloads.audio(id, 10));
            }
            stream.readDone();
          } else if (what === "keyframe") {
            publisher.video(now, payloads.keyframe(id, size));
          } else if (what === "header") {
            stream.media(MessageType.VIDEO, now, payloads.videoHeader(at));
            stream.media(MessageType.VIDEO, now, payloads.keyframe(id, size));
            stream.media(MessageType.VIDEO, now, payloads.videoHeader(at + 1));
            stream.readDone();
          } else if (what === "metadata") {
            publisher.data(now, payloads.metadata({ width: at }));
            publisher.data(now, payloads.data("onTextData", id));
          } else if (what === "join") {
            join(flag);
          } else if (what === "slow" || what === "fast") {
            twins.slow = what === "slow";
            for (const player of twins.players) {
              player.sink.fast = what === "fast";
              if (what === "fast") player.drain();
            }
          } else if (what === "writable") {
            for (const player of twins.players) if (player.sink.inFlight > 0) player.writable();
          } else if (what === "pause") {
            twins.paused = flag;
            for (const { player } of twins.players) player.pause(flag);
          } else if (what === "leave" && all.length > 1) {
            for (const player of all.splice(1, 1)[0].players) player.leave();
          } else if (what === "stall") {
            workers.clock.advance(QUEUE_MS + 1000);
            workers.tick();
          } else if (what === "tick") {
            workers.tick();
          } else if (what === "republish") {
            publisher.lastBytesAt = -Infinity;
            if (flag) publisher.stop();
            present = workers.claim(worker, `10.0.0.${worker}`);
            await deliver();
            assert.equal(present.state, "publishes");
            present.publisher.headers(worker);
          }
          await deliver();
          for (const twins of all) assertSame(twins, what);
        }
        for (const { players } of all) {
          for (const player of players) {
            player.sink.complete();
            player.leave();
          }
        }
        present.publisher.stop();
        await deliver();
        workers.tick();
        for (const number of [1, 2, 3]) assert.equal(workers.stream(number).log.bytes, 0);
      },
    ),
    { numRuns: 40 },
  );
});
