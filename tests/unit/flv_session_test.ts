/**
 * A player that comes by HTTP, driven by hand: the FLV header, waiting, stalling, ending.
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { HttpRemuxConfig } from "../../src/config/types.ts";
import { FlvTagReader } from "../../src/flv/flv_tag.ts";
import { PUBLISHER_WAIT_MS } from "../../src/servers/flv/limits.ts";
import { containerOf } from "../../src/servers/flv/containers.ts";
import { FlvSession } from "../../src/servers/flv/session.ts";
import { GUESS_MS, PLAYER_STALL_MS } from "../../src/live/limits.ts";
import type { WebLink } from "../../src/net/web_link.ts";
import { FakePublisher, Fixture, payloads, vhostOf, words } from "./support/live_fixture.ts";
import { MemoryLog } from "./support/memory_log.ts";
import { grantOf } from "./support/grants.ts";

const FLV = containerOf(".flv") ?? assert.fail("there is FLV");

class FakeLink implements WebLink {
  busy = false;
  broken = false;
  readonly calls: string[] = [];
  readonly writes: Uint8Array[] = [];

  send(bytes: Uint8Array): boolean {
    if (this.broken) throw new Error("the stream is closed");
    this.writes.push(bytes.slice());
    return !this.busy;
  }
  end(): void {
    this.calls.push("end");
  }
  abort(): void {
    this.calls.push("abort");
  }
}

/** A stream with a publisher, and one session. */
class Stage extends Fixture {
  readonly live;
  readonly publisher;
  readonly link = new FakeLink();
  readonly log = new MemoryLog("abcdefgh");
  readonly events: string[] = [];
  readonly session;

  constructor(remux: Partial<HttpRemuxConfig> = {}) {
    super();
    const { httpRemux } = vhostOf();
    this.live = this.stream({}, { minLatency: true, httpRemux: { ...httpRemux, ...remux } });
    this.publisher = new FakePublisher(this.live);
    this.publisher.start();
    const host = {
      clock: this.clock,
      opened: () => void this.events.push("opened"),
      left: () => void this.events.push("left"),
      finished: () => void this.events.push("finished"),
    };
    this.session = new FlvSession(host, this.live, {
      socket: { remote: "1.2.3.4:5", remoteAddress: "1.2.3.4" },
      tcUrl: "http://h/live",
      pageUrl: "",
      name: "livestream.flv",
      container: FLV,
      param: "?token=secret",
      transport: "http",
      grant: grantOf(this.live, this.log),
      realAddress: "",
    }, this.log);
  }

  /** Seconds go by, with a tick at the end of each. */
  seconds(count: number): void {
    for (let i = 0; i < count; i++) {
      this.clock.advance(1000);
      this.session.tick(this.clock.now());
    }
  }

  /** The FLV header's flags, and the messages so far; null when nothing has come. */
  get received(): string | null {
    const bytes = Buffer.concat(this.link.writes);
    if (bytes.length === 0) return null;
    const reader = new FlvTagReader();
    reader.push(bytes);
    const messages = [];
    for (let tag = reader.next(); tag; tag = reader.next()) {
      messages.push({ type: tag.type, time: tag.timestamp, payload: tag.payload });
    }
    return `${bytes[4]} ${words(messages)}`;
  }
}

Deno.test("FLV session: the header says what is in the stream, and comes in one piece with the first tags", () => {
  const stage = new Stage();
  stage.publisher.headers(1);
  stage.session.onOpen(stage.link);
  assert.equal(stage.received, "5 M AH1 VH1");
  assert.equal(stage.link.writes.length, 1);
  stage.publisher.video(40, payloads.keyframe(1));
  assert.equal(stage.received, "5 M AH1 VH1 K1");
  assert.equal(stage.session.sentBytes, Buffer.concat(stage.link.writes).length);
  assert.deepEqual(stage.events, ["opened"]);
});

Deno.test("FLV session: while it is not known what is in the stream nothing is sent, and nothing is lost", () => {
  for (const kind of ["video", "audio"] as const) {
    const stage = new Stage();
    stage.session.onOpen(stage.link);
    const send = (id: number) =>
      kind === "video"
        ? stage.publisher.video(id * 40, payloads.keyframe(id))
        : stage.publisher.audio(id * 40, payloads.audio(id));
    for (let id = 0; id < 5; id++) {
      send(id);
      stage.clock.advance(40);
    }
    // The link may say what it likes.
    stage.session.onWritable();
    assert.equal(stage.received, null);
    stage.clock.advance(GUESS_MS);
    assert.equal(
      stage.received,
      kind === "video" ? "1 K0 K1 K2 K3 K4" : "4 A0 A1 A2 A3 A4",
    );
    assert.equal(stage.clock.pending, 0, "no timer is left");
  }
});

Deno.test("FLV session: both kinds end the waiting early", () => {
  const stage = new Stage();
  stage.session.onOpen(stage.link);
  stage.publisher.video(0, payloads.keyframe(1));
  stage.clock.advance(40);
  assert.equal(stage.received, null);
  stage.publisher.audio(40, payloads.audio(2));
  stage.clock.advance(40);
  assert.equal(stage.received, "5 K1 A2");
});

