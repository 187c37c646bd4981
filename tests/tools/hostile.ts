/**
 * An attack as a test: a server, a control stream beside it, the attack in small to warm the server up,
 * then in full; after that the memory is back, nobody is left, and nothing went wrong inside.
 * @module
 */
import assert from "node:assert/strict";
import { Attacker } from "./attacker.ts";
import { ControlStream } from "./control_stream.ts";
import { Edge, type EdgeOptions } from "./edge.ts";
import { sleep, until, within } from "./process.ts";

/** ms that a test may take unless it says otherwise. */
const LIMIT_MS = 90_000;

/** Bytes by which the server may be larger after an attack than before. */
export const MEMORY_SLACK = 32 << 20;

/** ms for that: the server has its garbage collected up to 35 s after a burst (`RESTS_MS`). */
const MEMORY_LIMIT_MS = 45_000;

/** ms until the server has noticed that its peers are gone, or has closed one that broke a rule. */
const CLOSE_LIMIT_MS = 10_000;

/** Connections of the control stream. */
const CONTROL_CONNECTIONS = 2;

/** How an attack is run. */
export interface HostileOptions extends EdgeOptions {
  readonly limitMs?: number;
  /** What `count` is in the attack (default 1) ... */
  readonly full?: number;
  /** ... and in the one before it that warms the server up (default 1; 0: there is none). */
  readonly warmUp?: number;
  /** ms until the memory must be back; default: `MEMORY_LIMIT_MS`. */
  readonly memoryLimitMs?: number;
  /** Bytes by which the server may grow during the attack; default: any number. */
  readonly peak?: number;
}

/** What an attack may use. */
export class Hostile {
  readonly #attackers: Attacker[] = [];
  readonly #cleanUps: (() => void)[] = [];

  constructor(readonly edge: Edge, readonly control: ControlStream, readonly folder: string) {}

  /** A new connection that says `bytes`. */
  async attacker(bytes?: Uint8Array, halfOpen = false): Promise<Attacker> {
    const attacker = await Attacker.open(this.edge.port, bytes, halfOpen);
    this.#attackers.push(attacker);
    return attacker;
  }

  /** Several of them. */
  async attackers(count: number, bytes: (index: number) => Uint8Array): Promise<Attacker[]> {
    const made: Attacker[] = [];
    for (let i = 0; i < count; i++) made.push(await this.attacker(bytes(i)));
    return made;
  }

  /** Has `task` run when the attack is over, whatever its end. */
  onEnd(task: () => void): void {
    this.#cleanUps.push(task);
  }

  /** Asserts that the server ends a connection within `limitMs`, and logs a reason that matches. */
  async refused(attacker: Attacker, reason: RegExp, limitMs = CLOSE_LIMIT_MS): Promise<void> {
    await within(`the server's close (${reason})`, limitMs, attacker.ended);
    await until(`the reason in the log (${reason})`, CLOSE_LIMIT_MS, () => {
      const line = this.reason(attacker);
      if (line !== null) assert.match(line, reason);
      return line !== null;
    });
  }

  /** The line with which the server has ended a connection, or null. */
  reason(attacker: Attacker): string | null {
    return this.edge.connection(attacker.localPort)?.disconnect ?? null;
  }

  /** Whether the log says that a connection's publish is over. */
  unpublished(attacker: Attacker): boolean {
    const lines = this.edge.connection(attacker.localPort)?.lines ?? [];
    return lines.some((line) => line.includes("cleanup when unpublish"));
  }

  /** Asserts that the server has worked through all that was sent, and keeps the connection. */
  async kept(attacker: Attacker): Promise<void> {
    const before = attacker.receivedBytes;
    attacker.write(PING);
    await until("an answer to a ping", CLOSE_LIMIT_MS, () => {
      assert.equal(attacker.end, null, `closed: ${this.reason(attacker)}`);
      return attacker.receivedBytes > before;
    });
  }

