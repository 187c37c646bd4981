/**
 * The commands of a client and the answers to them:
 *
 *     connect -> createStream -> play or publish -> running
 *
 * Answers are told by the state they come in rather than by their numbers, which servers get wrong (S2).
 * @module
 */

import { peerText } from "../log/text.ts";
import { numberOf } from "../rtmp/amf_access.ts";
import type { AmfObject } from "../rtmp/amf_value.ts";
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
import type { HandshakeKind } from "../rtmp/client_handshake.ts";
import type { Command } from "../rtmp/command.ts";
import type { RtmpConnection } from "../rtmp/connection.ts";
import { bufferLengthBody, ChunkStream, MessageType, STREAM_ID, u32Body } from "../rtmp/message.ts";
import { ACK_WINDOW, BUFFER_LENGTH_MS, DEFAULT_OUT_CHUNK_SIZE } from "./limits.ts";
import { type RtmpTarget, streamName, tcUrlOf } from "./target.ts";
import type { EndReason } from "./upstream_handler.ts";

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
  /** Servers that the request has come through (H34). */
  readonly hops?: string;
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
  /** A server that answers pings is not silent, whether or not it has media. */
  readonly pings?: boolean;
  /** What the publisher's going means: `end` (default), or `keep` waiting for the next one (S10). */
  readonly onUnpublish?: "end" | "keep";
  /** A publisher's releaseStream and FCPublish; default true, as encoders do. */
  readonly fmle?: boolean;
}

/** What is being waited for; `running`: nothing any more. */
export type DialogueStep = "connect" | "createStream" | ClientRole | "running";

/** What a dialogue tells the client around it. */
export interface DialogueOwner {
  /** A question has been written, and its answer is to come in time. */
  asked(): void;
  connected(): void;
  accepted(): void;
  status(info: StatusInfo): void;
  /** The publisher has gone; `how` the server has put it. */
  unpublished(how: string): void;
  /** The server has ended it; `redirect` is where it sends us. */
  end(reason: EndReason, text: string, redirect: string | null): void;
  /** Whether it has ended: an owner may close in the middle of any of these calls. */
  over(): boolean;
}

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

/** One client's commands. What it says goes into the connection; sending that is the owner's business. */
export class RtmpDialogue {
  step: DialogueStep = "connect";
  /** The message stream that the server has given us. */
  streamId = STREAM_ID;
  readonly #target: RtmpTarget;
  readonly #options: RtmpClientOptions;
  readonly #out: RtmpConnection;
  readonly #owner: DialogueOwner;
  #transactions = CONNECT_TRANSACTION;
  #createStreamId = 0;
  /** Transactions whose answers do not matter: releaseStream and FCPublish. */
  readonly #idle = new Set<number>();

  constructor(
    target: RtmpTarget,
    options: RtmpClientOptions,
    out: RtmpConnection,
    owner: DialogueOwner,
  ) {
    this.#target = target;
    this.#options = options;
    this.#out = out;
    this.#owner = owner;
  }

  /** Says `connect`. */
  begin(): void {
    const { role, enhanced, flashVer, pageUrl, swfUrl, args, hops } = this.#options;
    const identity = {
      tcUrl: this.#options.tcUrl ?? tcUrlOf(this.#target),
      app: this.#target.app,
      flashVer: flashVer ?? null,
      pageUrl: pageUrl ?? "",
      swfUrl: swfUrl ?? "",
      enhanced: enhanced ?? false,
      hops: hops ?? "",
      args: args ?? null,
    };
    this.#ask("connect", ChunkStream.COMMAND, 0, connectRequest(role, identity));
    this.#out.control(MessageType.WINDOW_ACK_SIZE, u32Body(ACK_WINDOW));
  }

  /** A command of the server's. */
  answered(command: Command): void {
    switch (command.name) {
      case "_result":
        return this.#result(command);
      case "_error":
        return this.#error(command);
      case "onStatus":
        return this.#status(statusInfo(command));
    }
  }

