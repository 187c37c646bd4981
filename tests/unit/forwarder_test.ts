/**
 * Forward: what a destination gets first, after a break, and when it is slow.
 * @module
 */

import assert from "node:assert/strict";
import type { PlayConfig } from "../../src/config/types.ts";
import { Forwarder } from "../../src/relay/forward/forwarder.ts";
import { RETRY_FIRST_MS, RETRY_PAUSE_MS, STABLE_MS } from "../../src/clients/limits.ts";
import { ChunkReader } from "../../src/rtmp/chunk_reader.ts";
import { MessageWriter } from "../../src/rtmp/chunk_writer.ts";
import { MessageType, u32Body } from "../../src/rtmp/message.ts";
import { concat } from "./hex.ts";
import { FakeAttempt } from "./support/fake_network.ts";
import { FakePublisher, Fixture, payloads } from "./support/live_fixture.ts";
import { MemoryLog } from "./support/memory_log.ts";

/** A published stream and one destination of it. */
class ForwardScene extends Fixture {
  readonly log = new MemoryLog("forward");
  readonly live;
  readonly publisher;
  readonly attempts: FakeAttempt[] = [];
  readonly forward: Forwarder;
  /** Message stream that the destination gives. */
  streamId = 1;
  #time = 0;

  constructor(play: Partial<PlayConfig> = {}) {
    super();
    this.live = this.stream(play);
    this.publisher = new FakePublisher(this.live);
    this.publisher.start();
    this.forward = new Forwarder(this.live, "there/live/abc***", {
      clock: this.clock,
      random: () => 0,
      open: (_chunkSize, handler) => {
        const attempt = Object.assign(new FakeAttempt("there", this.clock.now(), [], handler), {
          streamId: this.streamId,
        });
        this.attempts.push(attempt);
        return attempt;
      },
      isSelf: ({ remotePort }) => remotePort === 1935,
      hide: (text) => text.replaceAll("abcdefghijkl", "abc***"),
    }, this.log);
  }

  get attempt(): FakeAttempt {
    const attempt = this.attempts.at(-1);
    assert.ok(attempt);
    return attempt;
  }

