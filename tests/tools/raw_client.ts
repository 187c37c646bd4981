/**
 * A small RTMP client for what no real player lets a test see or do: the server's commands, the size of
 * its reads, half a conversation. Independent of the server's own code.
 * @module
 */
import { Buffer } from "node:buffer";
import net from "node:net";
import { within } from "./process.ts";

/** ms until the server must have answered. */
const ANSWER_LIMIT_MS = 10_000;

/** Bytes of each handshake part but the first. */
const HANDSHAKE_BYTES = 1536;

/** The AMF0 values that commands are made of. */
export type Amf = number | string | boolean | null | { readonly [key: string]: Amf };

/** A message as it came. */
export interface Message {
  readonly type: number;
  readonly timestamp: number;
  readonly payload: Buffer;
  /** Number of the `data` event that completed it. */
  readonly read: number;
  /** ms of `performance.now()` then. */
  readonly at: number;
}

/** RTMP message types used here. */
export const Type = { CHUNK_SIZE: 1, USER_CONTROL: 4, AUDIO: 8, VIDEO: 9, DATA: 18, COMMAND: 20 };

/** Whether it is audio or video. */
export function isMedia(message: Message): boolean {
  return message.type === Type.AUDIO || message.type === Type.VIDEO;
}

/** Whether it is a video keyframe, not a sequence header (legacy H.264). */
export function isKeyframe({ type, payload }: Message): boolean {
  return type === Type.VIDEO && payload[0] === 0x17 && payload[1] === 1;
}

/** Values in AMF0. */
export function encodeAmf(...values: readonly Amf[]): Buffer {
  return Buffer.concat(values.map((value) => {
    if (value === null) return Buffer.from([5]);
    if (typeof value === "boolean") return Buffer.from([1, Number(value)]);
    if (typeof value === "number") {
      const bytes = Buffer.alloc(9);
      bytes.writeDoubleBE(value, 1);
      return bytes;
    }
    if (typeof value === "string") return Buffer.concat([Buffer.from([2]), amfName(value)]);
    const fields = Object.entries(value).flatMap(([key, v]) => [amfName(key), encodeAmf(v)]);
    return Buffer.concat([Buffer.from([3]), ...fields, Buffer.from([0, 0, 9])]);
  }));
}

