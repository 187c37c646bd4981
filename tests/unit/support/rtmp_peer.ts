/**
 * The other side of an `RtmpSession`: a client that says what a test wants, and a server around it.
 * @module
 */

import assert from "node:assert/strict";
import { loadConfig } from "../../../src/config/file/load.ts";
import type { Config } from "../../../src/config/types.ts";
import { Hub } from "../../../src/live/stream/hub.ts";
import { encodeAmf0 } from "../../../src/rtmp/amf0.ts";
import { AmfObject, type AmfValue } from "../../../src/rtmp/amf_value.ts";
import { MessageWriter } from "../../../src/rtmp/chunk_writer.ts";
import { NO_CLAIMS } from "../../../src/live/stream/claims.ts";
import { type ClientRole } from "../../../src/stats/session.ts";
import { NO_RELAYS } from "../../../src/relay/relays.ts";
import { IdleReaders } from "../../../src/servers/rtmp/idle_readers.ts";
import { RtmpSession, type RtmpSessionHost } from "../../../src/servers/rtmp/rtmp_session.ts";
import { concat } from "../hex.ts";
import { FakeSocket } from "./fake_socket.ts";
import { ManualClock } from "./manual_clock.ts";
import { MemoryLog } from "./memory_log.ts";
import { newAccess } from "./grants.ts";
import { type Plain, ServerMessages, summary, type WireMessage } from "./server_messages.ts";

/** The configuration that the product is made for, with room for more directives. */
export function recipe(vhost = "", play = "", publish = "", root = ""): string {
  return `listen 1935; ${root}
    vhost __defaultVhost__ {
      tcp_nodelay on; min_latency on; ${vhost}
      play { gop_cache off; queue_length 10; mw_latency 100; ${play} }
      publish { mr off; ${publish} }
    }`;
}

/** Loads a configuration text. */
export function configOf(text: string): Config {
  return loadConfig("test.conf", () => text, {}).config;
}

/** Bytes of S0, S1 and S2. */
const SERVER_HANDSHAKE = 3073;
/** C0 and a C1 without a digest. */
const C0_C1 = concat("03", new Uint8Array(8), new Uint8Array(1528).fill(0x5a));
const C2 = new Uint8Array(1536).fill(0x11);
/** A client's whole simple handshake. */
export const CLIENT_HANDSHAKE: Uint8Array = concat(C0_C1, C2);

/** A message that a peer sends. */
export interface Sent {
  readonly type: number;
  readonly payload: Uint8Array;
  readonly timestamp?: number;
  readonly csid?: number;
  readonly msid?: number;
}

/** The command object of `connect`. */
export function connectObject(
  tcUrl: string | null = "rtmp://192.0.2.1/live",
  more: Iterable<readonly [string, AmfValue]> = [],
): AmfObject {
  const object = new AmfObject([["app", "live"]]);
  if (tcUrl !== null) object.set("tcUrl", tcUrl);
  for (const [key, value] of more) object.set(key, value);
  return object;
}

/** A command message. */
export function command(name: AmfValue, ...values: AmfValue[]): Sent {
  return { type: 20, payload: encodeAmf0(name, ...values), csid: 3, msid: 0 };
}

/** Clock, hub and connections. */
export class TestServer {
  readonly clock = new ManualClock();
  readonly hub = new Hub(this.clock, "1.2.3");
  readonly config: Config;
  readonly peers: Peer[] = [];
  /** What the host was told, `id role`. */
  readonly roles: string[] = [];
  readonly finished: string[] = [];
  readonly host: RtmpSessionHost;

  constructor(text: string = recipe()) {
    this.config = configOf(text);
    this.host = {
      config: this.config,
      hub: this.hub,
      clock: this.clock,
      idleReaders: new IdleReaders(this.clock),
      claims: NO_CLAIMS,
      access: newAccess(),
      streamId: ({ key }) => `id of ${key}`,
      relay: NO_RELAYS,
      serverName: "srs-edge/1.2.3",
      pid: 4711,
      roleChanged: (session: RtmpSession, role: ClientRole | null) =>
        void this.roles.push(`${session.id} ${role?.type ?? "-"}`),
      finished: (session: RtmpSession) => void this.finished.push(session.id),
    };
  }

  /** A new connection that has not said anything. */
  accept(): Peer {
    const peer = new Peer(this, `peer${this.peers.length}`);
    this.peers.push(peer);
    return peer;
  }

  /** A connection after its handshake. */
  open(): Peer {
    const peer = this.accept();
    peer.feed(CLIENT_HANDSHAKE);
    peer.answers();
    return peer;
  }

