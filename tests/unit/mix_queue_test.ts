/**
 * `mix_correct`.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { MixQueue } from "../../src/live/ingest/mix_queue.ts";
import { MessageType } from "../../src/rtmp/message.ts";

const { AUDIO, VIDEO } = MessageType;

interface Out {
  type: number;
  time: number;
  id: number;
}

/** A queue and what came out of it. */
class Mixer {
  readonly out: Out[] = [];
  readonly #queue = new MixQueue();
  readonly #emit = (type: number, time: number, payload: Uint8Array) => {
    this.out.push({ type, time, id: payload[0] });
  };

  push(type: number, time: number, id = 0): void {
    const borrowed = new Uint8Array([id]);
    this.#queue.push(type, time, borrowed, this.#emit);
    borrowed[0] = 255;
  }

  drain(): void {
    this.#queue.drain(this.#emit);
  }

  get times(): number[] {
    return this.out.map(({ time }) => time);
  }
}

Deno.test("the earliest leaves once audio and video are both there", () => {
  const mixer = new Mixer();
  mixer.push(VIDEO, 40);
  mixer.push(VIDEO, 80);
  assert.deepEqual(mixer.times, []);
  mixer.push(AUDIO, 20);
  assert.deepEqual(mixer.times, [20]);
  mixer.push(AUDIO, 43);
  assert.deepEqual(mixer.times, [20, 40, 43]);
  mixer.drain();
  assert.deepEqual(mixer.times, [20, 40, 43, 80]);
});

Deno.test("of one kind only, ten are held", () => {
  for (const type of [AUDIO, VIDEO]) {
    const mixer = new Mixer();
    for (let i = 0; i < 9; i++) mixer.push(type, i);
    assert.deepEqual(mixer.times, []);
    mixer.push(type, 9);
    assert.deepEqual(mixer.times, [0]);
    mixer.push(type, 10);
    assert.deepEqual(mixer.times, [0, 1]);
  }
});

Deno.test("payloads are copied, and equal timestamps keep their order", () => {
  const mixer = new Mixer();
  for (let id = 0; id < 5; id++) mixer.push(VIDEO, 7, id);
  mixer.drain();
  assert.deepEqual(mixer.out.map(({ id }) => id), [0, 1, 2, 3, 4]);
});

Deno.test("nothing is lost or made up, and never are more than ten of a kind held", () => {
  const message = fc.record({ type: fc.constantFrom(AUDIO, VIDEO), time: fc.nat(300) });
  fc.assert(fc.property(fc.array(message, { maxLength: 120 }), (messages) => {
    const mixer = new Mixer();
    messages.forEach(({ type, time }, id) => {
      mixer.push(type, time, id);
      const held = id + 1 - mixer.out.length;
      assert.ok(held < 10, `${held} held`);
    });
    mixer.drain();
    const ids = mixer.out.map(({ id }) => id).toSorted((a, b) => a - b);
    assert.deepEqual(ids, messages.map((_, id) => id));
    for (const { id, type, time } of mixer.out) {
      assert.equal(type, messages[id].type);
      assert.equal(time, messages[id].time);
    }
  }));
});

Deno.test("two tracks that are each in order come out in order", () => {
  const track = fc.array(fc.nat(50), { minLength: 1, maxLength: 60 });
  fc.assert(fc.property(track, track, fc.infiniteStream(fc.boolean()), (audio, video, turns) => {
    const sums = (steps: number[]) => {
      let time = 0;
      return steps.map((step) => time += step);
    };
    const audioTimes = sums(audio);
    const videoTimes = sums(video);
    const mixer = new Mixer();
    const pushed: number[] = [];
    const held = (type: number) =>
      pushed.filter((t) => t === type).length - mixer.out.filter((m) => m.type === type).length;
    while (audioTimes.length > 0 && videoTimes.length > 0) {
      // A tenth of a kind would be let go whatever its time.
      let type: number = turns.next().value ? AUDIO : VIDEO;
      if (held(type) === 9) type = type === AUDIO ? VIDEO : AUDIO;
      pushed.push(type);
      mixer.push(type, (type === AUDIO ? audioTimes : videoTimes).shift() ?? 0);
    }
    mixer.drain();
    assert.equal(mixer.times.length, pushed.length);
    assert.deepEqual(mixer.times, mixer.times.toSorted((a, b) => a - b));
  }));
});