Deno.test("FLV session: has_audio and has_video count when nothing is to be guessed", () => {
  const off = { guessHasAv: false, hasAudio: false };
  for (
    const [remux, expected] of [
      [{ ...off, dropIfNotMatch: true }, "1 M VH1 K1"],
      [{ ...off, dropIfNotMatch: false }, "1 M AH1 VH1 K1 A2"],
      [{ guessHasAv: false }, "5 M AH1 VH1 K1 A2"],
      [{ guessHasAv: true, hasAudio: false, hasVideo: false }, "5 M AH1 VH1 K1 A2"],
    ] as const
  ) {
    const stage = new Stage(remux);
    stage.publisher.headers(1);
    stage.session.onOpen(stage.link);
    stage.publisher.video(40, payloads.keyframe(1));
    stage.publisher.audio(40, payloads.audio(2));
    assert.equal(stage.received, expected, JSON.stringify(remux));
  }
});

Deno.test("FLV session: a link that takes nothing gets nothing more, and is dropped after a minute", () => {
  const stage = new Stage();
  stage.publisher.headers(1);
  stage.link.busy = true;
  stage.session.onOpen(stage.link);
  for (let i = 0; i < PLAYER_STALL_MS / 1000 - 1; i++) {
    stage.publisher.video(i * 1000, payloads.keyframe(i));
    stage.seconds(1);
  }
  assert.equal(stage.link.writes.length, 1, "one write in flight");
  assert.deepEqual(stage.link.calls, []);
  stage.seconds(2);
  assert.deepEqual(stage.link.calls, ["abort"]);
  assert.deepEqual(stage.log.matching("taken nothing for 60000 ms").length, 1);
  assert.equal(stage.live.playerCount, 0);
  // Its connection is still there, and counts, until the runtime says otherwise.
  assert.deepEqual(stage.events, ["opened", "left"]);
  stage.session.onClose();
  stage.session.onClose();
  assert.deepEqual(stage.events, ["opened", "left", "finished"]);
});

Deno.test("FLV session: a publisher that comes back in time finds it waiting", () => {
  const stage = new Stage();
  stage.publisher.headers(1);
  stage.session.onOpen(stage.link);
  stage.publisher.stop();
  stage.seconds(PUBLISHER_WAIT_MS / 1000 - 1);
  stage.publisher.start();
  stage.publisher.headers(2);
  assert.equal(stage.received, "5 M AH1 VH1 M AH2 VH2");
  stage.seconds(PUBLISHER_WAIT_MS / 1000 + 1);
  assert.deepEqual(stage.link.calls, []);
  stage.publisher.stop();
  stage.seconds(PUBLISHER_WAIT_MS / 1000 + 1);
  assert.deepEqual(stage.link.calls, ["end"]);
  assert.equal(stage.log.matching("server disconnect: nobody has published for").length, 1);
});

Deno.test("FLV session: kicked, stopped, or left by its client, it leaves the stream once", () => {
  const ways: [(stage: Stage) => void, string[], RegExp][] = [
    [({ session }) => session.kick(), ["abort"], /client kicked\. \[1070\]|client kicked/],
    [({ session }) => session.shutdown(), ["end"], /the server stops/],
    [({ session }) => session.onClose(), [], /client disconnect peer/],
  ];
  for (const [way, calls, line] of ways) {
    const stage = new Stage();
    stage.publisher.headers(1);
    stage.session.onOpen(stage.link);
    way(stage);
    assert.deepEqual(stage.link.calls, calls);
    assert.equal(stage.live.playerCount, 0);
    const writes = stage.link.writes.length;
    stage.publisher.video(40, payloads.keyframe(1));
    assert.equal(stage.link.writes.length, writes);
    stage.session.onClose();
    assert.deepEqual(stage.events, ["opened", "left", "finished"]);
    assert.match(stage.log.lines.join("\n"), line);
    assert.equal(stage.clock.pending, 0);
  }
});

Deno.test("F31: FLV session: shut down, then cut off when its client does not take the rest", () => {
  const stage = new Stage();
  stage.publisher.headers(1);
  stage.session.onOpen(stage.link);
  stage.session.shutdown();
  stage.session.abort();
  assert.deepEqual(stage.link.calls, ["end", "abort"]);
  stage.session.onClose();
  assert.deepEqual(stage.events, ["opened", "left", "finished"]);
});

Deno.test("FLV session: a link that fails hurts neither publisher nor other players", () => {
  const stage = new Stage();
  stage.publisher.headers(1);
  stage.session.onOpen(stage.link);
  stage.link.broken = true;
  stage.publisher.video(40, payloads.keyframe(1));
  assert.deepEqual(stage.link.calls, ["abort"]);
  assert.equal(stage.log.faults.length, 1);
  assert.equal(stage.live.playerCount, 0);
});

Deno.test("FLV session: a link that fails with the first bytes leaves nothing behind", () => {
  const stage = new Stage();
  stage.publisher.headers(1);
  stage.link.broken = true;
  stage.session.onOpen(stage.link);
  assert.equal(stage.live.playerCount, 0);
  assert.ok(!stage.events.includes("opened"));
  stage.session.onClose();
  assert.equal(stage.events.at(-1), "finished");
});

Deno.test("FLV session: a WebSocket that never comes about is forgotten", () => {
  const stage = new Stage();
  stage.clock.advance(60_000);
  assert.deepEqual(stage.events, ["left", "finished"]);
  stage.session.onOpen(stage.link);
  assert.deepEqual(stage.link.calls, ["abort"]);
  assert.equal(stage.live.playerCount, 0);
});

Deno.test("H30: no secret of a URL is in the log", () => {
  const stage = new Stage();
  assert.match(stage.log.lines.join(), /type=flv-play.*param=\?token=\*\*\*/);
  assert.ok(!stage.log.lines.join().includes("secret"));
});
