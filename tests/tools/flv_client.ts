/**
 * Clients of HTTP-FLV and WebSocket-FLV that look at every byte, and some that do not even read.
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import net from "node:net";
import { type FlvTag, FlvTagReader } from "../../src/flv/flv_tag.ts";
import { until, within } from "./process.ts";

/** ms for an answer, or for the next tags of a stream. */
const ANSWER_LIMIT_MS = 15_000;

/** An FLV stream as it comes in. */
export class FlvClient {
  readonly tags: FlvTag[] = [];
  /** The flags of the FLV header; null: it has not come. */
  flags: number | null = null;
  /** Messages of the WebSocket, or pieces of the body. */
  pieces: Uint8Array[] = [];
  /** How it ended; null: it has not. */
  end: "clean" | "broken" | null = null;
  readonly #reader = new FlvTagReader();
  #close: () => void = () => {};
  #paused: Promise<void> | null = null;

  /** Asks for a stream by `http:` or `ws:`; resolves when the answer has begun. */
  static async open(url: string): Promise<FlvClient> {
    const client = new FlvClient();
    if (url.startsWith("ws:")) await client.#openSocket(url);
    else await client.#openBody(url);
    return client;
  }

  close(): void {
    this.#close();
  }

  /** Reads nothing more of the body until the result is called. */
  pause(): () => void {
    let resume = () => {};
    this.#paused = new Promise((resolve) => resume = resolve);
    return resume;
  }

  /** Waits until it has this many tags. */
  async received(count: number): Promise<void> {
    await until(`${count} FLV tags`, ANSWER_LIMIT_MS, () => {
      assert.equal(this.end, null, `the stream has ended after ${this.tags.length} tags`);
      return this.tags.length >= count;
    });
  }

  /** Waits for its end and tells how it was. */
  ended(limitMs = ANSWER_LIMIT_MS): Promise<"clean" | "broken"> {
    return until("the end of the FLV stream", limitMs, () => this.end);
  }

  async #openSocket(url: string): Promise<void> {
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    this.#close = () => socket.close();
    let opened = false;
    socket.onopen = () => opened = true;
    socket.onmessage = ({ data }) => {
      assert.ok(data instanceof ArrayBuffer, "messages are binary");
      this.#take(new Uint8Array(data));
    };
    socket.onclose = ({ wasClean }) => this.end ??= wasClean ? "clean" : "broken";
    socket.onerror = () => this.end ??= "broken";
    await until("the WebSocket", ANSWER_LIMIT_MS, () => opened || this.end !== null);
    assert.ok(opened, "the WebSocket was refused");
  }

  async #openBody(url: string): Promise<void> {
    const response = await within("an answer", ANSWER_LIMIT_MS, fetch(url));
    assert.equal(response.status, 200, response.status === 200 ? "" : await response.text());
    assert.equal(response.headers.get("content-type"), "video/x-flv");
    assert.ok(response.body);
    const reader = response.body.getReader();
    this.#close = () => void reader.cancel();
    void this.#readBody(reader);
  }

  async #readBody(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    try {
      for (;;) {
        await this.#paused;
        const { done, value } = await reader.read();
        if (done) break;
        this.#take(value);
      }
      this.end ??= "clean";
    } catch {
      this.end ??= "broken";
    }
  }

  #take(bytes: Uint8Array): void {
    this.pieces.push(bytes);
    this.flags ??= bytes[4];
    this.#reader.push(bytes);
    for (let tag = this.#reader.next(); tag; tag = this.#reader.next()) this.tags.push(tag);
  }
}

/** A request by hand; resolves with what has come when the server closes, or `enough` says so. */
export async function request(
  port: number,
  head: string,
  enough: (answer: string) => boolean = () => false,
): Promise<string> {
  const socket = net.connect({ host: "127.0.0.1", port });
  const parts: Uint8Array[] = [];
  const text = () => Buffer.concat(parts).toString("latin1");
  try {
    let over = false;
    socket.on("data", (part: Uint8Array) => void parts.push(part));
    socket.on("error", () => {});
    socket.on("close", () => over = true);
    socket.write(`${head.replaceAll("\n", "\r\n")}\r\n\r\n`);
    await until("an answer", ANSWER_LIMIT_MS, () => over || enough(text()));
    return text();
  } finally {
    socket.destroy();
  }
}

/** Asks for a stream and never reads. `kind`: by plain HTTP, or as a WebSocket. */
export function deafClient(port: number, path: string, kind: "http" | "ws"): net.Socket {
  const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  const socket = net.connect({ host: "127.0.0.1", port });
  socket.on("error", () => {});
  socket.pause();
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n${kind === "ws" ? upgrade : ""}\r\n`);
  return socket;
}
