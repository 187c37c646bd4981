/**
 * A client that a server can ask to connect anew (Enhanced RTMP's `capsEx`).
 * @module
 */
import { Buffer } from "node:buffer";
import { RawClient, Type } from "./raw_client.ts";

/** `capsEx`: it can be asked to connect anew. */
const RECONNECT = 1;
/** The status with which it is asked. */
export const REQUEST = "NetConnection.Connect.ReconnectRequest";

/** A client that announces that it can be asked to connect anew. */
export class Movable {
  #timer: ReturnType<typeof setInterval> | undefined;

  private constructor(readonly client: RawClient) {}

  /** Publishes or plays `live/STREAM`. */
  static async connect(port: number, what: "publish" | "play", stream: string): Promise<Movable> {
    const client = await RawClient.open(port);
    const tcUrl = `rtmp://127.0.0.1:${port}/live`;
    await client.call("connect", { app: "live", tcUrl, capsEx: RECONNECT });
    await client.call("createStream", null);
    client.command(what, null, stream, "live");
    await client.status(`NetStream.${what === "play" ? "Play" : "Publish"}.Start`);
    return new Movable(client);
  }

  /** Sends keyframes, ten a second. */
  send(): this {
    let time = 0;
    this.#timer = setInterval(() => {
      this.client.send(Type.VIDEO, Buffer.from([0x17, 1, 0, 0, 0, 1, 2, 3]), time += 100);
    }, 100);
    return this;
  }

  /** Waits for the request, and returns where it is to go. */
  async asked(): Promise<unknown> {
    const message = await this.client.status(REQUEST);
    return /tcUrl.{3}([\w:/.]+)/s.exec(message.payload.toString("latin1"))?.[1];
  }

  /** Closes its connection at once. */
  leave(): void {
    clearInterval(this.#timer);
    this.client.destroy();
  }
}
