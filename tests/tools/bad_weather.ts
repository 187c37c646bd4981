/**
 * An edge in bad weather: the connections between origin and edge, and between edge and players, are
 * delayed, slowed, stalled and cut at random.
 * @module
 */
import assert from "node:assert/strict";
import { ChaosProxy } from "./chaos_proxy.ts";
import { media } from "./media.ts";
import { runNginx } from "./nginx.ts";
import { sleep, until } from "./process.ts";
import { isMedia, RawClient } from "./raw_client.ts";
import { type Scenario, scenario } from "./scenario.ts";
import { withSeed } from "./seed.ts";
import type { Server } from "./server.ts";
import { streamOf } from "./upstreams.ts";

const PLAYERS = 12;
/** Streams, each with a pull of its own. */
const STREAMS = 3;
/** ms for whatever was broken to work again once the weather is fine. */
const RECOVERY_MS = 15_000;
/** ms until an edge without players has let go of everything. */
const LINGER_LIMIT_MS = 15_000;

/** A viewer who comes back whenever the connection is gone. */
class Viewer {
  /** Payloads of all connections. */
  readonly payloads = new Set<string>();
  connections = 0;
  #client: RawClient | null = null;
  #over = false;

  constructor(readonly port: number, readonly stream: string) {}

  /** Views until `stop`. */
  async run(): Promise<void> {
    while (!this.#over) {
      try {
        const client = this.#client = await RawClient.open(this.port);
        this.connections++;
        await client.play("live", this.stream);
        await client.ended;
      } catch {
        // The weather: the next attempt is due.
      }
      this.#collect();
      this.#client?.destroy();
      await sleep(100);
    }
  }

  /** Media messages of the present connection. */
  get received(): number {
    return this.#client?.messages.filter(isMedia).length ?? 0;
  }

  stop(): void {
    this.#over = true;
    this.#client?.destroy();
  }

  #collect(): void {
    for (const message of this.#client?.messages ?? []) {
      if (isMedia(message)) this.payloads.add(message.payload.toString("base64"));
    }
  }
}

/** Open files of a process: sockets, mostly. */
function openFiles({ process }: Server): number {
  return [...Deno.readDirSync(`/proc/${process.pid}/fd`)].length;
}

/** Defines the test, with so many seconds of weather; recovery and end come on top. */
export function badWeather(seconds: number): void {
  scenario(
    `an edge in bad weather for ${seconds} s: nothing is stuck, nothing is leaked, no byte is wrong`,
    (s) => withSeed((seed) => weather(s, seconds, seed)),
    { limitMs: (seconds + 60) * 1000 },
  );
}

async function weather(s: Scenario, seconds: number, seed: number): Promise<void> {
  console.log(`      seed ${seed}`);
  const clip = await media("small-0");
  const nginx = await runNginx(s, "application live { live on; }");
  const names = Array.from({ length: STREAMS }, (_, i) => `s${i}`);
  for (const name of names) s.publish(clip, `${nginx.url}/live/${name}`, { loop: true });
  const up = await ChaosProxy.start(nginx.port, seed);
  const edge = await s.server({
    vhost: `min_latency on; play { gop_cache on; queue_length 5; }
    cluster { mode remote; origin 127.0.0.1:${up.port}; }`,
  });
  const down = await ChaosProxy.start(edge.port, seed + 1);
  const filesBefore = openFiles(edge);
  const reference = await RawClient.open(nginx.port);
  await reference.play("live", names[0]);
  const viewers = Array.from(
    { length: PLAYERS },
    (_, i) => new Viewer(down.port, names[i % STREAMS]),
  );
  const running = viewers.map((viewer) => viewer.run());
  try {
    await sleep(seconds * 1000);
    up.calm = down.calm = true;
    const before = viewers.map(({ received }) => received);
    await until(
      "media for every viewer again",
      RECOVERY_MS,
      () =>
        viewers.every(({ received }, i) => received > (received < before[i] ? 0 : before[i]) + 25),
    );
    for (const name of names) {
      const stream = await streamOf(edge, `/live/${name}`);
      assert.equal(stream?.edge.upstream?.state, "live", name);
    }
    assert.ok(up.connections <= STREAMS, `${up.connections} connections to the origin`);
  } finally {
    for (const viewer of viewers) {
      viewer.stop();
    }
    await Promise.all(running);
  }
  try {
    await until(
      "the end of all connections",
      LINGER_LIMIT_MS,
      () => up.connections === 0 && down.connections === 0,
    );
    await until("the end of all streams", LINGER_LIMIT_MS, async () => {
      const { streams } = await edge.api("/api/v1/streams/") as { streams: unknown[] };
      const { clients } = await edge.api("/api/v1/clients/") as { clients: unknown[] };
      return streams.length === 0 && clients.length === 0;
    });
    // Some for the API's connections.
    await until(
      "the end of all sockets",
      LINGER_LIMIT_MS,
      () => openFiles(edge) <= filesBefore + 5,
    );
  } finally {
    await up.stop();
    await down.stop();
  }
  const sent = new Set(
    reference.messages.filter(isMedia).map(({ payload }) => payload.toString("base64")),
  );
  reference.destroy();
  const wrong = viewers.flatMap(({ payloads }) => [...payloads].filter((one) => !sent.has(one)));
  assert.equal(wrong.length, 0, "every message is one of the origin's");
  const cuts = viewers.reduce((sum, { connections }) => sum + connections, 0);
  const drawn = up.drawn.delay + up.drawn.throttle + up.drawn.stall + up.drawn.cut;
  assert.ok(drawn > 0 && down.drawn.cut > 0, "there was weather");
  assert.doesNotMatch(edge.log, /internal fault/);
  console.log(
    `      origin side ${JSON.stringify(up.drawn)}, ${cuts} connections of ${PLAYERS} viewers`,
  );
}
