/**
 * A peer without manners: it says what an attack wants in whole or in pieces, and waits for nothing.
 * @module
 */
import { Buffer } from "node:buffer";
import net from "node:net";
import { be, chunk } from "../unit/support/naive_chunks.ts";
import { until, within } from "./process.ts";
import { type Amf, encodeAmf } from "./raw_client.ts";

/** Bytes of an answer that are kept to be looked at. */
const KEPT_BYTES = 256 * 1024;

/** ms until a connection must stand. */
const CONNECT_LIMIT_MS = 15_000;

/** Chunk size until another is announced. */
const CHUNK_BYTES = 128;

/** C0, C1 and C2 of a simple handshake, all at once: the server looks at no byte of C2. */
export const HANDSHAKE: Uint8Array = Buffer.concat([
  Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 0]),
  Buffer.alloc(1528 + 1536, 0x5a),
]);

/** A message, by its header fields. */
export interface Outgoing {
  readonly type: number;
  readonly payload: Uint8Array;
  readonly csid?: number;
  readonly timestamp?: number;
  readonly msid?: number;
}

/** A message in chunks of `chunkBytes`. */
export function message(
  { type, payload, csid = 6, timestamp = 0, msid = 1 }: Outgoing,
  chunkBytes = CHUNK_BYTES,
): Uint8Array {
  const fields = { csid, time: timestamp, length: payload.length, type, msid };
  const pieces = [chunk(0, fields, payload.subarray(0, chunkBytes))];
  const repeated = timestamp >= 0xffffff ? { csid, repeated: timestamp } : { csid };
  for (let at = chunkBytes; at < payload.length; at += chunkBytes) {
    pieces.push(chunk(3, repeated, payload.subarray(at, at + chunkBytes)));
  }
  return Buffer.concat(pieces);
}

/** A command message. */
export function command(name: Amf, ...values: readonly Amf[]): Uint8Array {
  return message({ type: 20, payload: encodeAmf(name, ...values), csid: 3, msid: 0 });
}

/** A control message with one 32-bit number. */
export function control(type: number, value: number, chunkBytes = CHUNK_BYTES): Uint8Array {
  return message({ type, payload: Uint8Array.from(be(value, 4)), csid: 2, msid: 0 }, chunkBytes);
}

/** Set Chunk Size; `now` is the chunk size that it is itself cut by. */
export function setChunkSize(size: number, now = CHUNK_BYTES): Uint8Array {
  return control(1, size, now);
}

/** A ping request. */
export function ping(value: number): Uint8Array {
  const payload = Uint8Array.from([0, 6, ...be(value, 4)]);
  return message({ type: 4, payload, csid: 2, msid: 0 });
}

/** A connect command; `more` replaces or adds to its fields. */
export function connect(more: { readonly [key: string]: Amf } = {}): Uint8Array {
  return command("connect", 1, { app: "live", tcUrl: "rtmp://127.0.0.1/live", ...more });
}

/** Everything up to a publish or play, said in one breath. */
export function hello(
  what: "publish" | "play" | "nothing",
  name: Amf = "s",
  app = "live",
): Uint8Array {
  const connecting = connect({ app, tcUrl: `rtmp://127.0.0.1/${app}` });
  const parts = [HANDSHAKE, connecting, command("createStream", 2, null)];
  if (what !== "nothing") parts.push(command(what, 3, null, name));
  return Buffer.concat(parts);
}

/** One connection. */
export class Attacker {
  /** The beginning of what came. */
  received: Buffer = Buffer.alloc(0);
  /** Bytes that came. */
  receivedBytes = 0;
  /** How the connection ended: "end" in an orderly way, else the error's code; null: it has not. */
  end: string | null = null;
  /** Resolves with `end`. */
  readonly ended: Promise<string>;
  localPort = 0;
  readonly #socket: net.Socket;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    this.ended = new Promise((resolve) => {
      const over = (how: string) => {
        this.end ??= how;
        resolve(this.end);
      };
      socket.on("end", () => over("end"));
      socket.on("error", (error: Error) => over("code" in error ? `${error.code}` : `${error}`));
      socket.on("close", () => over("close"));
    });
    socket.on("data", (bytes: Uint8Array) => {
      this.receivedBytes += bytes.length;
      if (this.received.length < KEPT_BYTES) this.received = Buffer.concat([this.received, bytes]);
    });
  }

  /** Connects, and says `bytes`. `halfOpen`: it does not close when the server does. */
  static async open(
    port: number,
    bytes: Uint8Array = new Uint8Array(0),
    halfOpen = false,
  ): Promise<Attacker> {
    const socket = new net.Socket({ allowHalfOpen: halfOpen });
    const attacker = new Attacker(socket);
    const connected = new Promise<void>((resolve) => socket.on("connect", resolve));
    socket.connect({ host: "127.0.0.1", port, noDelay: true });
    await within("a connection", CONNECT_LIMIT_MS, Promise.race([connected, attacker.ended]));
    attacker.localPort = socket.localPort ?? 0;
    if (bytes.length > 0) attacker.write(bytes);
    return attacker;
  }

  /** Writes bytes as they are; nothing happens when the connection is over. */
  write(bytes: Uint8Array): void {
    if (this.end === null) this.#socket.write(bytes);
  }

  /** Writes, and waits until the kernel has taken all of it, or the connection is over. */
  async flush(bytes: Uint8Array): Promise<void> {
    if (this.end !== null) return;
    const taken = new Promise<void>((resolve) => this.#socket.write(bytes, () => resolve()));
    await Promise.race([taken, this.ended]);
  }

  /** Stops reading. */
  pause(): void {
    this.#socket.pause();
  }

  /** Reads on. */
  resume(): void {
    this.#socket.resume();
  }

  /** Waits until the server has said `text`. */
  async hears(text: string, limitMs = CONNECT_LIMIT_MS): Promise<void> {
    await until(`"${text}" from the server`, limitMs, () => {
      if (this.received.includes(text)) return true;
      if (this.end !== null) throw new Error(`closed (${this.end}) before it said "${text}"`);
      return false;
    });
  }

  /** Closes at once. */
  destroy(): void {
    this.#socket.destroy();
  }
}
