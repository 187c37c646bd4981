/**
 * The client's side of one RTMP connection, as a player or as a publisher: bytes in, bytes out, events
 * to its owner. Like the server's side it knows no socket but the interface of one and is driven by
 * calls alone.
 *
 *     handshake -> connect -> createStream -> play or publish -> running
 *
 * Answers are told by the state they come in rather than by their numbers, which servers get wrong (S2).
 * @module
 */

import type { Clock } from "../live/clock.ts";
import { peerText } from "../log/text.ts";
import type { TcpHandler, TcpSocket } from "../net/tcp.ts";
import { AckCounter } from "../rtmp/ack_counter.ts";
import { numberOf } from "../rtmp/amf_access.ts";
import type { AmfObject } from "../rtmp/amf_value.ts";
import { ChunkReader, MAX_MESSAGE_SIZE } from "../rtmp/chunk_reader.ts";
import { MessageWriter } from "../rtmp/chunk_writer.ts";
import {
  type ClientRole,
  CONNECT_TRANSACTION,
  connectRequest,
  playRequest,
  publishRequest,
  request,
  type StatusInfo,
  statusInfo,
} from "../rtmp/client_command.ts";
import { ClientHandshake, type HandshakeKind } from "../rtmp/client_handshake.ts";
import { type Command, parseCommand } from "../rtmp/command.ts";
import { RtmpError } from "../rtmp/error.ts";
import {
  bufferLengthBody,
  ChunkStream,
  controlValue,
  type Message,
  MessageType,
  parseUserControl,
  splitAggregate,
  STREAM_ID,
  u32Body,
  UserControl,
  userControlBody,
} from "../rtmp/message.ts";
import {
  ACK_WINDOW,
  ANSWER_TIMEOUT_MS,
  BUFFER_LENGTH_MS,
  DEFAULT_OUT_CHUNK_SIZE,
  MAX_COMMAND_BYTES,
  MAX_PENDING_ANSWERS,
  MAX_REQUESTS_PER_SECOND,
  MEDIA_TIMEOUT_MS,
  WRITE_STALL_MS,
} from "./limits.ts";
import { metadataOf } from "./data_message.ts";
import { describeTarget, type RtmpTarget, tcUrlOf } from "./target.ts";
import type { EndReason, UpstreamEnd, UpstreamHandler } from "./upstream_handler.ts";

/** How a client goes about it. */
export interface RtmpClientOptions {
  readonly role: ClientRole;
  /** `flashVer`, page and player said with `connect`. */
  readonly flashVer?: string;
  readonly pageUrl?: string;
  readonly swfUrl?: string;
  /** The tcUrl, if it is not the target's own (token traverse). */
  readonly tcUrl?: string;
  /** Second object of `connect`. */
  readonly args?: AmfObject;
  /** Announces Enhanced RTMP: `fourCcList`, `capsEx` and so on. */
  readonly enhanced?: boolean;
  /** Handshake; default `complex`, which servers without digests understand too. */
  readonly handshake?: HandshakeKind;
  /** Our chunk size, bytes. */
  readonly chunkSize?: number;
  /** ms for the handshake and for each answer. */
  readonly answerTimeoutMs?: number;
  /** ms without media while playing; 0: any silence will do (S7). */
  readonly mediaTimeoutMs?: number;
  /** What the publisher's going means: `end` (default), or `keep` waiting for the next one (S10). */
  readonly onUnpublish?: "end" | "keep";
  /** A publisher's releaseStream and FCPublish; default true, as encoders do. */
  readonly fmle?: boolean;
}

type Step = "handshake" | "connect" | "createStream" | ClientRole | "running" | "ended";

/** Statuses that say that playing or publishing has begun. */
const STARTED = {
  play: "NetStream.Play.Start",
  publish: "NetStream.Publish.Start",
} as const;
/** Statuses that say that there is no such stream. */
const NOT_FOUND = new Set(["NetStream.Play.StreamNotFound", "NetStream.Play.FileNotFound"]);
/** Statuses with which a stream ends for its players (S10). */
const UNPUBLISHED = new Set([
  "NetStream.Play.UnpublishNotify",
  "NetStream.Play.Stop",
  "NetStream.Play.Complete",
]);