function amfName(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

/** All values of a payload in AMF0. @throws Error for a type that no command of a server has. */
export function decodeAmf(payload: Buffer): Amf[] {
  let at = 0;
  const text = () => {
    const length = payload.readUInt16BE(at);
    at += 2 + length;
    return payload.toString("utf8", at - length, at);
  };
  const fields = () => {
    const object: { [key: string]: Amf } = {};
    while (payload.readUIntBE(at, 3) !== 9) {
      const key = text();
      object[key] = value();
    }
    at += 3;
    return object;
  };
  const value = (): Amf => {
    const marker = payload[at++];
    switch (marker) {
      case 0:
        at += 8;
        return payload.readDoubleBE(at - 8);
      case 1:
        return payload[at++] !== 0;
      case 2:
        return text();
      case 3:
        return fields();
      case 5:
      case 6:
        return null;
      case 8:
        at += 4;
        return fields();
      case 10: {
        const items: { [key: string]: Amf } = {};
        const count = payload.readUInt32BE(at);
        at += 4;
        for (let i = 0; i < count; i++) items[i] = value();
        return items;
      }
      default:
        throw new Error(`AMF0 marker ${marker} at byte ${at - 1} of ${payload.toString("hex")}`);
    }
  };
  const values: Amf[] = [];
  while (at < payload.length) values.push(value());
  return values;
}

/** The `code` of an onStatus or result, or "" for other messages. */
export function statusCode(message: Message): string {
  if (message.type !== Type.COMMAND) return "";
  for (const value of decodeAmf(message.payload)) {
    if (typeof value === "object" && value !== null && typeof value.code === "string") {
      return value.code;
    }
  }
  return "";
}

/** What is known of a chunk stream of the server's. */
interface ChunkStream {
  timestamp: number;
  delta: number;
  length: number;
  type: number;
  extended: boolean;
  parts: Buffer[];
  received: number;
}

/** One connection. */
export class RawClient {
  /** Everything that came. */
  readonly messages: Message[] = [];
  /** `data` events so far; with small messages about as many as there were writes at the server. */
  reads = 0;
  /** How the connection ended: "end" for an orderly end by the server, else the error's code. */
  readonly ended: Promise<string>;
  readonly #socket: net.Socket;
  readonly #streams = new Map<number, ChunkStream>();
  #input = Buffer.alloc(0);
  #chunkSize = 128;
  #handshakeLeft = 1 + 2 * HANDSHAKE_BYTES;
  #transaction = 1;
  #wake: () => void = () => {};

  private constructor(socket: net.Socket, readonly port: number) {
    this.#socket = socket;
    this.ended = new Promise((resolve) => {
      socket.on("end", () => resolve("end"));
      socket.on("error", (error: Error) => resolve("code" in error ? `${error.code}` : `${error}`));
      socket.on("close", () => resolve("close"));
    }).then((how) => {
      this.#wake();
      return `${how}`;
    });
    socket.on("data", (bytes: Uint8Array) => this.#onData(bytes));
  }

  /** Connects, from an address of this machine, and shakes hands (the simple handshake: no digest). */
  static async open(port: number, from = "127.0.0.1"): Promise<RawClient> {
    const socket = net.connect({ host: "127.0.0.1", port, noDelay: true, localAddress: from });
    const client = new RawClient(socket, port);
    const c1 = Buffer.alloc(HANDSHAKE_BYTES, 0x5a);
    c1.fill(0, 0, 8);
    socket.write(Buffer.concat([Buffer.from([3]), c1]));
    await client.#waitFor("the handshake", () => client.#handshakeLeft === 0 || undefined);
    socket.write(c1);
    return client;
  }

  /** Writes bytes as they are. */
  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Stops reading; the server's data piles up. */
  pause(): void {
    this.#socket.pause();
  }

  /** Closes at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Sends a message of at most one chunk's size at a time, 128 bytes each. */
  send(type: number, payload: Uint8Array, timestamp = 0, messageStream = 1): void {
    const chunkStream = type === Type.COMMAND ? 3 : type === Type.AUDIO ? 4 : 6;
    const header = Buffer.alloc(12);
    header[0] = chunkStream;
    header.writeUIntBE(timestamp, 1, 3);
    header.writeUIntBE(payload.length, 4, 3);
    header[7] = type;
    header.writeUInt32LE(messageStream, 8);
    const parts: Uint8Array[] = [header];
    for (let at = 0; at < payload.length; at += 128) {
      if (at > 0) parts.push(Buffer.from([0xc0 | chunkStream]));
      parts.push(payload.subarray(at, at + 128));
    }
    this.write(Buffer.concat(parts));
  }

  /** Sends a command and returns its transaction id. */
  command(name: string, ...args: readonly Amf[]): number {
    const id = this.#transaction++;
    this.send(Type.COMMAND, encodeAmf(name, id, ...args), 0, 0);
    return id;
  }

  /** Sends a command and waits for its `_result`. */
  async call(name: string, ...args: readonly Amf[]): Promise<Amf[]> {
    const id = this.command(name, ...args);
    const answer = await this.next(`_result of ${name}`, (message) => {
      if (message.type !== Type.COMMAND) return false;
      const [what, which] = decodeAmf(message.payload);
      return what === "_result" && which === id;
    });
    return decodeAmf(answer.payload);
  }

  /** connect and createStream. `app` may carry a query, `tcUrl` replaces the one made of it. */
  async connect(app: string, tcUrl = `rtmp://127.0.0.1:${this.port}/${app}`): Promise<void> {
    await this.call("connect", { app, tcUrl, flashVer: "LNX 10,0,32,18" });
    await this.call("createStream", null);
  }

  /** Asks to play, and waits for the server's agreement. */
  async play(app: string, stream: string): Promise<void> {
    await this.connect(app);
    this.command("play", null, stream, -2000);
    await this.status("NetStream.Play.Start");
  }

  /** Asks to publish the way ffmpeg and OBS do, and waits for the server's agreement. */
  async publish(app: string, stream: string): Promise<void> {
    await this.call("connect", { app, tcUrl: `rtmp://127.0.0.1:${this.port}/${app}` });
    this.command("releaseStream", null, stream);
    this.command("FCPublish", null, stream);
    await this.call("createStream", null);
    this.command("publish", null, stream, "live");
    await this.next(
      "agreement to publish",
      (message) =>
        message.type === Type.COMMAND && decodeAmf(message.payload)[0] === "onStatus" &&
        statusCode(message) === "NetStream.Publish.Start",
    );
  }

  /** Waits for a status with this code. */
  async status(code: string): Promise<Message> {
    return await this.next(code, (message) => statusCode(message) === code);
  }

  /** The first message since the connection began that `wanted` accepts; waits for it. */
  async next(what: string, wanted: (m: Message) => boolean): Promise<Message> {
    return await this.#waitFor(what, () => this.messages.find(wanted));
  }

  /** Waits until `condition` gives something; it is looked at whenever something came. */
  async #waitFor<T>(what: string, condition: () => T | undefined): Promise<T> {
    let gone = false;
    this.ended.then(() => {
      gone = true;
      this.#wake();
    });
    const wait = async () => {
      while (true) {
        const woken = new Promise<void>((resolve) => this.#wake = resolve);
        const value = condition();
        if (value !== undefined) return value;
        if (gone) throw new Error(`the server closed before: ${what}`);
        await woken;
      }
    };
    return await within(what, ANSWER_LIMIT_MS, wait());
  }

  #onData(bytes: Uint8Array): void {
    this.reads++;
    const skipped = Math.min(this.#handshakeLeft, bytes.length);
    this.#handshakeLeft -= skipped;
    this.#input = Buffer.concat([this.#input, bytes.subarray(skipped)]);
    let used = 0;
    for (let size = this.#chunk(this.#input); size > 0;) {
      used += size;
      size = this.#chunk(this.#input.subarray(used));
    }
    this.#input = this.#input.subarray(used);
    this.#wake();
  }

  /** Takes one chunk from the front; returns its size, or 0 when it is not all there. */
  #chunk(input: Buffer): number {
    if (input.length < 1) return 0;
    const format = input[0] >> 6;
    const id = input[0] & 63;
    if (id < 2) throw new Error("the server uses a long chunk stream id");
    let at = 1 + [11, 7, 3, 0][format];
    if (input.length < at) return 0;
    const known = this.#streams.get(id);
    const stream = known ??
      { timestamp: 0, delta: 0, length: 0, type: 0, extended: false, parts: [], received: 0 };
    const extended = format === 3 ? stream.extended : input.readUIntBE(1, 3) === 0xffffff;
    if (extended) at += 4;
    const length = format < 2 ? input.readUIntBE(4, 3) : stream.length;
    const size = Math.min(this.#chunkSize, length - stream.received);
    if (input.length < at + size) return 0;
    if (known === undefined) this.#streams.set(id, stream);
    stream.length = length;
    stream.extended = extended;
    if (format < 2) stream.type = input[7];
    if (format < 3) stream.delta = extended ? input.readUInt32BE(at - 4) : input.readUIntBE(1, 3);
    if (stream.received === 0) {
      stream.timestamp = format === 0 ? stream.delta : stream.timestamp + stream.delta;
    }
    stream.parts.push(Buffer.from(input.subarray(at, at + size)));
    stream.received += size;
    if (stream.received === stream.length) this.#complete(stream);
    return at + size;
  }

  #complete(stream: ChunkStream): void {
    const payload = Buffer.concat(stream.parts);
    stream.parts = [];
    stream.received = 0;
    if (stream.type === Type.CHUNK_SIZE) this.#chunkSize = payload.readUInt32BE(0);
    const { type, timestamp } = stream;
    this.messages.push({ type, timestamp, payload, read: this.reads, at: performance.now() });
  }
}
