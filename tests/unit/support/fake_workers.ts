/**
 * Workers without threads: what they post to one another waits in queues, one for each way, which are
 * emptied in any order.
 * @module
 */

import { CLEAR_LOOKS_MS } from "../../../src/live/limits.ts";
import { Hub } from "../../../src/live/stream/hub.ts";
import type { LiveStream } from "../../../src/live/stream/live_stream.ts";
import type { Refusal } from "../../../src/rtmp/error.ts";
import { Directory } from "../../../src/workers/directory.ts";
import type { ToCoordinator } from "../../../src/workers/messages.ts";
import { StreamLink } from "../../../src/workers/stream_link.ts";
import { FakePublisher, vhostOf } from "./live_fixture.ts";
import { ManualClock } from "./manual_clock.ts";

const COORDINATOR = 0;

/** One worker. */
export interface FakeWorker {
  readonly number: number;
  readonly hub: Hub;
  readonly link: StreamLink;
  alive: boolean;
}

/** A coordinator and workers 1, 2, ... */
export class FakeWorkers {
  readonly clock = new ManualClock();
  readonly directory: Directory;
  readonly #workers = new Map<number, FakeWorker>();
  readonly #ways = new Map<string, (() => void)[]>();
  readonly #vhost;
  #next = 1;

  constructor(count: number, ...vhost: Parameters<typeof vhostOf>) {
    this.#vhost = vhostOf(...vhost);
    this.directory = new Directory((worker, message) =>
      this.#post(COORDINATOR, worker, () => {
        this.#workers.get(worker)?.link.fromCoordinator(structuredCopy(message));
      })
    );
    for (let i = 0; i < count; i++) this.start();
  }

  /** A new worker. */
  start(): FakeWorker {
    const number = this.#next++;
    const link = new StreamLink({
      coordinator: (message) =>
        this.#post(number, COORDINATOR, () => this.#toCoordinator(number, message)),
      peer: (to, message) =>
        this.#post(number, to, () => {
          if (this.#workers.has(number)) {
            this.#workers.get(to)?.link.fromPeer(number, structuredCopy(message));
          }
        }),
    });
    const worker = { number, hub: new Hub(this.clock, "1.2.3", [link], true), link, alive: true };
    link.attach(worker.hub);
    this.#workers.set(number, worker);
    return worker;
  }

  /** A worker that is there. */
  worker(number: number): FakeWorker {
    const worker = this.#workers.get(number);
    if (!worker) throw new Error(`no worker ${number}`);
    return worker;
  }

  /** The stream as a worker has it. */
  stream(number: number, name = "s"): LiveStream {
    return this.worker(number).hub.obtain(`live/${name}`, this.#vhost, "live", name);
  }

  /** A worker ends without a word. What is on its way to other workers may be lost. */
  kill(number: number): void {
    this.#workers.delete(number);
    this.#post(number, COORDINATOR, () => {
      this.directory.gone(number);
      for (const { link } of this.#workers.values()) {
        link.fromCoordinator({ kind: "gone", worker: number });
      }
    });
  }

  /** A client of a worker asks to publish; the result fills in once messages have been delivered. */
  claim(number: number, address = "10.0.0.1", accept = true): Publishing {
    const stream = this.stream(number);
    const publisher = new FakePublisher(stream);
    publisher.address = address;
    const publishing: Publishing = { publisher, stream, state: "waits", refusal: null };
    this.worker(number).link.claim(stream, address, (refusal) => {
      if (!accept) return false;
      publishing.refusal = refusal;
      publishing.state = !refusal && publisher.start() ? "publishes" : "refused";
      return true;
    });
    return publishing;
  }

  /** Delivers all that is on its way; `pick` chooses the way, of so many, that is next. */
  async deliver(pick: (ways: number) => number = () => 0): Promise<void> {
    await this.#deliver(pick);
    // A publisher that would keep its stream is read first.
    while (this.clock.pending > 0) {
      this.clock.advance(CLEAR_LOOKS_MS[0]);
      await this.#deliver(pick);
    }
  }

  async #deliver(pick: (ways: number) => number): Promise<void> {
    for (;;) {
      // What a worker puts off to the end of its turn is a part of it.
      await Promise.resolve();
      const ways = [...this.#ways.values()].filter((way) => way.length > 0);
      if (ways.length === 0) return;
      ways[pick(ways.length) % ways.length].shift()?.();
    }
  }

  /** Once a second. */
  tick(): void {
    for (const { hub, link } of this.#workers.values()) {
      hub.tick();
      link.tick();
    }
  }

  #toCoordinator(from: number, message: ToCoordinator): void {
    const { directory } = this;
    switch (message.kind) {
      case "watch":
        return directory.watch(from, message.key);
      case "unwatch":
        return directory.unwatch(from, message.key);
      case "claim":
        return directory.claim(from, message.id, message.key, message.address);
      case "release":
        return directory.release(from, message.key, message.epoch);
      case "yielded":
        return directory.yielded(from, message.key, message.yes, message.evicted);
    }
  }

  #post(from: number, to: number, task: () => void): void {
    const way = `${from}>${to}`;
    const queue = this.#ways.get(way);
    if (queue) queue.push(task);
    else this.#ways.set(way, [task]);
  }
}

/** What became of a wish to publish. */
export interface Publishing {
  readonly publisher: FakePublisher;
  readonly stream: LiveStream;
  state: "waits" | "publishes" | "refused";
  refusal: Refusal | null;
}

/** As another thread would get it: shared memory stays shared, all else is copied. */
function structuredCopy<T>(message: T): T {
  return structuredClone(message);
}
