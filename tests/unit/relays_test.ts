/**
 * The relays of a server: who is asked by which protocol, what is counted, and what ends with what. The
 * other servers are ports of the test's own.
 * @module
 */

import assert from "node:assert/strict";
import { findVhost } from "../../src/config/types.ts";
import { Hub } from "../../src/live/stream/hub.ts";
import type { LiveStream } from "../../src/live/stream/live_stream.ts";
import type { RelayClient } from "../../src/clients/on_behalf.ts";
import { Relays, sumOfRelays } from "../../src/relay/relays.ts";
import { Self } from "../../src/clients/self.ts";
import { ErrorCode } from "../../src/rtmp/error.ts";
import { within } from "../tools/process.ts";
import { FakePublisher } from "./support/live_fixture.ts";
import { ManualClock } from "./support/manual_clock.ts";
import { configOf } from "./support/rtmp_peer.ts";
import { IDENTITY } from "./support/grants.ts";

/** ms within which what sockets do must have happened. */
const LIMIT_MS = 5000;

/** Another server: what it is told first, and whether that connection has ended. */
class Other implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #connections: Deno.Conn[] = [];

  get place(): string {
    return `127.0.0.1:${this.#listener.addr.port}`;
  }

  /** The next connection: "rtmp", or the first line of an HTTP request; and its end. */
  async called(): Promise<{ readonly by: string; readonly ended: Promise<void> }> {
    const connection = await within("a connection", LIMIT_MS, this.#listener.accept());
    this.#connections.push(connection);
    const bytes = new Uint8Array(4096);
    const count = await within("the first bytes", LIMIT_MS, connection.read(bytes)) ?? 0;
    const text = new TextDecoder().decode(bytes.subarray(0, count));
    return { by: bytes[0] === 3 ? "rtmp" : text.split("\r\n")[0], ended: endOf(connection) };
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const connection of this.#connections) connection.close();
  }
}

/** Settles when the other side has closed a connection. */
async function endOf(connection: Deno.Conn): Promise<void> {
  try {
    while (await connection.read(new Uint8Array(4096)) !== null);
  } catch {
    // A reset is an end too, and so is our own.
  }
}

/** Relays of a server with one vhost. */
class Scene {
  readonly clock = new ManualClock();
  readonly hub = new Hub(this.clock, "1.2.3");
  readonly relays: Relays;
  readonly #config;

  constructor(vhost: string) {
    this.#config = configOf(`listen 1935; vhost __defaultVhost__ { ${vhost} }`);
    this.relays = new Relays({
      clock: this.clock,
      self: new Self(IDENTITY.hopId, []),
      identity: IDENTITY,
      pid: 4711,
      claim: (_stream, _address, answer) => void answer(null),
    });
  }

  stream(name = "s"): LiveStream {
    const vhost = findVhost(this.#config, "any");
    assert.ok(vhost);
    return this.hub.obtain(`/live/${name}`, vhost, "live", name);
  }

  client(stream = this.stream(), transport: RelayClient["transport"] = "rtmp"): RelayClient {
    return {
      id: "abcdefgh",
      ip: "127.0.0.1",
      tcUrl: "rtmp://edge/live",
      pageUrl: "",
      swfUrl: "",
      args: null,
      hops: [],
      vhost: stream.vhost,
      app: "live",
      stream: stream.name,
      param: "",
      transport,
    };
  }

  play(name = "s", transport: RelayClient["transport"] = "rtmp"): void {
    const stream = this.stream(name);
    this.relays.play(stream, this.client(stream, transport));
  }

  /** How many there are: pulls, uplinks, forwards. */
  get counts(): number[] {
    const { pulls, uplinks, forwards } = this.relays.figures;
    const sum = (states: object) =>
      Object.values(states).reduce((all: number, one: number) => all + one, 0);
    return [sum(pulls), uplinks, sum(forwards)];
  }
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeResources: false, sanitizeOps: false });
}

test("relays: an origin is asked by the edge's protocol, or by the client's where it says so", async () => {
  const rows: [string, RelayClient["transport"], string][] = [
    ["", "rtmp", "rtmp"],
    ["", "flv", "rtmp"],
    ["protocol flv;", "rtmp", "GET /live/s.flv HTTP/1.1"],
    ["follow_client on;", "flv", "GET /live/s.flv HTTP/1.1"],
    ["follow_client on;", "rtmp", "rtmp"],
  ];
  for (const [more, transport, expected] of rows) {
    using origin = new Other();
    const scene = new Scene(`cluster { mode remote; origin ${origin.place}; ${more} }`);
    scene.play("s", transport);
    assert.deepEqual(scene.counts, [1, 0, 0]);
    scene.play("s", transport);
    assert.deepEqual(scene.counts, [1, 0, 0], "one pull for all who play");
    const { by, ended } = await origin.called();
    assert.equal(by, expected, `${more} ${transport}`);
    scene.relays.stop();
    await within("the end", LIMIT_MS, ended);
    assert.deepEqual(scene.counts, [0, 0, 0]);
  }
});