/** The client's side of one RTMP connection. */
export class RtmpClient implements TcpHandler {
  /** The message stream that the server has given us. */
  streamId = STREAM_ID;
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
  readonly #reader = new ChunkReader();
  readonly #writer = new MessageWriter();
  readonly #acks = new AckCounter();
  #step: Step = "handshake";
  #deadline: number;
  #transactions = CONNECT_TRANSACTION;
  #createStreamId = 0;
  /** Transactions whose answers do not matter: releaseStream and FCPublish. */
  readonly #idle = new Set<number>();
  #mediaAt = 0;
  /** We do not read: silence is our own doing then. */
  #paused = false;
  #gotMedia = false;
  /** Clock ms since which the socket has been busy; 0: it is not. */
  #busySince = 0;
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
    this.#reader.maxMessageSize = MAX_COMMAND_BYTES;
    const now = clock.now();
    this.#requestsSince = now;
    this.#deadline = now + this.#answerTimeoutMs;
    this.#handshake = new ClientHandshake(now, options.handshake);
  }

  /** Our chunk size towards the server, bytes. */
  get chunkSize(): number {
    return this.#writer.chunkSize;
  }

  /** Whether playing or publishing has begun. */
  get running(): boolean {
    return this.#step === "running";
  }

  /** Bytes that the server has not taken yet. */
  get pendingBytes(): number {
    return this.#socket.pendingBytes;
  }

  /** Begins: sends C0 and C1. */
  start(): void {
    try {
      this.#handler.opened();
      if (this.#alive()) this.#send(this.#handshake.request);
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
    if (this.#step !== "running") return this.#step !== "ended";
    const chunkStream = type === MessageType.VIDEO
      ? ChunkStream.VIDEO
      : type === MessageType.AUDIO
      ? ChunkStream.AUDIO
      : ChunkStream.DATA;
    this.#writer.write(chunkStream, type, timestamp, this.streamId, payload);
    return this.#flush();
  }

  /**
   * Publishes messages that are chunks already, with our `chunkSize` and `streamId`; see
   * `TcpSocket.send`: they are not copied. False: as with `publish`.
   */
  publishChunks(bytes: Uint8Array): boolean {
    if (this.#step !== "running") return this.#step !== "ended";
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
    this.#mediaAt = this.#clock.now();
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
    this.#busySince = 0;
    if (this.#step === "ended") return;
    try {
      this.#handler.writable();
    } catch (error) {
      this.#fail(error);
    }
  }

  onClose(error: Error | null): void {
    if (this.#step === "ended") return;
    const how = error ? `connection lost: ${error.message}` : "the server closed the connection";
    this.#end("lost", `${this.#where}: ${how}${this.#hint()}`);
  }

  /** Looks at the deadlines; several times a second. */
  tick(nowMs: number): void {
    if (nowMs - this.#requestsSince >= 1000) {
      this.#requests = 0;
      this.#requestsSince = nowMs;
    }
    if (this.#step === "ended") return;
    if (this.#busySince > 0 && nowMs - this.#busySince > WRITE_STALL_MS) {
      return this.#end(
        "stalled",
        `${this.#where} has taken nothing for ${WRITE_STALL_MS / 1000} s`,
      );
    }
    if (this.#step !== "running") {
      if (nowMs < this.#deadline) return;
      const what = this.#step === "handshake" ? "handshake" : `answer to ${this.#step}`;
      return this.#end("timeout", `${this.#where}: no ${what} within ${this.#answerTimeoutMs} ms`);
    }
    const limit = this.#options.mediaTimeoutMs ?? MEDIA_TIMEOUT_MS;
    if (this.#options.role === "publish" || limit === 0 || this.#paused) return;
    if (nowMs - this.#mediaAt < limit) return;
    const since = this.#gotMedia ? "nothing has come" : "nobody publishes it, or nothing comes";
    this.#end("silent", `${this.#where}: ${since} for ${limit} ms`);
  }

  // ---- inside

  /** The server's fault, or ours: it ends this connection and nothing else. */
  #fail(error: unknown): void {
    if (error instanceof RtmpError) {
      return this.#end("protocol", `${this.#where} breaks the protocol: ${error.message}`);
    }
    this.#end("fault", `${this.#where}: internal fault`, null, error);
  }

  get #answerTimeoutMs(): number {
    return this.#options.answerTimeoutMs ?? ANSWER_TIMEOUT_MS;
  }

  get #where(): string {
    return peerText(describeTarget(this.#target));
  }

  /** What a server means that closes without a word. */
  #hint(): string {
    const { app, stream } = this.#target;
    switch (this.#step) {
      case "handshake":
        return " during the handshake: is it an RTMP server?";
      case "connect":
        return ` after connect: it may know no app "${peerText(app)}"`;
      case "running":
        return "";
      default:
        return ` after ${this.#step}: it may not allow "${peerText(stream)}"`;
    }
  }

  #receive(bytes: Uint8Array): void {
    if (this.#step === "ended") return;
    this.recvBytes += bytes.length;
    this.#acks.add(bytes.length);
    if (!this.#handshake.done) {
      bytes = bytes.subarray(this.#handshake.push(bytes));
      this.#shakeHands();
    }
    if (this.#handshake.done && bytes.length > 0) {
      this.#reader.push(bytes);
      // A handler may close us in the middle of it.
      while (this.#alive() && this.#reader.next()) this.#message(this.#reader.message);
    }
    if (!this.#alive()) return;
    this.#acknowledge();
    this.#flush();
  }

  #alive(): boolean {
    return this.#step !== "ended";
  }

  #shakeHands(): void {
    const { answer } = this.#handshake;
    if (answer) {
      this.#handshake.answer = null;
      this.handshakeKind = this.#handshake.kind;
      this.#send(answer);
    }
    if (this.#handshake.done) this.#connect();
  }

  #connect(): void {
    const { role, enhanced, flashVer, pageUrl, swfUrl, args } = this.#options;
    const identity = {
      tcUrl: this.#options.tcUrl ?? tcUrlOf(this.#target),
      app: this.#target.app,
      flashVer: flashVer ?? null,
      pageUrl: pageUrl ?? "",
      swfUrl: swfUrl ?? "",
      enhanced: enhanced ?? false,
      args: args ?? null,
    };
    this.#ask("connect", ChunkStream.COMMAND, 0, connectRequest(role, identity));
    this.#control(MessageType.WINDOW_ACK_SIZE, u32Body(ACK_WINDOW));
  }

  #createStream(): void {
    const { role, fmle = true } = this.#options;
    this.#setChunkSize(this.#options.chunkSize ?? DEFAULT_OUT_CHUNK_SIZE);
    if (role === "publish" && fmle) {
      for (const name of ["releaseStream", "FCPublish"]) {
        const id = ++this.#transactions;
        this.#idle.add(id);
        this.#command(0, request(name, id, this.#target.stream));
      }
    }
    this.#createStreamId = ++this.#transactions;
    this.#ask(
      "createStream",
      ChunkStream.COMMAND,
      0,
      request("createStream", this.#createStreamId),
    );
  }

  #begin(): void {
    const { stream } = this.#target;
    if (this.#options.role === "publish") {
      const body = publishRequest(++this.#transactions, stream);
      return this.#ask("publish", ChunkStream.STATUS, this.streamId, body);
    }
    // Some servers send media before they say that they do.
    this.#reader.maxMessageSize = MAX_MESSAGE_SIZE;
    this.#ask("play", ChunkStream.STATUS, this.streamId, playRequest(stream));
    this.#control(MessageType.USER_CONTROL, bufferLengthBody(this.streamId, BUFFER_LENGTH_MS));
  }

  #accept(): void {
    if (this.#step !== this.#options.role) return;
    this.#step = "running";
    this.#mediaAt = this.#clock.now();
    this.#handler.accepted();
  }

  // ---- messages

  #message(message: Message): void {
    switch (message.type) {
      case MessageType.AUDIO:
      case MessageType.VIDEO:
        return this.#media(message);
      case MessageType.DATA_AMF0:
      case MessageType.DATA_AMF3:
        return this.#data(message);
      case MessageType.AGGREGATE:
        return splitAggregate(message, (part) => this.#media(part));
      case MessageType.COMMAND_AMF0:
      case MessageType.COMMAND_AMF3: {
        this.#countRequest();
        const command = parseCommand(message.type, message.payload);
        return command ? this.#answered(command) : undefined;
      }
      case MessageType.USER_CONTROL:
        return this.#userControl(message);
      case MessageType.WINDOW_ACK_SIZE:
        this.#acks.window = controlValue(message);
    }
  }

  #media(message: Message): void {
    if (this.#options.role === "publish") return;
    if (this.#step === "play") this.#accept();
    if (this.#step !== "running") return;
    this.#gotMedia = true;
    this.#mediaAt = this.#clock.now();
    this.#handler.media(message);
  }

  #data(message: Message): void {
    if (this.#options.role === "publish" || this.#step !== "running") return;
    const fields = metadataOf(message);
    if (fields) this.#handler.metadata(fields);
    if (this.#alive()) this.#handler.media(message);
  }

  #answered(command: Command): void {
    switch (command.name) {
      case "_result":
        return this.#result(command);
      case "_error":
        return this.#error(command);
      case "onStatus":
        return this.#status(statusInfo(command));
    }
  }

  #result(command: Command): void {
    if (this.#step === "connect" && !this.#idle.has(command.transactionId)) {
      const info = statusInfo(command);
      if (info.level === "error") return this.#refused(info);
      this.#handler.connected();
      if (this.#alive()) this.#createStream();
      return;
    }
    if (this.#step !== "createStream") return;
    // nginx answers releaseStream with 0 or a number used before; only a stream id is what we wait for.
    const id = command.args.map(numberOf).findLast((value) => value !== null) ?? null;
    if (this.#idle.has(command.transactionId) || id === null) return;
    if (command.transactionId !== this.#createStreamId && command.transactionId !== 0) return;
    this.streamId = id >>> 0;
    this.#begin();
  }

  #error(command: Command): void {
    // releaseStream and FCPublish are unknown to some servers.
    if (this.#idle.has(command.transactionId)) return;
    const info = statusInfo(command);
    if (this.#step === "running" && info.redirect === null) return this.#handler.status(info);
    this.#refused({ ...info, level: "error" });
  }

  #status(info: StatusInfo): void {
    if (info.level === "error" || info.redirect !== null) return this.#refused(info);
    this.#handler.status(info);
    if (!this.#alive()) return;
    if (info.code === STARTED[this.#options.role]) return this.#accept();
    if (UNPUBLISHED.has(info.code)) return this.#unpublished(info.code);
    if (info.code === "NetConnection.Connect.Closed") {
      this.#end("lost", `${this.#where}: the server closes the connection`);
    }
  }

  #refused(info: StatusInfo): void {
    this.#handler.status(info);
    if (!this.#alive()) return;
    const said = peerText([info.code, info.description].filter((text) => text !== "").join(", "));
    if (info.redirect !== null) {
      const text = `${this.#where}: redirected to ${peerText(info.redirect)}`;
      return this.#end("redirect", text, info.redirect);
    }
    const reason = NOT_FOUND.has(info.code) ? "not-found" : "refused";
    const what = reason === "not-found" ? "no such stream" : `refused (${this.#step})`;
    this.#end(reason, `${this.#where}: ${what}${said === "" ? "" : `: ${said}`}`);
  }

  #unpublished(how: string): void {
    if (this.#options.role === "publish" || this.#step !== "running") return;
    if (this.#options.onUnpublish === "keep") {
      this.#mediaAt = this.#clock.now();
      return this.#handler.unpublished();
    }
    this.#end("unpublished", `${this.#where}: the publisher has gone (${how})`);
  }

  #userControl(message: Message): void {
    this.#countRequest();
    const control = parseUserControl(message.payload);
    if (control?.event === UserControl.PING_REQUEST) {
      if (this.#socket.pendingBytes > MAX_PENDING_ANSWERS) return;
      const body = userControlBody(UserControl.PING_RESPONSE, control.value);
      this.#control(MessageType.USER_CONTROL, body);
    } else if (control?.event === UserControl.STREAM_EOF && control.value === this.streamId) {
      this.#unpublished("end of stream");
    }
  }

  #countRequest(): void {
    if (++this.#requests <= MAX_REQUESTS_PER_SECOND) return;
    this.#end("protocol", `${this.#where}: more than ${MAX_REQUESTS_PER_SECOND} commands a second`);
  }

  // ---- sending

  #ask(step: Step, chunkStream: number, streamId: number, body: Uint8Array): void {
    this.#step = step;
    this.#deadline = this.#clock.now() + this.#answerTimeoutMs;
    this.#writer.write(chunkStream, MessageType.COMMAND_AMF0, 0, streamId, body);
  }

  #command(streamId: number, body: Uint8Array): void {
    this.#writer.write(ChunkStream.COMMAND, MessageType.COMMAND_AMF0, 0, streamId, body);
  }

  #control(type: number, body: Uint8Array): void {
    this.#writer.write(ChunkStream.CONTROL, type, 0, 0, body);
  }

  #setChunkSize(size: number): void {
    this.#control(MessageType.SET_CHUNK_SIZE, u32Body(size));
    this.#writer.chunkSize = size;
  }

  #acknowledge(): void {
    if (!this.#acks.due || this.#socket.pendingBytes > MAX_PENDING_ANSWERS) return;
    this.#control(MessageType.ACKNOWLEDGEMENT, u32Body(this.#acks.take()));
  }

  #flush(): boolean {
    return this.#writer.length === 0 || this.#send(this.#writer.take());
  }

  #send(bytes: Uint8Array): boolean {
    this.sentBytes += bytes.length;
    const through = this.#socket.send(bytes);
    if (through) this.#busySince = 0;
    else if (this.#busySince === 0) this.#busySince = this.#clock.now();
    return through;
  }

  /** Says goodbye as far as we have come, and tells the owner, once. */
  #end(
    reason: EndReason,
    text: string,
    redirect: string | null = null,
    error: unknown = null,
  ): void {
    if (this.#step === "ended") return;
    const polite = reason === "closed" && (this.#step === "running");
    this.#step = "ended";
    if (polite) {
      if (this.#options.role === "publish" && this.#options.fmle !== false) {
        this.#command(0, request("FCUnpublish", ++this.#transactions, this.#target.stream));
      }
      this.#command(0, request("deleteStream", 0, this.streamId));
      this.#flush();
    }
    if (reason === "closed") this.#socket.close();
    else this.#socket.abort();
    this.#onEnd({ reason, text, redirect, error });
  }
}