  /** Publishes: `H` video header, `A` audio header, `K` keyframe, `P` picture, `a` sound. */
  send(text: string): void {
    for (const letter of text) {
      const id = this.#time & 255;
      this.#time += 40;
      this.clock.advance(40);
      if (letter === "H") this.publisher.video(this.#time, payloads.videoHeader());
      else if (letter === "K") this.publisher.video(this.#time, payloads.keyframe(id));
      else if (letter === "P") this.publisher.video(this.#time, payloads.frame(id));
      else if (letter === "A") this.publisher.audio(this.#time, payloads.audioHeader());
      else this.publisher.audio(this.#time, payloads.audio(id));
    }
  }

  /** What a destination has got, in the letters of `send`; and its timestamps never go back. */
  got(attempt: FakeAttempt): string {
    const reader = new ChunkReader();
    const announce = new MessageWriter();
    announce.write(2, MessageType.SET_CHUNK_SIZE, 0, 0, u32Body(this.live.vhost.chunkSize));
    const found = [...attempt.published];
    reader.push(concat(announce.take(), ...attempt.chunks));
    while (reader.next()) {
      const { type, timestamp, payload } = reader.message;
      if (type === MessageType.SET_CHUNK_SIZE) continue;
      found.push({ type, timestamp, payload: payload.slice() });
    }
    let last = 0;
    return found.map(({ type, timestamp, payload }) => {
      assert.ok(timestamp >= last, `${timestamp} after ${last}`);
      last = timestamp;
      if (type === MessageType.AUDIO) return payload[1] === 0 ? "A" : "a";
      return payload[1] === 0 ? "H" : payload[0] === 0x17 ? "K" : "P";
    }).join("");
  }
}

Deno.test("a destination gets all from the publisher's beginning, headers first", () => {
  const scene = new ForwardScene();
  scene.send("HAKPa");
  scene.attempt.accept();
  scene.send("PP");
  // Headers in front and where they were published: receivers must not mind (SRS too).
  assert.equal(scene.got(scene.attempt), "AHHAKPaPP");
  assert.equal(scene.forward.view.state, "sending");
  assert.equal(scene.live.playerCount, 0, "it is no player");
});

Deno.test("sound alone is forwarded", () => {
  const scene = new ForwardScene();
  scene.send("Aaa");
  scene.attempt.accept();
  scene.send("aa");
  assert.equal(scene.got(scene.attempt), "AAaaaa");
});

Deno.test("a publisher that begins between keyframes: pictures from the first keyframe on", () => {
  const scene = new ForwardScene();
  scene.send("HPP");
  scene.attempt.accept();
  scene.send("PPKP");
  assert.equal(scene.got(scene.attempt), "HKP");
});

Deno.test("after a break: headers, then the next keyframe, at the stream's time", () => {
  for (const gopCache of [true, false]) {
    const scene = new ForwardScene({ gopCache });
    scene.send("HAKP");
    scene.attempt.accept();
    scene.send("P".repeat(STABLE_MS / 40));
    scene.attempt.fail("lost");
    assert.equal(scene.forward.state, "pausing");
    scene.clock.advance(0);
    assert.equal(scene.attempts.length, 2, "at once: it has worked");
    scene.send("PPa");
    scene.attempt.accept();
    scene.send("PKPa");
    const got = scene.got(scene.attempt);
    if (gopCache) assert.match(got, /^AHKP+aPKPa$/);
    else assert.equal(got, "AHKPa");
  }
});

Deno.test("a destination that comes back late gets the newest keyframe", () => {
  const scene = new ForwardScene({ gopCache: false });
  scene.attempt.fail("unreachable");
  scene.send("HKPP");
  scene.clock.advance(RETRY_FIRST_MS);
  scene.send("KPPKP");
  scene.attempt.accept();
  assert.equal(scene.got(scene.attempt), "HKP");
});

Deno.test("a destination that is not there costs no more memory than queue_length", () => {
  const scene = new ForwardScene({ gopCache: false, queueLengthMs: 2000 });
  for (let i = 0; i < 1000; i++) {
    const picture = i % 10 === 0 ? payloads.keyframe(i & 255, 8192) : payloads.frame(i & 255, 8192);
    scene.clock.advance(40);
    scene.publisher.video(i * 40, picture);
    if (i % 25 === 0) scene.live.tick();
  }
  assert.ok(scene.live.log.bytes < 2_000_000, `${scene.live.log.bytes} bytes of 8 MB are kept`);
});

Deno.test("a slow destination is moved on, and the next one is not", () => {
  const scene = new ForwardScene({ queueLengthMs: 1000 });
  scene.attempt.accept();
  scene.send("HK");
  scene.attempt.slow = true;
  for (let i = 0; i < 10; i++) {
    scene.send("KPPPPPPPPP");
    scene.live.tick();
  }
  const had = scene.attempt.chunks.length;
  scene.attempt.drain();
  scene.send("KP");
  assert.ok(scene.attempt.chunks.length > had);
  assert.ok(scene.forward.view.droppedMessages > 50, `${scene.forward.view.droppedMessages}`);
  assert.match(scene.got(scene.attempt), /KP$/);
});

Deno.test("pauses grow up to SRS's; the secret is in no line", () => {
  const scene = new ForwardScene();
  const pauses: number[] = [];
  for (let i = 0; i < 6; i++) {
    const { at } = scene.attempt;
    scene.attempt.fail("refused", `abcdefghijkl is not allowed, ${i}`);
    while (scene.attempts.length === i + 1) scene.clock.advance(1);
    pauses.push(scene.attempt.at - at);
  }
  assert.deepEqual(pauses, [250, 500, 1000, 2000, 3000, RETRY_PAUSE_MS]);
  assert.equal(scene.forward.view.retries, 6);
  assert.match(scene.forward.view.lastError ?? "", /abc\*\*\* is not allowed/);
  assert.equal(scene.log.matching("abcdefghijkl").length, 0);
});

Deno.test("a destination that is this server is refused; and the end ends everything", () => {
  const scene = new ForwardScene();
  scene.attempt.opened({ localAddress: "::1", remoteAddress: "::1", remotePort: 1935 });
  assert.ok(scene.attempt.closed);
  assert.match(scene.forward.view.lastError ?? "", /loop: the destination is this very server/);
  scene.forward.stop();
  scene.publisher.stop();
  assert.equal(scene.clock.pending, 0);
  assert.equal(scene.live.followed, false);
  assert.equal(scene.forward.view.state, "over");
});

Deno.test("a destination that gives another message stream than ours gets messages of its own", () => {
  const scene = new ForwardScene();
  scene.attempt.fail("lost");
  scene.streamId = 7;
  scene.clock.advance(RETRY_FIRST_MS);
  scene.attempt.accept();
  scene.send("HAKPa");
  assert.equal(scene.attempt.chunks.length, 0);
  assert.equal(scene.got(scene.attempt), "HAKPa");
});
