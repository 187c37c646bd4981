/**
 * Playlists: what is listed, for how long, and what a request for one waits for. Each state that a stream
 * goes through is held to the rules.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { mediaPlaylist, multivariantPlaylist, type Names } from "../../src/hls/playlist.ts";
import { readWanted, reloadOf } from "../../src/hls/reload.ts";
import type { Init, Part } from "../../src/hls/segmenter.ts";
import { Window } from "../../src/hls/window.ts";

const NAMES: Names = {
  init: (number) => `init-${number}.mp4`,
  segment: (number) => `s-${number}.m4s`,
  part: (number, index) => `p-${number}.${index}.m4s`,
  date: (ms) => new Date(ms).toISOString(),
};
const TARGET = 0.22;
const FIRST = 100;
const NOW = Date.UTC(2026, 10, 27, 12);

const INIT: Init = {
  bytes: new Uint8Array(10),
  codecs: ["avc1.64001f", "mp4a.40.2"],
  width: 640,
  height: 360,
};

/** A window that is filled part by part. */
class Scene {
  readonly window: Window;
  time = 10;
  constructor(window = 6, fragment = 2) {
    this.window = new Window({ window, fragment }, FIRST);
    this.window.addInit(INIT);
  }

  parts(count: number, isFirstKey = true): void {
    for (let i = 0; i < count; i++) {
      const part: Part = {
        bytes: new Uint8Array(1000),
        duration: 0.2,
        time: this.time,
        isIndependent: isFirstKey && i === 0,
      };
      this.window.addPart(part, NOW + 1000 * (this.time - 10) + 200);
      this.time += 0.2;
    }
  }

  segments(count: number): void {
    for (let i = 0; i < count; i++) {
      this.parts(10);
      this.window.endSegment();
    }
  }

  get text(): string {
    return mediaPlaylist(this.window, TARGET, NAMES);
  }
}

Deno.test("HLS playlist: what a player is told", () => {
  const scene = new Scene();
  scene.segments(1);
  scene.parts(2);
  const part = (number: number, index: number) =>
    `#EXT-X-PART:DURATION=0.20000,URI="p-${number}.${index}.m4s"` +
    (index === 0 ? ",INDEPENDENT=YES" : "");
  assert.deepEqual(scene.text.split("\n"), [
    "#EXTM3U",
    "#EXT-X-VERSION:6",
    "#EXT-X-TARGETDURATION:3",
    "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=0.66000",
    "#EXT-X-PART-INF:PART-TARGET=0.22000",
    "#EXT-X-MEDIA-SEQUENCE:100",
    '#EXT-X-MAP:URI="init-1.mp4"',
    "#EXT-X-PROGRAM-DATE-TIME:2026-11-27T12:00:00.000Z",
    ...Array.from({ length: 10 }, (_, i) => part(100, i)),
    "#EXTINF:2.00000,",
    "s-100.m4s",
    "#EXT-X-PROGRAM-DATE-TIME:2026-11-27T12:00:02.000Z",
    part(101, 0),
    part(101, 1),
    '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="p-101.2.m4s"',
    "",
  ]);
  assert.equal(
    multivariantPlaylist(scene.window, "s.m3u8?hls_ctx=1"),
    "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n" +
      '#EXT-X-STREAM-INF:BANDWIDTH=44000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360\n' +
      "s.m3u8?hls_ctx=1\n",
  );
});

Deno.test("HLS playlist: old segments leave it, and are to be had for as long again", () => {
  const scene = new Scene(6);
  scene.segments(20);
  const { window } = scene;
  assert.deepEqual(window.listed.map(({ number }) => number), [117, 118, 119]);
  assert.deepEqual(window.departed.map(({ number }) => number), [114, 115, 116]);
  assert.equal(window.find(113), null);
  assert.equal(window.find(114)?.parts.length, 10);
  assert.equal(window.bytes, 6 * 10_000);
  // Parts of the newest three segments alone are listed.
  scene.segments(1);
  scene.parts(1);
  const listed = new Set(scene.text.match(/p-\d+/g));
  assert.deepEqual([...listed], ["p-118", "p-119", "p-120", "p-121"]);
});

Deno.test("HLS playlist: a discontinuity is told, and counted when it has left", () => {
  const scene = new Scene(6);
  scene.segments(2);
  scene.window.discontinue();
  scene.window.addInit({ ...INIT, codecs: ["avc1.640029"] });
  scene.segments(1);
  const lines = scene.text.split("\n");
  const at = lines.indexOf("#EXT-X-DISCONTINUITY");
  assert.equal(lines[at + 1], '#EXT-X-MAP:URI="init-2.mp4"');
  assert.ok(!scene.text.includes("DISCONTINUITY-SEQUENCE"));
  scene.segments(3);
  assert.ok(scene.text.includes("#EXT-X-DISCONTINUITY-SEQUENCE:1\n"));
  assert.ok(!lines.slice(0, 7).includes("#EXT-X-DISCONTINUITY"));
  scene.segments(10);
  assert.deepEqual([...scene.window.inits.keys()], [2], "the old init segment has gone");
});