  /** A connection after `connect`. */
  connected(tcUrl?: string): Peer {
    const peer = this.open();
    peer.send(command("connect", 1, connectObject(tcUrl)));
    peer.answers();
    return peer;
  }

  /** A connection with a stream. */
  created(tcUrl?: string): Peer {
    const peer = this.connected(tcUrl);
    peer.send(command("createStream", 2, null));
    peer.answers();
    return peer;
  }

  /** A publisher as ffmpeg and OBS are, past `onStatus`. */
  publisher(name = "s", tcUrl?: string): Peer {
    const peer = this.connected(tcUrl);
    peer.send(command("releaseStream", 2, null, name));
    peer.send(command("FCPublish", 3, null, name));
    peer.send(command("createStream", 4, null));
    peer.send(command("publish", 5, null, name, "live"));
    assert.deepEqual(peer.answers().at(-1)?.slice(0, 5), [5, 1, 20, "onStatus", 0]);
    return peer;
  }

  /** A Flash-style publisher, past `onStatus`. */
  flashPublisher(name = "s"): Peer {
    const peer = this.created();
    peer.send(command("publish", 5, null, name, "live"));
    assert.deepEqual(peer.answers().map((answer) => answer[3]), ["onStatus"]);
    return peer;
  }

  /** A player, past the four answers. */
  player(name = "s", tcUrl?: string): Peer {
    const peer = this.created(tcUrl);
    peer.send(command("play", 3, null, name));
    assert.ok(peer.answers().length >= 4);
    return peer;
  }

  /** Lets time pass with a tick every second, as the server does. */
  pass(ms: number): void {
    for (let left = ms; left > 0; left -= 1000) {
      this.clock.advance(Math.min(1000, left));
      for (const peer of this.peers) peer.session.tick(this.clock.now());
      this.hub.tick();
    }
  }
}

/** One connection, seen from its client. */
export class Peer {
  readonly socket = new FakeSocket();
  readonly log: MemoryLog;
  readonly session: RtmpSession;
  /** Chunks what the peer sends; its chunk size is the peer's. */
  readonly writer = new MessageWriter();
  readonly #messages = new ServerMessages();
  #read = 0;
  #handshakeLeft = SERVER_HANDSHAKE;

  constructor(readonly server: TestServer, id: string) {
    this.log = new MemoryLog(id);
    this.session = new RtmpSession(this.socket, server.host, this.log);
    this.socket.handler = this.session;
  }

  /** Bytes arrive at the server. */
  feed(bytes: Uint8Array): void {
    this.session.onBytes(bytes);
  }

  /** A message as bytes, by the project's own writer. */
  encode({ type, payload, timestamp = 0, csid = 3, msid = 1 }: Sent): Uint8Array {
    this.writer.write(csid, type, timestamp, msid, payload);
    return this.writer.take();
  }

  /** Sends messages, all in one piece. */
  send(...messages: Sent[]): void {
    this.feed(concat(...messages.map((message) => this.encode(message))));
  }

  /** Announces a chunk size and uses it. */
  setChunkSize(size: number): void {
    const body = new Uint8Array(4);
    new DataView(body.buffer).setUint32(0, size);
    this.send({ type: 1, payload: body, csid: 2, msid: 0 });
    this.writer.chunkSize = size;
  }

  /** The messages that have come since the last call. */
  received(): WireMessage[] {
    const { sent } = this.socket;
    const from = this.#read + this.#handshakeLeft;
    if (sent.length < from) return [];
    this.#handshakeLeft = 0;
    this.#read = sent.length;
    return this.#messages.read(sent.subarray(from));
  }

  /** The messages that have come since the last call, in short; see `summary`. */
  answers(): Plain[][] {
    return this.received().map(summary);
  }

  /** The lines about the end of the connection, without what is the log's business. */
  get end(): string[] {
    return this.log.matching("server disconnect");
  }

  /** Asserts that the server has closed it for this reason. */
  assertClosed(code: number, reason: RegExp = /./): void {
    assert.equal(this.socket.state, "closed", this.log.lines.join("\n"));
    const [line, ...more] = this.end;
    assert.deepEqual(more, []);
    assert.match(line, new RegExp(`ret=${code}\\b`));
    assert.match(line, reason);
  }

  /** Asserts that it is still open, and that nothing went wrong inside. */
  assertOpen(): void {
    assert.equal(this.socket.state, "open", this.log.lines.join("\n"));
    assert.deepEqual(this.log.faults, []);
  }
}
