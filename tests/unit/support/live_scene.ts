/**
 * A stream with one publisher that speaks in words, as `words` prints them.
 * @module
 */

import assert from "node:assert/strict";
import type { PlayConfig } from "../../../src/config/types.ts";
import type { LiveStream } from "../../../src/live/stream/live_stream.ts";
import { FakePlayer } from "./fake_player.ts";
import { FakePublisher, Fixture, payloads, words } from "./live_fixture.ts";

/** A stream in a fixture with one publisher. */
export class Scene extends Fixture {
  readonly live: LiveStream;
  readonly publisher: FakePublisher;
  /** Publisher's time of the next message, ms. */
  time = 0;

  constructor(play: Partial<PlayConfig> = {}, minLatency = true) {
    super();
    this.live = this.stream(play, { minLatency });
    this.publisher = new FakePublisher(this.live);
  }

  join(options: ConstructorParameters<typeof FakePlayer>[1] = {}): FakePlayer {
    return new FakePlayer(this.live, options);
  }

  /** Publishes words as `words` prints them, `stepMs` of both clocks apart. */
  publish(text: string, stepMs = 40): void {
    for (const item of text.split(" ")) {
      this.time += stepMs;
      this.clock.advance(stepMs);
      this.#publish(item);
    }
  }

  #publish(item: string): void {
    const id = Number(/\d+$/.exec(item)?.[0] ?? 0);
    if (item.startsWith("M")) this.publisher.data(this.time, payloads.metadata({ width: id }));
    else if (item.startsWith("AH")) this.publisher.audio(this.time, payloads.audioHeader(id));
    else if (item.startsWith("A")) this.publisher.audio(this.time, payloads.audio(id));
    else if (item.startsWith("VH")) this.publisher.video(this.time, payloads.videoHeader(id));
    else if (item.startsWith("K")) this.publisher.video(this.time, payloads.keyframe(id));
    else this.publisher.video(this.time, payloads.frame(id));
  }

  /** Lets seconds go by, with a tick of the stream at the end of each. */
  seconds(count: number): void {
    for (let i = 0; i < count; i++) {
      this.clock.advance(1000);
      this.live.tick();
    }
  }
}

/** Metadata and both headers. */
export const HEADERS = "M AH1 VH1";

/** A publisher has begun and sent `text`. */
export function playing(text: string, play: Partial<PlayConfig> = {}, minLatency = true): Scene {
  const scene = new Scene(play, minLatency);
  assert.ok(scene.publisher.start());
  scene.publish(text);
  return scene;
}

/** What a player received since the last time, in words. */
export function taken(player: FakePlayer): string {
  return words(player.take());
}
