/**
 * Real encoders, started again whenever they end, want a stream that another one has.
 * @module
 */
import assert from "node:assert/strict";
import { type Media, media } from "../tools/media.ts";
import { type Child, sleep, until } from "../tools/process.ts";
import {
  A_SECOND,
  anotherSecond,
  assertOneTimeline,
  assertStretches,
} from "../tools/publisher_changes.ts";
import { type Scenario, scenario } from "../tools/scenario.ts";

/** ms between an encoder's end and its next start: the recipe's `sleep 1`. */
const RESTART_MS = 1000;

/** ms without a byte after which a publisher may be put out. */
const STALLED_MS = 2000;

/** ms by which the last bytes may have left a publisher before it was frozen: some frames. */
const LAST_BYTES_MS = 300;

/** ms for the next start of an encoder and its first packets' way, on a busy machine. */
const START_MS = 5000;

/** ms that two encoders fight. */
const FIGHT_MS = 15_000;

/** Attempts that the loser makes in that time on a slow machine. */
const FEWEST_ATTEMPTS = 5;

/** An ffmpeg that is started again whenever it ends, as by the recipe's loop. */
class Encoder {
  /** All that have been started, the running one last. */
  readonly runs: Child[] = [];
  #stopped = false;

  constructor(s: Scenario, clip: Media, url: string) {
    void this.#loop(s, clip, url);
  }

  async #loop(s: Scenario, clip: Media, url: string): Promise<void> {
    while (!this.#stopped) {
      const run = s.publish(clip, url, { loop: true });
      this.runs.push(run);
      await run.ended;
      await sleep(RESTART_MS);
    }
  }

  /** How many have ended by themselves. */
  get refusals(): number {
    return this.runs.filter((run) => run.exit !== null).length;
  }

  /** Ends it; it does not start again. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.runs.at(-1)?.kill();
  }
}

scenario("a frozen encoder's stream is taken over after 2 s and its players go on", async (s) => {
  const server = await s.server({ vhost: "min_latency on; play { mw_latency 100; }" });
  const clips = [await media("small-0"), await media("small-1")];
  const url = server.url("live/livestream");
  const players = [await s.play(url), await s.play(url)];
  const witness = await s.raw(server);
  await witness.play("live", "livestream");
  const first = s.publish(clips[0], url, { loop: true });
  for (const player of players) await player.received("video", 2 * A_SECOND);

  const second = new Encoder(s, clips[1], url);
  try {
    await until("a refusal while the first one sends", START_MS, () => second.refusals > 0);
    for (const player of players) await anotherSecond(player);
    first.signal("SIGSTOP");
    const frozen = performance.now();
    await sleep(LAST_BYTES_MS);
    const before = players.map((player) => player.recording().video.length);
    const limit = STALLED_MS + RESTART_MS + START_MS;
    const goesOn = async (index: number) => {
      await players[index].received("video", before[index] + 1, limit);
      return performance.now() - frozen;
    };
    for (const gap of await Promise.all([goesOn(0), goesOn(1)])) {
      assert.ok(gap > STALLED_MS - LAST_BYTES_MS, `taken over after ${gap} ms of silence already`);
    }
    for (const player of players) await anotherSecond(player);

    first.signal("SIGCONT");
    const status = await first.finish(START_MS);
    assert.ok(!status.success, "the first encoder finds its connection closed when it wakes");
    for (const player of players) await anotherSecond(player);
    assert.equal(second.runs.at(-1)?.exit, null, "the second encoder is still there");
    for (const player of players) assertStretches(await player.stop(), clips);
    assertOneTimeline(witness);
  } finally {
    await second.stop();
  }
});

/** The reason why there is no IPv6 on loopback here; null if there is. */
function whyNoIpv6(): string | null {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

for (
  const [where, hosts, ignore] of [
    ["at one address", ["127.0.0.1", "127.0.0.1"], null],
    ["at two addresses", ["127.0.0.1", "[::1]"], whyNoIpv6()],
  ] as const
) {
  scenario(`takeover replace: two encoders ${where} fight, players see one change`, async (s) => {
    const listen = [...new Set(hosts)].map((host) => `${host}:PORT`).join(" ");
    const server = await s.server({
      text: `listen ${listen}; max_connections 100; http_api { enabled off; }
vhost __defaultVhost__ {
    min_latency on;
    play { mw_latency 100; }
    publish { takeover replace; }
}`,
    });
    const clips = [await media("small-0"), await media("small-1")];
    const urls = hosts.map((host) => `rtmp://${host}:${server.port}/live/livestream`);
    const players = [await s.play(urls[0]), await s.play(urls[0])];
    const witness = await s.raw(server);
    await witness.play("live", "livestream");
    const encoders = [new Encoder(s, clips[0], urls[0])];
    try {
      for (const player of players) await player.received("video", 2 * A_SECOND);
      encoders.push(new Encoder(s, clips[1], urls[1]));
      await sleep(FIGHT_MS);
      const [loser, winner] = encoders;
      assert.equal(winner.refusals, 0, "whoever came last has the stream");
      assert.ok(
        loser.refusals >= FEWEST_ATTEMPTS,
        `the other one tried ${loser.refusals} times only`,
      );
      for (const player of players) await anotherSecond(player);
      for (const player of players) assertStretches(await player.stop(), clips);
      assertOneTimeline(witness);
    } finally {
      for (const encoder of encoders) await encoder.stop();
    }
  }, { ignore });
}
