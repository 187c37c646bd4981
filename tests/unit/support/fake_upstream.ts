/**
 * The other side of an `RtmpClient`: a server that says what a test wants, and an owner that keeps what
 * it is told.
 * @module
 */

import assert from "node:assert/strict";
import { toHex } from "../hex.ts";
import { UpstreamListener } from "../../../src/clients/upstream_handler.ts";
import { RtmpClient } from "../../../src/clients/rtmp_client.ts";
import type { RtmpClientOptions } from "../../../src/clients/rtmp_dialogue.ts";
import { parseTarget } from "../../../src/clients/target.ts";
import type { EndReason, UpstreamEnd } from "../../../src/clients/upstream_handler.ts";
import { encodeAmf0 } from "../../../src/rtmp/amf0.ts";
import type { AmfEcmaArray, AmfValue } from "../../../src/rtmp/amf_value.ts";
import { AmfObject } from "../../../src/rtmp/amf_value.ts";
import { MessageWriter } from "../../../src/rtmp/chunk_writer.ts";
import type { StatusInfo } from "../../../src/rtmp/client_command.ts";
import { createStreamResult, onStatus } from "../../../src/rtmp/command.ts";
import type { Message } from "../../../src/rtmp/message.ts";
import { FakeSocket } from "./fake_socket.ts";
import { ManualClock } from "./manual_clock.ts";
import { type Plain, ServerMessages, summary } from "./server_messages.ts";

/** Keeps everything as short texts, in order. */
export class Recorder extends UpstreamListener {
  readonly events: string[] = [];
  end: UpstreamEnd | null = null;

  override opened(): void {
    this.events.push("opened");
  }
  override connected(): void {
    this.events.push("connected");
  }
  override accepted(): void {
    this.events.push("accepted");
  }
  override metadata(fields: AmfEcmaArray): void {
    this.events.push(`metadata ${[...fields.keys()]}`);
  }
  override media({ type, timestamp, payload }: Message): void {
    this.events.push(`media ${type} ${timestamp} ${toHex(payload)}`);
  }
  override status({ level, code }: StatusInfo): void {
    this.events.push(`status ${level} ${code}`);
  }
  override unpublished(): void {
    this.events.push("unpublished");
  }
  override writable(): void {
    this.events.push("writable");
  }
  override redirected(url: string): void {
    this.events.push(`redirected ${url}`);
  }
  override ended(end: UpstreamEnd): void {
    assert.equal(this.end, null, "the end is told twice");
    this.end = end;
    this.events.push(`ended ${end.reason}`);
  }

  /** The events of one kind. */
  of(kind: string): string[] {
    return this.events.filter((event) => event.startsWith(kind));
  }
}

/** Bytes of C0, C1 and C2. */
const CLIENT_HANDSHAKE_BYTES = 1 + 2 * 1536;

/** S0, S1 and S2 of a server that knows no digests. */
export function plainServerHandshake(): Uint8Array {
  const bytes = new Uint8Array(1 + 2 * 1536).fill(0x5a);
  bytes[0] = 3;
  return bytes;
}

/** A client with a server that does as it is told. */
export class FakeUpstream {
  readonly clock = new ManualClock();
  readonly socket = new FakeSocket();
  readonly owner = new Recorder();
  readonly client: RtmpClient;
  /** Chunks what the server sends. */
  readonly writer = new MessageWriter();
  readonly #messages = new ServerMessages();
  #read = CLIENT_HANDSHAKE_BYTES;

  constructor(options: RtmpClientOptions, url = "rtmp://origin/live/s") {
    this.client = new RtmpClient(
      this.socket,
      parseTarget(url),
      options,
      this.owner,
      this.clock,
    );
    this.socket.handler = this.client;
    this.client.start();
  }

  /** Shakes hands. */
  open(): this {
    this.client.onBytes(plainServerHandshake());
    return this;
  }

  /** Past `connect`. */
  connected(): this {
    this.open();
    this.command("_result", 1, null, new AmfObject([["code", "NetConnection.Connect.Success"]]));
    return this;
  }

  /** Playing, or publishing. */
  running(): this {
    this.connected();
    const asked = this.asked().findLast((message) => message[3] === "createStream");
    this.send(20, createStreamResult(Number(asked?.[4])), { csid: 3, msid: 0 });
    const [command] = this.asked().filter(([, , , name]) => name === "play" || name === "publish");
    this.started(command?.[3] === "publish" ? "NetStream.Publish.Start" : "NetStream.Play.Start");
    assert.ok(this.client.running, this.owner.events.join("\n"));
    return this;
  }

  /** A status that says so. */
  started(code: string): void {
    this.send(20, onStatus("status", code, ""), { csid: 5 });
  }

  /** A command from the server. */
  command(name: string, transactionId: number, ...values: AmfValue[]): void {
    this.send(20, encodeAmf0(name, transactionId, ...values), { csid: 3, msid: 0 });
  }

  /** A message from the server. */
  send(
    type: number,
    payload: Uint8Array,
    { csid = 6, msid = 1, timestamp = 0 }: { csid?: number; msid?: number; timestamp?: number } =
      {},
  ): void {
    this.writer.write(csid, type, timestamp, msid, payload);
    this.client.onBytes(this.writer.take());
  }

  /** What the client has sent since the last call; see `summary`. */
  asked(): Plain[][] {
    const { sent } = this.socket;
    const bytes = sent.subarray(this.#read);
    this.#read = Math.max(sent.length, this.#read);
    return this.#messages.read(bytes).map(summary);
  }

  /** Names of the commands that the client has sent since the last call. */
  commands(): Plain[] {
    return this.asked().filter((message) => message[2] === 20).map((message) => message[3]);
  }

  /** Lets time pass, with a look at the deadlines every quarter of a second. */
  pass(ms: number): void {
    for (let left = ms; left > 0; left -= 250) {
      this.clock.advance(Math.min(250, left));
      this.client.tick(this.clock.now());
    }
  }

  /** Asserts the end and its text. */
  assertEnded(reason: EndReason, text: RegExp = /./): void {
    const { end } = this.owner;
    assert.equal(end?.reason, reason, end?.text ?? this.owner.events.join("\n"));
    assert.match(end?.text ?? "", text);
    assert.equal(end?.error, null);
    assert.notEqual(this.socket.state, "open");
  }

  /** Asserts that it goes on. */
  assertRunning(): void {
    assert.equal(this.owner.end, null, this.owner.end?.text);
    assert.equal(this.socket.state, "open");
  }
}