  /** Playing or publishing has begun, by the server's word or by media (S3: once). */
  accept(): void {
    if (this.step !== this.#options.role) return;
    this.step = "running";
    this.#owner.accepted();
  }

  /** What is said before a connection is closed in good order. */
  farewell(): void {
    if (this.step !== "running") return;
    const { role, fmle = true } = this.#options;
    if (role === "publish" && fmle) {
      this.#command(request("FCUnpublish", ++this.#transactions, this.#target.stream));
    }
    this.#command(request("deleteStream", 0, this.streamId));
  }

  #createStream(): void {
    const { role, fmle = true, chunkSize = DEFAULT_OUT_CHUNK_SIZE } = this.#options;
    this.#out.setChunkSize(chunkSize);
    if (role === "publish" && fmle) {
      for (const name of ["releaseStream", "FCPublish"]) {
        const id = ++this.#transactions;
        this.#idle.add(id);
        this.#command(request(name, id, this.#target.stream));
      }
    }
    this.#createStreamId = ++this.#transactions;
    const body = request("createStream", this.#createStreamId);
    this.#ask("createStream", ChunkStream.COMMAND, 0, body);
  }

  #playOrPublish(): void {
    const { stream } = this.#target;
    if (this.#options.role === "publish") {
      const body = publishRequest(++this.#transactions, stream);
      return this.#ask("publish", ChunkStream.STATUS, this.streamId, body);
    }
    this.#ask("play", ChunkStream.STATUS, this.streamId, playRequest(stream));
    this.#out.control(MessageType.USER_CONTROL, bufferLengthBody(this.streamId, BUFFER_LENGTH_MS));
  }

  #result(command: Command): void {
    if (this.step === "connect") {
      const info = statusInfo(command);
      if (info.level === "error") return this.#refused(info);
      this.#owner.connected();
      if (!this.#owner.over()) this.#createStream();
      return;
    }
    if (this.step !== "createStream") return;
    // nginx answers releaseStream with 0 or a number used before; only a stream id is what we wait for.
    const id = command.args.map(numberOf).findLast((value) => value !== null) ?? null;
    if (this.#idle.has(command.transactionId) || id === null) return;
    if (command.transactionId !== this.#createStreamId && command.transactionId !== 0) return;
    this.streamId = id >>> 0;
    this.#playOrPublish();
  }

  #error(command: Command): void {
    // releaseStream and FCPublish are unknown to some servers.
    if (this.#idle.has(command.transactionId)) return;
    const info = statusInfo(command);
    if (this.step === "running" && info.redirect === null) return this.#owner.status(info);
    this.#refused(info);
  }

  #status(info: StatusInfo): void {
    if (info.level === "error" || info.redirect !== null) return this.#refused(info);
    this.#owner.status(info);
    if (this.#owner.over()) return;
    if (info.code === STARTED[this.#options.role]) return this.accept();
    if (UNPUBLISHED.has(info.code)) return this.#owner.unpublished(info.code);
    if (info.code === "NetConnection.Connect.Closed") {
      this.#owner.end("lost", "the server closes the connection", null);
    }
  }

  #refused(info: StatusInfo): void {
    this.#owner.status(info);
    if (this.#owner.over()) return;
    if (info.redirect !== null) {
      const text = `redirected to ${peerText(info.redirect)}`;
      return this.#owner.end("redirect", text, info.redirect);
    }
    const said = peerText([info.code, info.description].filter((text) => text !== "").join(", "));
    const reason = NOT_FOUND.has(info.code) ? "not-found" : "refused";
    const what = reason === "not-found" ? "no such stream" : `refused (${this.step})`;
    this.#owner.end(reason, said === "" ? what : `${what}: ${said}`, null);
  }

  #ask(step: DialogueStep, chunkStream: number, streamId: number, body: Uint8Array): void {
    this.step = step;
    this.#out.write(chunkStream, MessageType.COMMAND_AMF0, body, streamId);
    this.#owner.asked();
  }

  #command(body: Uint8Array): void {
    this.#out.write(ChunkStream.COMMAND, MessageType.COMMAND_AMF0, body);
  }
}

/** What it may mean that a server closes without a word at this step; for people. */
export function silentCloseHint(step: DialogueStep, target: RtmpTarget): string {
  switch (step) {
    case "connect":
      return ` after connect: it may know no app "${peerText(target.app)}"`;
    case "running":
      return "";
    default:
      return ` after ${step}: it may not allow "${peerText(target.label ?? streamName(target))}"`;
  }
}