Deno.test("relays: a vhost that is no edge asks nobody", () => {
  const scene = new Scene("");
  scene.play();
  assert.deepEqual(scene.counts, [0, 0, 0]);
});

test("relays: a publisher's way up counts until it is over, and ends with the server", async () => {
  using origin = new Other();
  const scene = new Scene(`cluster { mode remote; origin ${origin.place}; }`);
  const client = scene.client();
  const { edge } = client.vhost;
  assert.ok(edge);
  const first = scene.relays.openUplink(client, edge, () => true);
  const call = await origin.called();
  assert.deepEqual(scene.counts, [0, 1, 0]);
  first.close();
  await within("its end", LIMIT_MS, call.ended);
  assert.deepEqual(scene.counts, [0, 0, 0]);
  scene.relays.openUplink(client, edge, () => true);
  const next = await origin.called();
  scene.relays.stop();
  await within("the end", LIMIT_MS, next.ended);
  assert.deepEqual(scene.counts, [0, 0, 0]);
});

test("relays: where a stream is forwarded, and that a backend of no use is a refusal", async () => {
  using other = new Other();
  const destinations = (vhost: string) => {
    const scene = new Scene(vhost);
    return within(
      "the answer",
      LIMIT_MS,
      new Promise<unknown>((resolve) => scene.relays.destinations(scene.client(), resolve)),
    );
  };
  assert.deepEqual(await destinations(""), []);
  const { place } = other;
  assert.deepEqual(await destinations(`forward { enabled on; destination ${place}; }`), [place]);
  const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${closed.addr.port}/`;
  closed.close();
  assert.deepEqual(await destinations(`forward { enabled on; backend ${url}; }`), {
    code: ErrorCode.FORWARD,
    reason: "the forward backend is of no use",
  });
});

test("relays: each destination gets the stream, a bad one harms no other, and all end with it", async () => {
  using one = new Other();
  using two = new Other();
  const scene = new Scene("");
  const stream = scene.stream();
  new FakePublisher(stream).start();
  const client = scene.client(stream);
  scene.relays.published(stream, client, [one.place, "no place at all", two.place]);
  const calls = await Promise.all([one.called(), two.called()]);
  assert.deepEqual(calls.map(({ by }) => by), ["rtmp", "rtmp"]);
  assert.deepEqual(scene.counts, [0, 0, 2]);
  scene.relays.unpublished(stream);
  await within("their ends", LIMIT_MS, Promise.all(calls.map(({ ended }) => ended)));
  assert.deepEqual(scene.counts, [0, 0, 0]);
  scene.relays.published(stream, client, [one.place]);
  const again = await one.called();
  scene.relays.stop();
  await within("the end", LIMIT_MS, again.ended);
  assert.deepEqual(scene.counts, [0, 0, 0]);
});

test("relays: attempts after the first are counted, also when they are over", async () => {
  const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = closed.addr;
  closed.close();
  const scene = new Scene(`cluster { mode remote; origin 127.0.0.1:${port}; }`);
  scene.play();
  const stream = scene.stream("up");
  new FakePublisher(stream).start();
  scene.relays.published(stream, scene.client(stream), [`127.0.0.1:${port}`]);
  const counted = () => {
    const { pullRetries, forwardRetries } = scene.relays.figures;
    return [pullRetries, forwardRetries];
  };
  for (let i = 0; i < 500 && counted().some((count) => count === 0); i++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    scene.clock.advance(1000);
  }
  const before = counted();
  assert.ok(before.every((count) => count > 0), `${before}`);
  scene.relays.stop();
  assert.deepEqual(counted(), before);
});

Deno.test("relays: the figures of two threads together", () => {
  const a = {
    pulls: { live: 1 },
    forwards: { sending: 2 },
    uplinks: 3,
    pullRetries: 4,
    forwardRetries: 5,
  };
  const b = {
    pulls: { live: 10, pausing: 1 },
    forwards: { sending: 20 },
    uplinks: 30,
    pullRetries: 40,
    forwardRetries: 50,
  };
  assert.deepEqual(sumOfRelays(a, b), {
    pulls: { live: 11, pausing: 1 },
    forwards: { sending: 22 },
    uplinks: 33,
    pullRetries: 44,
    forwardRetries: 55,
  });
});