  /** Ends all connections of the attack. */
  destroy(): void {
    for (const attacker of this.#attackers.splice(0)) attacker.destroy();
    for (const task of this.#cleanUps.splice(0)) task();
  }

  /** Ends all connections of the attack, and waits until the server has only the control stream's. */
  async leave(): Promise<void> {
    this.destroy();
    let left = 0;
    await until("the end of all other connections", CLOSE_LIMIT_MS, async () => {
      left = await this.edge.connections();
      return left === CONTROL_CONNECTIONS;
    }).catch((error: unknown) => {
      throw new Error(`${left - CONTROL_CONNECTIONS} connections are left`, { cause: error });
    });
  }
}

/** A ping on the control chunk stream, in one chunk. */
const PING = Uint8Array.from([2, 0, 0, 0, 0, 0, 6, 4, 0, 0, 0, 0, 0, 6, 0, 0, 0, 1]);

/** Runs an attack. @throws when the server does not stand it. */
export async function attack(
  work: (h: Hostile, count: number) => Promise<void>,
  options: HostileOptions = {},
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "srs-edge-hostile-" });
  const edge = new Edge(folder, options);
  const held: { control?: ControlStream; hostile?: Hostile; memory?: Memory } = {};
  const run = async () => {
    await edge.ready();
    const control = held.control = await ControlStream.start(edge.port);
    const hostile = held.hostile = new Hostile(edge, control, folder);
    const warmUp = options.warmUp ?? 1;
    if (warmUp !== 0) await work(hostile, warmUp);
    await hostile.leave();
    await control.progress("before the attack");
    const memory = held.memory = new Memory(edge);
    await work(hostile, options.full ?? 1);
    await control.progress("after the attack");
    memory.assertPeak(options.peak ?? Infinity);
    await hostile.leave();
    await memory.assertBack(options.memoryLimitMs ?? MEMORY_LIMIT_MS);
    await control.progress("at the end");
    assert.equal(edge.process.exit, null, "the server runs");
    assert.deepEqual(edge.faults, [], "faults in the log");
  };
  try {
    await within("the end of the test", options.limitMs ?? LIMIT_MS, run());
  } catch (error) {
    console.error(`\n${edge.process.report(40)}`);
    throw error;
  } finally {
    held.memory?.stop();
    held.hostile?.destroy();
    held.control?.stop();
    await edge.process.kill();
    await Deno.remove(folder, { recursive: true });
  }
}

/** Defines a test that runs an attack; the row's number goes to the front of the name. */
export function hostile(
  name: string,
  work: (h: Hostile, count: number) => Promise<void>,
  options: HostileOptions = {},
): void {
  Deno.test(name, () => attack(work, options));
}

/** ms between two looks at the memory. */
const MEMORY_LOOK_MS = 100;

/** Watches the server's resident memory from its making on. */
class Memory {
  readonly #before: number;
  #peak: number;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(readonly edge: Edge) {
    this.#before = this.#peak = edge.residentBytes();
    this.#timer = setInterval(() => this.#look(), MEMORY_LOOK_MS);
  }

  #look(): number {
    const now = this.edge.process.exit === null ? this.edge.residentBytes() : 0;
    this.#peak = Math.max(this.#peak, now);
    return now;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  assertPeak(limit: number): void {
    this.stop();
    const grown = this.#peak - this.#before;
    assert.ok(grown <= limit, `the server grew by ${grown >> 20} MB, ${limit >> 20} are allowed`);
  }

  async assertBack(limitMs: number): Promise<void> {
    const end = performance.now() + limitMs;
    while (true) {
      const more = this.#look() - this.#before;
      if (more <= MEMORY_SLACK) return;
      assert.ok(
        performance.now() < end,
        `the server is still ${more >> 20} MB larger than before (${this.#before >> 20} MB), ` +
          `at most it was ${(this.#peak - this.#before) >> 20} MB larger`,
      );
      await sleep(MEMORY_LOOK_MS);
    }
  }
}
