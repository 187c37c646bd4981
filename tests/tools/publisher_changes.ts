/**
 * What players must see where one publisher of a stream follows another: whole stretches, one timeline.
 * @module
 */
import assert from "node:assert/strict";
import type { Media } from "./media.ts";
import { assertSameTiming, type Recording, runsOf } from "./packets.ts";
import { type RawClient, Type } from "./raw_client.ts";
import type { Player } from "./scenario.ts";

/** ms between two messages of a kind where publishers change: a frame or two. */
const LARGEST_STEP_MS = 500;

/** Packets of video that count as "it plays", a second's worth. */
export const A_SECOND = 25;

/** Waits until a second more of video has come than there is now. */
export async function anotherSecond(player: Player, limitMs?: number): Promise<void> {
  await player.received("video", player.recording().video.length + A_SECOND, limitMs);
}

/** Asserts one unbroken stretch per publisher, each but the first from its publisher's first packet. */
export function assertStretches(
  played: Recording,
  clips: readonly Media[],
  lastIsWhole = false,
): void {
  for (const kind of ["video", "audio"] as const) {
    // Each publisher begins with its first packet: cut there.
    let rest = 0;
    for (const [number, clip] of clips.entries()) {
      const source = clip.recording[kind];
      const next = clips[number + 1];
      const end = next === undefined
        ? played[kind].length
        : played[kind].findIndex((p, i) => i > rest && p.hash === next.recording[kind][0].hash);
      const label = `${kind} of publisher ${number + 1}`;
      assert.ok(end > rest, `${label}: the next publisher's first packet never came`);
      const part = played[kind].slice(rest, end);
      const runs = runsOf(label, part, source, true);
      assert.equal(runs.length, 1, `${label}: broken into ${runs.length} stretches`);
      if (number > 0) assert.equal(runs[0].from, 0, `${label}: its beginning is missing`);
      if (lastIsWhole && next === undefined) assert.equal(part.length, source.length, label);
      assertSameTiming(label, part, source, runs[0]);
      rest = end;
    }
  }
}

/** Asserts that the timestamps of a kind neither go back nor jump, whoever publishes. */
export function assertOneTimeline({ messages }: RawClient): void {
  for (const type of [Type.AUDIO, Type.VIDEO]) {
    const times = messages.filter((m) => m.type === type).map((m) => m.timestamp);
    for (let i = 1; i < times.length; i++) {
      const step = times[i] - times[i - 1];
      assert.ok(
        step >= 0 && step < LARGEST_STEP_MS,
        `message type ${type}: timestamp ${times[i]} ms follows ${times[i - 1]} ms`,
      );
    }
  }
}
