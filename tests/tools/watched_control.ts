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

/**
 * Watches over a server. A gap is counted in messages that have been sent and have not come: the publisher
 * is in this process, so that a busy test stops both.
 */
export class WatchedControl {
  /** The most messages that each player was behind. */
  #behind = { rtmp: 0, http: 0 };
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #firstTag: number;

  private constructor(readonly control: ControlStream, readonly flv: FlvClient) {
    this.#firstTag = this.#offset;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  /**
   * The vhost needs `http_remux { enabled on; }` at the port `apiPort`. `query`: what the publisher's URL
   * ends in.
   */
  static async start(
    server: { port: number; apiPort: number },
    query = "",
  ): Promise<WatchedControl> {
    const control = await ControlStream.start(server.port, query);
    try {
      const url = `http://127.0.0.1:${server.apiPort}/control/stream.flv`;
      const flv = await FlvClient.open(url);
      await flv.received(10);
      await control.progress("the control stream's HTTP player", 5);
      return new WatchedControl(control, flv);
    } catch (error) {
      control.stop();
      throw error;
    }
  }

  /** Asserts that all that was sent has come, with no gap. */
  async fine(when: string): Promise<void> {
    await this.control.progress(when, 10);
    assert.equal(this.flv.end, null, `${when}: the HTTP player's stream has ended`);
    for (const [player, messages] of Object.entries(this.#behind)) {
      const gap = messages * MESSAGE_MS;
      assert.ok(gap <= MAX_GAP_MS, `${when}: the ${player} player stood still for ${gap} ms`);
    }
  }

  /** ms for which a player stood still at most. */
  get worstMs(): number {
    return Math.max(...Object.values(this.#behind)) * MESSAGE_MS;
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
    this.#behind.rtmp = Math.max(this.#behind.rtmp, publisher.sent - 1 - player.last);
    this.#behind.http = Math.max(this.#behind.http, this.#offset - this.#firstTag);
  }
}
