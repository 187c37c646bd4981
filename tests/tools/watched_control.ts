/**
 * A control stream with one RTMP and one HTTP player that neither loses a message nor stands still.
 * @module
 */
import assert from "node:assert/strict";
import { ControlStream } from "./control_stream.ts";
import { FlvClient } from "./flv_client.ts";

/** ms between two looks. */
const LOOK_MS = 20;

/** ms between two messages of the control stream (`INTERVAL_MS` in control_stream.ts). */
const MESSAGE_MS = 20;

/** ms for which no player may stand still. */
export const MAX_GAP_MS = 500;

/** Messages by which a player may be behind and is still in time. */
const IN_TIME = 5;

/** The server that is watched. */
export interface Watched {
  readonly port: number;
  /** A port that serves HTTP-FLV. */
  readonly apiPort: number;
  readonly process: { readonly pid: number };
}

/** How long a player stood still. */
interface Standstill {
  /** ms that the server's main thread had waited for a core when the player was last in time. */
  waitedMs: number;
  /** ms of the longest gap, less what the server waited for a core during it. */
  worstMs: number;
}

/**
 * ms that a process's main thread has been ready and has waited for a core. The kernel counts it as the
 * second figure of `schedstat`, in ns.
 */
function coreWaitMs(pid: number): number {
  try {
    const figures = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/schedstat`).split(" ");
    return Number(figures[1]) / 1e6;
  } catch (error) {
    // The server has ended, which its test notices.
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

/**
 * Watches over a server. A gap is counted in messages that have been sent and have not come. The publisher
 * is in this process, so that a busy test stops both; the time for which other programs have the cores is
 * no fault of the server and is not counted.
 */
export class WatchedControl {
  readonly #still: Record<"rtmp" | "http", Standstill>;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #firstTag: number;

  private constructor(
    readonly control: ControlStream,
    readonly flv: FlvClient,
    readonly pid: number,
  ) {
    this.#firstTag = this.#offset;
    const waitedMs = coreWaitMs(pid);
    this.#still = { rtmp: { waitedMs, worstMs: 0 }, http: { waitedMs, worstMs: 0 } };
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  /**
   * The vhost needs `http_remux { enabled on; }` at the port `apiPort`. `query`: what the publisher's URL
   * ends in.
   */
  static async start(server: Watched, query = ""): Promise<WatchedControl> {
    const control = await ControlStream.start(server.port, query);
    try {
      const url = `http://127.0.0.1:${server.apiPort}/control/stream.flv`;
      const flv = await FlvClient.open(url);
      await flv.received(10);
      await control.progress("the control stream's HTTP player", 5);
      return new WatchedControl(control, flv, server.process.pid);
    } catch (error) {
      control.stop();
      throw error;
    }
  }

  /** Asserts that all that was sent has come, with no gap. */
  async fine(when: string): Promise<void> {
    await this.control.progress(when, 10);
    assert.equal(this.flv.end, null, `${when}: the HTTP player's stream has ended`);
    for (const [player, { worstMs }] of Object.entries(this.#still)) {
      const gap = Math.round(worstMs);
      assert.ok(gap <= MAX_GAP_MS, `${when}: the ${player} player stood still for ${gap} ms`);
    }
  }

  /** ms for which a player stood still at most. */
  get worstMs(): number {
    return Math.round(Math.max(this.#still.rtmp.worstMs, this.#still.http.worstMs));
  }

  stop(): void {
    clearInterval(this.#timer);
    this.flv.close();
    this.control.stop();
  }

  /** Messages sent less tags received. */
  get #offset(): number {
    return this.control.publisher.sent - this.flv.tags.length;
  }

  #look(): void {
    const { publisher, player } = this.control;
    this.control.check("while it is watched");
    const waitedMs = coreWaitMs(this.pid);
    note(this.#still.rtmp, publisher.sent - 1 - player.last, waitedMs);
    note(this.#still.http, this.#offset - this.#firstTag, waitedMs);
  }
}

/** Notes that a player is `behind` by so many messages. */
function note(still: Standstill, behind: number, waitedMs: number): void {
  if (behind <= IN_TIME) still.waitedMs = waitedMs;
  const gap = behind * MESSAGE_MS - (waitedMs - still.waitedMs);
  if (gap > still.worstMs) still.worstMs = gap;
}
