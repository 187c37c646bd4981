/**
 * An attack beside a control stream with an RTMP and an HTTP player, neither of which may lose a message
 * or stand still; the server's memory is watched meanwhile.
 * @module
 */
import assert from "node:assert/strict";
import { Attacker } from "./attacker.ts";
import { Edge, type EdgeOptions } from "./edge.ts";
import { sleep, until, within } from "./process.ts";
import { WatchedControl } from "./watched_control.ts";

/** ms that such a test may take unless it says otherwise. */
const LIMIT_MS = 60_000;

/** ms between two looks at the memory. */
const LOOK_MS = 50;

/** Bytes by which a server that has its rest again may be larger than before. */
export const SETTLED_SLACK = 40 << 20;

/** ms until it has that rest: the server has its garbage collected up to 35 s after a burst. */
const SETTLED_LIMIT_MS = 45_000;

/** What an attack may use. */
export class WatchedAttack {
  readonly #attackers: Attacker[] = [];
  #before = 0;
  #peak = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(readonly edge: Edge, readonly control: WatchedControl, readonly folder: string) {}

  /** A connection to the RTMP port, or another one, that says `bytes`. */
  async open(bytes?: Uint8Array | string, port = this.edge.port): Promise<Attacker> {
    const said = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
    const attacker = await Attacker.open(port, said);
    this.#attackers.push(attacker);
    return attacker;
  }

  /** Says something to the API's port, and returns all that comes until the server closes. */
  async ask(bytes: Uint8Array | string, limitMs = 15_000): Promise<string> {
    const attacker = await this.open(bytes, this.edge.apiPort);
    await within("the end of an HTTP connection", limitMs, attacker.ended);
    return attacker.received.toString("latin1");
  }

  /** Watches the memory from now on. */
  watchMemory(): void {
    this.#before = this.#peak = this.edge.residentBytes();
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS);
  }

  /** The most bytes by which the server has grown since. */
  get grown(): number {
    this.#look();
    return this.#peak - this.#before;
  }

  /** Waits until the memory is back where it was. */
  async settled(slack = SETTLED_SLACK): Promise<void> {
    await until(`the memory of before and ${slack >> 20} MB`, SETTLED_LIMIT_MS, () => {
      return this.edge.residentBytes() - this.#before <= slack;
    }).catch((error: unknown) => {
      const more = (this.edge.residentBytes() - this.#before) >> 20;
      throw new Error(`the server is ${more} MB larger than before`, { cause: error });
    });
  }

  /** Ends the attack's connections, and lets go of them. */
  leave(): void {
    for (const attacker of this.#attackers.splice(0)) attacker.destroy();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.leave();
  }

  #look(): void {
    if (this.edge.process.exit !== null) return;
    this.#peak = Math.max(this.#peak, this.edge.residentBytes());
  }
}

/** How such a test's server is. */
export interface WatchedOptions extends EdgeOptions {
  /** Files that it needs in its folder, whose name stands for FOLDER in the directives. */
  readonly prepare?: (folder: string) => Promise<void>;
  /** ms that it may take; default: `LIMIT_MS`. */
  readonly limitMs?: number;
}

/** Defines a test; the row's number goes to the front of its name. */
export function watchedAttack(
  name: string,
  work: (a: WatchedAttack) => Promise<void>,
  options: WatchedOptions = {},
): void {
  Deno.test(name, async () => {
    const folder = await Deno.makeTempDir({ prefix: "srs-edge-attack-" });
    const vhost = options.vhost ?? "min_latency on; http_remux { enabled on; }";
    const api = options.api?.replaceAll("FOLDER", folder) ?? "";
    await options.prepare?.(folder);
    const edge = new Edge(folder, { ...options, vhost, api });
    const held: { control?: WatchedControl; attack?: WatchedAttack } = {};
    const run = async () => {
      await edge.ready();
      const control = held.control = await WatchedControl.start(edge);
      const attack = held.attack = new WatchedAttack(edge, control, folder);
      attack.watchMemory();
      await work(attack);
      attack.leave();
      await control.fine("after the attack");
      console.log(`worst gap of the control stream: ${control.worstMs} ms`);
      assert.equal(edge.process.exit, null, "the server runs");
      assert.deepEqual(edge.faults, [], "faults in the log");
    };
    try {
      await within("the end of the test", options.limitMs ?? LIMIT_MS, run());
    } catch (error) {
      console.error(`\n${edge.process.report(40)}`);
      throw error;
    } finally {
      held.attack?.stop();
      held.control?.stop();
      await edge.process.kill();
      await sleep(0);
      await Deno.remove(folder, { recursive: true });
    }
  });
}
