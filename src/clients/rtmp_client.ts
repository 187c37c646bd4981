/**
 * The client's side of one RTMP connection, as a player or as a publisher: bytes in, bytes out, events
 * to its owner. Like the server's side it knows no socket but the interface of one and is driven by
 * calls alone. What it says and is told in commands is in rtmp_dialogue.ts.
 * @module
 */

import type { Clock } from "../live/clock.ts";
import { peerText } from "../log/text.ts";
import type { TcpHandler, TcpSocket } from "../net/tcp.ts";
import { MAX_MESSAGE_SIZE } from "../rtmp/limits.ts";
import { ClientHandshake, type HandshakeKind } from "../rtmp/client_handshake.ts";
import { RtmpConnection } from "../rtmp/connection.ts";
import { RtmpError } from "../rtmp/error.ts";
import {
  ChunkStream,
  type Message,
  MessageType,
  UserControl,
  userControlBody,
  type UserControlMessage,
} from "../rtmp/message.ts";
import { metadataOf } from "./data_message.ts";
import { MAX_COMMAND_BYTES, MAX_PENDING_ANSWERS, MAX_REQUESTS_PER_SECOND } from "./limits.ts";
import { ANSWER_TIMEOUT_MS, MEDIA_TIMEOUT_MS, WRITE_STALL_MS } from "./limits.ts";
import { type RtmpClientOptions, RtmpDialogue, silentCloseHint } from "./rtmp_dialogue.ts";
import { describeTarget, type RtmpTarget } from "./target.ts";
import type { EndReason, UpstreamEnd, UpstreamHandler } from "./upstream_handler.ts";

/** The client's side of one RTMP connection. */
export class RtmpClient implements TcpHandler {
  /** How the server has shaken hands; null: not yet. */
  handshakeKind: HandshakeKind | null = null;
  /** Bytes from and to the server, handshake included. */
  recvBytes = 0;
  sentBytes = 0;

  readonly #socket: TcpSocket;
  readonly #target: RtmpTarget;
  readonly #options: RtmpClientOptions;
  readonly #handler: UpstreamHandler;
  readonly #onEnd: (end: UpstreamEnd) => void;
  readonly #clock: Clock;
  readonly #handshake: ClientHandshake;
  readonly #connection: RtmpConnection;
  readonly #dialogue: RtmpDialogue;
  #ended = false;
  /** Clock ms by which the handshake, or the next answer, must have come. */
  #deadline: number;
  #mediaAt = 0;
  /** Clock ms of the last bytes, and of the last ping of ours. */
  #bytesAt = 0;
  #pingAt = -Infinity;
  /** We do not read: silence is our own doing then. */
  #paused = false;
  #gotMedia = false;
  /** Bytes that the server has taken, and the clock ms when that became so. */
  #taken = 0;
  #takenAt: number;
  #requests = 0;
  #requestsSince: number;

