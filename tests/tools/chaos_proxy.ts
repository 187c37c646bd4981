/**
 * A TCP proxy with bad weather: for every connection, and anew every second or two, it draws whether
 * bytes come at once, late, slowly, not at all for a while, or whether the connection is cut. The draw
 * has a seed, so that a failure can be repeated as far as the rest of the machine allows.
 * @module
 */
import net from "node:net";
import { freePort } from "./server.ts";

/** What can happen to a connection, and how often of ten times. */
const WEATHER = {
  calm: 4,
  delay: 2,
  throttle: 2,
  stall: 1,
  cut: 1,
} as const;

/** A kind of weather. */
export type Weather = keyof typeof WEATHER;

/** ms for which the weather holds, at least and at most. */
const SPELL_MS = [500, 2500] as const;
/** Longest delay, ms. */
const DELAY_MS = 400;
/** Bytes a second of a slow connection. */
const THROTTLE_BYTES = 20_000;
/** ms between two looks at what is due. */
const STEP_MS = 10;
/** Bytes held per direction before the sender has to wait. */
const HELD_BYTES = 128 * 1024;

/** Numbers from 0 to 1 that depend on the seed alone (mulberry32). */
export function seeded(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** One direction of a connection. */
class Pipe {
  readonly #queue: { readonly bytes: Uint8Array; readonly due: number }[] = [];
  #held = 0;
  #ended = false;

  constructor(readonly from: net.Socket, readonly to: net.Socket, delayMs: () => number) {
    from.on("data", (bytes: Uint8Array) => {
      this.#queue.push({ bytes, due: performance.now() + delayMs() });
      this.#held += bytes.length;
      if (this.#held > HELD_BYTES) from.pause();
    });
    from.on("end", () => this.#ended = true);
  }

  /** Passes on what is due, at most so many bytes. */
  step(limit: number): void {
    const now = performance.now();
    while (limit > 0) {
      const [first] = this.#queue;
      if (!first || first.due > now) break;
      this.#queue.shift();
      const now_ = first.bytes.subarray(0, limit);
      if (now_.length < first.bytes.length) {
        this.#queue.unshift({ bytes: first.bytes.subarray(limit), due: first.due });
      }
      limit -= now_.length;
      this.#held -= now_.length;
      this.to.write(now_);
    }
    if (this.#held <= HELD_BYTES / 2) this.from.resume();
    if (this.#ended && this.#queue.length === 0) this.to.end();
  }
}

/** The proxy. */
export class ChaosProxy {
  readonly port = freePort();
  /** How often each weather was drawn. */
  readonly drawn: Record<Weather, number> = { calm: 0, delay: 0, throttle: 0, stall: 0, cut: 0 };
  /** From now on everything is calm. */
  calm = false;
  readonly #server: net.Server;
  readonly #random: () => number;
  readonly #open = new Set<net.Socket>();

  private constructor(readonly target: number, seed: number) {
    this.#random = seeded(seed);
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#accept(socket);
    });
  }

  /** Listens in front of a loopback port. */
  static async start(target: number, seed: number): Promise<ChaosProxy> {
    const proxy = new ChaosProxy(target, seed);
    await new Promise<void>((resolve) => proxy.#server.listen(proxy.port, "127.0.0.1", resolve));
    return proxy;
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#open.size;
  }

  /** Ends it and every connection. */
  async stop(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(near: net.Socket): void {
    const far = net.connect({
      host: "127.0.0.1",
      port: this.target,
      allowHalfOpen: true,
      noDelay: true,
    });
    this.#open.add(near);
    let weather: Weather = "calm";
    let until = 0;
    const delay = () => weather === "delay" ? this.#random() * DELAY_MS : 0;
    const pipes = [new Pipe(near, far, delay), new Pipe(far, near, delay)];
    const timer = setInterval(() => {
      const now = performance.now();
      if (now >= until) {
        weather = this.#draw();
        until = now + SPELL_MS[0] + this.#random() * (SPELL_MS[1] - SPELL_MS[0]);
      }
      if (weather === "cut") return void near.destroy();
      if (weather === "stall") return;
      const limit = weather === "throttle" ? THROTTLE_BYTES * STEP_MS / 1000 : Infinity;
      for (const pipe of pipes) pipe.step(limit);
    }, STEP_MS);
    for (const [socket, other] of [[near, far], [far, near]]) {
      socket.on("error", () => {});
      socket.on("close", () => {
        clearInterval(timer);
        this.#open.delete(near);
        other.destroy();
      });
    }
  }

  #draw(): Weather {
    let dice = this.calm ? 0 : this.#random() * 10;
    for (const weather of Object.keys(WEATHER) as Weather[]) {
      dice -= WEATHER[weather];
      if (dice < 0) {
        this.drawn[weather]++;
        return weather;
      }
    }
    return "calm";
  }
}