Deno.test("HLS playlist: the target stays, and the memory can be made smaller, but not below three", () => {
  const scene = new Scene(60);
  scene.segments(3);
  assert.equal(scene.window.targetDuration, 3);
  scene.parts(17);
  scene.window.endSegment();
  assert.equal(scene.window.targetDuration, 3);
  scene.segments(4);
  let dropped = 0;
  while (scene.window.dropOldest()) dropped++;
  assert.equal(dropped, 5);
  assert.deepEqual(scene.window.listed.map(({ number }) => number), [105, 106, 107]);
  assert.equal(scene.window.bytes, 30_000);
});

Deno.test("HLS playlist: whatever happens, it keeps the rules", () => {
  const step = fc.constantFrom("part", "part", "part", "segment", "jump", "init", "drop");
  fc.assert(fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
    const scene = new Scene(3, 1);
    const { window } = scene;
    let [sequence, discontinuities, version] = [0, 0, 0];
    for (const what of steps) {
      if (what === "part") scene.parts(1);
      else if (what === "segment") window.endSegment();
      else if (what === "jump") {
        window.endSegment();
        window.discontinue();
      } else if (what === "init") {
        window.endSegment();
        window.addInit(INIT);
      } else window.dropOldest();
      const { text } = scene;
      const first = Number(/MEDIA-SEQUENCE:(\d+)/.exec(text)?.[1]);
      assert.ok(first >= sequence && window.version >= version, "they never go back");
      sequence = first;
      version = window.version;
      const left = Number(/DISCONTINUITY-SEQUENCE:(\d+)/.exec(text)?.[1] ?? 0);
      assert.ok(left >= discontinuities);
      discontinuities = left;
      // All that is listed is there.
      for (const [, number, index] of text.matchAll(/#EXT-X-PART:.*"p-(\d+)\.(\d+)/g)) {
        assert.ok(window.find(Number(number))?.parts[Number(index)]);
      }
      const numbers = Array.from(text.matchAll(/^s-(\d+)/gm), ([, number]) => Number(number));
      numbers.forEach((number, i) => assert.equal(number, first + i, "no gap"));
      for (const [, init] of text.matchAll(/init-(\d+)/g)) {
        assert.ok(window.inits.has(Number(init)));
      }
      // The hint is the next part.
      const growing = window.growing;
      const hint = `p-${window.nextNumber}.${growing?.parts.length ?? 0}.m4s`;
      assert.ok(text.endsWith(`#EXT-X-PRELOAD-HINT:TYPE=PART,URI="${hint}"\n`));
      const sum = [...window.listed, ...window.departed].reduce((all, { bytes }) => all + bytes, 0);
      assert.equal(window.bytes, sum);
    }
  }));
});

Deno.test("HLS reload: what is asked for", () => {
  assert.equal(readWanted(null, null), null);
  assert.deepEqual(readWanted("7", null), { segment: 7, part: null });
  assert.deepEqual(readWanted("7", "0"), { segment: 7, part: 0 });
  for (const [msn, part] of [[null, "1"], ["-1", null], ["x", null], ["1", ""], ["1.5", null]]) {
    assert.equal(readWanted(msn, part), "bad", `${msn} ${part}`);
  }
  assert.equal(readWanted("9007199254740993", null), "bad");
});

Deno.test("HLS reload: answered at once, waited for, or refused", () => {
  const scene = new Scene();
  scene.segments(2);
  scene.parts(3);
  // 100 and 101 are complete, of 102 there are three parts.
  const rows: [segment: number, part: number | null, expected: string][] = [
    ...[[5, null, "answer"], [100, 3, "answer"], [101, null, "answer"]] as const,
    ...[[102, 2, "answer"], [102, 3, "wait"], [102, null, "wait"], [103, 0, "wait"]] as const,
    // A part behind the last one of a segment is the first of the next.
    ...[[101, 10, "answer"], [101, 55, "answer"], [100, 55, "answer"]] as const,
    // Three parts of a second and more, as many as make three seconds of shorter ones.
    ...[[102, 17, "wait"], [102, 18, "bad"], [103, 14, "wait"], [103, 15, "bad"]] as const,
    ...[[104, 0, "bad"], [104, null, "bad"], [9999, 0, "bad"]] as const,
  ].map(([segment, part, expected]) => [segment, part, expected]);
  for (const [segment, part, expected] of rows) {
    assert.equal(reloadOf(scene.window, TARGET, { segment, part }), expected, `${segment}.${part}`);
  }
  scene.window.endSegment();
  assert.equal(reloadOf(scene.window, TARGET, { segment: 102, part: 3 }), "wait");
  scene.parts(1);
  assert.equal(reloadOf(scene.window, TARGET, { segment: 102, part: 3 }), "answer");
});