  /** @param onEnd Is told the end in place of the handler's `ended`: it may be a redirect. */
  constructor(
    socket: TcpSocket,
    target: RtmpTarget,
    options: RtmpClientOptions,
    handler: UpstreamHandler,
    clock: Clock,
    onEnd: (end: UpstreamEnd) => void = (end) => handler.ended(end),
  ) {
    this.#socket = socket;
    this.#target = target;
    this.#options = options;
    this.#handler = handler;
    this.#onEnd = onEnd;
    this.#clock = clock;
    this.#connection = new RtmpConnection({
      get pendingBytes() {
        return socket.pendingBytes;
      },
      media: (message) => this.#media(message),
      command: (command) => this.#dialogue.answered(command),
      userControl: (control) => this.#userControl(control),
      countRequest: () => this.#countRequest(),
    }, MAX_PENDING_ANSWERS);
    this.#connection.reader.maxMessageSize = MAX_COMMAND_BYTES;
    const now = clock.now();
    this.#requestsSince = now;
    this.#takenAt = now;
    this.#deadline = now + this.#answerTimeoutMs;
    this.#handshake = new ClientHandshake(now, options.handshake);
    this.#dialogue = new RtmpDialogue(target, options, this.#connection, {
      asked: () => this.#await(),
      connected: () => handler.connected(),
      accepted: () => this.#accepted(),
      status: (info) => handler.status(info),
      unpublished: (how) => this.#unpublished(how),
      end: (reason, text, redirect) => this.#end(reason, text, redirect),
      over: () => this.#ended,
    });
  }

  /** Our chunk size towards the server, bytes. */
  get chunkSize(): number {
    return this.#connection.writer.chunkSize;
  }

  /** The message stream that the server has given us. */
  get streamId(): number {
    return this.#dialogue.streamId;
  }

  /** Whether playing or publishing has begun, and has not ended. */
  get running(): boolean {
    return !this.#ended && this.#dialogue.step === "running";
  }

  /** Bytes that the server has not taken yet. */
  get pendingBytes(): number {
    return this.#socket.pendingBytes;
  }

  /** The server's address. */
  get remoteAddress(): string {
    return this.#socket.remoteAddress;
  }

  /** Begins: sends C0 and C1. */
  start(): void {
    try {
      const { localAddress, remoteAddress, remote } = this.#socket;
      const remotePort = Number(remote.slice(remote.lastIndexOf(":") + 1));
      this.#handler.opened({ localAddress, remoteAddress, remotePort });
      if (!this.#ended) this.#send(this.#handshake.request);
    } catch (error) {
      this.#fail(error);
    }
  }

  // ---- publishing

  /**
   * Publishes one message; before `accepted` and after the end it is dropped. The payload is copied.
   * False: the server is slow, `writable` will say when everything is through; what is given until then
   * piles up.
   */
  publish(type: number, timestamp: number, payload: Uint8Array): boolean {
    if (!this.running) return !this.#ended;
    const chunkStream = type === MessageType.VIDEO
      ? ChunkStream.VIDEO
      : type === MessageType.AUDIO
      ? ChunkStream.AUDIO
      : ChunkStream.DATA;
    this.#connection.writer.write(chunkStream, type, timestamp, this.streamId, payload);
    return this.#flush();
  }

  /**
   * Publishes messages that are chunks already, with our `chunkSize` and `streamId`; see
   * `TcpSocket.send`: they are not copied. False: as with `publish`.
   */
  publishChunks(bytes: Uint8Array): boolean {
    if (!this.running) return !this.#ended;
    return this.#send(bytes);
  }

  // ---- playing

  /** Leaves incoming bytes in the kernel, so that the server has to wait; and takes them again. */
  pauseReading(): void {
    this.#paused = true;
    this.#socket.pauseReading();
  }

  resumeReading(): void {
    this.#paused = false;
    this.#mediaAt = this.#bytesAt = this.#clock.now();
    this.#socket.resumeReading();
  }

  /** Ends it: the server is told, what is queued still goes out. */
  close(): void {
    this.#end("closed", "closed by us");
  }

  // ---- from the socket

  onBytes(bytes: Uint8Array): void {
    try {
      this.#receive(bytes);
    } catch (error) {
      this.#fail(error);
    }
  }

  onWritable(): void {
    if (this.#ended) return;
    try {
      this.#handler.writable();
    } catch (error) {
      this.#fail(error);
    }
  }

  onClose(error: Error | null): void {
    const how = error ? `connection lost: ${error.message}` : "the server closed the connection";
    const hint = this.#handshake.done
      ? silentCloseHint(this.#dialogue.step, this.#target)
      : " during the handshake: is it an RTMP server?";
    this.#end("lost", how + hint);
    this.#connection.reader.end();
  }

  /** Looks at the deadlines; several times a second. */
  tick(nowMs: number): void {
    if (nowMs - this.#requestsSince >= 1000) {
      this.#requests = 0;
      this.#requestsSince = nowMs;
    }
    if (this.#ended) return;
    const pending = this.#socket.pendingBytes;
    const taken = this.sentBytes - pending;
    if (pending === 0 || taken > this.#taken) {
      this.#taken = taken;
      this.#takenAt = nowMs;
    }
    if (nowMs - this.#takenAt > WRITE_STALL_MS) {
      return this.#end("stalled", `nothing was taken for ${WRITE_STALL_MS / 1000} s`);
    }
    if (this.running) return this.#checkMedia(nowMs);
    if (nowMs < this.#deadline) return;
    const what = this.#handshake.done ? `answer to ${this.#dialogue.step}` : "handshake";
    this.#end("timeout", `no ${what} within ${this.#answerTimeoutMs} ms`);
  }

  // ---- inside

  get #answerTimeoutMs(): number {
    return this.#options.answerTimeoutMs ?? ANSWER_TIMEOUT_MS;
  }

  #await(): void {
    this.#deadline = this.#clock.now() + this.#answerTimeoutMs;
    // Some servers send media before they say that they do.
    if (this.#dialogue.step === "play") this.#connection.reader.maxMessageSize = MAX_MESSAGE_SIZE;
  }

  #checkMedia(nowMs: number): void {
    const limit = this.#options.mediaTimeoutMs ?? MEDIA_TIMEOUT_MS;
    if (this.#options.role === "publish" || limit === 0 || this.#paused) return;
    if (this.#options.pings) return this.#checkAnswers(nowMs, limit);
    if (nowMs - this.#mediaAt < limit) return;
    const since = this.#gotMedia ? "nothing has come" : "nobody publishes it, or nothing comes";
    this.#end("silent", `${since} for ${limit} ms`);
  }

  /** After half of the time without a byte the server is asked whether it is still there. */
  #checkAnswers(nowMs: number, limit: number): void {
    const silence = nowMs - this.#bytesAt;
    if (silence >= limit) {
      return this.#end("silent", `nothing has come for ${limit} ms, not even answers to pings`);
    }
    if (silence < limit / 2 || this.#pingAt > this.#bytesAt) return;
    this.#pingAt = nowMs;
    const body = userControlBody(UserControl.PING_REQUEST, Math.round(nowMs) >>> 0);
    this.#connection.control(MessageType.USER_CONTROL, body);
    this.#flush();
  }

  /** The server's fault, or ours: it ends this connection and nothing else. */
  #fail(error: unknown): void {
    if (error instanceof RtmpError) this.#end("protocol", `breaks the protocol: ${error.message}`);
    else this.#end("fault", "internal fault", null, error);
  }

  #receive(bytes: Uint8Array): void {
    if (this.#ended) return;
    this.recvBytes += bytes.length;
    this.#bytesAt = this.#clock.now();
    this.#connection.acks.add(bytes.length);
    if (!this.#handshake.done) {
      bytes = bytes.subarray(this.#handshake.push(bytes));
      this.#shakeHands();
    }
    if (this.#handshake.done && bytes.length > 0) {
      const { reader } = this.#connection;
      reader.push(bytes);
      // A handler may close us in the middle of it.
      while (!this.#ended && reader.next()) this.#connection.dispatch();
    }
    if (this.#ended) return;
    if (this.#dialogue.step === "running") this.#handler.settled();
    if (this.#ended) return;
    this.#connection.acknowledge();
    this.#flush();
  }

  #shakeHands(): void {
    const { answer } = this.#handshake;
    if (answer) {
      this.#handshake.answer = null;
      this.handshakeKind = this.#handshake.kind;
      this.#send(answer);
    }
    if (this.#handshake.done) this.#dialogue.begin();
  }

  #accepted(): void {
    this.#socket.expect(this.#options.role === "publish" ? "player" : "publisher");
    this.#mediaAt = this.#clock.now();
    this.#handler.accepted();
  }

  // ---- messages

  #media(message: Message): void {
    if (this.#options.role === "publish") return;
    if (message.type === MessageType.AUDIO || message.type === MessageType.VIDEO) {
      this.#dialogue.accept();
      if (!this.running) return;
      this.#gotMedia = true;
      this.#mediaAt = this.#clock.now();
    } else {
      if (!this.running) return;
      const fields = metadataOf(message);
      if (fields) this.#handler.metadata(fields);
      if (this.#ended) return;
    }
    this.#handler.media(message);
  }

  #unpublished(how: string): void {
    if (this.#options.role === "publish" || !this.running) return;
    if (this.#options.onUnpublish !== "keep") {
      return this.#end("unpublished", `the publisher has gone (${how})`);
    }
    this.#mediaAt = this.#clock.now();
    this.#handler.unpublished();
  }

  #userControl({ event, value }: UserControlMessage): void {
    if (!this.#countRequest()) return;
    if (event === UserControl.STREAM_EOF && value === this.streamId) {
      this.#unpublished("end of stream");
    }
  }

  /** False: it was one too many, and all is over. */
  #countRequest(): boolean {
    if (++this.#requests <= MAX_REQUESTS_PER_SECOND) return true;
    this.#end("protocol", `more than ${MAX_REQUESTS_PER_SECOND} commands a second`);
    return false;
  }

  // ---- sending

  #flush(): boolean {
    const { writer } = this.#connection;
    return writer.length === 0 || this.#send(writer.take());
  }

  #send(bytes: Uint8Array): boolean {
    this.sentBytes += bytes.length;
    return this.#socket.send(bytes);
  }

  /** Says goodbye as far as we have come, and tells the owner, once. */
  #end(
    reason: EndReason,
    what: string,
    redirect: string | null = null,
    error: unknown = null,
  ): void {
    if (this.#ended) return;
    this.#ended = true;
    if (reason === "closed") {
      this.#dialogue.farewell();
      this.#flush();
      this.#socket.close();
    } else {
      this.#socket.abort();
    }
    const text = `${peerText(describeTarget(this.#target))}: ${what}`;
    this.#onEnd({ reason, text, redirect, error });
  }
}
